"""Pour a plan and a mask bank into shards: the only orchestrator. No random generator anywhere.

The dataset grows in ``OUT.building`` and is renamed to ``OUT`` when it is whole. A shard is a pure
function of (plan, bank, pictures, recipe, number), written under a temporary name and renamed; a
record beside it says that it is whole. A killed build, run again, continues.
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from dunhuang_data import format_hdf5, format_zarr
from dunhuang_data.atomic import (
    Progress,
    explained,
    no_progress,
    refuse_existing,
    replace_folder,
    write_bytes,
    write_json,
)
from dunhuang_data.errors import MaskError, OutputExistsError, PictureError
from dunhuang_data.executors import run_jobs
from dunhuang_data.manifest import (
    MARKER,
    DatasetManifest,
    Shard,
    StoredFile,
    read_manifest,
    shard_from_json,
    shard_to_json,
    write_manifest,
)
from dunhuang_data.mask_bank import MaskBank, open_bank
from dunhuang_data.pictures import read_picture, sha256_of_file
from dunhuang_data.plan import PatchPlan, patch_row, write_plan
from dunhuang_data.recipe import BuildRecipe
from dunhuang_data.render import render_patch
from dunhuang_data.shards import content_sha256, stored_arrays
from dunhuang_data.types import SPLITS, PatchSpec, Picture, Samples, Split, UInt8Array

ENCODERS = {"zarr": format_zarr, "hdf5": format_hdf5}
BUILD_MARKER = "build.json"


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


def build_dataset(
    plan: PatchPlan,
    bank: MaskBank,
    out: Path,
    recipe: BuildRecipe,
    *,
    overwrite: bool = False,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Progress = no_progress,
) -> DatasetManifest:
    """Build a dataset, or continue one that was interrupted.

    Parameters
    ----------
    plan : PatchPlan
    bank : MaskBank
        Mask i is laid on patch i.
    out : Path
        The dataset's folder; it appears when it is whole.
    recipe : BuildRecipe
    overwrite : bool
        Replace an earlier dataset, or an interrupted build from something else.
    workers, scheduler
        See `dunhuang_data.executors.run_jobs`.
    progress : callable
        Called with the samples of each shard as it is found or made.

    Raises
    ------
    OutputExistsError
        If ``out`` is in use, or ``OUT.building`` is of another plan, bank or recipe.
    MaskError
        If the bank is too small, or its masks have another size than the patches.
    PictureError
        If a picture is gone or is not the one that was planned.
    OutputError
        If something cannot be written. Shards that are whole are kept.
    """
    check_bank_fits(plan, bank)
    refuse_existing(out, MARKER, overwrite)
    build_id = _build_id(plan, bank, recipe)
    building = out.with_name(f"{out.name}.building")
    _start_or_continue(building, build_id, overwrite)
    jobs = shard_jobs(plan, bank, recipe, building)
    whole = {key: shard for job in jobs if (shard := _found_whole(job)) for key in [_key(job)]}
    progress(sum(shard.samples for shard in whole.values()))
    missing = [job for job in jobs if _key(job) not in whole]
    for shard in run_jobs(make_shard, missing, workers, scheduler):
        whole[shard.split, shard.number] = shard
        progress(shard.samples)
    shards = tuple(whole[_key(job)] for job in jobs)
    _finish(building, plan, recipe, build_id, shards)
    with explained(out):
        replace_folder(building, out)
    return read_manifest(out)


def check_bank_fits(plan: PatchPlan, bank: MaskBank) -> None:
    """Refuse a bank that cannot cover a plan.

    Raises
    ------
    MaskError
    """
    size = plan.recipe.patch_size
    if bank.recipe.shape_hw != (size, size):
        height, width = bank.recipe.shape_hw
        raise MaskError(
            f"The masks of {bank.root} are {height} x {width} px, the patches {size} x {size} px. "
            f"Make masks with --size {size}; masks are never resampled."
        )
    if len(bank) < len(plan.patches):
        raise MaskError(
            f"The bank {bank.root} has {len(bank)} masks for {len(plan.patches)} patches; mask i "
            f"is laid on patch i. Make a bank with --count {len(plan.patches)}."
        )


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
                    building=building,
                    split=split,
                    number=number,
                    total=len(patches),
                    recipe=recipe,
                    patch_size=plan.recipe.patch_size,
                    patches=part,
                    pictures=tuple(pictures[picture_id] for picture_id in needed),
                    pictures_root=plan.pictures_root,
                    masks_root=bank.root,
                )
            )
    return jobs


def _key(job: ShardJob) -> tuple[Split, int]:
    return job.split, job.number


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
    write_json(_record_path(job), shard_to_json(shard))
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


def _build_id(plan: PatchPlan, bank: MaskBank, recipe: BuildRecipe) -> str:
    digest = hashlib.sha256()
    digest.update(json.dumps([asdict(plan.recipe), asdict(recipe), bank.sha256]).encode())
    for picture in plan.pictures:
        digest.update(f"{picture.id}\t{picture.file}\t{picture.sha256}\n".encode())
    for patch in plan.patches:
        digest.update(("\t".join(patch_row(patch)) + "\n").encode())
    return digest.hexdigest()


def _start_or_continue(building: Path, build_id: str, overwrite: bool) -> None:
    marker = building / BUILD_MARKER
    if building.exists():
        if not marker.is_file() and any(building.iterdir()):
            raise OutputExistsError(
                f"{building} is in the way and is no interrupted build. Move it, or choose another "
                "-o."
            )
        if marker.is_file() and json.loads(marker.read_text())["build_id"] == build_id:
            return
        if marker.is_file() and not overwrite:
            raise OutputExistsError(
                f"{building} is an interrupted build of another plan, bank or recipe. Run that one "
                "again to finish it, or give --overwrite to drop it."
            )
        with explained(building):
            shutil.rmtree(building)
    write_json(marker, {"build_id": build_id})


def _record_path(job: ShardJob) -> Path:
    return job.building / "state" / f"{job.split}-{job.number:05d}.json"


def _found_whole(job: ShardJob) -> Shard | None:
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


def _finish(
    building: Path,
    plan: PatchPlan,
    recipe: BuildRecipe,
    build_id: str,
    shards: Sequence[Shard],
) -> None:
    """Write everything beside the shards, sweep what the build needed, the manifest last."""
    content = hashlib.sha256("\n".join(shard.content_sha256 for shard in shards).encode())
    manifest = DatasetManifest(recipe, plan.recipe, build_id, content.hexdigest(), tuple(shards))
    attributes = {"format": "dunhuang-dataset", "version": 1, "build_id": build_id}
    totals: dict[str, int] = {
        split: count for split, count in plan.count_by_split().items() if count
    }
    encoder = ENCODERS[recipe.format]
    files = encoder.encode_metadata(totals, plan.recipe.patch_size, recipe.shard_size, attributes)
    for path, data in files.items():
        write_bytes(building / path, data)
    with explained(building):
        shutil.rmtree(building / "plan", ignore_errors=True)
        write_plan(replace(plan, pictures_root=Path()), building / "plan")
        for leftover in building.rglob(".*.partial-*"):
            leftover.unlink()
        write_manifest(manifest, building)
        shutil.rmtree(building / "state")
        (building / BUILD_MARKER).unlink()
