"""What is known of a layout before a file is opened, and of a picture once it was looked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dunhuang_data.polarity import WhiteIs
from dunhuang_data.types import UInt8Array

LayoutName = Literal["course", "challenge", "muraldh", "folder"]
LAYOUTS: tuple[LayoutName, ...] = ("course", "challenge", "muraldh", "folder")

Role = Literal["picture", "mask", "masked", "damage"]
"""What a file is: the picture without holes, its mask, the picture with holes, its damage."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a dataset whose files are paired among themselves.

    Attributes
    ----------
    name : str
        Its folder in the output, POSIX; empty = the output itself.
    split : str
        ``"train"``, ``"val"``, ``"test"``; empty if the source has no splits.
    folders : mapping of role to Path
        Where the files of each role are. Two roles may share a folder.
    """

    name: str
    split: str
    folders: Mapping[Role, Path]

    @property
    def needed(self) -> tuple[Role, ...]:
        """The roles that every picture must have a file of: all but ``masked``."""
        return tuple(role for role in self.folders if role != "masked")


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout that was recognised in a folder.

    Attributes
    ----------
    name : str
    folder : Path
    parts : tuple of Part
    why : str
        By what it was recognised, as the end of a sentence.
    white_is : {"hole", "known"}, optional
        What white stands for in the masks, where the layout's documentation says so.
    not_read : tuple of str
        Sentences on what is left aside.
    problems : tuple of str
        Sentences on what the layout lacks.
    """

    name: LayoutName
    folder: Path
    parts: tuple[Part, ...]
    why: str
    white_is: WhiteIs | None = None
    not_read: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """The files of one picture.

    Attributes
    ----------
    part : Part
    key : str
        What the pair was made by, and the picture's id: the path below its folder, without suffix
        and without ``_mask``, ``_masked``, ``_gt``.
    files : mapping of role to Path
    """

    part: Part
    key: str
    files: Mapping[Role, Path]


@dataclass(frozen=True, slots=True)
class PictureRow:
    """One row of ``files.csv``.

    Attributes
    ----------
    part, split, picture, group : str
    height, width : int
        In pixels, upright.
    file : str
        The picture, below the output.
    source : str
        The file it is a copy of, below the folder that was read.
    sha256 : str
        Of the picture's bytes.
    mask_file, mask_source, mask_sha256 : str
        The mask of the holes or of the damage; empty if there is none. The hash is the source's.
    hole_ratio, damage_ratio : float or None
        In [0, 1]; None where there is no such mask.
    grey_share : float or None
        Share of the mask's pixels neither within 2 of black nor of white.
    polarity : str
        What the picture with holes says of ``white_is``: ``"agrees"``, ``"contradicts"``,
        ``"undecided"``; empty if there is none.
    done : str
        What had to be understood of the mask; empty if nothing.
    """

    part: str
    split: str
    picture: str
    group: str
    height: int
    width: int
    file: str
    source: str
    sha256: str
    mask_file: str = ""
    mask_source: str = ""
    mask_sha256: str = ""
    hole_ratio: float | None = None
    damage_ratio: float | None = None
    grey_share: float | None = None
    polarity: str = ""
    done: str = ""


@dataclass(frozen=True, slots=True)
class ReadPicture:
    """A picture that was looked at.

    Attributes
    ----------
    row : PictureRow
    source : Path
        The picture's file.
    packed : (H, ceil(W / 8)) uint8, optional
        What is written as its mask, 1 = white: of holes 1 = known, of damage 1 = damaged.
    remarks : tuple of str
        Sentences on what does not keep it from being used.
    """

    row: PictureRow
    source: Path
    packed: UInt8Array | None = None
    remarks: tuple[str, ...] = ()
