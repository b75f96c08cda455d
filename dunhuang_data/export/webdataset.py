"""WebDataset: tar files whose members share a key up to the first dot of their name.

The convention is that of the webdataset package's documentation ("The WebDataset Format"). A sample
is ``train-00000012.image.png``, ``….valid.png``, ``….damage.png`` and
``….json`` with the row of the plan. Headers carry neither time nor owner, so the same dataset gives
the same bytes.
"""

import io
import json
import tarfile
from collections.abc import Iterator

from dunhuang_data.export.coding import image_bytes, mask_png, npy_bytes
from dunhuang_data.export.files import opened, stored
from dunhuang_data.export.samples import (
    DAMAGE_IS_ONE,
    DAMAGE_IS_WHITE,
    KNOWN_IS_WHITE,
    Block,
    ExportJob,
    Sample,
    described,
    samples_of,
)
from dunhuang_data.polarity import MEANING

CONTENTS = ("train-*.tar", "val-*.tar", "test-*.tar")


def masks(image_format: str) -> dict[str, str]:
    """Return what the values of each mask mean, in words."""
    if image_format == "raw":
        return {"valid": MEANING, "damage": DAMAGE_IS_ONE}
    return {"valid": KNOWN_IS_WHITE, "damage": DAMAGE_IS_WHITE}


def write_block(job: ExportJob) -> Block:
    """Write one tar file."""
    path = f"{job.split}-{job.number:06d}.tar"
    with (
        opened(job.out, path) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for sample in samples_of(job):
            for name, data in _members(sample, job.recipe.image_format):
                member = tarfile.TarInfo(f"{sample.split}-{sample.row:08d}.{name}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return Block(job.split, job.number, len(job.patches), (stored(job.out, path),))


def _members(sample: Sample, image_format: str) -> Iterator[tuple[str, bytes]]:
    raw = image_format == "raw"
    suffix, mask_bytes = ("npy", npy_bytes) if raw else ("png", mask_png)
    yield f"image.{'npy' if raw else image_format}", image_bytes(sample.image, image_format)
    yield f"valid.{suffix}", mask_bytes(sample.valid)
    yield f"damage.{suffix}", mask_bytes(sample.damage)
    document = described(sample, masks(image_format))
    yield "json", json.dumps(document, ensure_ascii=False).encode()
