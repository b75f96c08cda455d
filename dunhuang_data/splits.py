"""Picture, or group of pictures → train, val or test. Patches overlap, so they never part."""

from collections.abc import Collection

from dunhuang_data.rng import draw_unit, rng_for
from dunhuang_data.types import SPLITS, Split


def split_of(name: str, shares: tuple[float, float, float], seed: int) -> Split:
    """Return the split of one picture, or of one group.

    A pure function of its own name: adding or removing others moves nothing. The shares are
    therefore met on average, not exactly.

    Parameters
    ----------
    name : str
        The picture's id, or its group.
    shares : tuple of three float
        Of train, val and test; they add up to 1.
    seed : int
        The plan's seed.
    """
    point = draw_unit(rng_for(seed, "split", name))
    train, val, _test = shares
    if point < train:
        return SPLITS[0]
    return SPLITS[1] if point < train + val else SPLITS[2]


def first_seed_that_fills(
    names: Collection[str], shares: tuple[float, float, float], tried: int = 1000
) -> int | None:
    """Return the smallest seed under which every split with a share gets something, or None."""
    wanted = {split for split, share in zip(SPLITS, shares, strict=True) if share}
    for seed in range(tried):
        if wanted <= {split_of(name, shares, seed) for name in names}:
            return seed
    return None
