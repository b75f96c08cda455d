"""Write a dataset in another program's layout: the only orchestrator of an export.

A block of rows is one job, so any number of workers gives the same bytes. The folder grows under a
hidden name and gets its own when everything is in it; ``export.json`` marks it.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from dunhuang_data import __version__
from dunhuang_data.atomic import Progress, new_folder, no_progress, write_json, write_text
from dunhuang_data.documents import csv_text
from dunhuang_data.errors import DatasetError
from dunhuang_data.executors import run_jobs
from dunhuang_data.export import folder, lama, mds, webdataset
from dunhuang_data.export.files import put, stored
from dunhuang_data.export.recipe import ExportRecipe
from dunhuang_data.export.samples import Block, ExportJob, columns
from dunhuang_data.manifest import DatasetManifest, StoredFile, read_manifest
from dunhuang_data.plan import PatchPlan, read_plan
from dunhuang_data.reader import DatasetReader
from dunhuang_data.sums import SUMS, sums
from dunhuang_data.types import SPLITS, Split

MARKER = "export.json"
TABLE = "samples.csv"
FORMAT = {"name": "dunhuang-export", "version": 1}
LAYOUTS: dict[str, ModuleType] = {
    "webdataset": webdataset,
    "mds": mds,
    "folder": folder,
    "lama": lama,
}
CONTENTS = (
    MARKER, SUMS, TABLE, "run.toml",
    *sorted({name for layout in LAYOUTS.values() for name in layout.CONTENTS}),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset that can be exported as asked.

    Attributes
    ----------
    root : Path
    recipe : ExportRecipe
    manifest : DatasetManifest
    plan : PatchPlan
    counts : dict of str to int
        Samples of the splits that are exported, none of them 0.
    """

    root: Path
    recipe: ExportRecipe
    manifest: DatasetManifest
    plan: PatchPlan
    counts: dict[Split, int]

    @property
    def shard_size(self) -> int:
        """Return the samples in a shard, or in a block of files."""
        return self.recipe.shard_size or self.manifest.recipe.shard_size


def open_source(root: Path, recipe: ExportRecipe) -> Source:
    """Check that a dataset is whole, and has what is asked for.

    Raises
    ------
    DatasetError
        If it is no whole dataset, its plan counts other samples, or a split has none.
    """
    manifest, plan = read_manifest(root), read_plan(root / "plan")
    planned = plan.count_by_split()
    for split in SPLITS:
        if manifest.samples(split) != planned[split]:
            raise DatasetError(
                f"{root} has {manifest.samples(split)} samples in {split}, and its plan "
                f"{planned[split]} patches. It was altered; build it again."
            )
    for split in recipe.splits:
        if not planned.get(split):
            there = ", ".join(name for name in SPLITS if planned[name]) or "no split"
            raise DatasetError(f"{root} has no samples in {split}; {there} has some.")
    wanted = [split for split in SPLITS if split in (recipe.splits or SPLITS)]
    counts = {split: planned[split] for split in wanted if planned[split]}
    if not counts:
        raise DatasetError(f"{root} has no samples; there is nothing to export.")
    for split in counts:
        DatasetReader(root, split)  # sees that its files are there
    return Source(root, recipe, manifest, plan, counts)


def export_dataset(
    source: Source,
    out: Path,
    *,
    overwrite: bool = False,
    workers: int = 1,
    documents: Mapping[str, str] | None = None,
    progress: Progress = no_progress,
) -> tuple[StoredFile, ...]:
    """Write a dataset in another layout.

    Parameters
    ----------
    source : Source
        From `open_source`; it holds the recipe.
    out : Path
        The folder; it appears when it is whole.
    overwrite : bool
        Replace an earlier export.
    workers : int
        Processes; see `dunhuang_data.executors.run_jobs`.
    documents : mapping of str to str, optional
        Further text files to put into the folder, by name.
    progress : callable
        Called with the samples of each block as it is written.

    Returns
    -------
    tuple of StoredFile
        Everything that was written but ``SHA256SUMS``, ordered by path.

    Raises
    ------
    OutputExistsError
        If ``out`` is in use.
    DatasetError
        If samples cannot be read.
    UsageProblem
        If a shard would be larger than its format can hold.
    OutputError
        If something cannot be written; nothing is left then.
    """
    with new_folder(out, CONTENTS, overwrite, [source.root]) as growing:
        blocks = []
        write = LAYOUTS[source.recipe.layout].write_block
        for block in run_jobs(write, _jobs(source, growing), workers):
            blocks.append(block)
            progress(block.samples)
        blocks.sort(key=lambda block: (SPLITS.index(block.split), block.number))
        files = [file for block in blocks for file in block.files]
        files += _beside(blocks, growing, source)
        files += [put(growing, name, text.encode()) for name, text in (documents or {}).items()]
        write_json(growing / MARKER, _document(source))
        files.append(stored(growing, MARKER))
        write_text(growing / SUMS, sums((file.path, file.sha256) for file in files))
        os.sync()  # there may be very many small files; one by one it would take longer than all
    return tuple(sorted(files, key=lambda file: file.path))


def _jobs(source: Source, out: Path) -> Iterator[ExportJob]:
    """Cut the splits that are wanted into blocks, in the plan's order."""
    pictures = {picture.id: picture for picture in source.plan.pictures}
    size = source.shard_size
    for split, number, patches in source.plan.in_shards(size):
        if split in source.counts:
            needed = dict.fromkeys(patch.picture_id for patch in patches)
            yield ExportJob(
                root=source.root.absolute(),
                content_sha256=source.manifest.content_sha256,
                out=out.absolute(),
                recipe=source.recipe,
                split=split,
                number=number,
                first=number * size,
                patches=patches,
                pictures=tuple(pictures[picture_id] for picture_id in needed),
            )


def _beside(blocks: list[Block], out: Path, source: Source) -> list[StoredFile]:
    """Write what a layout has once for all its blocks."""
    recipe = source.recipe
    if recipe.layout == "mds":
        size = source.manifest.plan_recipe.patch_size
        return mds.write_indices(blocks, out, recipe, size)
    if recipe.layout == "webdataset":
        return []
    named = columns("valid" if recipe.layout == "folder" else "hole")
    table = csv_text(named, (row for block in blocks for row in block.rows))
    return [put(out, TABLE, table.encode())]


def _document(source: Source) -> dict[str, Any]:
    """Return ``export.json``: what this is, what it is from, and what white means."""
    recipe = source.recipe
    if recipe.layout == "lama":
        masks, lossless = lama.MASKS, "train" not in source.counts
    else:
        folders = recipe.layout == "folder"
        masks = folder.MASKS if folders else webdataset.masks(recipe.image_format)
        lossless = recipe.image_format != "jpg"
    return {
        "format": FORMAT,
        "made_by": f"dunhuang-data {__version__}",
        "recipe": {**asdict(recipe), "shard_size": source.shard_size},
        "samples": source.counts,
        "patch_size": source.manifest.plan_recipe.patch_size,
        "color": "sRGB, 8 bits",
        "images_lossless": lossless,
        "masks": masks,
        "dataset": {
            "content_sha256": source.manifest.content_sha256,
            "build_id": source.manifest.build_id,
        },
    }
