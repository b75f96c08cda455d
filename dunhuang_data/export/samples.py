"""What a layout is written from: the samples of one block of rows, each with its row of the plan.

A block is as many rows of one split as go into a shard. One block is one job.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dunhuang_data.errors import DatasetError
from dunhuang_data.export.recipe import ExportRecipe
from dunhuang_data.manifest import StoredFile
from dunhuang_data.polarity import hole_ratio
from dunhuang_data.reader import DatasetReader
from dunhuang_data.types import PatchSpec, Picture, Split, UInt8Array

ROWS_AT_ONCE = 32  # so that a block of any size needs little memory
KNOWN_IS_WHITE = "white (255) = known pixel, black (0) = hole"
HOLE_IS_WHITE = "white (255) = hole, black (0) = known pixel"
DAMAGE_IS_WHITE = "white (255) = pixel of the target that neither loss nor metric counts"
DAMAGE_IS_ONE = "1 = pixel of the target that neither loss nor metric counts"


@dataclass(frozen=True, slots=True)
class ExportJob:
    """Everything one block is written from; it travels to any worker.

    Attributes
    ----------
    root : Path
        Of the dataset.
    content_sha256 : str
        Of the dataset that was checked.
    out : Path
        The folder that grows.
    recipe : ExportRecipe
    split : {"train", "val", "test"}
    number : int
        Of the block in its split, from 0.
    first : int
        Row in the split of its first sample.
    patches : tuple of PatchSpec
        One a row.
    pictures : tuple of Picture
        Those that the patches are cut from.
    """

    root: Path
    content_sha256: str
    out: Path
    recipe: ExportRecipe
    split: Split
    number: int
    first: int
    patches: tuple[PatchSpec, ...]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample, as a layout writes it.

    Attributes
    ----------
    split : {"train", "val", "test"}
    row : int
        In its split; what `DatasetReader.read` takes.
    image : (S, S, 3) uint8
    valid : (S, S) uint8
        1 = known, 0 = hole.
    damage : (S, S) uint8
        1 = not to be trusted.
    patch : PatchSpec
    picture : Picture
    """

    split: Split
    row: int
    image: UInt8Array
    valid: UInt8Array
    damage: UInt8Array
    patch: PatchSpec
    picture: Picture


@dataclass(frozen=True, slots=True)
class Block:
    """What one job wrote.

    Attributes
    ----------
    split, number : str, int
    samples : int
    files : tuple of StoredFile
    rows : tuple of tuple of str
        Of ``samples.csv``, in the layouts that have it.
    """

    split: Split
    number: int
    samples: int
    files: tuple[StoredFile, ...]
    rows: tuple[tuple[str, ...], ...] = ()


@lru_cache(maxsize=3)
def _reader(root: Path, split: Split, content_sha256: str) -> DatasetReader:
    """Open a split once a process; a job is short beside reading a large manifest."""
    reader = DatasetReader(root, split)
    if reader.manifest.content_sha256 != content_sha256:
        raise DatasetError(
            f"{root} was replaced by another dataset while it was exported. Export it again."
        )
    return reader


def samples_of(job: ExportJob) -> Iterator[Sample]:
    """Yield the samples of a block in the reader's order.

    Raises
    ------
    DatasetError
        If they cannot be read.
    """
    reader = _reader(job.root, job.split, job.content_sha256)
    pictures = {picture.id: picture for picture in job.pictures}
    for start in range(0, len(job.patches), ROWS_AT_ONCE):
        patches = job.patches[start : start + ROWS_AT_ONCE]
        first = job.first + start
        read = reader.read(range(first, first + len(patches)))
        for place, patch in enumerate(patches):
            yield Sample(
                split=job.split,
                row=first + place,
                image=read.image[place],
                valid=read.valid[place],
                damage=read.damage[place],
                patch=patch,
                picture=pictures[patch.picture_id],
            )


def described(sample: Sample, masks: dict[str, str]) -> dict[str, Any]:
    """Return the row of the plan as one JSON object, with the meaning of the masks beside it."""
    patch, turn = sample.patch, sample.patch.augmentation
    return {
        "split": sample.split,
        "row": sample.row,
        "index": patch.index,
        "picture_id": patch.picture_id,
        "center_yx": list(patch.center_yx),
        "scale": patch.scale,
        "flip": turn.flip,
        "angle_deg": turn.angle_deg,
        "hole_ratio": round(hole_ratio(sample.valid), 6),
        "rights": sample.picture.rights,
        "attribution": sample.picture.attribution,
        "masks": masks,
    }


def columns(mask: str) -> tuple[str, ...]:
    """Return the columns of ``samples.csv``; the one with the masks' paths says what 1 means."""
    return (
        "split", "row", "image", mask, "damage", "index", "picture_id", "center_y", "center_x",
        "scale", "flip", "angle_deg", "hole_ratio", "damage_ratio", "rights", "attribution",
    )  # fmt: skip


def table_row(sample: Sample, image: str, mask: str, damage: str) -> tuple[str, ...]:
    """Return a sample as one row of ``samples.csv``; paths of what is not written are empty."""
    patch = sample.patch
    return (
        sample.split,
        str(sample.row),
        image,
        mask,
        damage,
        str(patch.index),
        patch.picture_id,
        *map(str, patch.center_yx),
        str(patch.scale),
        str(int(patch.augmentation.flip)),
        f"{patch.augmentation.angle_deg:.3f}",
        f"{hole_ratio(sample.valid):.6f}",
        f"{sample.damage.mean():.6f}",
        sample.picture.rights,
        sample.picture.attribution,
    )
