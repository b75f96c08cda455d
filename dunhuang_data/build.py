"""Pour a plan and a mask bank into shards. No random generator anywhere.

The dataset grows in ``OUT.building`` and is renamed to ``OUT`` when it is whole. A shard is a pure
function of (plan, bank, pictures, recipe, number), written under a temporary name and renamed; a
record beside it says that it is whole. A killed build, run again, continues.
"""

import hashlib
import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from dunhuang_data.errors import EnvironmentProblem, MaskError, UsageProblem
from dunhuang_data.executors import cores
from dunhuang_data.growth import Growth, growing
from dunhuang_data.manifest import CONTENTS, MARKER, DatasetManifest, read_manifest
from dunhuang_data.mask_bank import MaskBank
from dunhuang_data.plan import PatchPlan, patch_row
from dunhuang_data.pouring import Poured, Provenance, finish, no_progress, pour
from dunhuang_data.recipe import BuildRecipe
from dunhuang_data.shard_jobs import forget_pictures, make_shard, shard_jobs
from dunhuang_data.shards import CHECKSUM_BYTES, IDENTITY_BYTES, VERSION, schema

BUILD_MARKER = "build.json"
WORKER_BYTES = 220_000_000  # of a worker before it opens a picture: the libraries (measured)
PICTURE_BYTES = 100_000_000  # libvips decodes larger pictures into a file, not into memory


def build_dataset(
    plan: PatchPlan,
    bank: MaskBank,
    out: Path,
    recipe: BuildRecipe,
    *,
    overwrite: bool = False,
    resume: bool = False,
    keep_going: bool = False,
    workers: int = 1,
    scheduler: str | None = None,
    documents: Mapping[str, str] | None = None,
    progress: Poured = no_progress,
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
    resume : bool
        Only continue: refuse to begin.
    keep_going : bool
        When a shard cannot be made, make all others before saying so.
    workers, scheduler
        See `dunhuang_data.executors.run_jobs`.
    documents : mapping of str to str, optional
        Text files to lie in the dataset, by name: ``run.toml``.
    progress : callable
        Called with the samples and bytes of each shard as it is found or made.

    Raises
    ------
    OutputExistsError
        If ``out`` is in use, or ``OUT.building`` is of another plan, bank or recipe.
    MaskError
        If the bank is too small, or its masks have another size than the patches.
    PictureError
        If a picture is gone or is not the one that was planned.
    DatasetError
        With ``keep_going``: if there are shards that could not be made.
    OutputError
        If something cannot be written. Shards that are whole are kept.
    """
    check_bank_fits(plan, bank)
    made_of = Provenance(
        plan, recipe, build_id(plan, bank.sha256, recipe), bank.sha256, documents or {}
    )
    growth = Growth(
        out,
        CONTENTS,
        started=BUILD_MARKER,
        build_id=made_of.build_id,
        what="build",
        made_of="plan, bank or recipe",
        doing="building",
        inputs=(bank.root, *plan.inputs()),
        overwrite=overwrite,
        resume=resume,
    )
    with growing(growth) as building:
        if not (building / MARKER).is_file():
            if recipe.codec == "none":  # what a codec leaves is known when it is done
                check_room(building, dataset_bytes(plan, recipe))
            jobs = shard_jobs(plan, bank, recipe, building, keep_going)
            try:
                shards = pour(make_shard, jobs, building, workers, scheduler, progress)
            finally:
                forget_pictures()
            finish(building, shards, made_of)
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


def build_id(plan: PatchPlan, masks_sha256: str, recipe: BuildRecipe) -> str:
    """Return the SHA-256 over all a dataset is poured from: plan, pictures, mask bank, recipes.

    The format's version is in it too, so that no build is continued by another version.
    """
    digest = hashlib.sha256()
    made_of = [VERSION, asdict(plan.recipe), asdict(recipe), masks_sha256]
    digest.update(json.dumps(made_of).encode())
    for picture in plan.pictures:
        digest.update((json.dumps(asdict(picture)) + "\n").encode())
    for patch in plan.patches:
        digest.update(("\t".join(patch_row(patch)) + "\n").encode())
    return digest.hexdigest()


def shard_count(plan: PatchPlan, recipe: BuildRecipe) -> int:
    """Return how many shards a plan fills, of all splits."""
    return sum(-(-count // recipe.shard_size) for count in plan.count_by_split().values())


def sample_bytes(patch_size: int) -> int:
    """Return what a sample takes in a shard without compression, in bytes."""
    rows = [array.row_shape for array in schema(patch_size)]
    return sum(math.prod(shape) + CHECKSUM_BYTES + 16 for shape in rows)


def dataset_bytes(plan: PatchPlan, recipe: BuildRecipe) -> int:
    """Return what the shards of a plan take without compression, in bytes; less with a codec."""
    identities = shard_count(plan, recipe) * 3 * IDENTITY_BYTES
    return len(plan.patches) * sample_bytes(plan.recipe.patch_size) + identities


def worker_bytes(plan: PatchPlan, recipe: BuildRecipe) -> int:
    """Return about how much memory one worker takes, in bytes.

    Libraries, one open picture a split, and for HDF5, which is written from memory, twice a shard.
    """
    largest = max((picture.height * picture.width * 4 for picture in plan.pictures), default=0)
    splits = sum(1 for count in plan.count_by_split().values() if count)
    shard = min(recipe.shard_size, max(plan.count_by_split().values()))
    held = 2 * shard * sample_bytes(plan.recipe.patch_size) if recipe.format == "hdf5" else 0
    patch = 20 * sample_bytes(plan.recipe.patch_size)  # turned, interpolated, filled in, packed
    return WORKER_BYTES + splits * min(largest, PICTURE_BYTES) + held + patch


def workers_that_fit(
    plan: PatchPlan, recipe: BuildRecipe, workers: int, max_memory: int | None
) -> int:
    """Return how many workers to start: those asked for (0 = as many as pay), less if too large.

    Parameters
    ----------
    plan : PatchPlan
    recipe : BuildRecipe
    workers : int
        0: one per core from 1,000 samples on, else one. Never more than shards.
    max_memory : int, optional
        Bytes that all workers together may take.

    Raises
    ------
    UsageProblem
        If not even one fits.
    """
    wanted = workers or (cores() if len(plan.patches) >= 1000 else 1)
    wanted = min(wanted, max(1, shard_count(plan, recipe)))
    if max_memory is None:
        return wanted
    each = worker_bytes(plan, recipe)
    if max_memory < each:
        smaller = ", or use a smaller --shard-size" if recipe.format == "hdf5" else ""
        raise UsageProblem(
            f"--max-memory is {max_memory / 1e6:,.0f} MB; one worker takes about "
            f"{each / 1e6:,.0f} MB. Allow that much{smaller}."
        )
    return min(wanted, max_memory // each)


def check_room(building: Path, needed: int) -> None:
    """Refuse a disk that cannot hold what is still to be written.

    Parameters
    ----------
    building : Path
        What is in it counts as written.
    needed : int
        Bytes of the whole.

    Raises
    ------
    EnvironmentProblem
    """
    there = sum(path.stat().st_size for path in building.rglob("*") if path.is_file())
    free = shutil.disk_usage(building).free
    if needed - there > free:
        raise EnvironmentProblem(
            f"The dataset needs {needed / 1e9:.2f} GB at {building.parent}, of which "
            f"{there / 1e9:.2f} GB are written and {free / 1e9:.2f} GB are free. Make room, or "
            "choose another place with -o."
        )
