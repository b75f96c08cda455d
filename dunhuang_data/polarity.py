"""The polarity of every mask in this project: 1 = known, 0 = hole. The one place that says so.

A mask array is called ``valid``, so that its name tells what 1 means. Masks of other programs are
turned into this form at the door (`valid_from_grey`), and nowhere else.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.types import UInt8Array

MEANING = "1 = known pixel, 0 = hole"

MOSTLY_HOLES = 0.6
"""Above it masks are probably the wrong way round: real damage leaves more than it takes."""

WhiteIs = Literal["hole", "known"]


def valid_from_grey(grey: NDArray[np.uint8], white_is: WhiteIs) -> UInt8Array:
    """Threshold a grey mask at half of white: (…) uint8 of 0 … 255 → (…) uint8 of {0, 1}."""
    known = grey >= 128 if white_is == "known" else grey < 128
    return known.view(np.uint8)  # a large mask is not copied once more


def hole_ratio(valid: UInt8Array) -> float:
    """Return the share of the pixels that are holes, in [0, 1]."""
    return (valid.size - int(np.count_nonzero(valid))) / valid.size  # one rounding: 0.3 is 0.3


def pack(valid: UInt8Array) -> UInt8Array:
    """Pack {0, 1} pixels eight to a byte along the last axis: (…, W) → (…, ceil(W / 8)) uint8.

    The first pixel is the highest bit of the first byte; bits beyond W are 0.
    """
    return np.packbits(valid, axis=-1, bitorder="big")


def unpack(packed: UInt8Array, width: int) -> UInt8Array:
    """Undo `pack`: (…, ceil(W / 8)) → (…, W) uint8 of {0, 1}."""
    return np.unpackbits(packed, axis=-1, count=width, bitorder="big")
