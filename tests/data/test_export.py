"""A dataset in other layouts: the same pixels, the polarity said, names that cannot be confused."""

import csv
import errno
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from dunhuang_data.errors import DatasetError, OutputError, OutputExistsError, UsageProblem
from dunhuang_data.executors import run_jobs
from dunhuang_data.export import ExportRecipe
from dunhuang_data.export.coding import image_bytes, mask_png
from dunhuang_data.export.folder import write_block
from dunhuang_data.export.mds import _refuse_too_large
from dunhuang_data.export.samples import ExportJob
from dunhuang_data.export.writing import export_dataset, open_source
from dunhuang_data.plan import read_plan
from dunhuang_data.reader import DatasetReader
from dunhuang_data.types import (
    SPLITS,
    Augmentation,
    PatchSpec,
    Picture,
    Samples,
    Split,
    UInt8Array,
    as_split,
)
from strange_dataset import PATCH, RIGHTS, strange_dataset


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, bool], Path]:
    """Return a function that builds the strange dataset in a format, once."""
    found: dict[tuple[str, bool], Path] = {}

    def make(format: str, damage: bool) -> Path:
        if (format, damage) not in found:
            folder = tmp_path_factory.mktemp("strange")
            found[format, damage] = strange_dataset(folder, format, damage)
        return found[format, damage]

    return make


@pytest.fixture(autouse=True)
def few_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard is read in several goes."""
    monkeypatch.setattr("dunhuang_data.export.samples.ROWS_AT_ONCE", 3)


def export(root: Path, out: Path, recipe: ExportRecipe, workers: int = 1) -> Path:
    export_dataset(open_source(root, recipe), out, workers=workers)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def read(root: Path, split: Split) -> Samples:
    reader = DatasetReader(root, split)
    return reader.read(range(len(reader)))


def decoded(data: bytes) -> UInt8Array:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    return np.asarray(pixels, np.uint8)


def grey(data: bytes) -> UInt8Array:
    pixels = decoded(data)
    assert pixels.shape == (PATCH, PATCH)
    assert set(np.unique(pixels)) <= {0, 255}
    return pixels


def rgb(data: bytes) -> UInt8Array:
    return decoded(data)[..., ::-1]


def members(tar: Path) -> dict[str, bytes]:
    with tarfile.open(tar) as opened:
        return {one.name: opened.extractfile(one).read() for one in opened}  # type: ignore[union-attr]


@pytest.mark.parametrize(("format", "damage"), [("zarr", True), ("hdf5", True), ("zarr", False)])
def test_webdataset_holds_every_sample_under_one_key(
    made: Callable[[str, bool], Path], tmp_path: Path, format: str, damage: bool
) -> None:
    root = made(format, damage)
    out = export(root, tmp_path / "out", ExportRecipe("webdataset"))
    patches = list(read_plan(root / "plan").patches)
    for split in SPLITS:
        tars = sorted(out.glob(f"{split}-*.tar"))
        assert [one.name for one in tars] == [
            f"{split}-{number:06d}.tar" for number in range(len(tars))
        ]
        found: dict[str, bytes] = {}
        for tar in tars:
            assert len(members(tar)) <= 4 * 4  # samples of a shard, members of a sample
            found |= members(tar)
        samples = read(root, split)
        planned = [patch for patch in patches if patch.split == split]
        assert len(samples.image) == len(planned)
        for row, patch in enumerate(planned):
            key = f"{split}-{row:08d}"
            assert np.array_equal(rgb(found[f"{key}.image.png"]), samples.image[row])
            assert np.array_equal(grey(found[f"{key}.valid.png"]) // 255, samples.valid[row])
            assert np.array_equal(grey(found[f"{key}.damage.png"]) // 255, samples.damage[row])
            said = json.loads(found[f"{key}.json"])
            assert (said["picture_id"], said["index"]) == (patch.picture_id, patch.index)
            assert said["center_yx"] == list(patch.center_yx)
            assert said["angle_deg"] == patch.augmentation.angle_deg
            assert said["masks"]["valid"] == "white (255) = known pixel, black (0) = hole"
            assert said["rights"] == RIGHTS.get(patch.picture_id, {}).get("rights", "")
            assert said["hole_ratio"] == pytest.approx(1 - samples.valid[row].mean(), abs=1e-6)
        assert damage == bool(samples.damage.any())


def test_tar_headers_say_neither_when_nor_who(
    made: Callable[[str, bool], Path], tmp_path: Path
) -> None:
    out = export(made("zarr", True), tmp_path / "out", ExportRecipe(splits=("val",)))
    (path,) = out.glob("*.tar")
    assert path.read_bytes()[257:265] == b"ustar\x0000"  # the form that POSIX fixed in 1988
    with tarfile.open(path) as tar:
        for one in tar:
            assert (one.mtime, one.uid, one.gid, one.uname, one.gname) == (0, 0, 0, "", "")
            assert one.mode == 0o644
            assert one.name.count("/") == 0


def test_raw_images_are_arrays(made: Callable[[str, bool], Path], tmp_path: Path) -> None:
    root = made("zarr", True)
    out = export(root, tmp_path / "out", ExportRecipe("webdataset", ("test",), "raw", 6))
    found = members(out / "test-000000.tar")
    samples = read(root, "test")
    for name, stored in (("image", samples.image), ("valid", samples.valid)):
        array = np.load(io.BytesIO(found[f"test-00000005.{name}.npy"]), allow_pickle=False)
        assert np.array_equal(array, stored[5])
    assert json.loads(found["test-00000005.json"])["masks"]["valid"] == "1 = known pixel, 0 = hole"


def test_the_folder_tree_keeps_images_and_masks_apart(
    made: Callable[[str, bool], Path], tmp_path: Path
) -> None:
    root = made("hdf5", True)
    patches = list(read_plan(root / "plan").patches)
    out = export(root, tmp_path / "out", ExportRecipe("folder"))
    with (out / "samples.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    places = [(SPLITS.index(as_split(row["split"])), int(row["row"])) for row in rows]
    assert len(rows) == 24
    assert places == sorted(places)
    for split in SPLITS:
        samples, here = read(root, split), [row for row in rows if row["split"] == split]
        for name in ("image", "valid", "damage"):
            below = {
                path.relative_to(out).as_posix() for path in (out / split / name).rglob("*.png")
            }
            assert below == {row[name] for row in here}
        for row in here:
            place = int(row["row"])
            assert row["image"] == f"{split}/image/{row['picture_id']}/{place:08d}.png"
            assert np.array_equal(rgb((out / row["image"]).read_bytes()), samples.image[place])
            known = grey((out / row["valid"]).read_bytes()) == 255
            assert np.array_equal(known, samples.valid[place])
            damaged = grey((out / row["damage"]).read_bytes()) == 255
            assert np.array_equal(damaged, samples.damage[place])
            assert float(row["damage_ratio"]) == pytest.approx(damaged.mean(), abs=1e-6)
    assert {row["picture_id"] for row in rows} >= {"a/wall", "b/wall", "北壁/飞天 1", "007", "NA"}
    for row, patch in zip(sorted(rows, key=lambda row: int(row["index"])), patches, strict=True):
        turn = patch.augmentation
        assert (row["picture_id"], row["split"]) == (patch.picture_id, patch.split)
        assert (int(row["center_y"]), int(row["center_x"])) == patch.center_yx
        assert (row["flip"] == "1", float(row["angle_deg"])) == (turn.flip, turn.angle_deg)
        stated = RIGHTS.get(patch.picture_id, {"rights": "", "attribution": ""})
        assert {name: row[name] for name in stated} == stated
    document = json.loads((out / "export.json").read_text())
    assert document["masks"]["valid"] == "white (255) = known pixel, black (0) = hole"


def test_lama_gets_white_holes_beside_their_images(
    made: Callable[[str, bool], Path], tmp_path: Path
) -> None:
    root = made("zarr", True)
    out = export(root, tmp_path / "out", ExportRecipe("lama"))
    samples = read(root, "val")
    assert sorted(path.name for path in (out / "val").iterdir()) == [
        name for row in range(3) for name in (f"{row:08d}.png", f"{row:08d}_mask000.png")
    ]
    for row in range(3):
        hole = grey((out / "val" / f"{row:08d}_mask000.png").read_bytes()) == 255
        assert np.array_equal(hole, samples.valid[row] == 0)
        assert 0 < hole.mean() < 0.5
        image = (out / "val" / f"{row:08d}.png").read_bytes()
        assert np.array_equal(rgb(image), samples.image[row])
    train = sorted((out / "train").iterdir())
    assert [path.name for path in train] == [f"{row:08d}.jpg" for row in range(15)]
    target = read(root, "train").image[14].astype(int)
    off = np.abs(rgb(train[14].read_bytes()).astype(int) - target)
    assert 0 < off.mean() < 4  # a JPEG of high quality, not the pixels themselves
    assert len(list((out / "eval").glob("*_mask000.png"))) == 6
    document = json.loads((out / "export.json").read_text())
    assert document["masks"] == {"*_mask000.png": "white (255) = hole, black (0) = known pixel"}
    assert not document["images_lossless"]
    with (out / "samples.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "val"]
    assert [row["hole"] for row in rows] == [f"val/{row:08d}_mask000.png" for row in range(3)]


def test_an_mds_shard_is_as_its_reader_takes_it_apart(
    made: Callable[[str, bool], Path], tmp_path: Path
) -> None:
    """By hand, as streaming's MDSReader does; tests/interop lets it do so itself."""
    root = made("zarr", True)
    out = export(root, tmp_path / "out", ExportRecipe("mds", ("train",), "raw"))
    index = json.loads((out / "train" / "index.json").read_text())
    assert [shard["samples"] for shard in index["shards"]] == [4, 4, 4, 3]
    samples = read(root, "train")
    shard = index["shards"][3]
    data = (out / "train" / shard["raw_data"]["basename"]).read_bytes()
    assert len(data) == shard["raw_data"]["bytes"]
    assert shard["column_names"] == ["damage", "image", "patch", "valid"]
    count, *ends = np.frombuffer(data[: 4 * 5], "<u4").tolist()
    assert (count, ends[-1]) == (3, len(data))
    columns = json.loads(data[4 * 5 : ends[0]])
    assert columns == {name: shard[name] for name in columns}
    for place in range(3):
        sample = data[ends[place] : ends[place + 1]]
        (patch_bytes,) = np.frombuffer(sample[:4], "<u4").tolist()
        assert patch_bytes == len(sample) - 4 - 5 * PATCH**2
        damage = np.frombuffer(sample[4 : 4 + PATCH**2], np.uint8).reshape(PATCH, PATCH)
        assert np.array_equal(damage, samples.damage[12 + place])
        valid = np.frombuffer(sample[-(PATCH**2) :], np.uint8).reshape(PATCH, PATCH)
        assert np.array_equal(valid, samples.valid[12 + place])
        patch = json.loads(sample[4 + 4 * PATCH**2 : -(PATCH**2)])
        assert (patch["row"], patch["masks"]["valid"]) == (12 + place, "1 = known pixel, 0 = hole")


def test_an_mds_shard_beyond_four_gigabytes_is_refused() -> None:
    job = ExportJob(Path(), "", Path(), ExportRecipe("mds"), "train", 0, 0, (), ())
    _refuse_too_large(2**32 - 1, job)
    with pytest.raises(UsageProblem, match="Give a smaller --shard-size"):
        _refuse_too_large(2**32, job)


@pytest.mark.parametrize("layout", ["webdataset", "mds", "folder", "lama"])
def test_any_number_of_workers_and_either_format_give_the_same_bytes(
    made: Callable[[str, bool], Path], tmp_path: Path, layout: str
) -> None:
    recipe = ExportRecipe(layout, ("val", "train") if layout == "lama" else ())
    alone = contents(export(made("zarr", True), tmp_path / "alone", recipe))
    other = made("hdf5", True) if layout != "webdataset" else made("zarr", True)
    workers = 2 if layout == "webdataset" else 1
    again = contents(export(other, tmp_path / "again", recipe, workers))
    ours = json.loads(alone.pop("export.json")), json.loads(again.pop("export.json"))
    assert ours[0]["dataset"]["content_sha256"] == ours[1]["dataset"]["content_sha256"]
    sums = alone.pop("SHA256SUMS").decode(), again.pop("SHA256SUMS").decode()
    assert alone == again
    listed = [{line.split("  ", 1)[1] for line in text.splitlines()} for text in sums]
    assert listed == [{*alone, "export.json"}] * 2


@pytest.mark.parametrize("layout", ["mds", "folder"])
def test_documents_are_there_when_the_folder_is_and_are_in_its_sums(
    made: Callable[[str, bool], Path], tmp_path: Path, layout: str
) -> None:
    source, out = open_source(made("zarr", False), ExportRecipe(layout, ("val",))), tmp_path / "out"
    files = export_dataset(source, out, documents={"run.toml": "层 = 1\n"})
    assert (out / "run.toml").read_text(encoding="utf-8") == "层 = 1\n"
    named = {line.split("  ", 1)[1] for line in (out / "SHA256SUMS").read_text().splitlines()}
    assert named == {file.path for file in files} == {*contents(out)} - {"SHA256SUMS"}
    (record,) = [file for file in files if file.path == "run.toml"]
    data = (out / "run.toml").read_bytes()
    assert (record.bytes, record.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_shards_are_as_large_as_asked(made: Callable[[str, bool], Path], tmp_path: Path) -> None:
    recipe = ExportRecipe("webdataset", ("train",), shard_size=7)
    out = export(made("zarr", False), tmp_path / "out", recipe)
    keys = [
        sorted({name.split(".")[0] for name in members(tar)}) for tar in sorted(out.glob("*.tar"))
    ]
    assert [len(one) for one in keys] == [7, 7, 1]
    assert keys[2] == ["train-00000014"]
    assert json.loads((out / "export.json").read_text())["recipe"]["shard_size"] == 7


def test_blocks_may_be_done_in_any_order(
    made: Callable[[str, bool], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dunhuang_data.export import writing

    root = made("zarr", False)
    for layout in ("mds", "folder"):
        recipe = ExportRecipe(layout)
        alone = export(root, tmp_path / f"{layout}-forwards", recipe)
        with monkeypatch.context() as patched:
            patched.setattr(writing, "run_jobs", lambda *one: reversed(list(run_jobs(*one))))
            again = export(root, tmp_path / f"{layout}-backwards", recipe)
        assert contents(alone) == contents(again)


def test_what_was_lost_is_said(made: Callable[[str, bool], Path], tmp_path: Path) -> None:
    for image_format, lossless in (("png", True), ("jpg", False)):
        recipe = ExportRecipe("webdataset", ("val",), image_format)
        out = export(made("zarr", False), tmp_path / image_format, recipe)
        assert json.loads((out / "export.json").read_text())["images_lossless"] is lossless


def test_a_plan_of_another_dataset_is_noticed(
    made: Callable[[str, bool], Path], dataset: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(made("zarr", False), tmp_path / "shards")
    shutil.rmtree(root / "plan")
    shutil.copytree(dataset / "plan", root / "plan")
    with pytest.raises(DatasetError, match="has 15 samples in train, and its plan 24 patches"):
        open_source(root, ExportRecipe())


def test_what_makes_no_sense_is_refused(made: Callable[[str, bool], Path], tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="--to is 'tar'; expected one of webdataset, mds"):
        ExportRecipe("tar")
    with pytest.raises(UsageProblem, match="readers of lama expect png"):
        ExportRecipe("lama", image_format="jpg")
    with pytest.raises(UsageProblem, match="--shard-size is -1"):
        ExportRecipe(shard_size=-1)
    with pytest.raises(DatasetError, match="is not a whole dataset"):
        open_source(tmp_path, ExportRecipe())


def test_a_shard_that_is_gone_is_said_before_anything_is_written(
    made: Callable[[str, bool], Path], tmp_path: Path
) -> None:
    root = shutil.copytree(made("hdf5", False), tmp_path / "shards")
    (root / "test" / "00001.h5").unlink()
    with pytest.raises(DatasetError, match=r"00001\.h5 is missing"):
        open_source(root, ExportRecipe())
    open_source(root, ExportRecipe(splits=("train",)))


def test_nothing_is_left_when_a_shard_cannot_be_read(
    made: Callable[[str, bool], Path], tmp_path: Path
) -> None:
    root = shutil.copytree(made("zarr", True), tmp_path / "shards")
    path = root / "train" / "image" / "c.2.0.0.0"
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    recipe = ExportRecipe("folder")
    with pytest.raises(DatasetError, match="dunhuang-data verify"):
        export_dataset(open_source(root, recipe), tmp_path / "out")
    assert [one.name for one in tmp_path.iterdir()] == ["shards"]


def test_a_picture_whose_name_leads_out_of_the_folder_is_refused(
    made: Callable[[str, bool], Path], tmp_path: Path
) -> None:
    root = made("zarr", True)
    content = DatasetReader(root, "val").manifest.content_sha256
    for name in ("../../out", "/etc/wall", "a//b", "a/./b"):
        patch = PatchSpec(0, name, (20, 20), "val", Augmentation(), 0.0)
        picture = Picture(name, "x.png", 60, 70, "")
        recipe = ExportRecipe("folder")
        out = tmp_path / "out"
        job = ExportJob(root, content, out, recipe, "val", 0, 0, (patch,), (picture,))
        with pytest.raises(DatasetError, match="which is no path below a folder"):
            write_block(job)
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_that_is_replaced_meanwhile_is_noticed(
    made: Callable[[str, bool], Path], tmp_path: Path
) -> None:
    patch = PatchSpec(0, "a", (20, 20), "val", Augmentation(), 0.0)
    job = ExportJob(
        made("zarr", True), "other", tmp_path, ExportRecipe("folder"), "val", 0, 0, (patch,),
        (Picture("a", "a.png", 60, 70, ""),),
    )  # fmt: skip
    with pytest.raises(DatasetError, match="was replaced by another dataset"):
        write_block(job)


def test_an_export_is_replaced_only_by_an_export(
    made: Callable[[str, bool], Path], tmp_path: Path
) -> None:
    recipe = ExportRecipe("folder", ("val",))
    source = open_source(made("zarr", True), recipe)
    out = export(source.root, tmp_path / "out", recipe)
    with pytest.raises(OutputExistsError, match="Give --overwrite"):
        export_dataset(source, out)
    other = open_source(source.root, ExportRecipe("webdataset", ("val",)))
    export_dataset(other, out, overwrite=True)  # also of another layout
    assert sorted(contents(out)) == ["SHA256SUMS", "export.json", "val-000000.tar"]
    (out / "mine.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"also holds mine\.txt"):
        export_dataset(other, out, overwrite=True)


@pytest.mark.parametrize("layout", ["webdataset", "folder"])
def test_a_full_disk_leaves_nothing_and_names_the_folder_asked_for(
    made: Callable[[str, bool], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    layout: str,
) -> None:
    recipe = ExportRecipe(layout, ("val",))
    source = open_source(made("zarr", False), recipe)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(f"dunhuang_data.export.{layout}.mask_png", full)
    with pytest.raises(OutputError, match=f"Could not write {tmp_path}/out: No space left"):
        export_dataset(source, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_picture_named_like_a_file_of_another_ends_with_a_sentence(
    made: Callable[[str, bool], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = iter(["a", "a/00000000.png", "c"])
    monkeypatch.setattr("dunhuang_data.export.folder._safe", lambda _name: next(names))
    with pytest.raises(OutputError, match=f"Could not write {tmp_path}/out: File exists"):
        export(made("zarr", False), tmp_path / "out", ExportRecipe("folder", ("val",)))


def test_png_keeps_pixels_and_their_order() -> None:
    image = np.zeros((5, 7, 3), np.uint8)
    image[2, 3] = (250, 120, 10)
    assert np.array_equal(rgb(image_bytes(image, "png")), image)
    y_x = np.unravel_index(rgb(image_bytes(image, "jpg"))[..., 0].argmax(), (5, 7))
    assert tuple(map(int, y_x)) == (2, 3)
    mask = np.eye(4, 6, dtype=np.uint8)
    assert np.array_equal(decoded(mask_png(mask)), mask * 255)
