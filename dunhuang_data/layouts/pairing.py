"""Pair the files of a part by their names; never by their places in a list."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from glob import escape
from pathlib import Path

from dunhuang_data.errors import PictureError
from dunhuang_data.layouts.records import Entry, Part, Role
from dunhuang_data.pictures import FoundPicture, find_pictures
from dunhuang_data.pictures.find import SUFFIXES

DECORATION = re.compile(r"(?P<key>.*[^/])_(?P<word>masked|mask|gt)", re.IGNORECASE | re.DOTALL)
OF_WORD: Mapping[str, Role] = {"mask": "mask", "masked": "masked", "gt": "picture"}
WORDS: Mapping[Role, str] = {
    "picture": "picture", "mask": "mask", "masked": "picture with holes", "damage": "label",
}  # fmt: skip

Files = dict[Role, dict[str, Path]]


def pair_files(part: Part) -> tuple[list[Entry], list[str]]:
    """Pair the files of a part.

    Returns
    -------
    entries : list of Entry
        Those that are complete, in order of their keys.
    problems : list of str
        A sentence for each file that cannot be taken: of no role, double, or without partner.
    """
    problems: list[str] = []
    files: Files = {role: {} for role in part.folders}
    doubles: set[str] = set()
    for folder in dict.fromkeys(part.folders.values()):
        roles = [role for role, place in part.folders.items() if place == folder]
        told, twice = _sort_files(folder, roles, files)
        problems += told
        doubles |= twice
    entries = []
    for key in sorted({key for named in files.values() for key in named}):
        own = {role: named[key] for role, named in files.items() if key in named}
        if all(role in own for role in part.needed):
            entries.append(Entry(part, key, own))
        elif key not in doubles:  # these were told already
            problems.append(_orphan(part, key, own, files))
    return entries, problems


def _sort_files(folder: Path, roles: list[Role], files: Files) -> tuple[list[str], set[str]]:
    """Put the files of a folder under their roles and keys; return what cannot be, and doubles."""
    try:
        found, problems = find_pictures([folder])
    except PictureError as error:
        return [str(error)], set()
    doubles: set[tuple[Role, str]] = set()
    for one in found:
        key, role = _key_and_role(one, roles)
        if role is None:
            expected = " or ".join(f"{key}{_ending(each, roles)}" for each in roles)
            problems.append(
                f"{one.path} is in a folder of {_plural(roles)}, and its name says otherwise; "
                f"expected {expected}. Rename it, or move it away."
            )
        elif key in files[role]:
            problems.append(
                f"{files[role][key]} and {one.path} would both be the {WORDS[role]} of {key!r}. "
                "Leave one."
            )
            doubles.add((role, key))
        else:
            files[role][key] = one.path
    for role, key in doubles:
        del files[role][key]
    return problems, {key for _, key in doubles}


def _key_and_role(found: FoundPicture, roles: list[Role]) -> tuple[str, Role | None]:
    """Return a file's key, and what it is in a folder of these roles; None if it is neither."""
    match = DECORATION.fullmatch(found.id)
    if match is None:
        return found.id, roles[0] if len(roles) == 1 else None
    role = OF_WORD[match["word"].lower()]
    if role == "mask" and "damage" in roles:
        role = "damage"
    return match["key"], role if role in roles else None


def _ending(role: Role, roles: list[Role]) -> str:
    if len(roles) == 1 and role != "masked":
        return ""
    return {"picture": "", "mask": "_mask", "masked": "_masked", "damage": ""}[role]


def _plural(roles: Iterable[Role]) -> str:
    words: Mapping[Role, str] = {
        "picture": "pictures", "mask": "masks", "masked": "pictures with holes", "damage": "labels",
    }  # fmt: skip
    return " and ".join(words[role] for role in roles)


def _orphan(part: Part, key: str, own: Mapping[Role, Path], files: Files) -> str:
    """Say what a key lacks, and what may be meant: a name with other zeros, a file of no use."""
    missing = [role for role in part.needed if role not in own]
    lacks = " and ".join(f"no {WORDS[role]} in {part.folders[role]}" for role in missing)
    there = next(iter(own.values()))
    alike = [
        str(path)
        for role in missing
        for name, path in files[role].items()
        if name != key and _relaxed(name) == _relaxed(key)
    ]
    hint = f" Is {alike[0]} meant? Names must be alike to the letter." if alike else ""
    unread = [
        path
        for role in missing
        for path in sorted(part.folders[role].glob(f"{escape(key)}.*"))
        if path.suffix.lower() not in SUFFIXES
    ]
    if unread and not alike:
        hint = f" {unread[0]} is of a kind that is not read; save it as PNG or TIFF."
    return f"{there}: for {key!r} there is {lacks}.{hint}"


def _relaxed(key: str) -> str:
    """Return a key without leading zeros, without capitals, in one form of Unicode."""
    plain = unicodedata.normalize("NFC", key).casefold()
    return re.sub(r"\d+", lambda number: number[0].lstrip("0") or "0", plain)
