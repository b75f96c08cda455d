"""Look at the files of one picture: sizes, the mask's two values, and what its white stands for."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dunhuang_data.errors import DataProblem, PictureError
from dunhuang_data.foreign_masks import ForeignMask, read_mask
from dunhuang_data.layouts.detection import photograph_of
from dunhuang_data.layouts.records import Entry, PictureRow, ReadPicture
from dunhuang_data.mask_files import differing_sizes
from dunhuang_data.pictures import inspect_picture, read_picture, sha256_of_file
from dunhuang_data.pictures.facts import PictureFacts
from dunhuang_data.polarity import WhiteIs, hole_ratio, pack
from dunhuang_data.types import UInt8Array

MOST_UNCHANGED = 0.5  # of the change on one side of the mask: the most that the other side has
LEAST_CHANGE = 8.0  # levels of 0 … 255 between both sides; JPEG changes known pixels by 1 to 4
OF_ANOTHER = 24.0  # levels; if both sides differ by more, it is hardly the same picture


@dataclass(frozen=True, slots=True)
class ReadJob:
    """One entry, by its number.

    Attributes
    ----------
    number : int
    entry : Entry
    folder : Path
        Below which sources are named.
    white_is : {"hole", "known"}
        Of labels of damage, "hole" is the damage.
    """

    number: int
    entry: Entry
    folder: Path
    white_is: WhiteIs


def read_entry(job: ReadJob) -> tuple[int, ReadPicture | None, tuple[str, ...]]:
    """Look at all files of one picture.

    Returns
    -------
    number : int
    read : ReadPicture or None
        None if it cannot be used.
    problems : tuple of str
        Why not, all of it.
    """
    entry, problems = job.entry, list[str]()
    picture, mask = entry.files["picture"], entry.files.get("mask") or entry.files.get("damage")
    facts, pixels, row, read = None, None, None, None
    try:
        facts, pixels = _picture(picture, "masked" in entry.files)
        row = _row(entry, facts, job.folder)
    except DataProblem as error:
        problems.append(str(error))
    try:
        read = read_mask(mask, job.white_is) if mask is not None else None
    except DataProblem as error:
        problems.append(str(error))
    if facts is not None and read is not None:
        problems += _differing(facts, read, mask)
    if problems or row is None or facts is None:
        return job.number, None, tuple(problems)
    remarks = [f"{warning.sentence} It is copied all the same." for warning in facts.warnings]
    if mask is None or read is None:
        return job.number, ReadPicture(row, picture, None, tuple(remarks)), ()
    polarity, told = _polarity(entry.files.get("masked"), pixels, read.valid)
    row = replace(_with_mask(row, entry, mask, read, job.folder), polarity=polarity)
    white = read.valid if "mask" in entry.files else 1 - read.valid
    return job.number, ReadPicture(row, picture, pack(white), (*remarks, *told)), ()


def _row(entry: Entry, facts: PictureFacts, folder: Path) -> PictureRow:
    return PictureRow(
        part=entry.part.name,
        split=entry.part.split,
        picture=entry.key,
        group=photograph_of(entry.key) or entry.key,
        height=facts.height,
        width=facts.width,
        file=_below(entry, "pictures", facts.path.suffix),
        source=facts.path.relative_to(folder).as_posix(),
        sha256=sha256_of_file(facts.path),
    )


def _picture(path: Path, compared: bool) -> tuple[PictureFacts, UInt8Array | None]:
    """Decode a picture to its end, once; return its pixels if it is to be compared."""
    facts = inspect_picture(path, headers_only=True)
    plain = facts.sample == "uchar" and facts.alpha is None and not facts.warnings
    if compared and plain:  # others may need a decision, and are copied without one
        return facts, read_picture(path)
    return inspect_picture(path), None


def _differing(facts: PictureFacts, mask: ForeignMask, path: Path | None) -> list[str]:
    if mask.valid.shape == (facts.height, facts.width):
        return []
    size_hw = (facts.height, facts.width)
    return [differing_sizes(f"mask {path}", mask.valid.shape, f"the picture {facts.path}", size_hw)]


def _with_mask(
    row: PictureRow, entry: Entry, path: Path, mask: ForeignMask, folder: Path
) -> PictureRow:
    damage, share = "damage" in entry.files, hole_ratio(mask.valid)
    return replace(
        row,
        mask_file=_below(entry, "damage" if damage else "masks", ".png"),
        mask_source=path.relative_to(folder).as_posix(),
        mask_sha256=sha256_of_file(path),
        hole_ratio=None if damage else share,
        damage_ratio=share if damage else None,
        grey_share=mask.grey_share,
        done="; ".join(mask.done),
    )


def _below(entry: Entry, kind: str, suffix: str) -> str:
    start = f"{entry.part.name}/" if entry.part.name else ""
    return f"{start}{kind}/{entry.key}{suffix}"


def _polarity(
    path: Path | None, picture: UInt8Array | None, valid: UInt8Array
) -> tuple[str, list[str]]:
    """Compare a picture with itself with holes: where it was changed are the holes.

    Nothing is assumed of the colour of the holes.
    """
    if path is None or picture is None:
        return "", []
    try:
        masked = read_picture(path)
    except PictureError as error:
        return "", [f"{error} Only the meaning of white is checked with it; it is not imported."]
    if masked.shape != picture.shape:
        (height, width), (own_height, own_width) = picture.shape[:2], masked.shape[:2]
        return "", [
            f"{path} is {own_height} x {own_width} px (height x width), its picture {height} x "
            f"{width} px, so the meaning of white is not checked with it."
        ]
    if valid.all() or not valid.any():
        return "undecided", []
    change = (np.maximum(masked, picture) - np.minimum(masked, picture)).astype(np.uint16)
    of_pixel = change[..., 0] + change[..., 1] + change[..., 2]
    hole = float(of_pixel[valid == 0].mean()) / 3
    known = float(of_pixel[valid == 1].mean()) / 3
    if abs(hole - known) > LEAST_CHANGE and min(hole, known) < MOST_UNCHANGED * max(hole, known):
        return ("agrees" if hole > known else "contradicts"), []
    if min(hole, known) > OF_ANOTHER:
        return "undecided", [
            f"{path} differs from its picture by {hole:.0f} of 255 levels in the holes and by "
            f"{known:.0f} elsewhere: are both of one picture? Look at them."
        ]
    return "undecided", []
