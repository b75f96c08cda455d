"""The frozen records that modules hand to one another. No input or output, no algorithm."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

UInt8Array = NDArray[np.uint8]


def as_split(text: str) -> Split:
    """Return a split by its name; ValueError if there is no such one."""
    return SPLITS[SPLITS.index(text)]


@dataclass(frozen=True, slots=True)
class Picture:
    """A source painting, identified.

    Attributes
    ----------
    id : str
        Its path below the folder it was found in, POSIX, without suffix.
    file : str
        Its path below the plan's ``pictures_root``, POSIX, with suffix.
    height, width : int
        Size in pixels as read, that is after the file's orientation tag was applied.
    sha256 : str
        Of the file's bytes.
    reading : str
        What reading does to it (``"orientation 6 applied; profile Display P3 to sRGB"``), empty if
        nothing.
    transparent : bool
        Some of its pixels are not there: its alpha says so.
    """

    id: str
    file: str
    height: int
    width: int
    sha256: str
    reading: str = ""
    transparent: bool = False


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How a patch is turned: drawn once, written in the plan, applied by ``render``.

    Attributes
    ----------
    flip : bool
        Mirrored left to right, after the turn.
    angle_deg : float
        Counter-clockwise turn of the content, in degrees; 0.0 = not turned.
    """

    flip: bool = False
    angle_deg: float = 0.0


@dataclass(frozen=True, slots=True)
class PatchSpec:
    """One row of a patch plan.

    Attributes
    ----------
    index : int
        Row number in the plan; mask ``index`` of the bank is laid on this patch.
    picture_id : str
        The picture it is cut from.
    center_yx : tuple of int
        Row and column. Size s covers rows ``cy - s // 2`` … ``cy - s // 2 + s - 1``.
    split : {"train", "val", "test"}
        The picture's split.
    augmentation : Augmentation
        The identity outside ``train``.
    nearest_px : float
        Distance to the nearest other centre on the same picture; infinite if alone.
    """

    index: int
    picture_id: str
    center_yx: tuple[int, int]
    split: Split
    augmentation: Augmentation
    nearest_px: float


@dataclass(frozen=True, slots=True)
class Samples:
    """Some rows of a dataset, in the order asked for.

    Attributes
    ----------
    image : (B, S, S, 3) uint8
        The target patches, sRGB, undamaged.
    valid : (B, S, S) uint8
        1 = known, 0 = hole.
    damage : (B, S, S) uint8
        1 = this pixel of the *target* is itself not to be trusted (filled in when a turned patch
        reached over the picture's edge): neither loss nor metric counts it.
    """

    image: UInt8Array
    valid: UInt8Array
    damage: UInt8Array
