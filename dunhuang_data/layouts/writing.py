"""Write what was imported: copies of the pictures, one-bit masks, and the tables."""

import shutil
from dataclasses import astuple, fields
from pathlib import Path

from dunhuang_data.atomic import (
    Progress,
    explained,
    new_file,
    new_folder,
    no_progress,
    write_json,
    write_text,
)
from dunhuang_data.documents import csv_text
from dunhuang_data.errors import PictureError
from dunhuang_data.layouts.importing import Import
from dunhuang_data.layouts.records import PictureRow, ReadPicture
from dunhuang_data.pictures import sha256_of_file, write_picture
from dunhuang_data.polarity import MEANING, unpack

MARKER = "import.json"
CONTENTS = (
    MARKER, "files.csv", "groups.csv", "run.toml", "pictures", "masks", "damage", "train", "val",
    "test", "Mural512", "Mural_seg",
)  # fmt: skip
FORMAT = {"name": "dunhuang-import", "version": 1}


def write_import(
    imported: Import, out: Path, overwrite: bool = False, progress: Progress = no_progress
) -> None:
    """Write a dataset, whole or not at all.

    Parameters
    ----------
    imported : Import
    out : Path
    overwrite : bool
        Replace an earlier output.
    progress : callable
        Called once per picture.

    Raises
    ------
    OutputExistsError
        If ``out`` is in use.
    OutputError
        If it cannot be written.
    PictureError
        If a picture changed since it was looked at.
    """
    with new_folder(out, CONTENTS, overwrite, [imported.layout.folder]) as folder:
        for picture in imported.pictures:
            _copy(picture, folder)
            row = picture.row
            if picture.packed is not None:
                write_picture(folder / row.mask_file, unpack(picture.packed, row.width))
            progress(1)
        for part in imported.layout.parts:
            rows = [(row.picture, row.group) for row in imported.rows if row.part == part.name]
            if rows:
                table = csv_text(("picture", "group"), rows)
                write_text(folder / part.name / "groups.csv", table)
        columns = [field.name for field in fields(PictureRow)]
        table = csv_text(columns, (astuple(row) for row in imported.rows))
        write_text(folder / "files.csv", table)
        meaning = {"masks": MEANING, "damage": "1 = damaged pixel, 0 = sound"}
        document = {"format": FORMAT, **imported.summary(), "white_in_output": meaning}
        write_json(folder / MARKER, document)


def _copy(picture: ReadPicture, folder: Path) -> None:
    """Copy a picture byte for byte; no link: who edits one of both files keeps the other."""
    target = folder / picture.row.file
    with new_file(target) as temporary:
        try:
            source = picture.source.open("rb")
        except OSError as error:
            raise PictureError(f"Could not read {picture.source}: {error.strerror}.") from error
        with source, explained(target), temporary.open("wb") as stream:
            shutil.copyfileobj(source, stream, 1 << 20)
        if sha256_of_file(temporary) != picture.row.sha256:
            raise PictureError(
                f"{picture.source} changed while it was imported. Run the import again when "
                "nothing writes there."
            )
