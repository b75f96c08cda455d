"""Documents: the JSON whose presence says that an output folder is whole, and CSV tables."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dunhuang_data.errors import DataProblem, UsageProblem


@contextmanager
def parsed(path: Path, what: str, remedy: str, kind: type[DataProblem]) -> Iterator[None]:
    """Turn whatever goes wrong while a document is taken apart into one sentence of ``kind``.

    A document comes from a disk, where anything may have been done to it: keys may be missing,
    values of other types, numbers senseless. Its own sentences (of ``kind``) pass as they are.
    """
    try:
        yield
    except DataProblem:
        raise
    except (
        AttributeError,
        IndexError,
        KeyError,
        OSError,
        OverflowError,
        RecursionError,
        TypeError,
        UsageProblem,
        ValueError,
        csv.Error,
    ) as error:
        found = f"there is no {error}" if isinstance(error, KeyError) else str(error)
        raise kind(f"{path} cannot be read as {what}: {found}. {remedy}") from error


def read_document(
    path: Path,
    expected: dict[str, Any] | Sequence[dict[str, Any]],
    what: str,
    command: str,
    kind: type[DataProblem],
) -> dict[str, Any]:
    """Read the JSON file whose presence makes a folder an output, and check its format.

    ``expected`` is the one format that can be read, or all of them, the newest last.

    Raises
    ------
    kind
        If it is absent, no JSON, or of another format or version.
    """
    remedy = f"Make it with {command}."
    if not path.is_file():
        raise kind(f"{path.parent} is not {what}: there is no {path.name} in it. {remedy}")
    with parsed(path, what, remedy, kind):
        document = json.loads(
            path.read_text(encoding="utf-8"), object_pairs_hook=_without_repetition
        )
        found = document["format"]
    readable = [expected] if isinstance(expected, dict) else list(expected)
    if found not in readable:
        known = " or ".join(map(str, readable))
        if isinstance(found, dict) and found.get("name") == readable[-1].get("name"):
            newest = readable[-1].get("version")
            if type(found.get("version")) is int and found["version"] > newest:
                remedy = "Read it with a newer version of this program."
        raise kind(f"{path} has the format {found}; this version reads {known}. {remedy}")
    return dict(document)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that stands twice: one program takes the first, another the last."""
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands there twice")
    return found


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table as CSV, its header first, with line feeds on every system."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
