"""Our own writer of Zarr shards says what zarr-python says, and zarr-python reads it."""

import json
from pathlib import Path

import numpy as np
import pytest
import zarr
from zarr.codecs import Crc32cCodec

from dunhuang_data.format_zarr import metadata, new_shard
from dunhuang_data.manifest import shard_paths
from dunhuang_data.rng import raw_words, rng_for
from dunhuang_data.shards import ARRAY_NAMES, ShardPlace, Stored, schema

SIZE, TOTAL, SHARD_SIZE = 12, 7, 3


def stored_samples() -> list[Stored]:
    def pixels(name: str, shape: tuple[int, ...], row: int) -> np.ndarray:
        words = raw_words(rng_for(0, name, row), int(np.prod(shape)))
        return (words & np.uint64(255)).astype(np.uint8).reshape(shape)

    return [
        {array.name: pixels(array.name, array.row_shape, row) for array in schema(SIZE)}
        for row in range(TOTAL)
    ]


def write(root: Path, codec: str) -> list[Stored]:
    samples = stored_samples()
    for number, first in enumerate(range(0, TOTAL, SHARD_SIZE)):
        rows = samples[first : first + SHARD_SIZE]
        place = ShardPlace("train", number, len(rows), TOTAL, SIZE, SHARD_SIZE, codec)
        with new_shard(root, place) as new:
            for arrays in rows:
                new.add(arrays)
            new.seal("0" * 64)
    for path, data in metadata({"train": TOTAL}, SIZE, SHARD_SIZE, codec, "build").items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return samples


@pytest.mark.parametrize("codec", ["none", "gzip"])
def test_zarr_python_reads_every_sample(tmp_path: Path, codec: str) -> None:
    samples = write(tmp_path, codec)
    group = zarr.open_group(store=str(tmp_path), mode="r")
    assert dict(group.attrs) == {"format": "dunhuang-dataset", "version": 3, "build_id": "build"}
    for name in ARRAY_NAMES:
        array = group[f"train/{name}"]
        assert isinstance(array, zarr.Array)
        assert np.array_equal(np.asarray(array[:]), np.stack([one[name] for one in samples]))


def test_the_metadata_is_what_zarr_python_would_write(tmp_path: Path) -> None:
    files = metadata({"train": TOTAL}, SIZE, SHARD_SIZE, "none", "build")
    for array in schema(SIZE):
        zarr.create_array(
            str(tmp_path),
            name=f"train/{array.name}",
            shape=(TOTAL, *array.row_shape),
            dtype=np.uint8,
            chunks=(1, *array.row_shape),
            shards=(SHARD_SIZE, *array.row_shape),
            compressors=[Crc32cCodec()],
            filters=None,
            fill_value=0,
            dimension_names=array.dimensions,
            attributes=dict(array.attributes),
            chunk_key_encoding={"name": "default", "separator": "."},
        )
        path = f"train/{array.name}/zarr.json"
        assert json.loads(files[path]) == json.loads((tmp_path / path).read_text())


def test_every_file_says_which_it_is_before_its_index(tmp_path: Path) -> None:
    write(tmp_path, "none")
    for name, path in zip(ARRAY_NAMES, shard_paths("zarr", "train", 2), strict=True):
        tail = (tmp_path / path).read_bytes()[-(16 * SHARD_SIZE + 4 + 128) :]
        expected = f"dunhuang-dataset 3 train {name} 2 {'0' * 64}"
        assert tail[:128].decode().rstrip() == expected


def test_a_shard_that_fails_leaves_no_file(tmp_path: Path) -> None:
    place = ShardPlace("train", 0, 3, 3, SIZE, SHARD_SIZE, "none")

    def interrupted() -> None:
        with new_shard(tmp_path, place) as new:
            new.add(stored_samples()[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
