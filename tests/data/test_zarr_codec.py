"""The lossless codec as Zarr knows it: plain zarr reads and writes the very bytes of `encode`."""

import json
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pytest
import zarr
from numcodecs import zstd
from zarr.core.buffer import Buffer, default_buffer_prototype
from zarr.storage import MemoryStore

from drawings import draw_picture
from dunhuang_data import zarr_codec
from dunhuang_data.codecs import decode_into, encode
from dunhuang_data.interpolation import predict
from dunhuang_data.recipe import CODECS
from dunhuang_data.types import UInt8Array

NAMES = ("image", "valid", "damage")
PER_SHARD = 2


@pytest.fixture(autouse=True)
def _known_to_zarr() -> None:
    """The tests run from a checkout; an installed package is found by its entry point."""
    zarr_codec.register()


def samples(name: str, count: int) -> UInt8Array:
    if name == "image":
        return np.stack([draw_picture(27, 22, f"codec {k}") for k in range(count)])
    return np.random.default_rng(5).integers(0, 256, (count, 27, 3), dtype=np.uint8)


def metadata(codec: str, name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return a zarr.json written by hand: shards of two samples, chunks of one."""
    row = list(shape[1:])
    inner = {
        "chunk_shape": [1, *row],
        "codecs": zarr_codec.zarr_codecs(codec, name),
        "index_codecs": [
            {"name": "bytes", "configuration": {"endian": "little"}},
            {"name": "crc32c"},
        ],
        "index_location": "end",
    }
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": "uint8",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [PER_SHARD, *row]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": 0,
        "codecs": [{"name": "sharding_indexed", "configuration": inner}],
        "attributes": {},
    }


def with_checksum(data: bytes) -> bytes:
    checksum: int = google_crc32c.value(data)
    return data + checksum.to_bytes(4, "little")


def shard(chunks: list[bytes]) -> bytes:
    """Return a shard of Zarr's: the chunks, then where each lies and how long it is."""
    ends = np.cumsum([0, *map(len, chunks)])
    index = np.full((PER_SHARD, 2), 2**64 - 1, dtype="<u8")
    index[: len(chunks), 0], index[: len(chunks), 1] = ends[:-1], np.diff(ends)
    return b"".join(chunks) + with_checksum(index.tobytes())


def stored(document: dict[str, Any], rows: UInt8Array) -> dict[str, bytes]:
    """Return the files that zarr makes of rows, given a zarr.json."""
    contents: dict[str, Buffer] = {}
    text = json.dumps(document).encode()
    contents["zarr.json"] = default_buffer_prototype().buffer.from_bytes(text)
    zarr.open_array(MemoryStore(contents), mode="r+")[:] = rows
    return {key: value.to_bytes() for key, value in contents.items()}


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", NAMES)
def test_plain_zarr_reads_shards_of_encoded_samples(codec: str, name: str, tmp_path: Path) -> None:
    rows = samples(name, 3)
    folder = tmp_path / "store" / name
    folder.mkdir(parents=True)
    (folder / "zarr.json").write_text(json.dumps(metadata(codec, name, rows.shape)))
    chunks = [with_checksum(encode(codec, name, row)) for row in rows]
    zeros = ".0" * (rows.ndim - 1)
    (folder / f"c.0{zeros}").write_bytes(shard(chunks[:2]))
    (folder / f"c.1{zeros}").write_bytes(shard(chunks[2:]))
    array = zarr.open_array(folder, mode="r")
    assert np.array_equal(array[:], rows)
    assert np.array_equal(array[1], rows[1])
    assert np.array_equal(array[2, 5:20, 2], rows[2, 5:20, 2])


@pytest.mark.parametrize("codec", ["none", "lossless"])
@pytest.mark.parametrize("name", NAMES)
def test_zarr_writes_the_bytes_of_encode(codec: str, name: str) -> None:
    rows = samples(name, 3)
    contents = stored(metadata(codec, name, rows.shape), rows)
    zeros = ".0" * (rows.ndim - 1)
    chunks = [with_checksum(encode(codec, name, row)) for row in rows]
    assert contents[f"c.0{zeros}"] == shard(chunks[:2])
    assert contents[f"c.1{zeros}"] == shard(chunks[2:])


def test_what_zarr_writes_as_gzip_is_read_back() -> None:
    """Its header may say another system than ours, so the bytes are not compared."""
    rows = samples("image", 2)
    contents = stored(metadata("gzip", "image", rows.shape), rows)
    length = int(np.frombuffer(contents["c.0.0.0.0"][-36:-4], "<u8")[1])
    out = np.empty_like(rows[0])
    decode_into("gzip", "image", contents["c.0.0.0.0"][: length - 4], out)
    assert np.array_equal(out, rows[0])


def test_the_package_declares_the_codec_to_zarr() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    declared = tomllib.loads(text)["project"]["entry-points"]["zarr.codecs"]
    entry = EntryPoint(zarr_codec.NAME, declared[zarr_codec.NAME], "zarr.codecs")
    assert entry.load() is zarr_codec.InterpolationCodec
    assert list(declared) == [zarr_codec.NAME]


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({}, "by 'levels' alone"),
        ({"configuration": {"levels": 3, "more": 1}}, "by 'levels' alone"),
        ({"configuration": {"levels": -1}}, "from 0 to 32, not -1"),
        ({"configuration": {"levels": True}}, "from 0 to 32, not True"),
        ({"configuration": {"levels": 10**9}}, "from 0 to 32"),
    ],
)
def test_other_configurations_are_refused(entry: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        zarr_codec.InterpolationCodec.from_dict({"name": zarr_codec.NAME, **entry})


def test_the_levels_in_zarr_json_are_those_used(tmp_path: Path) -> None:
    rows = samples("image", 1)
    document = metadata("lossless", "image", rows.shape)
    codecs = document["codecs"][0]["configuration"]["codecs"]
    codecs[0]["configuration"]["levels"] = 1
    contents = stored(document, rows)
    length = int(np.frombuffer(contents["c.0.0.0.0"][-36:-4], "<u8")[1])
    chunk = contents["c.0.0.0.0"][: length - 4]
    assert zstd.decompress(chunk) == predict(rows[0], levels=1).tobytes()
    (tmp_path / "zarr.json").write_text(json.dumps(document))
    (tmp_path / "c.0.0.0.0").write_bytes(contents["c.0.0.0.0"])
    assert np.array_equal(zarr.open_array(tmp_path, mode="r")[:], rows)


@pytest.mark.parametrize(
    ("shape", "data_type", "sentence"),
    [
        ((3, 9, 8, 4), "uint8", r"is for uint8 of \(…, height, width, 3\)"),
        ((3, 9, 8, 3), "uint16", r"is for uint8 of \(…, height, width, 3\)"),
    ],
)
def test_arrays_of_something_else_are_refused(
    shape: tuple[int, ...], data_type: str, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        zarr.create_array(
            MemoryStore(),
            shape=shape,
            chunks=(1, *shape[1:]),
            dtype=data_type,
            filters=[zarr_codec.InterpolationCodec()],
        )


def test_chunks_of_two_images_are_refused() -> None:
    array = zarr.create_array(
        MemoryStore(), shape=(4, 9, 8, 3), chunks=(2, 9, 8, 3), dtype="uint8",
        filters=[zarr_codec.InterpolationCodec()],
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"is one image, not \(2, 9, 8, 3\)"):
        array[:] = 1


def test_the_chains_are_part_of_the_format() -> None:
    assert zarr_codec.zarr_codecs("none", "image") == [{"name": "bytes"}, {"name": "crc32c"}]
    assert zarr_codec.zarr_codecs("gzip", "image") == [
        {"name": "bytes"},
        {"name": "gzip", "configuration": {"level": 3}},
        {"name": "crc32c"},
    ]
    stock = [
        {"name": "bytes"},
        {"name": "zstd", "configuration": {"level": 1, "checksum": False}},
        {"name": "crc32c"},
    ]
    own = {"name": "dunhuang.interpolation", "configuration": {"levels": 2}}
    assert zarr_codec.zarr_codecs("lossless", "image") == [own, *stock]
    assert zarr_codec.zarr_codecs("lossless", "damage") == stock


def test_there_is_no_chain_for_another_codec() -> None:
    with pytest.raises(ValueError, match="no codec 'blosc' for 'image': codecs are none, gzip"):
        zarr_codec.zarr_codecs("blosc", "image")
