"""One shard is one job: a pure function of plan, bank, pictures, recipe and number.

A shard's files are written under temporary names and renamed; its record, written last, says that
it is whole.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from types import ModuleType

import numpy as np

from dunhuang_data import format_hdf5, format_zarr
from dunhuang_data.atomic import write_bytes, write_json
from dunhuang_data.growth import STATE
from dunhuang_data.manifest import Shard, StoredFile, shard_from_json
from dunhuang_data.mask_bank import MaskBank, open_bank
from dunhuang_data.pictures import sha256_of_file
from dunhuang_data.plan import PatchPlan, patch_row
from dunhuang_data.recipe import BuildRecipe, PlanRecipe
from dunhuang_data.replay import open_planned
from dunhuang_data.shards import content_sha256, stored_arrays
from dunhuang_data.types import PatchSpec, Picture, Samples, Split

ENCODERS: dict[str, ModuleType] = {"zarr": format_zarr, "hdf5": format_hdf5}


@dataclass(frozen=True, slots=True)
class ShardJob:
    """Everything one shard is made from; a few kilobytes, so it travels to any worker."""

    building: Path
    split: Split
    number: int
    total: int
    recipe: BuildRecipe
    patches: tuple[PatchSpec, ...]
    pictures: tuple[Picture, ...]
    plan_recipe: PlanRecipe
    pictures_root: Path
    damage_root: Path | None
    masks_root: Path


def shard_jobs(
    plan: PatchPlan, bank: MaskBank, recipe: BuildRecipe, building: Path
) -> Iterator[ShardJob]:
    """Cut a plan into shards, in its order; a job at a time, for there may be very many."""
    pictures = {picture.id: picture for picture in plan.pictures}
    totals = plan.count_by_split()
    for split, number, patches in plan.in_shards(recipe.shard_size):
        needed = dict.fromkeys(patch.picture_id for patch in patches)
        yield ShardJob(
            building=building.absolute(),
            split=split,
            number=number,
            total=totals[split],
            recipe=recipe,
            patches=patches,
            pictures=tuple(pictures[picture_id] for picture_id in needed),
            plan_recipe=plan.recipe,
            pictures_root=plan.pictures_root.absolute(),
            damage_root=None if plan.damage_root is None else plan.damage_root.absolute(),
            masks_root=bank.root.absolute(),
        )


def make_shard(job: ShardJob) -> Shard:
    """Render, encode and write one shard, its record last; return the record."""
    arrays = stored_arrays(_render(job))
    encoder = ENCODERS[job.recipe.format]
    files = encoder.encode_shard(job.split, job.number, arrays, job.total, job.recipe.shard_size)
    stored = []
    for path, data in files.items():
        write_bytes(job.building / path, data)
        stored.append(StoredFile(path, len(data), hashlib.sha256(data).hexdigest()))
    shard = Shard(
        split=job.split,
        number=job.number,
        samples=len(job.patches),
        content_sha256=content_sha256(arrays, [patch_row(patch) for patch in job.patches]),
        files=tuple(stored),
    )
    write_json(_record_path(job), asdict(shard))
    return shard


def _render(job: ShardJob) -> Samples:
    size, count = job.plan_recipe.patch_size, len(job.patches)
    samples = Samples(
        image=np.empty((count, size, size, 3), dtype=np.uint8),
        valid=np.empty((count, size, size), dtype=np.uint8),
        damage=np.empty((count, size, size), dtype=np.uint8),
    )
    bank = open_bank(job.masks_root, check_hashes=False)
    pictures = {picture.id: picture for picture in job.pictures}
    row = 0
    for picture_id, patches in groupby(job.patches, key=lambda patch: patch.picture_id):
        source = open_planned(
            pictures[picture_id], job.plan_recipe, job.pictures_root, job.damage_root
        )
        for patch in patches:
            samples.image[row], samples.damage[row] = source.patch(patch)
            samples.valid[row] = bank.read(patch.index)
            row += 1
    return samples


def _record_path(job: ShardJob) -> Path:
    return job.building / STATE / f"{job.split}-{job.number:05d}.json"


def found_whole(job: ShardJob) -> Shard | None:
    """Return the record of a shard that an earlier run left whole, or None."""
    try:
        shard = shard_from_json(json.loads(_record_path(job).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    for file in shard.files:
        path = job.building / file.path
        if not path.is_file() or sha256_of_file(path) != file.sha256:
            return None
    return shard
