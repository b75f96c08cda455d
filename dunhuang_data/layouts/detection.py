"""Recognise in which layout a dataset was published, by the names of its folders alone."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from dunhuang_data.errors import PictureError, UsageProblem
from dunhuang_data.layouts.records import LAYOUTS, Layout, LayoutName, Part, Role
from dunhuang_data.pictures.find import SUFFIXES
from dunhuang_data.types import SPLITS

CROP = re.compile(r"(?P<photograph>.+?)_?crop_\d+_\d+", re.IGNORECASE)
OF_PICTURES = (
    "images", "image", "imgs", "pictures", "gt", "ground_truth", "target", "targets", "originals",
)  # fmt: skip
OF_MASKS = ("masks", "mask")
OF_MASKED = ("masked",)
SPLIT_NAMES = {
    "train": ("train", "training"), "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}  # fmt: skip
LOOKED_FOR = """
  course: train/ with NNN_mask.jpg and NNN_masked.jpg, train_gt/ with NNN.jpg; test/ alike
  challenge: train/train_GT, train/train_mask, train/train_masked (or these below DIR); test alike
  muraldh: Mural512/ with crops (img_1crop_0_0.png), Mural_seg/train/images and labels; test alike
  folder: images/ (pictures/, gt/, targets/ ...) and masks/ (mask/), or these below train/ and test/
"""


def find_layout(folder: Path, asked: str = "auto") -> Layout:
    """Recognise the layout of a folder.

    Parameters
    ----------
    folder : Path
    asked : str
        The name of a layout, or ``"auto"``.

    Raises
    ------
    PictureError
        If it is no folder, or has not that layout (or none that is known).
    UsageProblem
        If several layouts fit.
    """
    if not folder.is_dir():
        raise PictureError(
            f"Looking for a dataset: {folder} is no folder. Name the folder it was unpacked into; "
            "archives are unpacked first."
        )
    names = LAYOUTS if asked == "auto" else tuple(name for name in LAYOUTS if name == asked)
    found = [layout for name in names if (layout := _LOOKS[name](folder)) is not None]
    if len(found) > 1:
        fits = "; ".join(f"{one.name}, because {one.why}" for one in found)
        raise UsageProblem(f"{folder} fits several layouts: {fits}. Name one of them: --layout.")
    if found:
        return _with_the_rest(found[0])
    inside = [path for path in _folders(folder).values() if _fits(path, names)]
    if inside:
        hint = f" {inside[0]} has one: name that folder."
    else:
        hint = " Name the folder that holds these folders, or rename yours like one of them."
    what = "a known layout" if asked == "auto" else f"the layout {asked}"
    raise PictureError(
        f"{folder} has not {what}; in it there are {_listed(folder)}. Looked for:{LOOKED_FOR}"
        f"{hint.strip()}"
    )


def photograph_of(key: str) -> str:
    """Return the photograph that a crop was cut from, by its name; empty if it is no crop.

    ``img_414crop_1_1`` and ``img_414crop_0_1`` are both of ``img_414``.
    """
    found = CROP.fullmatch(key)
    return found["photograph"] if found else ""


def _with_the_rest(layout: Layout) -> Layout:
    """Add what else is in the folder: nobody shall believe that it was read."""
    used = [place for part in layout.parts for place in part.folders.values()]
    told = " ".join(layout.problems)
    rest = [
        path.name
        for path in _folders(layout.folder).values()
        if not any(place == layout.folder or place.is_relative_to(path) for place in used)
        and f"{path}" not in told
    ]
    if not rest:
        return layout
    sentence = f"Not read of {layout.folder}: {', '.join(rest)}."
    return replace(layout, not_read=(*layout.not_read, sentence))


def _fits(folder: Path, names: Iterable[LayoutName]) -> bool:
    try:
        return any(_LOOKS[name](folder) is not None for name in names)
    except PictureError:
        return False


def _course(folder: Path) -> Layout | None:
    """``train/NNN_masked.jpg``, ``train/NNN_mask.jpg``, ``train_gt/NNN.jpg``."""
    folders = _folders(folder)
    parts, problems = [], []
    for split in SPLITS:
        holes, targets = folders.get(split), folders.get(f"{split}_gt")
        with_masks = holes is not None and any(_ends_in_mask(name) for name in _files(holes))
        if holes is not None and with_masks and targets is not None:
            roles: dict[Role, Path] = {"picture": targets, "mask": holes, "masked": holes}
            parts.append(Part(split, split, roles))
        elif holes is not None and with_masks:
            problems.append(
                f"{holes} has masks, but there is no folder {split}_gt of pictures beside it."
            )
        elif targets is not None:
            problems.append(
                f"{targets} has pictures, but there is no folder {split} of masks beside it."
            )
    if not parts:
        return None
    why = f"{parts[0].name}/ has masks in it and {parts[0].name}_gt/ beside it"
    return Layout("course", folder, tuple(parts), why, "known", problems=tuple(problems))


def _challenge(folder: Path) -> Layout | None:
    """``train/{train_GT, train_mask, train_masked}``, or these folders directly below."""
    direct = _folders(folder)
    parts, problems = [], []
    for split in SPLITS:
        roles: dict[Role, Path] = {}
        below = _folders(direct[split]) if split in direct else {}
        for role, ending in _ENDINGS.items():
            name = f"{split}_{ending}"
            if name in direct and name in below:
                problems.append(f"{direct[name]} and {below[name]} may both be meant. Leave one.")
            elif name in direct or name in below:
                roles[role] = direct.get(name) or below[name]
        if "picture" in roles and "mask" in roles:
            parts.append(Part(split, split, roles))
        elif roles.keys() & {"mask", "masked"}:
            there = next(iter(roles.values()))
            lacks = " and ".join(
                f"{split}_{_ENDINGS[role]}" for role in ("picture", "mask") if role not in roles
            )
            problems.append(f"Beside {there} there is no folder {lacks}.")
    if not parts:
        return None
    where = parts[0].folders
    why = f"{where['picture'].name}/ and {where['mask'].name}/ lie in {where['mask'].parent}"
    return Layout("challenge", folder, tuple(parts), why, "known", problems=tuple(problems))


_ENDINGS: dict[Role, str] = {"picture": "gt", "mask": "mask", "masked": "masked"}


def _muraldh(folder: Path) -> Layout | None:
    """``Mural512`` with crops, ``Mural_seg/train/{images, labels}``; or one of the two itself."""
    folders = _folders(folder)
    parts: list[Part] = []
    problems = []
    crops = folders.get("mural512")
    if crops is not None:
        parts.append(Part("Mural512", "", {"picture": crops}))
    elif sum(bool(photograph_of(Path(name).stem)) for name in _files(folder)) > 1:
        parts.append(Part("", "", {"picture": folder}))
    labelled = folders.get("mural_seg")
    for split, below in (_folders(labelled or folder) if labelled or not crops else {}).items():
        inside = _folders(below) if split in SPLITS else {}
        if {"images", "labels"} <= inside.keys() and any(_files(inside["labels"])):
            name = f"Mural_seg/{split}" if labelled else split
            roles: dict[Role, Path] = {"picture": inside["images"], "damage": inside["labels"]}
            parts.append(Part(name, split, roles))
        elif split in SPLITS:
            problems.append(f"{below} lacks a folder images, or labels that are picture files.")
    if not parts:
        return None
    seen = [part.name + "/" for part in parts if part.name]
    why = f"there are {' and '.join(seen)}" if seen else "its files are named as crops"
    return Layout("muraldh", folder, tuple(parts), why, "hole", problems=tuple(problems))


def _folder(folder: Path) -> Layout | None:
    """``images`` and ``masks``, directly or below ``train``, ``val``, ``test``."""
    direct = _folders(folder)
    below = {split: _one_of(direct, names) for split, names in SPLIT_NAMES.items()}
    places = {"": folder} | {split: place for split, place in below.items() if place is not None}
    parts, problems = [], []
    for split, place in places.items():
        folders = _folders(place)
        picture, mask = _one_of(folders, OF_PICTURES), _one_of(folders, OF_MASKS)
        masked = _one_of(folders, OF_MASKED)
        if picture is not None and mask is not None:
            roles: dict[Role, Path] = {"picture": picture, "mask": mask}
            parts.append(Part(split, split, {**roles, "masked": masked} if masked else roles))
        elif picture is not None or mask is not None:
            lacks = "masks" if mask is None else "images"
            problems.append(f"Beside {picture or mask} there is no folder {lacks}.")
    if not parts:
        return None
    where = parts[0].folders
    why = f"{where['picture'].name}/ and {where['mask'].name}/ lie in {where['mask'].parent}"
    return Layout("folder", folder, tuple(parts), why, problems=tuple(problems))


def _one_of(folders: Mapping[str, Path], names: Iterable[str]) -> Path | None:
    found = [folders[name] for name in names if name in folders]
    if len(found) > 1:
        raise PictureError(
            f"{' and '.join(map(str, found))} may both be meant, and which one is not guessed. "
            "Move the other away."
        )
    return found[0] if found else None


_LOOKS: dict[LayoutName, Callable[[Path], Layout | None]] = {
    "course": _course, "challenge": _challenge, "muraldh": _muraldh, "folder": _folder,
}  # fmt: skip


def _folders(folder: Path) -> dict[str, Path]:
    """Return the folders in a folder by their names in small letters, hidden ones left out."""
    found: dict[str, Path] = {}
    for name in _names(folder):
        path = folder / name
        if path.is_dir():
            other = found.setdefault(name.lower(), path)
            if other != path:
                raise PictureError(
                    f"{other} and {path} differ in small and capital letters only. Put their files "
                    "together, or move one away."
                )
    return found


def _files(folder: Path) -> list[str]:
    """Return the names of the picture files directly in a folder."""
    return [name for name in _names(folder) if Path(name).suffix.lower() in SUFFIXES]


def _names(folder: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as error:
        raise PictureError(
            f"Could not look into {folder}: {error.strerror}. Give yourself the permission to "
            "read it."
        ) from error


def _ends_in_mask(name: str) -> bool:
    return Path(name).stem.lower().endswith("_mask")


def _listed(folder: Path) -> str:
    names = _names(folder)
    shown = ", ".join(names[:8]) or "no files"
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown
