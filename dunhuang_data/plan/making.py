"""Make a plan: identify pictures, give each its split, place its patches, draw how they turn."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dunhuang_data.atomic import Progress, no_progress
from dunhuang_data.augment import draw_augmentations
from dunhuang_data.errors import PictureError, PlanError
from dunhuang_data.executors import run_jobs
from dunhuang_data.pictures import (
    FoundPicture,
    find_pictures,
    identify_pictures,
)
from dunhuang_data.plan.placing import Placed, PlaceJob, Refused, at_its_scale, place
from dunhuang_data.plan.records import Patches, PatchPlan
from dunhuang_data.plan.sidecars import Problems, Sidecars, with_sidecars
from dunhuang_data.recipe import PlanRecipe, ReadingRecipe
from dunhuang_data.rng import rng_for
from dunhuang_data.types import SPLITS, Augmentation, PatchSpec, Picture, Split


def make_plan(
    sources: Iterable[Path],
    recipe: PlanRecipe,
    sidecars: Sidecars | None = None,
    *,
    keep_going: bool = False,
    workers: int = 1,
    progress: Progress = no_progress,
) -> PatchPlan:
    """Find pictures and choose the patches of each.

    What is chosen for a picture is a function of the recipe, the picture's id and its size (and of
    its pixels, where those have a say) alone: neither other pictures nor workers matter. With
    ``total``, its number of patches depends on the others' areas.

    Parameters
    ----------
    sources : iterable of Path
        Pictures and folders of pictures.
    recipe : PlanRecipe
    sidecars : Sidecars, optional
    keep_going : bool
        Leave out the pictures that cannot be used, and say so in ``PatchPlan.left_out``.
    workers : int
        Processes.
    progress : callable
        Called once per picture read, and once per picture on which patches were placed.

    Raises
    ------
    PictureError
        If pictures cannot be read; all of them are named.
    PlanError
        If pictures are too small, or have no group; all of them are named.
    """
    sidecars = sidecars or Sidecars()
    problems = Problems(keep_going)
    found, unusable = find_pictures(sources)
    root = Path(os.path.commonpath([one.path.resolve().parent for one in found]))
    pictures, unread = _identified(found, root, recipe.reading, workers, progress)
    what = f"of {len(found) + len(unusable)} pictures cannot be used"
    problems.face([*unusable, *unread], what, PictureError)
    pictures = with_sidecars(pictures, recipe, sidecars, problems)
    _refuse_twins(pictures)
    usable = _large_enough(pictures, recipe, problems)
    jobs: list[PlaceJob] = []
    for picture, count in zip(usable, _counts(usable, recipe), strict=True):
        if count:
            jobs.append(PlaceJob(len(jobs), picture, count, recipe, root, sidecars.damage_root))
        else:
            problems.left_out.append(f"{picture.id}: no patch of --total {recipe.total} is left.")
    placed, refused = _all_placed(jobs, workers, progress)
    problems.face([one.sentence for one in refused if one.unreadable], what, PictureError)
    small = [one.sentence for one in refused if not one.unreadable]
    _face_small(small, len(pictures), recipe, problems)
    if not placed:
        reasons = "\n".join(f"  - {reason}" for reason in problems.left_out)
        raise PlanError(
            f"None of the {len(found)} pictures can give patches of {recipe.patch_size} px, so "
            f"there is nothing to plan:\n{reasons}"
        )
    missing = recipe.total - sum(len(one.centers_yx) for one in placed)
    if recipe.total and missing:
        problems.left_out.append(
            f"{missing} of the {recipe.total} patches of --total: they fell to pictures that are "
            "left out."
        )
    return PatchPlan(
        recipe=recipe,
        pictures_root=root,
        pictures=tuple(one.picture for one in placed),
        patches=Patches(lambda: _rows(placed, recipe), _counted(placed, recipe)),
        reports=tuple(one.report for one in placed),
        left_out=tuple(problems.left_out),
        damage_root=sidecars.damage_root,
    )


def _all_placed(
    jobs: Sequence[PlaceJob], workers: int, progress: Progress
) -> tuple[list[Placed], list[Refused]]:
    """Place the patches of every picture; return them and the refusals, in the jobs' order."""
    placed: list[Placed] = []
    refused: list[Refused] = []
    for one in run_jobs(place, jobs, workers):
        if isinstance(one, Placed):
            placed.append(one)
        else:
            refused.append(one)
        progress(1)
    placed.sort(key=lambda one: one.number)
    refused.sort(key=lambda one: one.number)
    return placed, refused


@dataclass(frozen=True, slots=True)
class _IdentifyJob:
    number: int
    found: FoundPicture
    root: Path
    reading: ReadingRecipe


def _identify(job: _IdentifyJob) -> tuple[int, list[Picture], list[str]]:
    return (job.number, *identify_pictures([job.found], job.root, job.reading))


def _identified(
    found: Sequence[FoundPicture],
    root: Path,
    reading: ReadingRecipe,
    workers: int,
    progress: Progress,
) -> tuple[list[Picture], list[str]]:
    jobs = [_IdentifyJob(number, one, root, reading) for number, one in enumerate(found)]
    results = []
    for one in run_jobs(_identify, jobs, workers):
        results.append(one)
        progress(1)
    results.sort(key=lambda one: one[0])
    pictures = [picture for _, identified, _ in results for picture in identified]
    return pictures, [problem for _, _, problems in results for problem in problems]


def _refuse_twins(pictures: Sequence[Picture]) -> None:
    """Refuse one file under two ids in two splits: the test would be trained on."""
    seen: dict[str, Picture] = {}
    for picture in pictures:
        twin = seen.setdefault(picture.sha256, picture)
        if twin.split != picture.split:
            raise PlanError(
                f"{twin.file} and {picture.file} are the same file, in the splits {twin.split} and "
                f"{picture.split}. Take one of them out."
            )


def _large_enough(
    pictures: Sequence[Picture], recipe: PlanRecipe, problems: Problems
) -> list[Picture]:
    usable, small = [], []
    for picture in pictures:
        try:
            usable.append(at_its_scale(picture, recipe))
        except PlanError as error:
            small.append(f"{picture.id}: {error}.")
    _face_small(small, len(pictures), recipe, problems)
    return usable


def _face_small(small: Sequence[str], count: int, recipe: PlanRecipe, problems: Problems) -> None:
    if recipe.small == "skip":
        problems.left_out += small
        return
    remedy = " Choose a smaller --size or --per-picture, "
    if recipe.damage_is or recipe.min_detail:
        remedy += (
            "loosen --max-damage or --min-detail, see that --damage-is is the right way round, "
        )
    remedy += "or leave such pictures out: --small skip."
    problems.face(
        [sentence + remedy for sentence in small],
        f"of {count} pictures have too few places for patches",
        PlanError,
    )


def _counts(pictures: Sequence[Picture], recipe: PlanRecipe) -> list[int]:
    """Return the patches of each picture: the same for all, or ``total`` shared by area.

    Shares are rounded by the largest remainder; of equal ones the first picture's goes up.
    """
    if not recipe.total:
        return [recipe.per_picture] * len(pictures)
    areas = [height * width for height, width in (one.scaled_hw for one in pictures)]
    whole = max(1, sum(areas))
    counts = [recipe.total * area // whole for area in areas]
    by_remainder = sorted(
        range(len(areas)), key=lambda number: -(recipe.total * areas[number] % whole)
    )
    for number in by_remainder[: recipe.total - sum(counts)]:
        counts[number] += 1
    return counts


def _counted(placed: Sequence[Placed], recipe: PlanRecipe) -> dict[Split, int]:
    counted = dict.fromkeys(SPLITS, 0)
    for one in placed:
        times = recipe.variants if one.picture.split == "train" else 1
        counted[one.picture.split] += times * len(one.centers_yx)
    return counted


def _rows(placed: Sequence[Placed], recipe: PlanRecipe) -> Iterator[PatchSpec]:
    """Draw how each patch is turned, picture by picture; all variants of a place together."""
    index = 0
    for one in placed:
        centers, nearest = one.centers_yx.tolist(), one.nearest_px.tolist()
        turns = [[Augmentation()] * len(centers)]
        if one.picture.split == "train":
            turns = [
                draw_augmentations(
                    rng_for(recipe.seed, "augment", one.picture.id, variant), len(centers), recipe
                )
                for variant in range(recipe.variants)
            ]
        for row, (y, x) in enumerate(centers):
            for variant in turns:
                yield PatchSpec(
                    index=index,
                    picture_id=one.picture.id,
                    center_yx=(y, x),
                    split=one.picture.split,
                    augmentation=variant[row],
                    nearest_px=round(nearest[row], 3),
                    scale=one.picture.scale,
                )
                index += 1
