"""Find picture files and give them ids; none is opened here."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dunhuang_data.errors import DataProblem, PictureError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True, slots=True)
class FoundPicture:
    """A picture file that was found, not yet opened."""

    id: str
    path: Path


def find_pictures(sources: Iterable[Path]) -> tuple[list[FoundPicture], list[str]]:
    """List the pictures in some files and folders, in order of their ids.

    Parameters
    ----------
    sources : iterable of Path
        Folders are searched through all levels for JPEG, PNG, TIFF and WebP files, hidden ones
        left out. Files are taken whatever their suffix. A picture's id is its path below the
        folder named (for a file: below the file's own folder), without suffix.

    Returns
    -------
    found : list of FoundPicture
    problems : list of str
        A sentence for each file or folder that had to be left out: it cannot be looked into, is a
        link out of its folder, has a name that no table can hold, or shares its id with another.

    Raises
    ------
    PictureError
        If a source does not exist, or nothing is found; with the problems, where there are any.
    """
    sources = list(sources)
    problems: list[str] = []
    paths_of: dict[str, list[Path]] = {}
    for source in sources:
        if source.is_dir():
            root, paths = source, _search(source, problems.append)
        elif source.is_file():
            root, paths = source.parent, [source]
        else:
            raise PictureError(
                f"Looking for pictures: {source} does not exist. Name a picture or a folder."
            )
        for path in paths:
            if _is_printable(path, problems.append):
                picture_id = path.relative_to(root).with_suffix("").as_posix()
                paths_of.setdefault(picture_id, []).append(path)
    found = _without_doubles(paths_of, problems.append)
    if not found:
        raise_together(problems, "things keep all pictures from being used", PictureError)
        names = ", ".join(str(source) for source in sources)
        raise PictureError(
            f"No pictures found in {names}. Expected files ending in "
            f"{', '.join(sorted(SUFFIXES))}; name the folder that holds them."
        )
    return found, problems


Tell = Callable[[str], None]


def _search(folder: Path, tell: Tell) -> list[Path]:
    """List the picture files of a folder, telling what cannot be looked at."""

    def unreadable(error: OSError) -> None:
        tell(
            f"Could not look into {error.filename}: {error.strerror}. Give yourself the permission "
            "to read it, or move it away."
        )

    inside = folder.resolve()
    found: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            if (Path(place) / name).is_symlink():
                tell(
                    f"{Path(place) / name} is a link to a folder, and links are not followed. Name "
                    "the folder it leads to as a source of its own, or take the link away."
                )
        for name in sorted(names):
            path = Path(place) / name
            if name.startswith(".") or path.suffix.lower() not in SUFFIXES:
                continue
            if path.is_symlink() and not path.exists():
                tell(f"{path} is a link to {os.readlink(path)}, which is not there. Mend it.")
            elif path.is_symlink() and not path.resolve().is_relative_to(inside):
                tell(
                    f"{path} is a link out of its folder, to {path.resolve()}. Put the picture "
                    "itself there, or name the folder it is in."
                )
            elif path.is_file():
                found.append(path)
    return sorted(found)


def _is_printable(path: Path, tell: Tell) -> bool:
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        tell(f"The name {str(path)!r} is not UTF-8, so no table can hold it. Rename the file.")
        return False
    return True


def _without_doubles(paths_of: dict[str, list[Path]], tell: Tell) -> list[FoundPicture]:
    """Leave out what has an id in common with another file, and files named twice."""
    ids: dict[Path, str] = {}
    found: list[FoundPicture] = []
    for picture_id, paths in sorted(paths_of.items()):
        if len({path.resolve() for path in paths}) > 1:
            names = " and ".join(str(path) for path in paths)
            word = "Two" if len(paths) == 2 else len(paths)
            tell(
                f"{word} pictures would have the id {picture_id!r}: {names}. "
                "An id is the path without suffix; rename one of them."
            )
            continue
        path = paths[0]
        other_id = ids.setdefault(path.resolve(), picture_id)
        if other_id != picture_id:
            tell(
                f"{path} was named twice and would have the ids {other_id!r} and {picture_id!r}. "
                "Name each folder once; if one is a link to the other, take it away."
            )
            continue
        found.append(FoundPicture(picture_id, path))
    return found


def pictures_below(folder: Path) -> list[Path]:
    """List the picture files of a folder, all levels, hidden ones left out, in order.

    Raises
    ------
    PictureError
        If a part of the folder cannot be looked at, or is a link out of it.
    """
    problems: list[str] = []
    found = _search(folder, problems.append)
    raise_together(problems, f"things in {folder} cannot be used", PictureError)
    return found


def raise_together(problems: Sequence[str], what: str, kind: type[DataProblem]) -> None:
    """Raise one error that lists every problem, one a line; do nothing if there is none."""
    if len(problems) == 1:
        raise kind(problems[0])
    if problems:
        raise kind("\n".join([f"{len(problems)} {what}:", *(f"  - {text}" for text in problems)]))
