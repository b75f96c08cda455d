"""The codecs of `dunhuang_data.codecs` as Zarr v3 names them, so that plain ``zarr.open`` reads.

A lossless image is `dunhuang.interpolation`, an array-to-array codec that stands here, followed by
stock codecs alone. Zarr finds it through the entry point ``zarr.codecs`` of this package; where the
package lies on the path without being installed, `register` makes it known.
"""

from dataclasses import dataclass, replace
from math import prod
from typing import Any, Self

import numpy as np
from zarr.abc.codec import ArrayArrayCodec
from zarr.core.array_spec import ArraySpec
from zarr.core.buffer import NDBuffer
from zarr.core.common import JSON
from zarr.registry import register_codec

from dunhuang_data.codecs import GZIP_LEVEL, ZSTD_LEVEL
from dunhuang_data.interpolation import LEVELS, predict, restore_into
from dunhuang_data.recipe import CODECS
from dunhuang_data.shards import ARRAY_NAMES

NAME = "dunhuang.interpolation"


def zarr_codecs(codec: str, array_name: str) -> list[dict[str, Any]]:
    """Return the codecs of a chunk, as they stand in ``zarr.json``, the checksum last.

    Parameters
    ----------
    codec : {"none", "gzip", "lossless"}
    array_name : {"image", "valid", "damage"}

    Raises
    ------
    ValueError
        If there is no such codec or array.
    """
    if codec not in CODECS or array_name not in ARRAY_NAMES:
        raise ValueError(
            f"there is no codec {codec!r} for {array_name!r}: codecs are {', '.join(CODECS)}, "
            f"arrays {', '.join(ARRAY_NAMES)}"
        )
    chain: list[dict[str, Any]] = [{"name": "bytes"}]
    if codec == "gzip":
        chain.append({"name": "gzip", "configuration": {"level": GZIP_LEVEL}})
    elif codec == "lossless":
        stock = {"level": ZSTD_LEVEL, "checksum": False}
        chain.append({"name": "zstd", "configuration": stock})
        if array_name == "image":
            chain.insert(0, {"name": NAME, "configuration": {"levels": LEVELS}})
    return [*chain, {"name": "crc32c"}]


def register() -> None:
    """Make the codec known to Zarr, also where this package is not installed."""
    register_codec(NAME, InterpolationCodec)


@dataclass(frozen=True)
class InterpolationCodec(ArrayArrayCodec):
    """`dunhuang_data.interpolation` as an array-to-array codec.

    A chunk is one image, (1, …, H, W, 3) uint8; encoded it is its (3 * H * W,) uint8 differences.

    Attributes
    ----------
    levels : int
        At least 0.
    """

    is_fixed_size = True

    levels: int = LEVELS

    @classmethod
    def from_dict(cls, data: dict[str, JSON]) -> Self:
        """Return the codec that an entry of ``codecs`` in ``zarr.json`` asks for."""
        configuration = data.get("configuration")
        if not isinstance(configuration, dict) or set(configuration) != {"levels"}:
            raise ValueError(f"{NAME} is configured by 'levels' alone, not by {configuration!r}")
        levels = configuration["levels"]
        if isinstance(levels, bool) or not isinstance(levels, int) or not 0 <= levels <= 32:
            raise ValueError(f"'levels' of {NAME} is an integer from 0 to 32, not {levels!r}")
        return cls(levels)

    def to_dict(self) -> dict[str, JSON]:
        """Return the entry of ``codecs`` in ``zarr.json``."""
        return {"name": NAME, "configuration": {"levels": self.levels}}

    def validate(self, *, shape: tuple[int, ...], dtype: Any, chunk_grid: Any) -> None:
        """Refuse arrays that hold no images; zarr calls this when an array is made or opened."""
        if dtype.to_native_dtype() != np.uint8 or len(shape) < 3 or shape[-1] != 3:
            raise ValueError(f"{NAME} is for uint8 of (…, height, width, 3), not {dtype} {shape}")

    def resolve_metadata(self, chunk_spec: ArraySpec) -> ArraySpec:
        """Return what a chunk is after encoding; refuse chunks of more or less than one image."""
        if prod(chunk_spec.shape[:-3]) != 1:
            raise ValueError(f"a chunk of {NAME} is one image, not {chunk_spec.shape}")
        return replace(chunk_spec, shape=(prod(chunk_spec.shape),))

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> int:
        """Return the bytes after encoding: as many as before."""
        return input_byte_length

    # zarr >= 3.3 calls the two functions without await where it can
    def _encode_sync(self, chunk_array: NDBuffer, chunk_spec: ArraySpec) -> NDBuffer:
        image = np.asarray(chunk_array.as_ndarray_like()).reshape(chunk_spec.shape[-3:])
        return chunk_spec.prototype.nd_buffer.from_numpy_array(predict(image, self.levels))

    def _decode_sync(self, chunk_array: NDBuffer, chunk_spec: ArraySpec) -> NDBuffer:
        differences = np.array(chunk_array.as_ndarray_like())  # a copy, for it is used up
        image = np.empty(chunk_spec.shape, dtype=np.uint8)
        restore_into(differences, image.reshape(image.shape[-3:]), self.levels)
        return chunk_spec.prototype.nd_buffer.from_numpy_array(image)

    async def _encode_single(self, chunk_array: NDBuffer, chunk_spec: ArraySpec) -> NDBuffer:
        return self._encode_sync(chunk_array, chunk_spec)

    async def _decode_single(self, chunk_array: NDBuffer, chunk_spec: ArraySpec) -> NDBuffer:
        return self._decode_sync(chunk_array, chunk_spec)
