"""Pour a plan and a mask bank into shards: the only orchestrator. No random generator anywhere.

The dataset grows in ``OUT.building`` and is renamed to ``OUT`` when it is whole. A shard is a pure
function of (plan, bank, pictures, recipe, number), written under a temporary name and renamed; a
record beside it says that it is whole. A killed build, run again, continues.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from dunhuang_data.atomic import Progress, explained, no_progress, write_bytes
from dunhuang_data.errors import EnvironmentProblem, MaskError
from dunhuang_data.executors import run_jobs
from dunhuang_data.growth import Growth, growing, sweep_partial
from dunhuang_data.manifest import (
    CONTENTS,
    MARKER,
    DatasetManifest,
    Shard,
    StoredFile,
    dataset_sha256,
    read_manifest,
    write_manifest,
)
from dunhuang_data.mask_bank import MaskBank
from dunhuang_data.pictures import sha256_of_file
from dunhuang_data.plan import PatchPlan, patch_row, write_plan
from dunhuang_data.recipe import BuildRecipe
from dunhuang_data.shard_jobs import ENCODERS, ShardJob, found_whole, make_shard, shard_jobs
from dunhuang_data.types import SPLITS

BUILD_MARKER = "build.json"


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
    growth = Growth(
        out,
        CONTENTS,
        started=BUILD_MARKER,
        build_id=_build_id(plan, bank, recipe),
        what="build",
        made_of="plan, bank or recipe",
        doing="building",
        inputs=(bank.root, *plan.inputs()),
        overwrite=overwrite,
    )
    with growing(growth) as building:
        if not (building / MARKER).is_file():
            jobs = shard_jobs(plan, bank, recipe, building)
            shards = _pour(jobs, building, workers, scheduler, progress)
            _finish(building, plan, recipe, growth.build_id, shards)
    return read_manifest(out)


def _pour(
    jobs: Iterable[ShardJob],
    building: Path,
    workers: int,
    scheduler: str | None,
    progress: Progress,
) -> tuple[Shard, ...]:
    """Make the shards that an earlier run did not leave whole; return all, split by split."""
    whole: list[Shard] = []

    def missing() -> Iterator[ShardJob]:
        for job in jobs:
            shard = found_whole(job)
            if shard is None:
                yield job
            else:
                whole.append(shard)
                progress(shard.samples)

    for shard in run_jobs(make_shard, missing(), workers, scheduler):
        _check_arrived(shard, building)
        whole.append(shard)
        progress(shard.samples)
    return tuple(sorted(whole, key=lambda shard: (SPLITS.index(shard.split), shard.number)))


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
    count = len(plan.patches)
    if len(bank) < count:
        again = f"Make a bank with --count {count}."
        if bank.recipe.family == "files":
            again = (
                f"Draw from it: make-masks --family files --from {bank.root} --count {count} -o …"
            )
        raise MaskError(
            f"The bank {bank.root} has {len(bank)} masks for {count} patches; mask i is laid on "
            f"patch i. {again}"
        )


def _build_id(plan: PatchPlan, bank: MaskBank, recipe: BuildRecipe) -> str:
    digest = hashlib.sha256()
    digest.update(json.dumps([asdict(plan.recipe), asdict(recipe), bank.sha256]).encode())
    for picture in plan.pictures:
        digest.update((json.dumps(asdict(picture)) + "\n").encode())
    for patch in plan.patches:
        digest.update(("\t".join(patch_row(patch)) + "\n").encode())
    return digest.hexdigest()


def _check_arrived(shard: Shard, building: Path) -> None:
    for file in shard.files:
        path = building / file.path
        if not path.is_file() or path.stat().st_size != file.bytes:
            raise EnvironmentProblem(
                f"A worker says that it wrote {path}, but it is not there: the workers do not "
                "share this disk. Build into a folder that all of them reach by the same path."
            )


def _finish(
    building: Path,
    plan: PatchPlan,
    recipe: BuildRecipe,
    build_id: str,
    shards: tuple[Shard, ...],
) -> None:
    """Write everything beside the shards, sweep what the build needed, the manifest last."""
    attributes = {"format": "dunhuang-dataset", "version": 2, "build_id": build_id}
    totals: dict[str, int] = {
        split: count for split, count in plan.count_by_split().items() if count
    }
    encoder = ENCODERS[recipe.format]
    files = encoder.encode_metadata(totals, plan.recipe.patch_size, recipe.shard_size, attributes)
    for path, data in files.items():
        write_bytes(building / path, data)
    with explained(building):
        shutil.rmtree(building / "plan", ignore_errors=True)
    sweep_partial(building)
    here = Path()
    moved = replace(plan, pictures_root=here, damage_root=plan.damage_root and here)
    write_plan(moved, building / "plan")
    names = [*files, *(f"plan/{path.name}" for path in (building / "plan").iterdir())]
    write_manifest(
        DatasetManifest(
            recipe=recipe,
            plan_recipe=plan.recipe,
            build_id=build_id,
            content_sha256=dataset_sha256(shards),
            shards=shards,
            other_files=tuple(_stored_file(building, name) for name in sorted(names)),
        ),
        building,
    )


def _stored_file(root: Path, path: str) -> StoredFile:
    return StoredFile(path, (root / path).stat().st_size, sha256_of_file(root / path))
