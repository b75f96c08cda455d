"""A dataset made to do harm does nothing: it is refused in a sentence, and soon."""

import ast
import gzip
import hashlib
import json
import os
import shutil
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import dunhuang_data
from dunhuang_data import format_zarr
from dunhuang_data.errors import DatasetError
from dunhuang_data.manifest import manifest_text, read_manifest
from dunhuang_data.reader import DatasetReader
from dunhuang_data.shards import ShardPlace
from dunhuang_data.types import SPLITS
from dunhuang_data.verify import verify_dataset

GOLDEN = Path(__file__).parents[1] / "golden"
HUGE = 10**9
MOST_BYTES = 40_000_000  # that a refusal may take: what is read is 3 kB


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        return shutil.copytree(GOLDEN / name, tmp_path / name)

    return make


def read_all(root: Path) -> None:
    for split in SPLITS:
        reader = DatasetReader(root, split)
        for row in range(min(len(reader), 9)):
            reader.read([row])
            reader.read_stored([row])


@pytest.fixture
def sparing() -> Iterator[None]:
    """Fail a test that takes much memory."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


def found_by_verify(root: Path) -> str:
    """Return what verify says, whether it raises it or lists it."""
    try:
        return "\n".join(verify_dataset(root))
    except DatasetError as error:
        return str(error)


def refused(root: Path) -> str:
    """Verify and read; both must refuse, by sentence. Return that of the reader."""
    assert found_by_verify(root)
    with pytest.raises(DatasetError) as caught:
        read_all(root)
    return str(caught.value)


def put(*keys: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: Any) -> None:
        for key in keys[:-1]:
            document = document[key]
        document[keys[-1]] = value

    return change


def other_file(path: str) -> Callable[[dict[str, Any]], None]:
    return put("other_files", 0, "path", value=path)


FORGERIES = {
    "a path up": other_file("../secret"),
    "a path up from within": other_file("plan/../../secret"),
    "an absolute path": other_file("/etc/hostname"),
    "NUL in a path": other_file("plan/\0"),
    "half a character in a path": other_file("plan/\ud800"),
    "a path that is a number": put("other_files", 0, "path", value=7),
    "more samples than anyone has": put("samples", "train", value=HUGE),
    "fewer samples than there are": put("samples", "test", value=2),
    "negative samples": put("samples", "train", value=-9),
    "samples that are no whole number": put("samples", "train", value=9.0),
    "samples that are true": put("samples", "test", value=True),
    "shards for many": put("recipe", "shard_size", value=HUGE),
    "shards for none": put("recipe", "shard_size", value=0),
    "negative shards": put("recipe", "shard_size", value=-4),
    "half a shard": put("recipe", "shard_size", value=4.5),
    "patches larger than the earth": put("plan_recipe", "patch_size", value=HUGE),
    "patches of a number without end": put("plan_recipe", "patch_size", value=10**400),
    "patches of nothing": put("plan_recipe", "patch_size", value=0),
    "patches that are a little larger": put("plan_recipe", "patch_size", value=17),
    "files of negative size": put("shards", "train", 0, "files", 0, 0, value=-1),
    "files that are no list": put("shards", "train", 0, "files", value=7),
    "a hash that is none": put("shards", "train", 0, "content_sha256", value="0" * 63 + "G"),
    "a hash that is a path": put("shards", "train", 0, "content_sha256", value="../" * 21 + "x"),
    "another codec": put("recipe", "codec", value="gzip"),
    "a codec that is a path": put("recipe", "codec", value="../codec"),
    "a container of another name": put("recipe", "format", value="../zarr"),
    "shards that are text": put("shards", value="train"),
    "a split that is a path": put("samples", value={"../train": 9, "val": 6, "test": 3}),
    "a version from the future": put("format", "version", value=4),
    "a version that is almost one": put("format", "version", value=3.5),
    "a document in a list": put("recipe", value=[]),
}


@pytest.mark.usefixtures("sparing")
@pytest.mark.parametrize("name", ["v3-zarr-none", "v3-hdf5-none", "v3-zarr-lossless"])
@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_manifest_is_refused(copy: Callable[[str], Path], forgery: str, name: str) -> None:
    root = copy(name)
    document = json.loads((root / "dataset.json").read_text())
    FORGERIES[forgery](document)
    (root / "dataset.json").write_text(json.dumps(document))
    assert refused(root).startswith(str(root))


@pytest.mark.usefixtures("sparing")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "7",
        '"dataset"',
        "{",
        '{"format": null}',
        "[" * 200_000,
        '{"format":' * 100_000,
        '{"format": {"name": "dunhuang-dataset", "version": 3}}',
        '{"format": {"name": "dunhuang-dataset", "version": 1e999}}',
        "\x00" * 1000,
        "\ufeff{}",
    ],
)
def test_what_is_no_manifest_is_refused(copy: Callable[[str], Path], text: str) -> None:
    root = copy("v3-zarr-none")
    (root / "dataset.json").write_text(text)
    assert "cannot be read as a whole dataset" in refused(root) or "has the format" in refused(root)
    (root / "dataset.json").write_bytes(b"\xff\xfe" + text.encode())
    refused(root)


def test_a_key_that_stands_there_twice_is_refused(copy: Callable[[str], Path]) -> None:
    """Two programs could take it for two datasets."""
    root = copy("v3-zarr-none")
    text = (root / "dataset.json").read_text()
    (root / "dataset.json").write_text(text.replace('"color":', '"samples": {},\n  "color":', 1))
    assert "'samples' stands there twice" in refused(root)


@pytest.mark.parametrize("name", ["v3-zarr-none", "v3-hdf5-gzip", "v2-hdf5", "v1-zarr"])
def test_links_lead_nowhere(copy: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    root = copy(name)
    shard = root / read_manifest(root).shards[0].files[0].path
    for place in (shard, root / "train", root / "plan"):
        secret = tmp_path / "elsewhere"
        place.rename(secret)
        place.symlink_to(secret)
        said = found_by_verify(root)
        assert "outside the dataset" in said or "behind a link" in said
        with pytest.raises(DatasetError, match=r"is a link|outside the dataset"):
            DatasetReader(root, "train")
        place.unlink()
        secret.rename(place)
    for file in ("plan/plan.json", "plan/patches.csv"):
        (root / file).unlink()
        (root / file).symlink_to(root / file)  # round and round
    with pytest.raises(DatasetError):
        read_manifest(root)


@pytest.mark.parametrize("name", ["v3-zarr-gzip", "v3-hdf5-none", "v2-hdf5"])
def test_what_is_no_file_is_not_waited_for(copy: Callable[[str], Path], name: str) -> None:
    """Opening a pipe waits for somebody to write into it."""
    root = copy(name)
    document = json.loads((root / "dataset.json").read_text())
    shard = read_manifest(root).shards[0]
    (root / shard.files[0].path).unlink()
    os.mkfifo(root / shard.files[0].path)
    for files in (document["shards"] if isinstance(document["shards"], list) else [])[:1]:
        files["files"][0]["bytes"] = 0
    if isinstance(document["shards"], dict):
        document["shards"]["train"][0]["files"][0][0] = 0
    (root / "dataset.json").write_text(json.dumps(document))
    refused(root)


def forge(root: Path) -> None:
    """Give the files of shards the sizes and hashes that they have now."""
    manifest = read_manifest(root)
    shards = []
    for shard in manifest.shards:
        files = []
        for file in shard.files:
            data = (root / file.path).read_bytes()
            files.append(replace(file, bytes=len(data), sha256=hashlib.sha256(data).hexdigest()))
        shards.append(replace(shard, files=tuple(files)))
    (root / "dataset.json").write_text(manifest_text(replace(manifest, shards=tuple(shards))))


BOMBS = {
    "gzip of 300 MB": ("gzip", gzip.compress(bytes(300_000_000), 1)),
    "a zstd frame that claims 1 TB": (
        "lossless",
        b"\x28\xb5\x2f\xfd" + b"\xe0" + (10**12).to_bytes(8, "little") + b"\x01\x00\x00",
    ),
    "a zstd frame that claims nothing": ("lossless", b"\x28\xb5\x2f\xfd" + b"\x00\x58" + bytes(9)),
    "a zstd frame that ends at once": ("lossless", b"\x28\xb5\x2f\xfd"),
    "half a gzip": ("gzip", gzip.compress(bytes(3 * 16 * 16))[:-9]),
    "two gzips": ("gzip", gzip.compress(bytes(3 * 16 * 16)) * 2),
    "nothing": ("gzip", b""),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_chunk_that_decodes_to_too_much_is_refused(
    copy: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, bomb: str
) -> None:
    """Every checksum is right."""
    codec, data = BOMBS[bomb]
    root = copy(f"v3-zarr-{codec}")
    shard = read_manifest(root).shards[0]
    arrays = DatasetReader(root, "train").read_stored(range(4))
    for path in ("image/c.0.0.0.0", "valid/c.0.0.0", "damage/c.0.0.0"):
        (root / "train" / path).unlink()
    place = ShardPlace("train", 0, shard.samples, 9, 16, 4, codec)
    monkeypatch.setattr(format_zarr, "encode", lambda *_: data)
    with format_zarr.new_shard(root, place) as new:
        for row in range(4):
            new.add({name: values[row] for name, values in arrays.items()})
        new.seal(shard.content_sha256)
    forge(root)
    tracemalloc.start()
    try:
        assert "train cannot be read: " in refused(root)
        assert any("shard 0 of train" in one for one in verify_dataset(root, depth="full"))
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


def external_storage(file: h5py.File, secret: Path) -> None:
    file.create_dataset("image", (4, 16, 16, 3), np.uint8, external=[(str(secret), 0, 4 * 768)])


def external_link(file: h5py.File, secret: Path) -> None:
    file["image"] = h5py.ExternalLink(str(secret), "image")


def virtual(file: h5py.File, secret: Path) -> None:
    layout = h5py.VirtualLayout((4, 16, 16, 3), np.uint8)
    layout[:] = h5py.VirtualSource(secret, "image", (4, 16, 16, 3))
    file.create_virtual_dataset("image", layout)


def bomb(file: h5py.File, _secret: Path) -> None:
    file.create_dataset(
        "image", (4, 16, 16, 3), np.uint8, chunks=(4, 4096, 4096, 3), maxshape=(None,) * 3 + (3,)
    )


@pytest.mark.parametrize("trick", [external_storage, external_link, virtual, bomb])
def test_hdf5_that_leads_to_other_files_is_not_followed(
    copy: Callable[[str], Path], tmp_path: Path, trick: Callable[[h5py.File, Path], None]
) -> None:
    """Versions 1 and 2 are read through HDF5, which would follow."""
    root = copy("v2-hdf5")
    secret = tmp_path / "secret.h5"
    shutil.copy(root / "train/00000.h5", secret)
    with h5py.File(root / "train/00000.h5", "r+") as file:
        del file["image"]
        trick(file, secret)
    forge_old(root)
    assert any("shard 0 of train" in one for one in verify_dataset(root))
    refused(root)


def forge_old(root: Path) -> None:
    document = json.loads((root / "dataset.json").read_text())
    for shard in document["shards"]:
        for file in shard["files"]:
            data = (root / file["path"]).read_bytes()
            file["bytes"], file["sha256"] = len(data), hashlib.sha256(data).hexdigest()
    (root / "dataset.json").write_text(json.dumps(document))


ZARR_FORGERIES = {
    "another shape": put("shape", value=[9, 160, 160, 3]),
    "a huge shape": put("shape", value=[9, HUGE, HUGE, 3]),
    "a huge chunk": put("codecs", 0, "configuration", "chunk_shape", value=[1, HUGE, HUGE, 3]),
    "another type": put("data_type", value="float64"),
    "objects": put("data_type", value="object"),
    "a group": put("node_type", value="group"),
    "a codec nobody has": put("codecs", value=[{"name": "pickle"}]),
    "no codec": put("codecs", value=[]),
    "deep": put("attributes", value=json.loads("[" * 400 + "]" * 400)),
    "chunks of zero": put("chunk_grid", "configuration", "chunk_shape", value=[0, 0, 0, 0]),
    "chunk names that lead out": put(
        "chunk_key_encoding", "configuration", "separator", value="/../../"
    ),
}


@pytest.mark.usefixtures("sparing")
@pytest.mark.parametrize("forgery", ZARR_FORGERIES)
def test_zarr_metadata_that_lies_is_refused_where_the_library_reads(
    copy: Callable[[str], Path], forgery: str
) -> None:
    root = copy("v3-zarr-none")
    document = json.loads((root / "dataset.json").read_text())
    document["recipe"]["codec"] = "other"
    (root / "dataset.json").write_text(json.dumps(document))
    read_all(root)  # zarr-python reads it
    path = root / "train/image/zarr.json"
    metadata = json.loads(path.read_text())
    ZARR_FORGERIES[forgery](metadata)
    path.write_text(json.dumps(metadata))
    if forgery == "deep":  # attributes are nobody's business
        read_all(root)
        assert verify_dataset(root) != []
    else:
        refused(root)


@pytest.mark.parametrize("table", ["patches.csv", "pictures.csv", "report.csv"])
@pytest.mark.parametrize(
    "text", ["", "\0", "index\n" * 3, '"' + "x" * 200_000, "9" * 5000 + "\n", "é\ud800"]
)
def test_a_plan_that_lies_is_a_problem_not_a_crash(
    copy: Callable[[str], Path], table: str, text: str
) -> None:
    """Its hashes are right everywhere."""
    root = copy("v3-zarr-none")
    (root / "plan" / table).write_bytes(text.encode("utf-8", "surrogatepass"))
    plan = json.loads((root / "plan/plan.json").read_text())
    plan["sha256"][table] = hashlib.sha256((root / "plan" / table).read_bytes()).hexdigest()
    (root / "plan/plan.json").write_text(json.dumps(plan))
    manifest = read_manifest(root)
    others = []
    for file in manifest.other_files:
        data = (root / file.path).read_bytes()
        others.append(replace(file, bytes=len(data), sha256=hashlib.sha256(data).hexdigest()))
    (root / "dataset.json").write_text(manifest_text(replace(manifest, other_files=tuple(others))))
    problems = verify_dataset(root)
    # the sums speak against it, and the table itself, except that reports may be of anything
    assert len(problems) >= (1 if table == "report.csv" else 2)
    read_all(root)  # the reader needs no plan


def test_nothing_is_unpickled() -> None:
    """A pickle runs whatever its author liked."""
    banned = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
    modules = sorted(Path(dunhuang_data.__file__).parent.rglob("*.py"))
    assert len(modules) > 50
    for path in modules:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found = {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found = {(node.module or "").split(".")[0]}
            elif isinstance(node, ast.keyword):
                allowed = (
                    node.arg == "allow_pickle" and ast.dump(node.value) != "Constant(value=False)"
                )
                found = {"pickle"} if allowed else set()
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                found = {"pickle"} if node.func.id in ("eval", "exec") else set()
            else:
                continue
            assert not found & banned, f"{path}:{node.lineno}"
