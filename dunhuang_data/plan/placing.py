"""Place the patches of one picture: a job of its own, so that any worker can do it."""

from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.errors import PictureError, PlanError
from dunhuang_data.mask_files import DamageMask
from dunhuang_data.pictures import open_picture
from dunhuang_data.plan.report import PictureReport, report_of
from dunhuang_data.recipe import PlanRecipe
from dunhuang_data.rng import rng_for
from dunhuang_data.sampleable import Limits, allowed_positions
from dunhuang_data.spread import METHODS, Allowed, nearest_distances
from dunhuang_data.types import Picture


@dataclass(frozen=True, slots=True)
class PlaceJob:
    """One picture to place patches on."""

    number: int
    picture: Picture
    count: int
    recipe: PlanRecipe
    pictures_root: Path
    damage_root: Path | None


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the patches of one picture lie.

    Attributes
    ----------
    number : int
        Of the job.
    picture : Picture
    centers_yx : (N, 2) int32
        At the picture's scale.
    nearest_px : (N,) float64
    report : PictureReport
    """

    number: int
    picture: Picture
    centers_yx: NDArray[np.int32]
    nearest_px: NDArray[np.float64]
    report: PictureReport


def at_its_scale(picture: Picture, recipe: PlanRecipe) -> Picture:
    """Return a picture with the scale at which it is cut.

    Raises
    ------
    PlanError
        If it is smaller than a patch and nothing is to be done about that.
    """
    chosen = replace(picture, scale=recipe.scale)
    size = recipe.patch_size
    if min(chosen.scaled_hw) >= size or recipe.small == "pad":
        return chosen
    if recipe.small == "upscale":
        return replace(picture, scale=ceil(size / min(picture.height, picture.width) * 1e4) / 1e4)
    at = "" if recipe.scale == 1 else f", {chosen.scaled_hw[0]} x {chosen.scaled_hw[1]} px at scale"
    at += f" {recipe.scale:g}" if at else ""
    raise PlanError(
        f"a picture of {picture.height} x {picture.width} px (height x width{at}) is smaller than "
        f"a patch of {size} px"
    )


@dataclass(frozen=True, slots=True)
class Refused:
    """Why there are no patches of one picture.

    Attributes
    ----------
    number : int
        Of the job.
    sentence : str
    unreadable : bool
        A file is at fault, not the picture's size.
    """

    number: int
    sentence: str
    unreadable: bool


def place(job: PlaceJob) -> Placed | Refused:
    """Choose the patches of one picture, or say why there are none."""
    try:
        return _placed(job)
    except PlanError as error:
        return Refused(job.number, f"{job.picture.id}: {error}.", False)
    except PictureError as error:
        return Refused(job.number, str(error), True)


def _placed(job: PlaceJob) -> Placed:
    recipe, picture = job.recipe, job.picture
    size = recipe.patch_size
    shape_hw = picture.scaled_hw
    held = max(shape_hw[0], size), max(shape_hw[1], size)  # a small one is padded on all sides
    allowed = _allowed(job)
    rng = rng_for(recipe.seed, "centers", picture.id)
    centers = METHODS[recipe.method](held, size, job.count, rng, allowed)
    centers = centers - np.array([held[0] - shape_hw[0], held[1] - shape_hw[1]]) // 2
    sampleable = 1.0 if allowed is None else len(allowed.corners) / allowed.positions
    return Placed(
        number=job.number,
        picture=picture,
        centers_yx=centers.astype(np.int32),
        nearest_px=nearest_distances(centers),
        report=report_of(picture, size, centers, sampleable),
    )


def _allowed(job: PlaceJob) -> Allowed | None:
    """Look where patches may lie, if the picture's pixels have a say in that."""
    recipe, picture = job.recipe, job.picture
    if not (picture.transparent or picture.damage_file or recipe.min_detail):
        return None
    source = open_picture(job.pictures_root / picture.file, recipe.reading)
    damage = damage_of(picture, recipe, job.damage_root)
    if damage is not None:
        damage.refuse_unless_two_valued()
    limits = Limits(recipe.max_damage, recipe.min_detail)
    size = recipe.patch_size
    return allowed_positions(source, damage, size, picture.scale, limits, job.count)


def damage_of(picture: Picture, recipe: PlanRecipe, damage_root: Path | None) -> DamageMask | None:
    """Open the mask of a picture's real damage, if it has one."""
    if not picture.damage_file or damage_root is None:
        return None
    shape_hw = (picture.height, picture.width)
    return DamageMask(damage_root / picture.damage_file, recipe.damage_is, shape_hw)
