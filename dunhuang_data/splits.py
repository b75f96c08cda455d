"""Picture → train, val or test. A picture's patches overlap, so they never part."""

from dunhuang_data.rng import draw_unit, rng_for
from dunhuang_data.types import SPLITS, Split


def split_of(picture_id: str, shares: tuple[float, float, float], seed: int) -> Split:
    """Return the split of one picture.

    A pure function of its own id: adding or removing other pictures moves nothing. The shares are
    therefore met on average, not exactly.

    Parameters
    ----------
    picture_id : str
        See `dunhuang_data.types.Picture`.
    shares : tuple of three float
        Of train, val and test; they add up to 1.
    seed : int
        The plan's seed.
    """
    point = draw_unit(rng_for(seed, "split", picture_id))
    train, val, _test = shares
    if point < train:
        return SPLITS[0]
    return SPLITS[1] if point < train + val else SPLITS[2]


def first_seed_that_fills(
    picture_ids: list[str], shares: tuple[float, float, float], tried: int = 1000
) -> int | None:
    """Return the smallest seed under which every split with a share gets a picture, or None."""
    wanted = {split for split, share in zip(SPLITS, shares, strict=True) if share}
    for seed in range(tried):
        if wanted <= {split_of(picture_id, shares, seed) for picture_id in picture_ids}:
            return seed
    return None
