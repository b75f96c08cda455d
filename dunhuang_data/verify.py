"""Check plans and datasets against their hashes, byte for byte and row for row."""

from pathlib import Path

from dunhuang_data.atomic import Progress, no_progress
from dunhuang_data.errors import DatasetError, DunhuangError
from dunhuang_data.manifest import DatasetManifest, Shard, dataset_sha256, read_manifest
from dunhuang_data.pictures import sha256_of_file
from dunhuang_data.plan import MARKER, TABLES, PatchPlan, patch_row, read_plan
from dunhuang_data.reader import DatasetReader
from dunhuang_data.shards import content_sha256, stored_arrays


def verify_plan(root: Path) -> PatchPlan:
    """Check a plan's tables against their hashes, and every row; return the plan.

    Parameters
    ----------
    root : Path

    Raises
    ------
    PlanError
        If it is no plan, or a table is not the one that was written.
    """
    plan = read_plan(root)
    for _patch in plan.patches:
        pass  # a row is checked when it is read
    return plan


def verify_dataset(root: Path, progress: Progress = no_progress) -> list[str]:
    """Check every file's hash, then every shard's content against plan and manifest.

    Parameters
    ----------
    root : Path
    progress : callable
        Called with the samples of each shard.

    Returns
    -------
    list of str
        One sentence per problem, naming file or shard; empty if the dataset is sound.

    Raises
    ------
    DatasetError
        If there is no manifest to check against.
    """
    manifest = read_manifest(root)
    problems = _altered_files(root, manifest)
    if problems:
        return problems
    try:
        plan = read_plan(root / "plan")
    except DunhuangError as error:
        return [str(error)]
    problems += [*_incomplete(manifest, plan), *_split_leaks(plan)]
    shards = {(shard.split, shard.number): shard for shard in manifest.shards}
    readers = {split: DatasetReader(root, split) for split in {split for split, _ in shards}}
    for split, number, patches in plan.in_shards(manifest.recipe.shard_size):
        shard = shards.get((split, number))
        if shard is not None:
            rows = [patch_row(patch) for patch in patches]
            first = number * manifest.recipe.shard_size
            problems += _content_problem(readers[split], shard, first, rows)
            progress(shard.samples)
    return problems


def _altered_files(root: Path, manifest: DatasetManifest) -> list[str]:
    problems = []
    for file in manifest.files():
        path = root / file.path
        if not path.is_file():
            problems.append(f"{file.path} is missing.")
        elif sha256_of_file(path) != file.sha256:
            problems.append(
                f"{file.path} is not the file that was written ({path.stat().st_size:,} bytes, "
                f"{file.bytes:,} expected; the SHA-256 differs)."
            )
    return problems


def _incomplete(manifest: DatasetManifest, plan: PatchPlan) -> list[str]:
    problems = []
    for split, count in plan.count_by_split().items():
        if manifest.samples(split) != count:
            problems.append(f"{split} has {manifest.samples(split)} samples, the plan {count}.")
    if dataset_sha256(manifest.shards) != manifest.content_sha256:
        problems.append("dataset.json: content_sha256 is not that of its shards.")
    listed = {file.path for file in manifest.other_files}
    problems += [
        f"dataset.json does not list plan/{name}."
        for name in (*TABLES, MARKER)
        if f"plan/{name}" not in listed
    ]
    return problems


def _split_leaks(plan: PatchPlan) -> list[str]:
    splits: dict[str, set[str]] = {}
    for patch in plan.patches:
        splits.setdefault(patch.picture_id, set()).add(patch.split)
    return [
        f"picture {picture_id!r} has patches in {' and '.join(sorted(found))}."
        for picture_id, found in splits.items()
        if len(found) > 1
    ]


def _content_problem(
    reader: DatasetReader, shard: Shard, first: int, rows: list[list[str]]
) -> list[str]:
    name = f"shard {shard.number} of {shard.split}"
    version = reader.manifest.version
    try:
        samples = reader.read(range(first, first + shard.samples))
    except DatasetError as error:
        return [f"{name}: {error}"]
    if content_sha256(stored_arrays(samples), rows, version) != shard.content_sha256:
        return [f"{name}: its arrays or its rows of the plan are not those that were written."]
    return []
