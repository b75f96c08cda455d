"""Cut planned patches from their pictures: for a build, or one of them again to look at."""

from dataclasses import dataclass
from pathlib import Path

from dunhuang_data.errors import PictureError, PlanError
from dunhuang_data.mask_files import DamageMask
from dunhuang_data.pictures import SourcePicture, open_picture, sha256_of_file
from dunhuang_data.plan import PatchPlan
from dunhuang_data.recipe import PlanRecipe
from dunhuang_data.render import render_patch
from dunhuang_data.types import PatchSpec, Picture, UInt8Array


@dataclass(frozen=True, slots=True)
class PlannedPicture:
    """A picture of a plan, opened; the very file that was planned."""

    source: SourcePicture
    damage: DamageMask | None
    patch_size: int

    def patch(self, patch: PatchSpec) -> tuple[UInt8Array, UInt8Array]:
        """Cut a patch: image (s, s, 3) and damage (s, s), see `dunhuang_data.render`."""
        return render_patch(
            self.source,
            patch.center_yx,
            self.patch_size,
            patch.augmentation,
            patch.scale,
            self.damage,
        )


def open_planned(
    picture: Picture, recipe: PlanRecipe, pictures_root: Path, damage_root: Path | None
) -> PlannedPicture:
    """Open a picture and its mask of real damage, after making sure that they have not changed.

    Raises
    ------
    PictureError
        If a file is gone, or is not the one that was planned.
    """
    path = pictures_root / picture.file
    check_unchanged(path, picture.sha256, "--pictures")
    damage = None
    if picture.damage_file:
        if damage_root is None:
            raise PictureError(
                f"{picture.id} was planned with a mask of its damage, {picture.damage_file}. Name "
                "the folder it is in with --damage-masks."
            )
        mask = damage_root / picture.damage_file
        check_unchanged(mask, picture.damage_sha256, "--damage-masks")
        damage = DamageMask(mask, recipe.damage_is, (picture.height, picture.width))
    return PlannedPicture(open_picture(path, recipe.reading), damage, recipe.patch_size)


def check_unchanged(path: Path, sha256: str, option: str) -> None:
    """Refuse a file that is gone, or is not the one that was planned.

    Parameters
    ----------
    path : Path
    sha256 : str
        As the plan has it.
    option : str
        The option that says where such files are now.

    Raises
    ------
    PictureError
    """
    if not path.is_file():
        raise PictureError(
            f"The plan needs {path}, which is not there. Put it back, or has it been moved? Say "
            f"where the {option.removeprefix('--').replace('-', ' ')} are now with {option}."
        )
    found = sha256_of_file(path)
    if found != sha256:
        raise PictureError(
            f"{path} has changed since the plan was made (SHA-256 {found[:12]}…, planned "
            f"{sha256[:12]}…). Put the old file back, or make the plan again."
        )


def replay(plan: PatchPlan, index: int) -> tuple[PatchSpec, UInt8Array, UInt8Array]:
    """Cut one row of a plan again: the same pixels as in any dataset built from it.

    Parameters
    ----------
    plan : PatchPlan
    index : int
        Row number in the plan.

    Returns
    -------
    patch : PatchSpec
    image : (s, s, 3) uint8
    damage : (s, s) uint8

    Raises
    ------
    PlanError
        If there is no such row.
    PictureError
        If the picture is gone, or is not the one that was planned.
    """
    patch = next((one for one in plan.patches if one.index == index), None)
    if patch is None:
        raise PlanError(
            f"The plan has no row {index}; its rows are 0 to {len(plan.patches) - 1}. Choose one "
            "of them."
        )
    picture = next(one for one in plan.pictures if one.id == patch.picture_id)
    opened = open_planned(picture, plan.recipe, plan.pictures_root, plan.damage_root)
    return patch, *opened.patch(patch)
