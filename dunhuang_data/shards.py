"""The shard schema: what both formats store, under which names, and the hash of the content.

A shard holds up to ``shard_size`` samples of one split. Its arrays are the same in Zarr and HDF5:

======== ======================== ===== ==========================================================
name     shape                    dtype meaning
======== ======================== ===== ==========================================================
image    (N, S, S, 3)             uint8 the target patch, sRGB
valid    (N, S, ceil(S / 8))      uint8 one bit per pixel, first pixel highest: 1 known, 0 hole
damage   (N, S, ceil(S / 8))      uint8 one bit per pixel: 1 = the target is not to be trusted
======== ======================== ===== ==========================================================
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dunhuang_data.polarity import MEANING, pack, unpack
from dunhuang_data.types import Samples, UInt8Array


@dataclass(frozen=True, slots=True)
class ArraySchema:
    """One array of the dataset: what both formats store under its name.

    Attributes
    ----------
    name : str
    row_shape : tuple of int
        The shape of one sample; a chunk is exactly one sample.
    dimensions : tuple of str
        Names of all axes, the sample axis first.
    attributes : dict
        What a reader without this package needs to know.
    """

    name: str
    row_shape: tuple[int, ...]
    dimensions: tuple[str, ...]
    attributes: dict[str, str | int]


def schema(patch_size: int) -> tuple[ArraySchema, ...]:
    """Return the arrays of a dataset of patches of ``patch_size`` px."""
    packed = (patch_size, -(-patch_size // 8))
    bits: dict[str, str | int] = {
        "bit_order": "big: the first pixel of a row is the highest bit of its first byte",
        "pixels_per_row": patch_size,
    }
    return (
        ArraySchema(
            "image",
            (patch_size, patch_size, 3),
            ("sample", "y", "x", "channel"),
            {"meaning": "target patch", "color": "sRGB, red green blue, 0 to 255"},
        ),
        ArraySchema("valid", packed, ("sample", "y", "x_byte"), {"meaning": MEANING, **bits}),
        ArraySchema(
            "damage",
            packed,
            ("sample", "y", "x_byte"),
            {"meaning": "1 = pixel of the target that neither loss nor metric counts", **bits},
        ),
    )


def stored_arrays(samples: Samples) -> dict[str, UInt8Array]:
    """Return samples as they are stored: the two binary arrays packed."""
    return {
        "image": samples.image,
        "valid": pack(samples.valid),
        "damage": pack(samples.damage),
    }


def samples_from_stored(arrays: dict[str, UInt8Array]) -> Samples:
    """Undo `stored_arrays`."""
    width = arrays["image"].shape[2]
    return Samples(
        image=arrays["image"],
        valid=unpack(arrays["valid"], width),
        damage=unpack(arrays["damage"], width),
    )


def content_sha256(arrays: dict[str, UInt8Array], rows: Sequence[Sequence[str]]) -> str:
    """Hash the content of one shard: its arrays as stored and its rows of the plan.

    The container does not enter, so Zarr and HDF5 shards of the same samples have one hash.
    """
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    for row in rows:
        digest.update(("\t".join(row) + "\n").encode())
    return digest.hexdigest()
