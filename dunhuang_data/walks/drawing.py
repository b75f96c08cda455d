"""Holes drawn by random walks: so many steps, or exactly so many pixels.

Walker k of a mask draws from the mask's own stream, jumped k times (`numpy.random.Philox.jumped`):
more walkers, or more steps, only add holes.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.errors import MaskError
from dunhuang_data.types import UInt8Array
from dunhuang_data.walks import backend
from dunhuang_data.walks.borders import fold_onto
from dunhuang_data.walks.relay import STEPS_PER_CELL, Relay, walkers_of
from dunhuang_data.walks.rules import WalkRule
from dunhuang_data.walks.shown import earliest, shown, valid_of
from dunhuang_data.walks.steps import MOST_STEPS, NEVER, STEPS_PER_WORD, Steps, Walker

SEEDS_RULE = WalkRule()
LEAST_STRETCH, MOST_STRETCH = 4096, 2**15  # steps of a walk to order between two counts


def random_walk(
    shape_hw: tuple[int, int], steps: int, rng: np.random.Generator, rule: WalkRule = SEEDS_RULE
) -> UInt8Array:
    """Draw one mask of so many steps.

    Parameters
    ----------
    shape_hw : tuple of int
        Height and width in pixels.
    steps : int
        Steps of each walker; it visits ``steps + 1`` cells, the start among them, many more than
        once.
    rng : numpy.random.Generator
        From `dunhuang_data.rng.rng_for`. Word 0 and 1 draw the start, the rest the steps, two bits
        each, low bits first; so a longer walk from the same generator begins with the shorter one.
    rule : WalkRule
        Border, start, margin, walkers, brush, grid.

    Returns
    -------
    valid : (H, W) uint8
        1 = known, 0 = hole.

    Raises
    ------
    MaskError
        If the shape is empty, the margin leaves no room or steps are negative.
    """
    _check(shape_hw, steps, rule)
    cells_hw = rule.cells_hw(shape_hw)
    holes = np.zeros(cells_hw, dtype=np.uint8)
    for walker in walkers_of(rng, rule, cells_hw, 0):
        for count, _ in _stretches(steps):
            _visit(holes, walker, count, rule.border)
    return valid_of(shown(holes, rule, shape_hw), rule.margin_px)


def random_walks(
    shape_hw: tuple[int, int],
    steps: int,
    rngs: Iterable[np.random.Generator],
    rule: WalkRule = SEEDS_RULE,
) -> UInt8Array:
    """Draw several masks of so many steps, each from its own generator.

    Returns
    -------
    valid : (K, H, W) uint8
        Mask k is ``random_walk(shape_hw, steps, rngs[k], rule)``, whatever the others are.
    """
    drawn = [random_walk(shape_hw, steps, rng, rule) for rng in rngs]
    return np.stack(drawn) if drawn else np.empty((0, *shape_hw), dtype=np.uint8)


def first_visits(
    shape_hw: tuple[int, int], steps: int, rng: np.random.Generator, rule: WalkRule = SEEDS_RULE
) -> NDArray[np.int32]:
    """Return when each pixel of a mask becomes a hole.

    ``visits <= n`` are the holes of the same walk of n steps: one walk gives a nested family of
    masks, from the first cell to all of its steps.

    Parameters
    ----------
    shape_hw, steps, rng, rule
        As for `random_walk`.

    Returns
    -------
    visits : (H, W) int32
        Steps made when the pixel is first drawn, 0 for the start; `NEVER` for what stays known.

    Raises
    ------
    MaskError
        As `random_walk`.
    """
    _check(shape_hw, steps, rule)
    cells_hw = rule.cells_hw(shape_hw)
    times = np.full(cells_hw, NEVER, dtype=np.int32)
    for walker in walkers_of(rng, rule, cells_hw, 0):
        for count, so_far in _stretches(steps):
            made = walker.take(count)
            _time(times, made, so_far, rule.border)
            walker.y, walker.x = made.path.end_yx
    inner = earliest(times, rule, shape_hw)
    return np.pad(inner, rule.margin_px, constant_values=NEVER)


def walk_to_order(
    shape_hw: tuple[int, int],
    hole_pixels: int,
    rng: np.random.Generator,
    rule: WalkRule = SEEDS_RULE,
) -> UInt8Array:
    """Draw one mask with exactly so many holes: as many steps of a walk as that takes.

    The holes are the ``hole_pixels`` pixels that the walk draws first. Of pixels drawn by the same
    step (a wide brush) those along the border come first, then row by row: so a walk that starts
    at the border touches it. From one generator, masks of more and more holes lie in each other.

    With border rule ``drop`` a walk may leave for good. There, walkers that have made as many steps
    as a square of the mask's longer side has cells are followed by new ones, each with its own
    start.

    Parameters
    ----------
    shape_hw : tuple of int
        Height and width in pixels.
    hole_pixels : int
        Pixels that become holes, from 1 to all within the margin.
    rng, rule
        As for `random_walk`.

    Returns
    -------
    valid : (H, W) uint8
        1 = known, 0 = hole.

    Raises
    ------
    MaskError
        If there are not so many pixels within the margin, or the walk has not drawn them after
        `STEPS_PER_CELL` steps a cell; the sentence names what there was.
    """
    _check(shape_hw, 0, rule)
    height, width = rule.inner_hw(shape_hw)
    if not 1 <= hole_pixels <= height * width:
        raise MaskError(
            f"{hole_pixels} hole pixels cannot be drawn on {shape_hw[0]} x {shape_hw[1]} px within "
            f"a margin of {rule.margin_px} px; expected 1 to {height * width}."
        )
    cells_hw = rule.cells_hw(shape_hw)
    holes, count = np.zeros(cells_hw, dtype=np.uint8), 0
    relay = Relay(rng, rule, cells_hw)
    while relay.budget > 0:
        walkers, steps = relay.next(_stretch(hole_pixels - count, rule))
        grown = holes.copy()
        made = [_visit(grown, walker, steps, rule.border) for walker in walkers]
        count = int(np.count_nonzero(shown(grown, rule, shape_hw)))
        if count >= hole_pixels:
            times = np.full(cells_hw, NEVER, dtype=np.int32)
            for one in made:
                _time(times, one, 0, rule.border)  # only their order counts
            times[holes == 1] = -1  # before this stretch
            first = _first(earliest(times, rule, shape_hw), hole_pixels, rule.margin_px)
            return valid_of(first, rule.margin_px)
        holes = grown
    raise MaskError(
        f"A walk with border {rule.border} on {shape_hw[0]} x {shape_hw[1]} px drew "
        f"{count} of {hole_pixels} hole pixels in {STEPS_PER_CELL} steps a cell, and was ended. "
        "Ask for fewer, or choose another border, start or more walkers."
    )


def mask_of_visits(visits: NDArray[np.int32], hole_pixels: int) -> UInt8Array:
    """Return the mask whose holes are the pixels visited first, exactly so many.

    One result of `first_visits` gives a mask for every hole ratio up to what the walk drew, each
    lying in the next.

    Parameters
    ----------
    visits : (H, W) int32
    hole_pixels : int

    Returns
    -------
    valid : (H, W) uint8
        1 = known, 0 = hole.

    Raises
    ------
    MaskError
        If the walk did not draw so many.
    """
    drawn = int(np.count_nonzero(visits != NEVER))
    if not 1 <= hole_pixels <= drawn:
        raise MaskError(
            f"The walk drew {drawn} pixels, asked for are {hole_pixels}; expected 1 to {drawn}. "
            "Give first_visits more steps."
        )
    return valid_of(_first(visits, hole_pixels), 0)


def _check(shape_hw: tuple[int, int], steps: int, rule: WalkRule) -> None:
    if min(shape_hw) < 1 or not 0 <= steps < 2**30:
        raise MaskError(
            f"A walk of {steps} steps on {shape_hw[0]} x {shape_hw[1]} px cannot be drawn; "
            "expected a shape of at least 1 x 1 px and 0 to 2**30 - 1 steps."
        )
    rule.inner_hw(shape_hw)


def _stretches(steps: int) -> Iterator[tuple[int, int]]:
    """Cut steps into as many as a walker makes at once, each with how many were made before."""
    for so_far in range(0, max(steps, 1), MOST_STEPS):
        yield min(MOST_STEPS, steps - so_far), so_far


def _visit(holes: UInt8Array, walker: Walker, count: int, border: str) -> Steps:
    """Let a walker make steps, and draw what it visits."""
    made = walker.take(count)
    if backend.compiled is not None and min(holes.shape) >= backend.compiled.LEAST_CELLS:
        walker.y, walker.x = backend.compiled.draw(holes, made, border)
    else:
        path = made.path
        fold_onto(holes, path.visited(), path.origin_yx, border, np.bitwise_or, 0)
        walker.y, walker.x = path.end_yx
    return made


def _time(times: NDArray[np.int32], made: Steps, so_far: int, border: str) -> None:
    """Draw when a stretch first visits what it visits."""
    path = made.path
    fold_onto(times, path.first_visits(so_far), path.origin_yx, border, np.minimum, NEVER)


def _stretch(missing_pixels: int, rule: WalkRule) -> int:
    """Return how many steps to make before counting again; it changes the time, not the mask."""
    # steps too many cost less than one more count, so the guess is on the high side
    guess = 4 * missing_pixels // rule.walkers
    words = min(max(guess, LEAST_STRETCH), MOST_STRETCH) // STEPS_PER_WORD
    return words * STEPS_PER_WORD


def _first(times: NDArray[np.int32], count: int, margin_px: int = 0) -> UInt8Array:
    """Return the pixels of the smallest times, (h, w) uint8, 1 = taken.

    Where times are equal, pixels along the mask's border come first, then row by row; times are
    those within a margin, where no pixel is along that border.
    """
    taken = (times < 0).astype(np.uint8)
    candidates = np.flatnonzero((times >= 0) & (times != NEVER))
    needed = count - int(np.count_nonzero(taken))
    values = times.reshape(-1)[candidates]
    last = np.partition(values, needed - 1)[needed - 1]
    before = candidates[values < last]
    tied = candidates[values == last]
    if len(before) + len(tied) > needed and margin_px == 0:
        (height, width), (y, x) = times.shape, np.divmod(tied, times.shape[1])
        inside = (y > 0) & (y < height - 1) & (x > 0) & (x < width - 1)
        tied = tied[np.argsort(inside, kind="stable")]
    tied = tied[: needed - len(before)]
    flat = taken.reshape(-1)
    flat[before] = 1
    flat[tied] = 1
    return taken
