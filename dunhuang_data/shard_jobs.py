"""One shard is one job: a pure function of plan, bank, pictures, recipe and number.

A shard's files are written under temporary names and renamed; its record, written last, says that
it is whole.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from types import ModuleType

from dunhuang_data import format_hdf5, format_zarr
from dunhuang_data.atomic import write_json
from dunhuang_data.errors import DataProblem
from dunhuang_data.growth import STATE
from dunhuang_data.manifest import Shard, StoredFile, shard_paths
from dunhuang_data.mask_bank import MaskBank, open_bank
from dunhuang_data.pictures import sha256_of_file
from dunhuang_data.plan import PatchPlan, patch_row
from dunhuang_data.polarity import pack
from dunhuang_data.recipe import BuildRecipe, PlanRecipe
from dunhuang_data.replay import PlannedPicture, open_planned
from dunhuang_data.shards import ARRAY_NAMES, VERSION, ContentHash, ShardPlace, Stored
from dunhuang_data.types import PatchSpec, Picture

CONTAINERS: dict[str, ModuleType] = {"zarr": format_zarr, "hdf5": format_hdf5}


@dataclass(frozen=True, slots=True)
class ShardJob:
    """Everything one shard is made from; a few kilobytes, so it travels to any worker."""

    building: Path
    place: ShardPlace
    format: str
    patches: tuple[PatchSpec, ...]
    pictures: tuple[Picture, ...]
    plan_recipe: PlanRecipe
    pictures_root: Path
    damage_root: Path | None
    masks_root: Path
    keep_going: bool = False


@dataclass(frozen=True, slots=True)
class Unmade:
    """A shard that could not be made, and why."""

    place: ShardPlace
    reason: str


def places(
    plan: PatchPlan, recipe: BuildRecipe
) -> Iterator[tuple[ShardPlace, tuple[PatchSpec, ...]]]:
    """Cut a plan into shards, in its order; one at a time, for there may be very many."""
    totals = plan.count_by_split()
    for split, number, patches in plan.in_shards(recipe.shard_size):
        place = ShardPlace(
            split=split,
            number=number,
            samples=len(patches),
            total=totals[split],
            patch_size=plan.recipe.patch_size,
            shard_size=recipe.shard_size,
            codec=recipe.codec,
        )
        yield place, patches


def shard_jobs(
    plan: PatchPlan,
    bank: MaskBank,
    recipe: BuildRecipe,
    building: Path,
    keep_going: bool = False,
) -> Iterator[ShardJob]:
    """Return the job of every shard of a plan."""
    pictures = {picture.id: picture for picture in plan.pictures}
    for place, patches in places(plan, recipe):
        needed = dict.fromkeys(patch.picture_id for patch in patches)
        yield ShardJob(
            building=building.absolute(),
            place=place,
            format=recipe.format,
            patches=patches,
            pictures=tuple(pictures[picture_id] for picture_id in needed),
            plan_recipe=plan.recipe,
            pictures_root=plan.pictures_root.absolute(),
            damage_root=None if plan.damage_root is None else plan.damage_root.absolute(),
            masks_root=bank.root.absolute(),
            keep_going=keep_going,
        )


def make_shard(job: ShardJob) -> Shard | Unmade:
    """Find a shard whole, or render and write it, its record last.

    Raises
    ------
    DataProblem
        If a picture, a mask of damage or the bank cannot be read and ``keep_going`` is not set.
    OutputError
        If the system refuses to write.
    """
    try:
        return write_shard(job.building, job.place, job.format, job.patches, _rendered(job))
    except DataProblem as error:
        if not job.keep_going:
            raise
        return Unmade(job.place, str(error))


def write_shard(
    building: Path,
    place: ShardPlace,
    format: str,
    patches: Sequence[PatchSpec],
    samples: Iterable[Stored],
) -> Shard:
    """Return the record of a shard: of an earlier run, if that left it whole, or write it.

    Parameters
    ----------
    building : Path
    place : ShardPlace
    format : {"zarr", "hdf5"}
    patches : sequence of PatchSpec
        The shard's rows of the plan.
    samples : iterable of dict of str to uint8 array
        One for each of ``patches``, as stored, without a sample axis. Nothing is taken from it if
        the shard is found whole. An array may be filled again for the next sample.
    """
    record = building / STATE / f"{place.split}-{place.number:05d}.json"
    found = _found_whole(record, building, place, format)
    if found is not None:
        return found
    content = ContentHash(place.patch_size)
    with CONTAINERS[format].new_shard(building, place) as new:
        for patch, arrays in zip(patches, samples, strict=True):
            new.add(arrays)
            content.add(arrays, patch_row(patch))
        new.seal(content.hexdigest())
    shard = Shard(place.split, place.number, place.samples, content.hexdigest(), new.files)
    write_json(record, asdict(shard))
    return shard


_open_pictures: dict[str, tuple[tuple[Path, Picture], PlannedPicture]] = {}


def forget_pictures() -> None:
    """Close the pictures that jobs left open in this process for the jobs after them."""
    _open_pictures.clear()


def _picture(job: ShardJob, picture: Picture) -> PlannedPicture:
    """Open a picture once a worker.

    The rows of a picture follow one another, so the last one of each split is the only one that a
    later shard can need again.
    """
    key = (job.building, picture)
    known, opened = _open_pictures.get(job.place.split, (None, None))
    if opened is None or known != key:
        _open_pictures.pop(job.place.split, None)  # before the next takes its memory
        opened = open_planned(picture, job.plan_recipe, job.pictures_root, job.damage_root)
        _open_pictures[job.place.split] = key, opened
    return opened


def _rendered(job: ShardJob) -> Iterator[Stored]:
    bank = open_bank(job.masks_root, check_hashes=False)
    pictures = {picture.id: picture for picture in job.pictures}
    for picture_id, patches in groupby(job.patches, key=lambda patch: patch.picture_id):
        source = _picture(job, pictures[picture_id])
        for patch in patches:
            image, damage = source.patch(patch)
            yield {
                "image": image,
                "valid": pack(bank.read(patch.index)),
                "damage": pack(damage),
            }


def _found_whole(record: Path, building: Path, place: ShardPlace, format: str) -> Shard | None:
    """Return the record of a shard that an earlier run left whole, or None."""
    try:
        document = json.loads(record.read_text(encoding="utf-8"))
        files = tuple(
            StoredFile(str(one["path"]), int(one["bytes"]), str(one["sha256"]))
            for one in document["files"]
        )
        content = str(document["content_sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if [file.path for file in files] != shard_paths(format, place.split, place.number):
        return None
    for file in files:
        path = building / file.path
        if not path.is_file() or path.stat().st_size != file.bytes:
            return None
        if sha256_of_file(path) != file.sha256:
            return None
    shard = Shard(place.split, place.number, place.samples, content, files)
    try:  # the files say which content they have, too
        CONTAINERS[format].shard_tables(building, place, shard, VERSION, ARRAY_NAMES)
    except (OSError, ValueError):
        return None
    return shard
