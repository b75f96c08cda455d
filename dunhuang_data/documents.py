"""Read the JSON document whose presence says that an output folder is whole."""

import json
from pathlib import Path
from typing import Any

from dunhuang_data.errors import DataProblem


def read_document(
    path: Path, expected: dict[str, Any], what: str, command: str, kind: type[DataProblem]
) -> dict[str, Any]:
    """Read the JSON file whose presence makes a folder an output, and check its format.

    Raises
    ------
    kind
        If it is absent, no JSON, or of another format or version.
    """
    remedy = f"Make it with dunhuang-data {command}."
    if not path.is_file():
        raise kind(f"{path.parent} is not {what}: there is no {path.name} in it. {remedy}")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        found = document["format"]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise kind(f"{path} cannot be read as {what}: {error}. {remedy}") from error
    if found != expected:
        raise kind(f"{path} has the format {found}; this version reads {expected}. {remedy}")
    return dict(document)
