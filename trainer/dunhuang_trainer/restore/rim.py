"""Whether a mask's rim still shows the colour of its holes, or the mask is the wrong way round.

A hole that was painted over has one colour. Where a mask is drawn too small, or the picture was
saved as JPEG after it was painted, that colour reaches beyond the hole, and the network takes it
for the wall's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.polarity import MOSTLY_HOLES
from dunhuang_data.types import UInt8Array
from dunhuang_trainer.restore.glimpses import Glimpse
from dunhuang_trainer.restore.holes import distance_to

RINGS = 32  # of one px each, that are looked at outside of a hole
WIDEST = 24  # the last one that can be a rim; those beyond it are the wall
ONE_COLOUR = 0.9  # share of pixels within LIKE of their median that makes them of one colour
LIKE = 16  # levels
PAINTED = 5  # levels; of holes whose colour is less even, as plaster's, wide rims are chance
WIDEST_OF_UNEVEN = 10  # rings
PLAIN = 12.0  # levels; a wall nearer to the hole's colour than this tells nothing
CLEAR = 0.8  # of the wall's difference from the hole's colour: a ring below it is no wall
SLIGHT = 0.955  # the same, of the rings just beyond
AHEAD = slice(3, 9)  # which of those
STEP = 0.12  # the same: so much a ring must differ from the second one beyond it, somewhere
FEWEST = 200  # pixels of the first ring; fewer tell no slight difference from chance
CHANCE = 5.0  # times what rings of the wall differ from one another
MOST_EDGE = 0.75  # share of the pixels at a picture's edge


@dataclass(frozen=True, slots=True)
class Rim:
    """What the rim of a mask shows.

    Attributes
    ----------
    colour : tuple of int
        sRGB of the holes, 0 … 255.
    width_px : int
        So many rings of known pixels have something of it; 0 = none.
    """

    colour: tuple[int, int, int]
    width_px: int


def one_colour(pixels: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Return the colour that nearly all of some pixels have, (3,) float32, or None.

    Parameters
    ----------
    pixels : (n, 3) float32
        In levels of 0 … 255.
    """
    if len(pixels) == 0:
        return None
    middle = np.asarray(np.median(pixels, axis=0), dtype=np.float32)
    alike = np.abs(pixels - middle).max(axis=1) <= LIKE
    return middle if alike.mean() >= ONE_COLOUR else None


def look_at_rim(seen: Sequence[Glimpse]) -> Rim | None:
    """Measure how far the colour of the holes reaches beyond them.

    Parameters
    ----------
    seen : sequence of Glimpse

    Returns
    -------
    Rim or None
        None if the holes are not of one colour, or the wall is of the same.

    Notes
    -----
    A ring is the known pixels at one distance, rounded up to a pixel, from the nearest hole. Its
    figure is the mean difference from the holes' colour (of the channel that differs most). Rings
    count as rim, from the first on, as long as their figure is clearly below that of the wall,
    or slightly below that of the rings just beyond and not by chance.
    """
    insides, depths = zip(*(_inside(one) for one in seen), strict=True) if seen else ((), ())
    pixels = np.concatenate(insides) if insides else np.zeros((0, 3), np.float32)
    depth = np.concatenate(depths) if depths else np.zeros(0, np.float32)
    if len(pixels) == 0:
        return None
    colour = one_colour(pixels[depth > min(4.0, 0.7 * float(depth.max()))])
    if colour is None:
        return None
    ring, pixels_of_first = _rings(seen, colour)
    wall = _mean(ring[WIDEST:])
    if not wall >= PLAIN:
        return None
    red, green, blue = np.rint(colour).astype(int).tolist()
    width = _width(ring / wall, pixels_of_first >= FEWEST)
    even = (np.abs(pixels - colour).max(axis=1) <= PAINTED).mean() >= ONE_COLOUR
    return Rim((red, green, blue), width if even or width <= WIDEST_OF_UNEVEN else 0)


def _width(ring: NDArray[np.float64], enough: bool) -> int:
    """Return how many rings are rim, by their differences in units of the wall's.

    With ``enough`` pixels, also slight differences count.
    """
    between = np.abs(np.diff(ring[WIDEST:]))
    chance = CHANCE * float(np.nanmedian(between)) if np.isfinite(between).any() else np.inf
    clear = slight = 0
    while clear < WIDEST and ring[clear] < CLEAR:
        clear += 1
    # a wall that changes slowly has no step, and the colour of a hole has one
    if clear and not (ring[2:] - ring[:-2])[:clear].max(initial=0) >= STEP:
        clear = 0
    while enough and clear + slight < WIDEST:
        place = clear + slight
        if not ring[place] < (1 - max(1 - SLIGHT, chance)) * _mean(ring[place:][AHEAD]):
            break
        slight += 1
    return clear + slight


def _mean(values: NDArray[np.float64]) -> float:
    """Return the mean of the numbers among some values; NaN if there is none."""
    numbers = values[np.isfinite(values)]
    return float(numbers.mean()) if len(numbers) else float("nan")


def _inside(one: Glimpse) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the hole pixels of a glimpse, (n, 3), and their distance to the nearest known one."""
    hole = one.counted & (one.valid == 0)
    return one.srgb[hole], distance_to(1 - one.valid)[hole]


def _rings(seen: Sequence[Glimpse], colour: NDArray[np.float32]) -> tuple[NDArray[np.float64], int]:
    """Return each ring's mean difference from a colour, (RINGS,), and the pixels of the first.

    NaN for an empty ring.
    """
    total, count = np.zeros(RINGS + 1), np.zeros(RINGS + 1)
    for one in seen:
        distance = distance_to(one.valid)
        ring = np.ceil(distance - 1e-3)
        near = one.counted & (one.valid == 1) & (ring <= RINGS)
        numbers = ring[near].astype(int)
        difference = np.abs(one.srgb[near] - colour).max(axis=1)
        total += np.bincount(numbers, difference, RINGS + 1)
        count += np.bincount(numbers, minlength=RINGS + 1)
    with np.errstate(invalid="ignore"):
        return (total / count)[1:], int(count[1])


def probably_inverted(valid: UInt8Array, seen: Sequence[Glimpse]) -> str:
    """Say why a mask seems to be the wrong way round; empty if it does not.

    Parameters
    ----------
    valid : (H, W) uint8
        1 = known, 0 = hole.
    seen : sequence of Glimpse

    Notes
    -----
    Either what it calls known has one colour and what it calls holes has not, whatever their
    share; or it calls more than 60 % of the picture holes, and more than 75 % of the pixels at
    the picture's edge: known pixels lie in it like holes in a wall.
    """
    known, holes = (
        [one.srgb[one.counted & (one.valid == value)] for one in seen] for value in (1, 0)
    )
    if seen and one_colour(np.concatenate(known)) is not None:
        red, green, blue = np.rint(np.median(np.concatenate(known), axis=0)).astype(int)
        if one_colour(np.concatenate(holes)) is None:
            return (
                f"what it calls known has one colour ({red}, {green}, {blue}), and what it calls "
                "holes has not"
            )
    share = 1 - float(valid.mean())
    edge = np.concatenate([valid[0], valid[-1], valid[1:-1, 0], valid[1:-1, -1]])
    at_edge = 1 - float(edge.mean())
    if share > MOSTLY_HOLES and at_edge > MOST_EDGE:
        return (
            f"it calls {share:.0%} of the picture holes, and {at_edge:.0%} of the pixels at its "
            "edge, so that known pixels lie in it like holes in a wall"
        )
    return ""
