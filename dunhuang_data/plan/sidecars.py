"""What files beside the pictures say of them: group, rights, real damage; and what is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dunhuang_data.errors import DataProblem, PlanError
from dunhuang_data.pictures import pictures_below, raise_together, sha256_of_file
from dunhuang_data.recipe import PlanRecipe
from dunhuang_data.sidecar import entry_of, names_of
from dunhuang_data.splits import split_of
from dunhuang_data.types import Picture

Table = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Sidecars:
    """What is known of pictures from files beside them.

    Attributes
    ----------
    groups : dict, optional
        `dunhuang_data.sidecar.read_sidecar` of the column ``group``.
    rights : dict, optional
        Of the columns ``rights`` and ``attribution``.
    damage_root : Path, optional
        Folder of masks of real damage, named like the pictures.
    """

    groups: Table | None = None
    rights: Table | None = None
    damage_root: Path | None = None


@dataclass(slots=True)
class Problems:
    """What is wrong with pictures: refused together, or left out and said."""

    keep_going: bool
    left_out: list[str] = field(default_factory=list)

    def face(self, problems: Sequence[str], what: str, kind: type[DataProblem]) -> None:
        """Leave pictures out, or refuse them all in one error."""
        if not self.keep_going:
            raise_together(problems, what, kind)
        self.left_out += problems


def with_sidecars(
    pictures: Sequence[Picture], recipe: PlanRecipe, sidecars: Sidecars, problems: Problems
) -> list[Picture]:
    """Give each picture its group, split, rights and damage mask."""
    masks = _masks_by_id(sidecars.damage_root)
    known, without = [], []
    for picture in pictures:
        group = entry_of(sidecars.groups or {}, picture.id, picture.file) or {"group": ""}
        rights = entry_of(sidecars.rights or {}, picture.id, picture.file) or {}
        if recipe.split_by == "group" and not group["group"]:
            without.append(
                f"{picture.id}: the table of groups does not say which group it is in. Add a row."
            )
            continue
        name = group["group"] if recipe.split_by == "group" else picture.id
        mask = masks.get(picture.id)
        known.append(
            replace(
                picture,
                split=split_of(name, recipe.split, recipe.seed),
                group=group["group"],
                damage_file="" if mask is None else mask[0],
                damage_sha256="" if mask is None else sha256_of_file(mask[1]),
                rights=rights.get("rights", ""),
                attribution=rights.get("attribution", ""),
            )
        )
    problems.face(without, f"of {len(pictures)} pictures are in no group", PlanError)
    unused = sorted(set(masks) - {picture.id for picture in pictures})
    if known and len(unused) == len(masks) and sidecars.damage_root is not None:
        raise PlanError(
            f"No mask in {sidecars.damage_root} is named like a picture, for instance "
            f"{known[0].id}.png. Name each mask like its picture."
        )
    problems.left_out += [f"{masks[one][1]}: no picture has this name." for one in unused]
    names = {name for picture in pictures for name in names_of(picture.id, picture.file)}
    for table, what in ((sidecars.groups, "--groups"), (sidecars.rights, "--rights")):
        unknown = sorted(set(table or {}) - names)
        problems.left_out += [f"{one!r} in {what}: no picture has this name." for one in unknown]
    return known


def _masks_by_id(root: Path | None) -> dict[str, tuple[str, Path]]:
    """Return the masks below a folder: picture id → the path below it, and the path."""
    found: dict[str, tuple[str, Path]] = {}
    for path in [] if root is None else pictures_below(root):
        below = path.relative_to(root or path)
        picture_id = below.with_suffix("").as_posix()
        if picture_id in found:
            raise PlanError(
                f"Two masks are named like the picture {picture_id!r}: {found[picture_id][1]} and "
                f"{path}. Leave one."
            )
        found[picture_id] = (below.as_posix(), path)
    return found
