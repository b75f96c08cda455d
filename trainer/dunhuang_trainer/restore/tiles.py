"""Where tiles lie along one side of a picture, and how much each counts: weights that add up to 1.

tile 0   |--------------|
tile 1            |--------------|
weight 0  1 1 1 1 1 ╲
weight 1            ╱ 1 1 1 1 1 1        over what they have in common, sin² and cos²
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.errors import UsageProblem


@dataclass(frozen=True, slots=True)
class Span:
    """One tile along one side of the picture.

    Attributes
    ----------
    start, stop : int
        In pixels.
    weight : (stop - start,) float32
        Above 0; over all tiles of a side they add up to 1 at every pixel.
    """

    start: int
    stop: int
    weight: NDArray[np.float32]


def check_tiles(tile: int, overlap: int) -> None:
    """Refuse tiles that do not overlap sensibly.

    Raises
    ------
    UsageProblem
    """
    if tile < 1 or not 0 <= 2 * overlap <= tile:
        raise UsageProblem(
            f"--tile {tile} and --overlap {overlap} do not fit; an overlap is at most half a tile."
        )


def spans(length: int, tile: int, overlap: int) -> list[Span]:
    """Spread tiles evenly over a side, any two neighbours with at least ``overlap`` in common.

    Parameters
    ----------
    length : int
        Of the side, in pixels. A side no longer than a tile is one span.
    tile, overlap : int
        In pixels; see `check_tiles`.

    Notes
    -----
    Weights rise and fall as sin² and cos² (a Hann window's flank) over all that neighbours have in
    common, not only over ``overlap``. Near the rim of a tile, where the network has seen least
    around it, they are nearly 0.
    """
    count = max(1, -(-(length - overlap) // (tile - overlap)))
    starts = np.rint(np.linspace(0, max(0, length - tile), count)).astype(int).tolist()
    stops = [min(start + tile, length) for start in starts]
    weights = [np.ones(stop - start) for start, stop in zip(starts, stops, strict=True)]
    for number in range(1, count):
        common = stops[number - 1] - starts[number]
        if common > 0:  # with an overlap of 0, tiles may only touch
            rise = np.sin(np.pi / 2 * (np.arange(common) + 0.5) / common) ** 2
            weights[number][:common] *= rise
            weights[number - 1][-common:] *= rise[::-1]
    total = np.zeros(length)  # not 1 where three tiles meet
    for start, stop, weight in zip(starts, stops, weights, strict=True):
        total[start:stop] += weight
    return [
        Span(start, stop, (weight / total[start:stop]).astype(np.float32))
        for start, stop, weight in zip(starts, stops, weights, strict=True)
    ]
