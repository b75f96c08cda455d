"""MDS, the shards of MosaicML Streaming: ``train/index.json`` and ``train/shard.00000.mds``.

A shard is, in little-endian 32-bit numbers: how many samples it holds; where each begins, and where
the last ends; then a JSON description of its columns; then the samples. A sample is the sizes of
its columns that have no fixed size, then the columns, in the order of their names. The layout is
that of streaming's ``MDSWriter`` and ``MDSReader`` (format version 2); their package takes torch
and the clients of four clouds along, so it is written here and tested against their reader.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from dunhuang_data.errors import UsageProblem
from dunhuang_data.export.coding import image_bytes, mask_png
from dunhuang_data.export.files import opened, put, stored
from dunhuang_data.export.recipe import ExportRecipe
from dunhuang_data.export.samples import Block, ExportJob, Sample, described, samples_of
from dunhuang_data.export.webdataset import masks
from dunhuang_data.manifest import StoredFile

CONTENTS = ("train", "val", "test")
VERSION = 2
MOST_BYTES = 2**32 - 1  # offsets have 32 bits
IMAGE_ENCODINGS = {"png": "png", "jpg": "jpeg"}


def _columns(recipe: ExportRecipe, patch_size: int) -> dict[str, Any]:
    """Return what the index says of every shard."""
    names = ["damage", "image", "patch", "valid"]
    encodings, sizes = [], []
    for name in names:
        size: int | None = None
        if name == "patch":
            encoding = "json"
        elif recipe.image_format != "raw":
            encoding = IMAGE_ENCODINGS[recipe.image_format] if name == "image" else "png"
        else:
            shape = (patch_size, patch_size, 3)[: 3 if name == "image" else 2]
            encoding = f"ndarray:uint8:{','.join(map(str, shape))}"
            size = int(np.prod(shape))
        encodings.append(encoding)
        sizes.append(size)
    return {
        "column_encodings": encodings,
        "column_names": names,
        "column_sizes": sizes,
        "compression": None,
        "format": "mds",
        "hashes": ["sha256"],
        "size_limit": None,
        "version": VERSION,
    }


def write_block(job: ExportJob) -> Block:
    """Write one shard.

    Raises
    ------
    UsageProblem
        If it would have more bytes than its offsets can say.
    """
    path = f"{job.split}/shard.{job.number:05d}.mds"
    count = len(job.patches)
    ends: list[int] = []
    with opened(job.out, path) as stream:
        for sample in samples_of(job):
            if not ends:
                columns = _columns(job.recipe, len(sample.valid))
                stream.write(bytes(4 * (count + 2)))  # written again when the ends are known
                stream.write(json.dumps(columns, sort_keys=True).encode())
                ends.append(stream.tell())
            stream.write(_encoded(sample, columns, job.recipe.image_format))
            ends.append(stream.tell())
            _refuse_too_large(ends[-1], job)
        stream.seek(0)
        stream.write(np.array([count, *ends], "<u4").tobytes())
    return Block(job.split, job.number, count, (stored(job.out, path),))


def _refuse_too_large(end: int, job: ExportJob) -> None:
    if end > MOST_BYTES:
        raise UsageProblem(
            f"A shard of {len(job.patches)} samples is larger than 4 GiB, the most that MDS can "
            "hold. Give a smaller --shard-size."
        )


def _encoded(sample: Sample, columns: dict[str, Any], image_format: str) -> bytes:
    """Return one sample: sizes of the columns without a fixed one, then all columns."""
    parts = _parts(sample, image_format)
    named = list(zip(columns["column_names"], columns["column_sizes"], strict=True))
    free = [len(parts[name]) for name, size in named if size is None]
    return np.array(free, "<u4").tobytes() + b"".join(parts[name] for name, _ in named)


def _parts(sample: Sample, image_format: str) -> dict[str, bytes]:
    """Return the columns of one sample, by name."""
    raw = image_format == "raw"
    document = described(sample, masks(image_format))
    return {
        "image": sample.image.tobytes() if raw else image_bytes(sample.image, image_format),
        "patch": json.dumps(document, ensure_ascii=False).encode(),
        "valid": sample.valid.tobytes() if raw else mask_png(sample.valid),
        "damage": sample.damage.tobytes() if raw else mask_png(sample.damage),
    }


def write_indices(
    blocks: Iterable[Block], out: Path, recipe: ExportRecipe, patch_size: int
) -> list[StoredFile]:
    """Write the ``index.json`` of every split, from the blocks in their order."""
    shards: dict[str, list[dict[str, Any]]] = {}
    for block in blocks:
        (file,) = block.files
        shards.setdefault(block.split, []).append(
            {
                **_columns(recipe, patch_size),
                "raw_data": {
                    "basename": Path(file.path).name,
                    "bytes": file.bytes,
                    "hashes": {"sha256": file.sha256},
                },
                "samples": block.samples,
                "zip_data": None,
            }
        )
    return [
        put(
            out,
            f"{split}/index.json",
            json.dumps({"shards": listed, "version": VERSION}, sort_keys=True).encode(),
        )
        for split, listed in shards.items()
    ]
