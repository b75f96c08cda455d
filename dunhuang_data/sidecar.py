"""Tables beside the pictures: which group a picture is in, who holds the rights to it."""

import csv
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from dunhuang_data.documents import parsed
from dunhuang_data.errors import PlanError


def read_sidecar(path: Path, columns: Sequence[str]) -> dict[str, dict[str, str]]:
    """Read a CSV table with a column ``picture`` and some others.

    Parameters
    ----------
    path : Path
        UTF-8, with a header. Columns not asked for are ignored.
    columns : sequence of str
        Columns that must be there.

    Returns
    -------
    dict
        Picture id → the values of ``columns``. In the file a picture may be named by its id or by
        its path with suffix.

    Raises
    ------
    PlanError
        If it cannot be read, a column is missing, or a picture stands in it twice.
    """
    found: dict[str, dict[str, str]] = {}
    remedy = f"Expected a CSV table with the columns picture,{','.join(columns)}."
    with (
        parsed(path, "a table of pictures", remedy, PlanError),
        path.open(encoding="utf-8-sig", newline="") as stream,
    ):
        reader = csv.DictReader(stream)
        missing = [one for one in ("picture", *columns) if one not in (reader.fieldnames or [])]
        if missing:
            found_columns = ", ".join(reader.fieldnames or []) or "nothing"
            raise PlanError(
                f"{path} has no column {', '.join(missing)}; its first line names {found_columns}. "
                f"{remedy} Values are separated by commas."
            )
        for row in reader:
            name = (row["picture"] or "").strip()
            if not name:
                continue  # spreadsheets leave lines of commas
            if name in found:
                raise PlanError(
                    f"{path}, line {reader.line_num}: {name!r} stands there twice. Leave one."
                )
            found[name] = {column: (row[column] or "").strip() for column in columns}
    return found


def entry_of(table: dict[str, dict[str, str]], picture_id: str, file: str) -> dict[str, str] | None:
    """Return a picture's row: by its id, or by its name with suffix; None if it has none.

    Raises
    ------
    PlanError
        If it has two that differ.
    """
    names = names_of(picture_id, file)
    found = [table[name] for name in names if name in table]
    if any(one != found[0] for one in found):
        raise PlanError(
            f"The picture {picture_id} stands in a table twice, as {' and '.join(names)}, with "
            "different values. Leave one."
        )
    return found[0] if found else None


def names_of(picture_id: str, file: str) -> list[str]:
    """Return the names by which a table may call a picture: its id, with suffix, its file."""
    return list(dict.fromkeys([picture_id, picture_id + PurePosixPath(file).suffix, file]))
