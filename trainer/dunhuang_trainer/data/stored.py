"""What is read from a dataset: the door to `dunhuang_data.reader`."""

import resource
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from dunhuang_data.buffers import aligned_empty
from dunhuang_data.errors import DatasetError
from dunhuang_data.plan import read_plan
from dunhuang_data.polarity import unpack
from dunhuang_data.reader import DatasetReader
from dunhuang_data.types import Picture, Samples, Split
from dunhuang_trainer.config import ModelConfig
from dunhuang_trainer.data.order import Picks
from dunhuang_trainer.trained_holes import MOST_MEASURED, TrainedHoles, measure_holes

Buffers = dict[str, Tensor]


def open_split(root: Path, split: Split, config: ModelConfig) -> DatasetReader:
    """Open a split and check that the network can take its patches.

    Raises
    ------
    DatasetError
        If the dataset cannot be read, or its patches do not fit the network.
    """
    reader = DatasetReader(root, split)
    if reader.patch_size % config.multiple:
        fitting = (reader.patch_size & -reader.patch_size).bit_length() - 1
        raise DatasetError(
            f"{root} has patches of {reader.patch_size} px; a network of {config.levels} levels "
            f"takes multiples of {config.multiple} px. "
            + (f"Use --levels {fitting} or fewer." if fitting else "Make patches of an even size.")
        )
    return reader


def ordered_batches(reader: DatasetReader, batch_size: int) -> Iterator[Samples]:
    """Yield every sample of a split once, in the dataset's order."""
    for first in range(0, len(reader), batch_size):
        yield reader.read(range(first, min(first + batch_size, len(reader))))


def pictures_of_rows(reader: DatasetReader) -> list[Picture]:
    """Return the picture that each sample of a split is cut from, by the plan in the dataset.

    Raises
    ------
    PlanError
        If the plan is gone, or was altered.
    """
    plan = read_plan(reader.root / "plan")
    pictures = {one.id: one for one in plan.pictures}
    return [pictures[patch.picture_id] for patch in plan.patches if patch.split == reader.split]


def holes_of(reader: DatasetReader) -> TrainedHoles | None:
    """Measure the holes of a split: all masks, or `MOST_MEASURED` of them, evenly spaced."""
    stride = max(1, -(-len(reader) // MOST_MEASURED))
    masks = (
        one
        for first in range(0, len(reader), 256 * stride)
        for one in unpack(
            reader.read_stored(
                range(first, min(first + 256 * stride, len(reader)), stride), ["valid"]
            )["valid"],
            reader.patch_size,
        )
    )
    return measure_holes(masks, reader.patch_size)


def batch_buffers(reader: DatasetReader, batch_size: int, pinned: bool = False) -> Buffers:
    """Return memory for a batch as stored, page-locked if a GPU is to copy from it.

    NumPy asks the system for large pages, torch does not; the first use of such memory costs a
    tenth.
    """

    def memory(shape: tuple[int, ...]) -> Tensor:
        if pinned:
            return torch.empty(shape, dtype=torch.uint8, pin_memory=True)
        return torch.from_numpy(aligned_empty(shape))

    return {name: memory((batch_size, *shape)) for name, shape in stored_shapes(reader).items()}


def stored_shapes(reader: DatasetReader) -> dict[str, tuple[int, ...]]:
    """Return the shape of each array of a sample as it is stored."""
    size = reader.patch_size
    shapes = {"image": (size, size, 3)} | dict.fromkeys(("valid", "damage"), (size, -(-size // 8)))
    return {name: shapes[name] for name in reader.stored}


def read_into(reader: DatasetReader, picks: Picks, buffers: Buffers) -> Buffers:
    """Read a batch into the beginning of some buffers; return the parts that were filled."""
    filled = {name: buffer[: len(picks.rows)] for name, buffer in buffers.items()}
    out = {name: part.numpy() for name, part in filled.items()}
    if picks.mask_rows is not picks.rows:
        reader.read_stored(picks.mask_rows, out={"valid": out.pop("valid")})
    reader.read_stored(picks.rows, out=out)
    return filled


def prefetch(reader: DatasetReader, picks: Picks) -> None:
    """Ask the system to fetch a batch."""
    if picks.mask_rows is picks.rows:
        reader.prefetch(picks.rows)
    else:
        reader.prefetch(picks.rows, ("image", "damage"))
        reader.prefetch(picks.mask_rows, ("valid",))


def disk_reads() -> int:
    """Return how much this process has had read from disks since it began, in 512 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_inblock
