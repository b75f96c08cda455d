"""What every way of making a dataset shares: run the jobs, then write what lies beside the shards.

A shard with its final name is whole; the manifest comes last, and only if every shard is there.
"""

import hashlib
import platform
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dunhuang_data.atomic import explained, sync_folder, write_bytes, write_json, write_text
from dunhuang_data.croissant import croissant
from dunhuang_data.errors import DatasetError, EnvironmentProblem
from dunhuang_data.executors import run_jobs
from dunhuang_data.growth import sweep_partial
from dunhuang_data.manifest import (
    CROISSANT,
    MARKER,
    DatasetManifest,
    Shard,
    StoredFile,
    dataset_sha256,
    manifest_text,
)
from dunhuang_data.pictures import sha256_of_file
from dunhuang_data.plan import PatchPlan, write_plan
from dunhuang_data.recipe import BuildRecipe
from dunhuang_data.shard_jobs import CONTAINERS, Unmade
from dunhuang_data.sums import SUMS, sums
from dunhuang_data.types import SPLITS

Poured = Callable[[int, int], None]
"""Called with the samples and bytes of each shard as it is found or made."""

SHOWN = 5  # shards whose problems are told in full


def no_progress(_samples: int, _bytes: int) -> None:
    """Show nothing."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a dataset is poured from.

    Attributes
    ----------
    plan : PatchPlan
    recipe : BuildRecipe
    build_id, masks_sha256 : str
        See `dunhuang_data.manifest.DatasetManifest`.
    documents : mapping of str to str
        Further text files to lie beside the shards, by name (``run.toml``).
    """

    plan: PatchPlan
    recipe: BuildRecipe
    build_id: str
    masks_sha256: str
    documents: Mapping[str, str]


def pour(
    function: Callable[[Any], Shard | Unmade],
    jobs: Iterable[Any],
    building: Path,
    workers: int,
    scheduler: str | None,
    progress: Poured,
) -> tuple[Shard, ...]:
    """Run the job of every shard; return the shards, split by split.

    Raises
    ------
    DatasetError
        If some could not be made. The others were.
    EnvironmentProblem
        If workers do not share this disk.
    """
    whole: list[Shard] = []
    unmade: list[Unmade] = []
    for shard in run_jobs(function, jobs, workers, scheduler):
        if isinstance(shard, Unmade):
            unmade.append(shard)
            continue
        _check_arrived(shard, building)
        whole.append(shard)
        progress(shard.samples, sum(file.bytes for file in shard.files))
    if unmade:
        raise _problem(unmade, len(whole), building)
    return tuple(sorted(whole, key=lambda shard: (SPLITS.index(shard.split), shard.number)))


def _problem(unmade: list[Unmade], made: int, building: Path) -> DatasetError:
    lines = [
        f"  shard {one.place.number} of {one.place.split}: {one.reason}" for one in unmade[:SHOWN]
    ]
    more = [f"  … and {len(unmade) - SHOWN} more"] if len(unmade) > SHOWN else []
    return DatasetError(
        "\n".join(
            [
                f"{len(unmade)} of {len(unmade) + made} shards could not be made; the others are "
                f"whole and kept in {building}. Mend this and run the same command again:",
                *lines,
                *more,
            ]
        )
    )


def _check_arrived(shard: Shard, building: Path) -> None:
    for file in shard.files:
        path = building / file.path
        if not path.is_file() or path.stat().st_size != file.bytes:
            raise EnvironmentProblem(
                f"A worker says that it wrote {path}, but it is not there: the workers do not "
                "share this disk. Build into a folder that all of them reach by the same path."
            )


def finish(building: Path, shards: tuple[Shard, ...], made_of: Provenance) -> None:
    """Write everything beside the shards, sweep what the build needed, the manifest last."""
    plan, recipe = made_of.plan, made_of.recipe
    totals: dict[str, int] = {
        split: count for split, count in plan.count_by_split().items() if count
    }
    with explained(building):
        shutil.rmtree(building / "plan", ignore_errors=True)
    sweep_partial(building)
    here = Path()
    moved = replace(plan, pictures_root=here, damage_root=plan.damage_root and here)
    write_plan(moved, building / "plan")
    files = CONTAINERS[recipe.format].metadata(
        totals, plan.recipe.patch_size, recipe.shard_size, recipe.codec, made_of.build_id
    )
    files |= {name: text.encode("utf-8") for name, text in made_of.documents.items()}
    for path, data in files.items():
        write_bytes(building / path, data)
    names = [*files, *(f"plan/{path.name}" for path in (building / "plan").iterdir())]
    manifest = DatasetManifest(
        recipe=recipe,
        plan_recipe=plan.recipe,
        build_id=made_of.build_id,
        content_sha256=dataset_sha256(shards),
        shards=shards,
        other_files=tuple(_stored_file(building, name) for name in sorted(names)),
        masks_sha256=made_of.masks_sha256,
        made_with=libraries(),
    )
    write_json(building / CROISSANT, croissant(manifest, plan.pictures))
    others = (*manifest.other_files, _stored_file(building, CROISSANT))
    _write_last(building, replace(manifest, other_files=tuple(sorted(others, key=_path_of))))


def _write_last(building: Path, manifest: DatasetManifest) -> None:
    """Write what speaks of all other files, once these are safe: the sums, then the manifest."""
    text = manifest_text(manifest).encode("utf-8")
    listed = [(file.path, file.sha256) for file in manifest.files()]
    for folder in sorted({(building / file.path).parent for file in manifest.files()}):
        sync_folder(folder)
    write_text(building / SUMS, sums([*listed, (MARKER, hashlib.sha256(text).hexdigest())]))
    write_bytes(building / MARKER, text)


def _path_of(file: StoredFile) -> str:
    return file.path


def _stored_file(root: Path, path: str) -> StoredFile:
    return StoredFile(path, (root / path).stat().st_size, sha256_of_file(root / path))


def libraries() -> dict[str, str]:
    """Return the versions of what pixels and files depend on."""
    found = {"python": platform.python_version()}
    for name in ("numpy", "opencv-python-headless", "pyvips", "pyvips-binary", "h5py", "zstandard"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # another distribution brings the module
            continue
    return found
