"""What is looked at of each picture: the picture itself, shrunk, or its patches in a dataset."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import cv2
import numpy as np

from dunhuang_data.pictures import open_picture
from dunhuang_data.plan import PatchPlan
from dunhuang_data.reader import DatasetReader
from dunhuang_data.recipe import ReadingRecipe
from dunhuang_data.replay import check_unchanged
from dunhuang_data.types import SPLITS, Picture, Split, UInt8Array

PIXELS = 1 << 20
"""Pixels to which a view is shrunk."""

PATCHES = 100
"""Patches looked at of a picture, where the dataset stands in for it; the first cover it best."""


@dataclass(frozen=True, slots=True)
class View:
    """Something to be compared.

    Attributes
    ----------
    grey : (H, W) uint8
        At most `PIXELS` pixels.
    scale : float
        Pixels of the view per pixel of what it shows.
    name : str
        Which part of the picture it is (``"patch 3"``: row 3 of the plan); empty for the whole.
    """

    grey: UInt8Array
    scale: float
    name: str = ""


Views = Callable[[Picture], Iterator[View]]
"""Yields the views of a picture; asked for each once or more, as often as the search has rounds."""


def view_of(pixels: UInt8Array, name: str = "") -> View:
    """Shrink a picture to a view.

    Parameters
    ----------
    pixels : (H, W, 3) uint8
    name : str
        See `View`.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, sqrt(PIXELS / (height * width)))
    if scale < 1.0:
        size = (max(1, int(width * scale)), max(1, int(height * scale)))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return View(_grey(pixels), scale, name)


def _grey(pixels: UInt8Array) -> UInt8Array:
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)


def whole_pictures(root: Path, reading: ReadingRecipe | None = None) -> Views:
    """Look at the pictures themselves, below ``root``, read as the plan read them.

    The callable raises `PictureError` if a picture is gone, changed or unreadable.
    """

    def views(picture: Picture) -> Iterator[View]:
        path = root / picture.file
        check_unchanged(path, picture.sha256, "--pictures")
        shrink = min(1.0, sqrt(PIXELS / (picture.height * picture.width)))
        longest_px = max(1, int(max(picture.height, picture.width) * shrink))
        pixels, _ = open_picture(path, reading or ReadingRecipe()).thumbnail(longest_px)
        yield View(_grey(pixels), pixels.shape[1] / picture.width)

    return views


def stored_patches(dataset: Path, plan: PatchPlan) -> Views:
    """Look at the patches that a dataset stores, at most `PATCHES` of each picture.

    A picture's patches are in the order in which they were chosen, each as far as possible from
    those before: the first hundred cover it as evenly as a hundred can.
    """
    readers = {split: DatasetReader(dataset, split) for split in SPLITS}
    runs: dict[str, list[_Run]] = {picture.id: [] for picture in plan.pictures}
    seen = dict.fromkeys(SPLITS, 0)
    for patch in plan.patches:
        of_picture = runs[patch.picture_id]
        if not of_picture or of_picture[-1].split != patch.split:
            of_picture.append(_Run(patch.split, seen[patch.split], patch.index))
        of_picture[-1].length += 1
        seen[patch.split] += 1

    def views(picture: Picture) -> Iterator[View]:
        left = PATCHES
        for run in runs[picture.id]:
            every = plan.recipe.variants if run.split == "train" else 1  # one of each place
            for n in range(0, run.length, every)[:left]:
                pixels = readers[run.split].read([run.row + n]).image[0]
                left -= 1
                yield view_of(pixels, f"patch {run.index + n}")

    return views


@dataclass(slots=True)
class _Run:
    """Rows of one picture that follow one another in a split."""

    split: Split
    row: int
    index: int
    length: int = 0
