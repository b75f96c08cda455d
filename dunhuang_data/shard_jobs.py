"""One shard is one job: a pure function of plan, bank, pictures, recipe and number.

A shard's files are written under temporary names and renamed; its record, written last, says that
it is whole.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from types import ModuleType

import numpy as np

from dunhuang_data import format_hdf5, format_zarr
from dunhuang_data.atomic import write_bytes, write_json
from dunhuang_data.errors import PictureError
from dunhuang_data.manifest import Shard, StoredFile, shard_from_json
from dunhuang_data.mask_bank import MaskBank, open_bank
from dunhuang_data.pictures import read_picture, sha256_of_file
from dunhuang_data.plan import PatchPlan, patch_row
from dunhuang_data.recipe import BuildRecipe
from dunhuang_data.render import render_patch
from dunhuang_data.shards import content_sha256, stored_arrays
from dunhuang_data.types import SPLITS, PatchSpec, Picture, Samples, Split, UInt8Array

STATE = "state"  # folder of the records; gone when the dataset is whole
ENCODERS: dict[str, ModuleType] = {"zarr": format_zarr, "hdf5": format_hdf5}


@dataclass(frozen=True, slots=True)
class ShardJob:
    """Everything one shard is made from; a few kilobytes, so it travels to any worker."""

    building: Path
    split: Split
    number: int
    total: int
    recipe: BuildRecipe
    patch_size: int
    patches: tuple[PatchSpec, ...]
    pictures: tuple[Picture, ...]
    pictures_root: Path
    masks_root: Path


def shard_jobs(
    plan: PatchPlan, bank: MaskBank, recipe: BuildRecipe, building: Path
) -> list[ShardJob]:
    """Cut a plan into shards, split by split, in the plan's order."""
    pictures = {picture.id: picture for picture in plan.pictures}
    jobs = []
    for split in SPLITS:
        patches = [patch for patch in plan.patches if patch.split == split]
        for number, first in enumerate(range(0, len(patches), recipe.shard_size)):
            part = tuple(patches[first : first + recipe.shard_size])
            needed = dict.fromkeys(patch.picture_id for patch in part)
            jobs.append(
                ShardJob(
                    building=building.absolute(),
                    split=split,
                    number=number,
                    total=len(patches),
                    recipe=recipe,
                    patch_size=plan.recipe.patch_size,
                    patches=part,
                    pictures=tuple(pictures[picture_id] for picture_id in needed),
                    pictures_root=plan.pictures_root.absolute(),
                    masks_root=bank.root.absolute(),
                )
            )
    return jobs


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
    size, count = job.patch_size, len(job.patches)
    samples = Samples(
        image=np.empty((count, size, size, 3), dtype=np.uint8),
        valid=np.empty((count, size, size), dtype=np.uint8),
        damage=np.empty((count, size, size), dtype=np.uint8),
    )
    bank = open_bank(job.masks_root, check_hashes=False)
    pictures = {picture.id: picture for picture in job.pictures}
    row = 0
    for picture_id, patches in groupby(job.patches, key=lambda patch: patch.picture_id):
        pixels = _planned_picture(pictures[picture_id], job.pictures_root)
        for patch in patches:
            samples.image[row], samples.damage[row] = render_patch(
                pixels, patch.center_yx, size, patch.augmentation
            )
            samples.valid[row] = bank.read(patch.index)
            row += 1
    return samples


def _planned_picture(picture: Picture, root: Path) -> UInt8Array:
    path = root / picture.file
    if not path.is_file():
        raise PictureError(
            f"The plan needs {path}, which is not there. Put the pictures back, or name the folder "
            "they are in now with --pictures."
        )
    found = sha256_of_file(path)
    if found != picture.sha256:
        raise PictureError(
            f"{path} has changed since the plan was made (SHA-256 {found[:12]}…, planned "
            f"{picture.sha256[:12]}…). Put the old file back, or make the plan again."
        )
    return read_picture(path)


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
