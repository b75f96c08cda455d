"""Make, read and write a patch plan: which patches, from where, how turned, in which split.

A plan is a folder of three files that any spreadsheet opens: ``patches.csv`` (one row per patch),
``pictures.csv`` (one row per picture) and ``plan.json`` (the recipe, the counts, the hashes of the
two tables), written last.
"""

import csv
import hashlib
import io
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from dunhuang_data import __version__
from dunhuang_data.atomic import Progress, new_folder, no_progress, write_json, write_text
from dunhuang_data.augment import draw_augmentation
from dunhuang_data.documents import csv_text, parsed, read_document
from dunhuang_data.errors import PictureError, PlanError
from dunhuang_data.pictures import FoundPicture, find_pictures, identify_pictures, raise_together
from dunhuang_data.recipe import PlanRecipe, recipe_from_json
from dunhuang_data.rng import rng_for
from dunhuang_data.splits import split_of
from dunhuang_data.spread import coverage, farthest_point_centers, nearest_distances
from dunhuang_data.types import SPLITS, Augmentation, PatchSpec, Picture, Split, as_split

MARKER = "plan.json"
CONTENTS = (MARKER, "patches.csv", "pictures.csv", "run.toml")
FORMAT = {"name": "dunhuang-plan", "version": 1}
TABLES = ("pictures.csv", "patches.csv")
PICTURE_COLUMNS = ("id", "file", "height", "width", "sha256", "reading")
PATCH_COLUMNS = (
    "index", "picture_id", "center_y", "center_x", "split", "flip", "angle_deg", "nearest_px",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PatchPlan:
    """A patch plan in memory.

    Attributes
    ----------
    recipe : PlanRecipe
    pictures_root : Path
        The folder that ``Picture.file`` is below.
    pictures : tuple of Picture
    patches : tuple of PatchSpec
        Ordered by picture, so that each picture is read once.
    left_out : tuple of str
        Sentences about pictures that were skipped.
    """

    recipe: PlanRecipe
    pictures_root: Path
    pictures: tuple[Picture, ...]
    patches: tuple[PatchSpec, ...]
    left_out: tuple[str, ...] = ()

    def count_by_split(self) -> dict[Split, int]:
        """Return the number of patches in each split, empty ones included."""
        counted = Counter(patch.split for patch in self.patches)
        return {split: counted[split] for split in SPLITS}

    def patches_by_picture(self) -> dict[str, list[PatchSpec]]:
        """Return each picture's patches, in their order."""
        grouped: dict[str, list[PatchSpec]] = {picture.id: [] for picture in self.pictures}
        for patch in self.patches:
            grouped[patch.picture_id].append(patch)
        return grouped


def coverage_by_picture(plan: PatchPlan) -> list[tuple[str, float]]:
    """Return each picture's id and the share of its pixels that lie in a patch, unturned."""
    by_picture = plan.patches_by_picture()
    shares = []
    for picture in plan.pictures:
        centers = np.array([patch.center_yx for patch in by_picture[picture.id]])
        shape_hw = (picture.height, picture.width)
        shares.append((picture.id, coverage(shape_hw, plan.recipe.patch_size, centers)))
    return shares


def make_plan(
    sources: Iterable[Path],
    recipe: PlanRecipe,
    skip_small: bool = False,
    progress: Progress = no_progress,
) -> PatchPlan:
    """Find pictures and choose the patches of each.

    Parameters
    ----------
    sources : iterable of Path
        Pictures and folders of pictures.
    recipe : PlanRecipe
    skip_small : bool
        Leave out pictures smaller than a patch instead of refusing the whole.
    progress : callable
        Called once per picture read.

    Raises
    ------
    PictureError
        If pictures cannot be read; all of them are named.
    PlanError
        If pictures are too small; all of them are named.
    """
    found, problems = find_pictures(sources)
    root = _common_root(found)
    pictures, unusable = identify_pictures(found, root, progress=progress)
    raise_together(problems + unusable, f"of {len(found)} pictures cannot be used", PictureError)
    return plan_patches(pictures, root, recipe, skip_small)


def _common_root(found: Sequence[FoundPicture]) -> Path:
    return Path(os.path.commonpath([one.path.resolve().parent for one in found]))


def plan_patches(
    pictures: Sequence[Picture], root: Path, recipe: PlanRecipe, skip_small: bool = False
) -> PatchPlan:
    """Choose the patches of identified pictures. Pure: the same arguments give the same plan.

    Raises
    ------
    PlanError
        If pictures are too small (unless ``skip_small``), naming each; or if none is left.
    """
    kept: list[Picture] = []
    patches: list[PatchSpec] = []
    problems: list[str] = []
    for picture in pictures:
        try:
            patches += _patches_of(picture, recipe, first_index=len(patches))
            kept.append(picture)
        except PlanError as error:
            problems.append(f"{picture.id}: {error}.")
    remedy = " Choose a smaller --size or --per-picture, or leave such pictures out: --small skip."
    if not skip_small:
        raise_together(
            [problem + remedy for problem in problems],
            f"of {len(pictures)} pictures are too small",
            PlanError,
        )
    _refuse_twins(kept, recipe)
    if not kept:
        raise PlanError(
            f"None of the {len(pictures)} pictures can give {recipe.per_picture} patches of "
            f"{recipe.patch_size} px, so there is nothing to plan. Choose a smaller --size."
        )
    return PatchPlan(recipe, root, tuple(kept), tuple(patches), tuple(problems))


def _refuse_twins(pictures: Sequence[Picture], recipe: PlanRecipe) -> None:
    """Refuse one file under two ids in two splits: the test would be trained on."""
    seen: dict[str, Picture] = {}
    for picture in pictures:
        twin = seen.setdefault(picture.sha256, picture)
        splits = [split_of(one.id, recipe.split, recipe.seed) for one in (twin, picture)]
        if splits[0] != splits[1]:
            raise PlanError(
                f"{twin.file} and {picture.file} are the same file, in the splits {splits[0]} and "
                f"{splits[1]}. Take one of them out."
            )


def _patches_of(picture: Picture, recipe: PlanRecipe, first_index: int) -> list[PatchSpec]:
    shape_hw = (picture.height, picture.width)
    rng = rng_for(recipe.seed, "centers", picture.id)
    centers = farthest_point_centers(shape_hw, recipe.patch_size, recipe.per_picture, rng)
    nearest = nearest_distances(centers)
    split = split_of(picture.id, recipe.split, recipe.seed)
    patches = []
    for row, (y, x) in enumerate(centers.tolist()):
        augmentation = Augmentation()
        if split == "train":
            rng = rng_for(recipe.seed, "augment", picture.id, row)
            augmentation = draw_augmentation(rng, recipe)
        patches.append(
            PatchSpec(
                index=first_index + row,
                picture_id=picture.id,
                center_yx=(y, x),
                split=split,
                augmentation=augmentation,
                nearest_px=round(float(nearest[row]), 3),
            )
        )
    return patches


def patch_row(patch: PatchSpec) -> list[str]:
    """Return a patch as one row of ``patches.csv``."""
    y, x = patch.center_yx
    turn = patch.augmentation
    numbers = (str(int(turn.flip)), f"{turn.angle_deg:.3f}", f"{patch.nearest_px:.3f}")
    return [str(patch.index), patch.picture_id, str(y), str(x), patch.split, *numbers]


def write_plan(plan: PatchPlan, out: Path, overwrite: bool = False) -> None:
    """Write a plan folder, whole or not at all.

    Raises
    ------
    OutputExistsError
        If ``out`` is in use.
    OutputError
        If it cannot be written.
    """
    inputs = [plan.pictures_root / picture.file for picture in plan.pictures]
    tables = {
        "pictures.csv": csv_text(
            PICTURE_COLUMNS,
            ([str(getattr(one, column)) for column in PICTURE_COLUMNS] for one in plan.pictures),
        ),
        "patches.csv": csv_text(PATCH_COLUMNS, map(patch_row, plan.patches)),
    }
    with new_folder(out, CONTENTS, overwrite, inputs) as folder:
        for name, text in tables.items():
            write_text(folder / name, text)
        write_json(
            folder / MARKER,
            {
                "format": FORMAT,
                "made_by": f"dunhuang-data {__version__}",
                "recipe": asdict(plan.recipe),
                "pictures_root": str(plan.pictures_root),
                "pictures": len(plan.pictures),
                "patches": plan.count_by_split(),
                "left_out": list(plan.left_out),
                "sha256": {name: _sha256(text) for name, text in tables.items()},
            },
        )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def read_plan(root: Path) -> PatchPlan:
    """Read a plan folder and check it against its hashes.

    Raises
    ------
    PlanError
        If it is no plan, of another version, or its tables were changed by hand.
    """
    path, again = root / MARKER, "dunhuang-data sample-patches"
    document = read_document(path, FORMAT, "a patch plan", again, PlanError)
    with parsed(path, "a patch plan", f"Make it with {again}.", PlanError):
        recipe = recipe_from_json(PlanRecipe, document["recipe"])
        rows = {name: _rows(root / name, document["sha256"][name]) for name in TABLES}
        pictures_root = Path(document["pictures_root"])
        left_out = tuple(str(one) for one in document["left_out"])
        pictures = tuple(map(_picture_from_row, rows["pictures.csv"]))
    known = {picture.id for picture in pictures}
    patches = []
    for index, row in enumerate(rows["patches.csv"]):
        with parsed(root / "patches.csv", f"row {index}", f"Make it with {again}.", PlanError):
            patches.append(_patch_from_row(row, index, known))
    return PatchPlan(recipe, pictures_root, pictures, tuple(patches), left_out)


def _rows(path: Path, expected: str) -> list[dict[str, str]]:
    text = path.read_text(encoding="utf-8")
    if _sha256(text) != expected:
        raise PlanError(
            f"Reading the plan {path.parent}: {path.name} is not the table that was written (its "
            "SHA-256 differs from plan.json). Make the plan again with dunhuang-data "
            "sample-patches."
        )
    return list(csv.DictReader(io.StringIO(text)))


def _picture_from_row(row: dict[str, str]) -> Picture:
    return Picture(
        id=row["id"],
        file=row["file"],
        height=int(row["height"]),
        width=int(row["width"]),
        sha256=row["sha256"],
        reading=row["reading"],
    )


def _patch_from_row(row: dict[str, str], index: int, picture_ids: set[str]) -> PatchSpec:
    angle_deg = float(row["angle_deg"])
    if int(row["index"]) != index or row["picture_id"] not in picture_ids:
        raise ValueError(f"its index is {row['index']}, its picture {row['picture_id']!r}")
    if row["split"] not in SPLITS or not isfinite(angle_deg):
        raise ValueError(f"its split is {row['split']!r}, its angle {angle_deg}")
    return PatchSpec(
        index=index,
        picture_id=row["picture_id"],
        center_yx=(int(row["center_y"]), int(row["center_x"])),
        split=as_split(row["split"]),
        augmentation=Augmentation(row["flip"] == "1", angle_deg),
        nearest_px=float(row["nearest_px"]),
    )
