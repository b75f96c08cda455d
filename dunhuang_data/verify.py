"""Check plans and datasets against their hashes, byte for byte and row for row."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from dunhuang_data.errors import DunhuangError
from dunhuang_data.executors import run_jobs
from dunhuang_data.manifest import (
    CROISSANT,
    MARKER,
    DatasetManifest,
    dataset_sha256,
    read_manifest,
)
from dunhuang_data.pictures import sha256_of_file
from dunhuang_data.plan import MARKER as PLAN_MARKER
from dunhuang_data.plan import TABLES, PatchPlan, patch_row, read_plan
from dunhuang_data.pouring import Poured, no_progress
from dunhuang_data.schema_check import virtual_problems, zarr_problems
from dunhuang_data.shard_check import DEPTHS, ShardCheck, check_shard, file_problems
from dunhuang_data.sums import SUMS, sums


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


def verify_dataset(
    root: Path, progress: Poured = no_progress, depth: str = "default", workers: int = 1
) -> list[str]:
    """Check that a dataset is what was written, and what the format asks for.

    Parameters
    ----------
    root : Path
    progress : callable
        Called with the samples and bytes of each shard.
    depth : {"quick", "default", "full"}
        ``"quick"`` reads no samples: manifest, sums, the sizes of all files, the hashes of all but
        the shards, and which shard each file says it is. ``"default"`` reads everything: every
        file's hash, every sample's content against the plan, the schema, bits behind the last
        pixel, images that are 0 throughout. ``"full"`` also reads every sample through zarr-python
        or h5py and compares.
    workers : int
        Processes that check shards.

    Returns
    -------
    list of str
        One sentence per problem, naming file, or shard, row and array; empty if it is sound.

    Raises
    ------
    DatasetError
        If there is no manifest to check against.
    """
    if depth not in DEPTHS:
        raise ValueError(f"depth is {depth!r}; one of {', '.join(DEPTHS)}")
    root = root.absolute()
    manifest = read_manifest(root)
    others = [one for file in manifest.other_files for one in file_problems(root, file)]
    problems = [*_sums_problems(root, manifest), *others, *_incomplete(manifest)]
    plan, unfit = None, []
    if not others:  # or no library reads them
        problems += _metadata_problems(root, manifest)
        try:
            plan = read_plan(root / "plan")
            problems += _recipe_problems(manifest, plan)
            unfit = _count_problems(manifest, plan)
            problems += unfit
            if depth != "quick":
                problems += _split_leaks(plan)
        except DunhuangError as error:
            problems.append(str(error))
            plan = None
    with_rows = plan if depth != "quick" and not unfit else None
    for checked in run_jobs(check_shard, _jobs(root, manifest, with_rows, depth), workers):
        problems += checked.problems
        progress(checked.samples, checked.bytes)
    return problems


def _sums_problems(root: Path, manifest: DatasetManifest) -> list[str]:
    """Compare ``SHA256SUMS`` with the manifest, and the manifest with its own line there."""
    if manifest.version < 3:
        return []
    path = root / SUMS
    if path.is_symlink() or not path.is_file():
        return [f"{SUMS} is missing."]
    listed = [(file.path, file.sha256) for file in manifest.files()]
    expected = sums([*listed, (MARKER, sha256_of_file(root / MARKER))])
    found = path.read_bytes()
    if found == expected.encode("utf-8"):
        return []
    wanted, there = expected.encode("utf-8").split(b"\n"), found.split(b"\n")
    number = next(
        (n for n, (one, other) in enumerate(zip(wanted, there, strict=False)) if one != other),
        min(len(wanted), len(there)) - 1,
    )
    if wanted[number].endswith(f"  {MARKER}".encode()):
        return [f"{MARKER} is not the file whose SHA-256 {SUMS} gives: one of the two was altered."]
    return [f"{SUMS}, line {number + 1}, is not what {MARKER} says: one of the two was altered."]


def _incomplete(manifest: DatasetManifest) -> list[str]:
    problems = []
    if dataset_sha256(manifest.shards) != manifest.content_sha256:
        problems.append(f"{MARKER}: content_sha256 is not that of its shards.")
    listed = {file.path for file in manifest.other_files}
    needed = [f"plan/{name}" for name in (*TABLES, PLAN_MARKER)]
    if manifest.version >= 3:
        needed.append(CROISSANT)
        needed.append("zarr.json" if manifest.recipe.format == "zarr" else "dataset.h5")
    problems += [f"{MARKER} does not list {path}." for path in needed if path not in listed]
    return problems


def _metadata_problems(root: Path, manifest: DatasetManifest) -> list[str]:
    if manifest.recipe.format == "zarr":
        return zarr_problems(root, manifest)
    return virtual_problems(root, manifest) if manifest.version >= 3 else []


def _count_problems(manifest: DatasetManifest, plan: PatchPlan) -> list[str]:
    return [
        f"{split} has {manifest.samples(split)} samples, the plan {count}."
        for split, count in plan.count_by_split().items()
        if manifest.samples(split) != count
    ]


def _recipe_problems(manifest: DatasetManifest, plan: PatchPlan) -> list[str]:
    if plan.recipe == manifest.plan_recipe:
        return []
    return [f"{MARKER}: plan_recipe is not that of plan/{PLAN_MARKER}."]


def _split_leaks(plan: PatchPlan) -> list[str]:
    splits: dict[str, set[str]] = {}
    for patch in plan.patches:
        splits.setdefault(patch.picture_id, set()).add(patch.split)
    return [
        f"picture {picture_id!r} has patches in {' and '.join(sorted(found))}."
        for picture_id, found in splits.items()
        if len(found) > 1
    ]


def _jobs(
    root: Path, manifest: DatasetManifest, plan: PatchPlan | None, depth: str
) -> Iterator[ShardCheck]:
    """Yield the check of every shard, with its rows of the plan where the plan is to be had."""
    recipe, totals = manifest.recipe, manifest.totals()
    shards = {(shard.split, shard.number): shard for shard in manifest.shards}
    with_rows = (
        (shards.pop((split, number)), tuple(tuple(patch_row(patch)) for patch in patches))
        for split, number, patches in (plan.in_shards(recipe.shard_size) if plan else ())
    )
    for shard, rows in chain(with_rows, ((shard, None) for shard in manifest.shards)):
        if rows is None and (shard.split, shard.number) not in shards:
            continue
        place = manifest.place(shard, totals[shard.split])
        yield ShardCheck(root, recipe.format, manifest.version, place, shard, rows, depth)
