"""The same samples in another container or codec: what a build with that recipe would have made."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from dunhuang_data.build import BUILD_MARKER, build_id, check_room, dataset_bytes
from dunhuang_data.errors import DatasetError
from dunhuang_data.growth import Growth, growing
from dunhuang_data.manifest import (
    CONTENTS,
    MARKER,
    DatasetManifest,
    Shard,
    read_manifest,
)
from dunhuang_data.pictures import sha256_of_file
from dunhuang_data.plan import PatchPlan, read_plan
from dunhuang_data.pouring import Poured, Provenance, finish, no_progress, pour
from dunhuang_data.reader import DatasetReader
from dunhuang_data.recipe import BuildRecipe
from dunhuang_data.shard_jobs import Unmade, places, write_shard
from dunhuang_data.shards import VERSION, ShardPlace, Stored
from dunhuang_data.types import PatchSpec


@dataclass(frozen=True, slots=True)
class ConvertJob:
    """Everything one converted shard is made from."""

    building: Path
    place: ShardPlace
    format: str
    patches: tuple[PatchSpec, ...]
    source: Path
    content_sha256: str  # of the whole source: which dataset it was when the conversion began
    stored: Shard


def convert_dataset(
    source: Path,
    out: Path,
    recipe: BuildRecipe,
    *,
    overwrite: bool = False,
    resume: bool = False,
    workers: int = 1,
    documents: Mapping[str, str] | None = None,
    progress: Poured = no_progress,
) -> DatasetManifest:
    """Write a dataset again, in another container or codec: same samples, same content hash.

    Its bytes are those that `dunhuang_data.build.build_dataset` would have written with this
    recipe. An older version of the format becomes the present one.

    Parameters
    ----------
    source : Path
        A whole dataset.
    out : Path
        The new dataset's folder; it appears when it is whole.
    recipe : BuildRecipe
        Its shard size must be that of the source.
    overwrite, resume, workers, documents, progress
        As of `dunhuang_data.build.build_dataset`.

    Raises
    ------
    DatasetError
        If the source cannot be read, or its shards have another size.
    OutputExistsError, OutputError
        As of a build.
    """
    manifest = read_manifest(source)
    if recipe.shard_size != manifest.recipe.shard_size:
        raise DatasetError(
            f"{source} has shards of {manifest.recipe.shard_size} samples; converting keeps them, "
            f"{recipe.shard_size} were asked for."
        )
    plan = _plan_of(source, manifest)
    identity = (
        build_id(plan, manifest.masks_sha256, recipe)
        if manifest.version == VERSION
        else _id_of_old(manifest, recipe)
    )
    made_of = Provenance(plan, recipe, identity, manifest.masks_sha256, documents or {})
    growth = Growth(
        out,
        CONTENTS,
        started=BUILD_MARKER,
        build_id=identity,
        what="conversion",
        made_of="dataset or recipe",
        doing="converting into",
        inputs=(source,),
        overwrite=overwrite,
        resume=resume,
    )
    with growing(growth) as building:
        if not (building / MARKER).is_file():
            if recipe.codec == "none":
                check_room(building, dataset_bytes(plan, recipe))
            jobs = _jobs(plan, recipe, building, source, manifest)
            try:
                shards = pour(convert_shard, jobs, building, workers, None, progress)
            finally:
                _readers.clear()
            _check_same(manifest, shards, source)
            finish(building, shards, made_of)
    return read_manifest(out)


def _plan_of(root: Path, manifest: DatasetManifest) -> PatchPlan:
    """Return the plan that lies in a dataset, if it fits it."""
    plan = read_plan(root / "plan")
    for split, count in plan.count_by_split().items():
        if manifest.samples(split) != count:
            raise DatasetError(
                f"{root} has {manifest.samples(split)} samples in {split}, its plan {count}. The "
                "dataset was altered: build it again."
            )
    return plan


def _id_of_old(manifest: DatasetManifest, recipe: BuildRecipe) -> str:
    """Return what a conversion of a dataset of format 1 or 2, which did not know its masks, is."""
    text = json.dumps([manifest.build_id, asdict(recipe)])
    return hashlib.sha256(text.encode()).hexdigest()


def _jobs(
    plan: PatchPlan,
    recipe: BuildRecipe,
    building: Path,
    source: Path,
    manifest: DatasetManifest,
) -> Iterator[ConvertJob]:
    stored = {(shard.split, shard.number): shard for shard in manifest.shards}
    for place, patches in places(plan, recipe):
        yield ConvertJob(
            building.absolute(),
            place,
            recipe.format,
            patches,
            source.absolute(),
            manifest.content_sha256,
            stored[place.split, place.number],
        )


def convert_shard(job: ConvertJob) -> Shard | Unmade:
    """Read a shard and write it again.

    Raises
    ------
    DatasetError
        If it cannot be read.
    OutputError
        If the system refuses to write.
    """
    return write_shard(job.building, job.place, job.format, job.patches, _samples(job))


_readers: dict[tuple[Path, str, str], DatasetReader] = {}  # a manifest is read once a worker


def _samples(job: ConvertJob) -> Iterator[Stored]:
    key = job.source, job.place.split, job.content_sha256
    if key not in _readers:
        _readers.clear()
        _readers[key] = DatasetReader(job.source, job.place.split)
    if _readers[key].manifest.content_sha256 != job.content_sha256:
        raise DatasetError(f"{job.source} was replaced by another dataset while it was converted.")
    if _readers[key].manifest.version < VERSION:  # its shards do not say which they are
        _check_files(job)
    first = job.place.number * job.place.shard_size
    for row in range(first, first + job.place.samples):
        arrays = _readers[key].read_stored([row])
        yield {name: values[0] for name, values in arrays.items()}


def _check_files(job: ConvertJob) -> None:
    for file in job.stored.files:
        if sha256_of_file(job.source / file.path) != file.sha256:
            raise DatasetError(
                f"{job.source / file.path} is not the file that was written (its SHA-256 differs). "
                "See what is wrong with dunhuang-data verify."
            )


def _check_same(manifest: DatasetManifest, shards: tuple[Shard, ...], source: Path) -> None:
    if manifest.version == VERSION:
        for old, new in zip(manifest.shards, shards, strict=True):
            if old.content_sha256 != new.content_sha256:
                raise DatasetError(
                    f"{source}: shard {old.number} of {old.split} does not have the content that "
                    "its manifest says. See what is wrong with dunhuang-data verify."
                )
