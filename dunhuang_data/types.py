"""The frozen records that modules hand to one another. No input or output, no algorithm."""

from dataclasses import dataclass
from typing import Literal, Protocol

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
    group : str
        Pictures of one group share a split; empty if it is in none.
    split : {"train", "val", "test"}
        Of all its patches.
    scale : float
        At which it is cut: patch pixels per picture pixel.
    damage_file, damage_sha256 : str
        The mask of its real damage, below the plan's ``damage_root``; empty if it has none.
    rights, attribution : str
        As the sidecar table gives them.
    """

    id: str
    file: str
    height: int
    width: int
    sha256: str
    reading: str = ""
    transparent: bool = False
    group: str = ""
    split: Split = "train"
    scale: float = 1.0
    damage_file: str = ""
    damage_sha256: str = ""
    rights: str = ""
    attribution: str = ""

    @property
    def scaled_hw(self) -> tuple[int, int]:
        """Height and width in patch pixels: the picture at the scale it is cut at."""
        return scaled(self.height, self.scale), scaled(self.width, self.scale)


def scaled(length: int, scale: float) -> int:
    """Return how many whole pixels a side has at a scale, at least 1."""
    return max(1, int(length * scale + 1e-6))


class PixelSource(Protocol):
    """A picture of which windows can be had (`dunhuang_data.pictures.SourcePicture`)."""

    @property
    def shape_hw(self) -> tuple[int, int]:
        """Height and width in pixels, upright."""

    def window(self, top: int, left: int, height: int, width: int) -> tuple[UInt8Array, UInt8Array]:
        """Return pixels (h, w, 3) uint8 and which of them are there, (h, w) uint8 of {0, 1}."""


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
        Row and column in the picture at its scale. Size s covers rows ``cy - s // 2`` …
        ``cy - s // 2 + s - 1``.
    split : {"train", "val", "test"}
        The picture's split.
    augmentation : Augmentation
        The identity outside ``train``.
    nearest_px : float
        Distance to the nearest other centre on the same picture, at its scale; infinite if alone.
    scale : float
        Of the picture: patch pixels per picture pixel.
    """

    index: int
    picture_id: str
    center_yx: tuple[int, int]
    split: Split
    augmentation: Augmentation
    nearest_px: float
    scale: float = 1.0


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
