"""Write and read a plan's folder, row by row, so that ten million of them need no memory."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from math import isfinite
from pathlib import Path
from typing import Any, get_type_hints

from dunhuang_data import __version__
from dunhuang_data.atomic import explained, new_folder, write_json
from dunhuang_data.documents import parsed, read_document
from dunhuang_data.errors import PlanError
from dunhuang_data.pictures import sha256_of_file
from dunhuang_data.plan.records import Patches, PatchPlan, patch_row
from dunhuang_data.plan.report import PictureReport
from dunhuang_data.recipe import PlanRecipe, recipe_from_json
from dunhuang_data.types import SPLITS, Augmentation, PatchSpec, Picture, Split, as_split

MARKER = "plan.json"
TABLES = ("pictures.csv", "patches.csv", "report.csv")
CONTENTS = (MARKER, *TABLES, "run.toml")
FORMAT = {"name": "dunhuang-plan", "version": 2}
AGAIN = "dunhuang-data sample-patches"
PATCH_COLUMNS = (
    "index", "picture_id", "center_y", "center_x", "split", "flip", "angle_deg", "scale",
    "nearest_px",
)  # fmt: skip


def write_plan(plan: PatchPlan, out: Path, overwrite: bool = False) -> None:
    """Write a plan folder, whole or not at all.

    Raises
    ------
    OutputExistsError
        If ``out`` is in use.
    OutputError
        If it cannot be written.
    """
    tables: dict[str, tuple[Sequence[str], Iterable[Sequence[str]]]] = {
        "pictures.csv": (_columns(Picture), map(_record_row, plan.pictures)),
        "patches.csv": (PATCH_COLUMNS, map(patch_row, plan.patches)),
        "report.csv": (_columns(PictureReport), map(_record_row, plan.reports)),
    }
    with new_folder(out, CONTENTS, overwrite, plan.inputs()) as folder:
        for name, (columns, rows) in tables.items():
            _write_table(folder / name, columns, rows)
        write_json(
            folder / MARKER,
            {
                "format": FORMAT,
                "made_by": f"dunhuang-data {__version__}",
                "recipe": asdict(plan.recipe),
                "pictures_root": str(plan.pictures_root),
                "damage_root": None if plan.damage_root is None else str(plan.damage_root),
                "pictures": len(plan.pictures),
                "patches": plan.count_by_split(),
                "left_out": list(plan.left_out),
                "sha256": {name: sha256_of_file(folder / name) for name in tables},
            },
        )


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table row by row; its folder is not under its final name yet."""
    with explained(path, every=True), path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _columns(kind: type) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind))


def _record_row(record: Picture | PictureReport) -> list[str]:
    """Return a record as a row: numbers as Python writes them, yes and no as 1 and 0."""
    values = (getattr(record, one.name) for one in fields(record))
    return [str(int(value)) if isinstance(value, bool) else str(value) for value in values]


def read_plan(root: Path) -> PatchPlan:
    """Read a plan folder and check it against its hashes. Its patches stay on the disk.

    Raises
    ------
    PlanError
        If it is no plan, of another version, or its tables were changed by hand.
    """
    path = root / MARKER
    document = read_document(path, FORMAT, "a patch plan", AGAIN, PlanError)
    with parsed(path, "a patch plan", f"Make it with {AGAIN}.", PlanError):
        recipe = recipe_from_json(PlanRecipe, document["recipe"])
        for name in TABLES:
            _check_table(root / name, document["sha256"][name])
        damage_root = document["damage_root"]
        pictures = tuple(_records(root / "pictures.csv", Picture))
        known = {picture.id for picture in pictures}
        counts = {split: int(document["patches"][split]) for split in SPLITS}
        patches = root / "patches.csv"
        return PatchPlan(
            recipe=recipe,
            pictures_root=Path(document["pictures_root"]),
            pictures=pictures,
            patches=Patches(lambda: _patches(patches, known, counts), counts),
            reports=tuple(_records(root / "report.csv", PictureReport)),
            left_out=tuple(str(one) for one in document["left_out"]),
            damage_root=None if damage_root is None else Path(damage_root),
        )


def _check_table(path: Path, expected: str) -> None:
    if not path.is_file() or sha256_of_file(path) != expected:
        raise PlanError(
            f"Reading the plan {path.parent}: {path.name} is not the table that was written (its "
            f"SHA-256 differs from plan.json). Make the plan again with {AGAIN}."
        )


def _records(path: Path, kind: type) -> Iterator[Any]:
    """Read a table of records of one kind."""
    hints = get_type_hints(kind)
    read: dict[type, Callable[[str], Any]] = {
        bool: lambda text: bool(int(text)),
        int: int,
        float: float,
        str: str,
    }
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            values = {
                one.name: as_split(row[one.name])
                if one.name == "split"
                else read[hints[one.name]](row[one.name])
                for one in fields(kind)
            }
            yield kind(**values)


def _patches(path: Path, picture_ids: set[str], counts: dict[Split, int]) -> Iterator[PatchSpec]:
    """Read the rows of ``patches.csv``, one at a time, and see that they are as many as said."""
    found = dict.fromkeys(counts, 0)
    with (
        parsed(path, "a table of patches", f"Make it with {AGAIN}.", PlanError),
        path.open(encoding="utf-8", newline="") as stream,
    ):
        rows = csv.reader(stream)
        columns = tuple(next(rows, ()))
        if columns != PATCH_COLUMNS:
            raise ValueError(f"its columns are {','.join(columns)}")
        for index, row in enumerate(rows):
            try:
                patch = _patch_from_row(row, index, picture_ids)
            except ValueError as error:
                raise ValueError(f"row {index}: {error}") from error
            found[patch.split] += 1
            yield patch
        if found != counts:
            raise ValueError(f"plan.json counts {counts}, and there are {found}")


def _patch_from_row(row: Sequence[str], index: int, picture_ids: set[str]) -> PatchSpec:
    number, picture_id, y, x, split, flip, angle, scale, nearest = row
    angle_deg = float(angle)
    if int(number) != index or picture_id not in picture_ids:
        raise ValueError(f"its index is {number}, its picture {picture_id!r}")
    if split not in SPLITS or not isfinite(angle_deg):
        raise ValueError(f"its split is {split!r}, its angle {angle_deg}")
    return PatchSpec(
        index=index,
        picture_id=picture_id,
        center_yx=(int(y), int(x)),
        split=as_split(split),
        augmentation=Augmentation(flip == "1", angle_deg),
        nearest_px=float(nearest),
        scale=float(scale),
    )
