"""Masks of other programs become a bank: read and thresholded once, all problems told together."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from dunhuang_data.atomic import Progress, new_folder, no_progress, write_text
from dunhuang_data.documents import csv_text
from dunhuang_data.errors import MaskError, PictureError
from dunhuang_data.foreign_masks import ForeignMask, read_mask
from dunhuang_data.mask_bank.files import (
    CONTENTS,
    MARKER,
    MASKS_PER_FILE,
    file_name,
    write_marker,
    write_packed,
)
from dunhuang_data.mask_recipe import MaskRecipe
from dunhuang_data.pictures import pictures_below, raise_together, sha256_of_file
from dunhuang_data.polarity import MOSTLY_HOLES, WhiteIs, hole_ratio, pack, unpack
from dunhuang_data.types import UInt8Array

TABLE = "files.csv"


@dataclass(frozen=True, slots=True)
class MaskFile:
    """One row of ``files.csv``: where a mask comes from, and what was done to it.

    Attributes
    ----------
    row : int
        Its place in the bank.
    file : str
        Its path below the folder, POSIX.
    sha256 : str
        Of the file.
    grey_share, hole_ratio : float
        In [0, 1].
    done : str
        What had to be understood, and the change of size; empty if nothing.
    """

    row: int
    file: str
    sha256: str
    grey_share: float
    hole_ratio: float
    done: str


@dataclass(frozen=True, slots=True)
class ForeignMasks:
    """The masks of a folder, all of one size.

    Attributes
    ----------
    folder : Path
    recipe : MaskRecipe
        Of the bank they make: family ``files``.
    packed : tuple of (H, ceil(W / 8)) uint8
        See `dunhuang_data.polarity.pack`.
    files : tuple of MaskFile
    """

    folder: Path
    recipe: MaskRecipe
    packed: tuple[UInt8Array, ...]
    files: tuple[MaskFile, ...]

    def __len__(self) -> int:
        return len(self.files)

    def read(self, index: int) -> UInt8Array:
        """Return mask ``index``, (H, W) uint8, 1 = known, 0 = hole."""
        return unpack(self.packed[index], self.recipe.shape_hw[1])

    def summary(self) -> dict[str, object]:
        """Return counts and means, as plain values."""
        ratios = [file.hole_ratio for file in self.files]
        return {
            "count": len(self),
            "shape_hw": list(self.recipe.shape_hw),
            "hole_ratio_mean": float(np.mean(ratios)),
            "grey_share_mean": float(np.mean([file.grey_share for file in self.files])),
            "grey_files": sum(file.grey_share > 0 for file in self.files),
            "all_known": sum(ratio == 0 for ratio in ratios),
            "all_hole": sum(ratio == 1 for ratio in ratios),
            "copies": len(self) - len({file.sha256 for file in self.files}),
        }

    def warnings(self) -> list[str]:
        """Return what makes one doubt that the masks were understood, in sentences."""
        found: list[str] = []
        ratios = [file.hole_ratio for file in self.files]
        if np.mean(ratios) > MOSTLY_HOLES:
            found.append(
                f"The mean hole ratio is {np.mean(ratios):.2f}: most of the masks is a hole. If "
                "it is the other way round, give the other --white-is."
            )
        for value, what in ((0.0, "no hole"), (1.0, "no known pixel")):
            rows = [file for file, ratio in zip(self.files, ratios, strict=True) if ratio == value]
            if rows:
                found.append(
                    f"{len(rows)} of {len(self)} masks have {what}, {rows[0].file} (row "
                    f"{rows[0].row}) first."
                )
        return found


def read_masks(
    folder: Path,
    white_is: WhiteIs,
    size_hw: tuple[int, int] | None = None,
    progress: Progress = no_progress,
) -> ForeignMasks:
    """Read every mask of a folder, all levels, in order of their paths.

    Parameters
    ----------
    folder : Path
    white_is : {"hole", "known"}
        What white stands for.
    size_hw : tuple of int, optional
        Bring all masks to this height and width, by nearest neighbour. Without it they must be of
        one size.
    progress : callable
        Called once per file.

    Raises
    ------
    MaskError
        If there is none, or their sizes differ.
    PictureError
        If some cannot be used; all sentences.
    """
    paths = mask_files_below(folder)
    problems: list[str] = []
    packed, files = [], []
    shapes: list[tuple[int, int]] = []
    for row, path in enumerate(paths):
        try:
            mask = read_mask(path, white_is)
        except PictureError as error:
            problems.append(f"row {row}: {error}")
            continue
        finally:
            progress(1)
        shape_hw = mask.valid.shape[0], mask.valid.shape[1]
        valid, done = _to_size(mask, size_hw or shape_hw)
        shapes.append(shape_hw)
        packed.append(pack(valid))
        name, sha256 = path.relative_to(folder).as_posix(), sha256_of_file(path)
        ratio = hole_ratio(valid)
        files.append(MaskFile(row, name, sha256, mask.grey_share, ratio, "; ".join(done)))
    if size_hw is None and len(set(shapes)) > 1:
        problems.append(_differing(files, shapes))
    raise_together(problems, f"problems with the masks of {folder}", PictureError)
    recipe = MaskRecipe(shape_hw=size_hw or shapes[0], count=len(files), family="files")
    return ForeignMasks(folder, recipe, tuple(packed), tuple(files))


def mask_files_below(folder: Path) -> list[Path]:
    """List the picture files of a folder of masks.

    Raises
    ------
    MaskError
        If there is none.
    """
    if not folder.is_dir():
        raise MaskError(f"Looking for masks: {folder} is no folder. Name the folder of the masks.")
    paths = pictures_below(folder)
    if not paths:
        bank = " It is a mask bank already." if (folder / MARKER).is_file() else ""
        raise MaskError(
            f"No masks found in {folder}. Expected picture files (PNG, JPEG, TIFF, WebP) in it or "
            f"its folders.{bank}"
        )
    return paths


def _to_size(mask: ForeignMask, size_hw: tuple[int, int]) -> tuple[UInt8Array, list[str]]:
    """Take the pixel at the same place of the mask for each pixel of the size asked for."""
    (height, width), done = mask.valid.shape, list(mask.done)
    if (height, width) == size_hw:
        return mask.valid, done
    # the centre of pixel i of n lies at (2 i + 1) / 2 n of the side
    rows = (2 * np.arange(size_hw[0]) + 1) * height // (2 * size_hw[0])
    columns = (2 * np.arange(size_hw[1]) + 1) * width // (2 * size_hw[1])
    done.append(f"{height}x{width} to {size_hw[0]}x{size_hw[1]} px by nearest neighbour")
    return mask.valid[np.ix_(rows, columns)], done


def _differing(files: Sequence[MaskFile], shapes: Sequence[tuple[int, int]]) -> str:
    first = next(place for place, shape in enumerate(shapes) if shape != shapes[0])
    count = sum(shape != shapes[0] for shape in shapes)
    (height, width), (first_h, first_w) = shapes[first], shapes[0]
    return (
        f"row {files[first].row}: {files[first].file} is {height} x {width} px (height x width), "
        f"{files[0].file} {first_h} x {first_w} px; {count} of {len(files)} differ from the first. "
        f"Masks are resampled only when asked, by nearest neighbour: --size {first_h}x{first_w}."
    )


def write_imported(masks: ForeignMasks, out: Path, overwrite: bool = False) -> None:
    """Write masks of other programs as a bank, with a table of where they come from.

    Raises
    ------
    OutputExistsError
        If ``out`` is in use.
    OutputError
        If it cannot be written.
    """
    with new_folder(out, CONTENTS, overwrite, [masks.folder]) as folder:
        sha256 = {}
        for first in range(0, len(masks), MASKS_PER_FILE):
            name = file_name(first // MASKS_PER_FILE)
            part = masks.packed[first : first + MASKS_PER_FILE]
            sha256[name] = write_packed(folder / name, part)
        columns = [field.name for field in fields(MaskFile)]
        write_text(folder / TABLE, csv_text(columns, (astuple(file) for file in masks.files)))
        write_marker(folder, masks.recipe, MASKS_PER_FILE, sha256)
