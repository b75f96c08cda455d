"""The same samples as PNG: in tars, read by places or by WebDataset's decoder, and in MDS."""

import io
import os
import tarfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.machine import Bytes, Gather, Rows
from benchmarks.peers import SHARD, mds_dataset, records
from benchmarks.real_patches import Stored


def write_png_tar(stored: Stored, folder: Path) -> None:
    """PNG members by OpenCV at its defaults, the mask of one bit a pixel; what many people do."""
    width = stored.image.shape[2]
    folder.mkdir()
    for first in range(0, len(stored), SHARD):
        with tarfile.open(folder / f"{first // SHARD:05d}.tar", "w") as tar:
            for row in range(first, min(first + SHARD, len(stored))):
                picture = cv2.imencode(".png", stored.image[row][:, :, ::-1])[1]
                bits = np.unpackbits(stored.valid[row], axis=-1)[:, :width] * np.uint8(255)
                mask = cv2.imencode(".png", bits, [cv2.IMWRITE_PNG_BILEVEL, 1])[1]
                for part, data in (("image", picture), ("valid", mask)):
                    member = tarfile.TarInfo(f"{row:08d}.{part}.png")
                    member.size = data.size
                    tar.addfile(member, io.BytesIO(data.tobytes()))


def write_mds_png(stored: Stored, folder: Path) -> None:
    """Columns of encoding png, which Pillow writes."""
    pillow, width = import_module("PIL.Image"), stored.image.shape[2]
    writer = import_module("streaming").MDSWriter
    columns = {"image": "png", "valid": "png", "row": "int"}
    with writer(out=str(folder), columns=columns, size_limit=1 << 26) as sink:
        for row, image, valid in records(stored):
            bits = np.unpackbits(valid, axis=-1)[:, :width].astype(bool)
            images = {"image": pillow.fromarray(image), "valid": pillow.fromarray(bits)}
            sink.write({**images, "row": row})


class PngTar:
    """Own reading of PNG members: places looked up once, then a positioned read and a decode."""

    def __init__(self, folder: Path) -> None:
        self.files = [path.open("rb", buffering=0) for path in sorted(folder.glob("*.tar"))]
        self.places: list[dict[str, tuple[int, int, int]]] = []
        for number, file in enumerate(self.files):
            with tarfile.open(fileobj=file) as tar:
                members = tar.getmembers()
            for picture, mask in zip(members[::2], members[1::2], strict=True):
                one = {}
                for member in (picture, mask):
                    part = member.name.split(".")[1]
                    one[part] = number, member.offset_data, member.size
                self.places.append(one)

    def mean_bytes(self) -> float:
        """Return bytes of PNG a sample, the tar's own headers left out."""
        return float(np.mean([sum(p[2] for p in one.values()) for one in self.places]))

    def gather(self, rows: Rows) -> tuple[Bytes, Bytes]:
        """Read rows, one after the other."""
        images, masks = [], []
        for row in rows.tolist():
            data = {}
            for part, (number, offset, size) in self.places[row].items():
                data[part] = np.frombuffer(
                    os.pread(self.files[number].fileno(), size, offset), np.uint8
                )
            images.append(_decoded(data["image"], cv2.IMREAD_COLOR_RGB))
            masks.append(_decoded(data["valid"], cv2.IMREAD_GRAYSCALE))
        return np.stack(images), np.stack(masks) >> np.uint8(7)


def _decoded(data: Bytes, how: int) -> Any:
    return cv2.imdecode(data, how)


def mds_png_gather(folder: Path) -> Gather:
    """Return MDS's reading of its PNG columns, ``dataset[i]``."""
    dataset = mds_dataset(folder)

    def gather(rows: Rows) -> tuple[Bytes, Bytes]:
        samples = [dataset[row] for row in rows.tolist()]
        image = np.stack([np.asarray(one["image"]) for one in samples])
        return image, np.stack([np.asarray(one["valid"]) for one in samples]).astype(np.uint8)

    return gather


def decoder_gather(folder: Path, stored: Stored) -> Gather:
    """Read with WebDataset's own decoder, in the order of the tars; which rows is not heeded."""
    webdataset = import_module("webdataset")

    urls = [str(path) for path in sorted(folder.glob("*.tar"))]

    def samples() -> Iterator[dict[str, Any]]:
        while True:
            yield from webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8")

    for row, one in zip(range(SHARD // 4), samples(), strict=False):
        same = np.array_equal(one["image.png"], stored.image[row])
        bits = one["valid.png"][:, :, 0] > 0
        if not same or not np.array_equal(np.packbits(bits, axis=-1), stored.valid[row]):
            raise SystemExit("WebDataset's decoder gives other content than was stored.")
    endless = samples()

    def gather(rows: Rows) -> tuple[Bytes, Bytes]:
        found = [next(endless) for _ in rows]
        image = np.stack([one["image.png"] for one in found])
        return image, np.stack([one["valid.png"][:, :, 0] for one in found]) >> np.uint8(7)

    return gather


def print_levels(stored: Stored) -> None:
    """Print what PNG could be at its smallest: 200 images at several settings, masks left out."""
    rows = range(0, len(stored), max(1, len(stored) // 200))
    settings = {"OpenCV's default": [], "level 6": [16, 6], "level 9": [16, 9]}
    for name, one in settings.items():
        sizes = [len(cv2.imencode(".png", stored.image[row][:, :, ::-1], one)[1]) for row in rows]
        print(f"  PNG of the image alone, {name}: {np.mean(sizes):,.0f} bytes")
