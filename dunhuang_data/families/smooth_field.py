"""Random fields that vary smoothly, in whole numbers and so alike on every platform."""

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.families.draws import Integers, draw_many

WEIGHT_BITS = 10
AMPLITUDE = 1 << 10


def smooth_field(
    rng: np.random.Generator,
    shape_hw: tuple[int, int],
    pitch: int,
    window: tuple[slice, slice],
) -> Integers:
    """Draw a window of a smooth random field: white noise on a lattice, B-splines in between.

    The words drawn depend on ``shape_hw`` and ``pitch``, not on the window.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape_hw : tuple of int
        Of the whole field, in pixels.
    pitch : int
        Pixels between two knots of the lattice: the field varies over this length.
    window : tuple of slice
        The rows and columns that are wanted.

    Returns
    -------
    (h, w) int64
        In [-AMPLITUDE, AMPLITUDE], mean 0.
    """
    down, across = ((length - 1) // pitch + 3 for length in shape_hw)
    lattice = draw_many(rng, down * across, -AMPLITUDE, AMPLITUDE).reshape(down, across)
    tall = _upsampled(lattice.astype(np.int32), pitch, window[0])
    return _upsampled(np.ascontiguousarray(tall.T), pitch, window[1]).T.astype(np.int64)


def _upsampled(knots: NDArray[np.int32], pitch: int, rows: slice) -> NDArray[np.int32]:
    """Lay quadratic B-splines through knots along the first axis: (K, n) → (rows, n) int32."""
    position = np.arange(rows.start, rows.stop)
    cell, inside = position // pitch, 2 * (position % pitch) + 1
    before = ((2 * pitch - inside) ** 2 << WEIGHT_BITS) // (8 * pitch**2)
    after = (inside**2 << WEIGHT_BITS) // (8 * pitch**2)
    middle = (1 << WEIGHT_BITS) - before - after
    total: NDArray[np.int32] = knots[cell] * before.astype(np.int32)[:, None]
    total += knots[cell + 1] * middle.astype(np.int32)[:, None]
    total += knots[cell + 2] * after.astype(np.int32)[:, None]
    total >>= WEIGHT_BITS
    return total
