"""Verify finds what was altered, and names it."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import pytest

from drawings import SIZE
from dunhuang_data import format_hdf5
from dunhuang_data.build import build_dataset
from dunhuang_data.errors import DatasetError
from dunhuang_data.manifest import StoredFile, manifest_text, read_manifest
from dunhuang_data.mask_bank import open_bank
from dunhuang_data.plan import Patches, read_plan
from dunhuang_data.pouring import Provenance, finish
from dunhuang_data.reader import DatasetReader
from dunhuang_data.recipe import BuildRecipe
from dunhuang_data.shard_check import DEPTHS
from dunhuang_data.shard_jobs import write_shard
from dunhuang_data.shards import ShardPlace
from dunhuang_data.sums import sums
from dunhuang_data.verify import verify_dataset
from strange_dataset import PATCH, SHARD, strange_dataset

FORMATS = ("zarr", "hdf5")


def forge_hashes(root: Path) -> None:
    """Make manifest and sums say that the files are as they are now."""
    manifest = read_manifest(root)

    def now(file: StoredFile) -> StoredFile:
        data = (root / file.path).read_bytes()
        return StoredFile(file.path, len(data), hashlib.sha256(data).hexdigest())

    shards = tuple(replace(one, files=tuple(map(now, one.files))) for one in manifest.shards)
    forged = replace(manifest, shards=shards, other_files=tuple(map(now, manifest.other_files)))
    text = manifest_text(forged)
    (root / "dataset.json").write_text(text)
    listed = [(file.path, file.sha256) for file in forged.files()]
    own = hashlib.sha256(text.encode()).hexdigest()
    (root / "SHA256SUMS").write_text(sums([*listed, ("dataset.json", own)]))


@pytest.mark.parametrize("format", FORMATS)
def test_a_sound_dataset_has_no_problem(make_dataset: Callable[[str], Path], format: str) -> None:
    counted: list[tuple[int, int]] = []
    root = make_dataset(format)
    for depth in DEPTHS:
        counted.clear()
        assert verify_dataset(root, lambda *one: counted.append(one), depth) == []
        assert sum(samples for samples, _ in counted) == 48
    assert sum(count for _, count in counted) == read_manifest(root).bytes()
    assert verify_dataset(root, workers=2) == []


@pytest.mark.parametrize("format", FORMATS)
def test_every_altered_file_is_named(
    make_dataset: Callable[[str], Path], tmp_path: Path, format: str
) -> None:
    root = make_dataset(format)
    files = [file.path for file in read_manifest(root).files()]
    assert set(files) == {
        str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()
    } - {"dataset.json", "SHA256SUMS"}
    for number, path in enumerate(files):
        copy = shutil.copytree(root, tmp_path / str(number))
        data = bytearray((copy / path).read_bytes())
        data[(number * 7919) % len(data)] ^= 1 << number % 8
        (copy / path).write_bytes(data)
        problems = verify_dataset(copy)
        assert len(problems) == 1
        assert problems[0].startswith(f"{path} is not the file that was written")
    (copy / path).unlink()
    assert f"{path} is missing." in verify_dataset(copy)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("depth", DEPTHS)
def test_a_shard_behind_a_link_is_found(
    make_dataset: Callable[[str], Path], tmp_path: Path, format: str, depth: str
) -> None:
    root = make_dataset(format)
    copy = shutil.copytree(root, tmp_path / "copy")
    (copy / "val").rename(tmp_path / "val")
    (copy / "val").symlink_to(tmp_path / "val")
    file = next(one.files[0] for one in read_manifest(root).shards if one.split == "val")
    try:
        problems = verify_dataset(copy, depth=depth)
    except DatasetError as error:  # of Zarr the manifest names other files there
        problems = [str(error)]
        assert format == "zarr"
    else:
        assert any(one.startswith(file.path) and "behind a link" in one for one in problems)
    assert problems


@pytest.mark.parametrize("format", FORMATS)
def test_quick_finds_what_needs_no_samples(
    make_dataset: Callable[[str], Path], tmp_path: Path, format: str
) -> None:
    root = make_dataset(format)
    shards = read_manifest(root).shards
    one, other = (shard.files[0].path for shard in shards[:2])
    copy = shutil.copytree(root, tmp_path / "swapped")
    (copy / one).write_bytes((root / other).read_bytes())
    (copy / other).write_bytes((root / one).read_bytes())
    problems = verify_dataset(copy, depth="quick")
    assert [problem.split(": ")[0] for problem in problems] == [
        "shard 0 of train",
        "shard 1 of train",
    ]
    assert "is another shard's file" in problems[0]
    copy = shutil.copytree(root, tmp_path / "cut")
    with (copy / one).open("r+b") as stream:
        stream.truncate(1000)
    (copy / "croissant.json").write_text("{}")
    problems = verify_dataset(copy, depth="quick")
    assert [problem.split(" is not the file")[0] for problem in problems] == [
        "croissant.json",
        one,
    ]
    assert "(1,000 bytes, " in problems[1]


def test_a_flipped_bit_is_named_by_row_and_array(dataset: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(dataset, tmp_path / "copy")
    path = copy / "train/image/c.1.0.0.0"
    data = bytearray(path.read_bytes())
    data[2 * (3 * SIZE * SIZE + 4) + 100] ^= 4  # of the third sample of the second shard
    path.write_bytes(data)
    (problem,) = verify_dataset(copy)
    assert problem.endswith(" It is part of shard 1 of train: image of row 9 cannot be read.")


@pytest.mark.parametrize("format", FORMATS)
def test_samples_that_no_honest_build_writes_are_named(tmp_path: Path, format: str) -> None:
    """Hashes and checksums are right here; what they guard is not."""
    root = strange_dataset(tmp_path, format, damage=False)
    plan = read_plan(root / "plan")
    patches = Patches.listed(plan.patches)
    plan = replace(plan, patches=patches)  # the table is written again
    reader = DatasetReader(root, "train")
    train = tuple(patch for patch in patches if patch.split == "train")
    manifest = reader.manifest
    shard = manifest.shards[1]
    place = ShardPlace("train", 1, shard.samples, len(reader), PATCH, SHARD, "none")
    rows = range(SHARD, SHARD + shard.samples)
    arrays = reader.read_stored(rows)
    arrays["image"][1] = 0
    arrays["valid"][2, 5, -1] |= 1  # the 40th pixel of a row of 33
    samples = [{name: one[row] for name, one in arrays.items()} for row in range(len(rows))]
    made = write_shard(root, place, format, train[rows.start : rows.stop], samples)
    shards = (manifest.shards[0], made, *manifest.shards[2:])
    recipe = manifest.recipe
    finish(root, shards, Provenance(plan, recipe, manifest.build_id, manifest.masks_sha256, {}))
    assert verify_dataset(root) == verify_dataset(root, depth="full")
    first, second = verify_dataset(root)
    assert first == "shard 1 of train, row 6, valid: bits behind the last pixel are set."
    assert second.startswith("shard 1 of train, row 5, image: every value is 0. ")


def test_a_schema_that_is_not_the_formats_is_named(
    make_dataset: Callable[[str], Path], tmp_path: Path
) -> None:
    copy = shutil.copytree(make_dataset("zarr"), tmp_path / "zarr")
    path = copy / "val/valid/zarr.json"
    text = path.read_text().replace("1 = known pixel, 0 = hole", "1 = hole")
    path.write_text(text)
    forge_hashes(copy)
    assert verify_dataset(copy) == [
        "val/valid/zarr.json: attributes.meaning is '1 = hole', the format asks for "
        "'1 = known pixel, 0 = hole'."
    ]
    copy = shutil.copytree(make_dataset("hdf5"), tmp_path / "hdf5")
    with h5py.File(copy / "val/00000.h5", "r+") as file:
        file["damage"].attrs["pixels_per_row"] = 31
        file["image"].dims[1].label = "x"
    with h5py.File(copy / "dataset.h5", "r+") as file:
        file.attrs["build_id"] = "another"
    forge_hashes(copy)
    wrong = verify_dataset(copy)
    assert [one.split(", the format asks for ")[0] for one in wrong] == [
        "dataset.h5: the attribute build_id of the file is 'another'",
        "shard 0 of val: the naming of axes of image is ('sample', 'x', 'x', 'channel')",
        "shard 0 of val: the attribute pixels_per_row of damage is np.int64(31)",
    ]


def test_hdf5_that_finds_its_chunks_elsewhere_is_named(
    make_dataset: Callable[[str], Path], tmp_path: Path
) -> None:
    """The table in front of HDF5's data is right; HDF5's own index is not."""
    copy = shutil.copytree(make_dataset("hdf5"), tmp_path / "hdf5")
    path = copy / "val/00000.h5"
    with h5py.File(path) as file:
        places = [file["valid"].id.get_chunk_info(row).byte_offset for row in (0, 1)]
        block = file.userblock_size
    data = path.read_bytes()
    one, other = (int(place - block).to_bytes(8, "little") for place in places)
    body = data[block:]
    assert body.count(one) == body.count(other) == 1
    swapped = body.replace(one, b"--------").replace(other, one).replace(b"--------", other)
    path.write_bytes(data[:block] + swapped)
    forge_hashes(copy)
    problems = verify_dataset(copy)
    assert len(problems) == 2
    assert "row 0 of the shard, valid: HDF5 finds its chunk elsewhere" in problems[0]


def test_two_swapped_shards_are_found(dataset: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(dataset, tmp_path / "copy")
    one, two = copy / "train/image/c.0.0.0.0", copy / "train/image/c.1.0.0.0"
    data = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(data)
    assert len(verify_dataset(copy)) == 2


def test_content_is_checked_even_if_the_files_hashes_were_forged(
    dataset: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(dataset, tmp_path / "copy")
    document = json.loads((copy / "dataset.json").read_text())
    first, second = document["shards"]["train"][:2]
    first["content_sha256"], second["content_sha256"] = (
        second["content_sha256"],
        first["content_sha256"],
    )
    (copy / "dataset.json").write_text(json.dumps(document))
    problems = verify_dataset(copy)
    assert [problem.split(":")[0] for problem in problems] == [
        "dataset.json is not the file whose SHA-256 SHA256SUMS gives",
        "dataset.json",
        "shard 0 of train",
        "shard 1 of train",
    ]


def test_a_plan_that_is_not_the_datasets_is_found(dataset: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(dataset, tmp_path / "copy")
    (copy / "plan" / "patches.csv").write_text("index\n")
    problems = verify_dataset(copy)
    assert problems[0].startswith("plan/patches.csv is not the file that was written")


def test_a_picture_in_two_splits_is_found(plan_root: Path, bank_root: Path, tmp_path: Path) -> None:
    plan = read_plan(plan_root)
    row = next(row for row, patch in enumerate(plan.patches) if patch.split == "train")
    patches = list(plan.patches)
    patches[row] = replace(patches[row], split="test")
    leaking = replace(plan, patches=Patches.listed(patches))
    build_dataset(leaking, open_bank(bank_root), tmp_path / "shards", BuildRecipe("hdf5"))
    assert verify_dataset(tmp_path / "shards") == [
        f"picture {patches[row].picture_id!r} has patches in test and train."
    ]


@pytest.mark.parametrize(
    ("forge", "sentence"),
    [
        (
            lambda d: (d["shards"]["train"].pop(), d["samples"].update(train=21)),
            "train has 21 samples, the plan 24.",
        ),
        (lambda d: d.update(content_sha256="0" * 64), "content_sha256 is not that of its shards"),
        (lambda d: d.update(other_files=[]), "does not list plan/patches.csv"),
    ],
)
def test_a_forged_manifest_is_found(
    dataset: Path, tmp_path: Path, forge: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    copy = shutil.copytree(dataset, tmp_path / "copy")
    document = json.loads((copy / "dataset.json").read_text())
    forge(document)
    (copy / "dataset.json").write_text(json.dumps(document))
    assert any(sentence in problem for problem in verify_dataset(copy))


def test_a_plan_of_other_places_is_found_though_every_hash_was_forged(
    dataset: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(dataset, tmp_path / "copy")
    table, marker = copy / "plan/patches.csv", copy / "plan/plan.json"
    lines = table.read_text().splitlines(keepends=True)
    number = next(n for n, line in enumerate(lines) if ",val," in line)
    lines[number] = lines[number].replace(",val,0,", ",val,1,")
    table.write_text("".join(lines))
    plan = json.loads(marker.read_text())
    plan["sha256"]["patches.csv"] = hashlib.sha256(table.read_bytes()).hexdigest()
    plan["recipe"]["seed"] = 99
    marker.write_text(json.dumps(plan))
    forge_hashes(copy)
    assert verify_dataset(copy) == [
        "dataset.json: plan_recipe is not that of plan/plan.json.",
        "shard 0 of val: its arrays or its rows of the plan are not those that were written.",
    ]


def test_a_virtual_dataset_over_other_shards_is_found(
    make_dataset: Callable[[str], Path], tmp_path: Path
) -> None:
    copy = shutil.copytree(make_dataset("hdf5"), tmp_path / "copy")
    manifest = read_manifest(copy)
    other = format_hdf5.metadata(manifest.totals(), SIZE, 8, "none", manifest.build_id)
    (copy / "dataset.h5").write_bytes(other["dataset.h5"])
    forge_hashes(copy)
    problems = verify_dataset(copy)
    assert len(problems) == 6  # three arrays of the two splits that have more than one shard
    assert problems[0] == (
        "dataset.h5: train/image does not lie over the 4 shards of train, in their order."
    )


def test_full_reads_as_others_do(tmp_path: Path) -> None:
    """Our reader does not ask zarr.json how images are coded; zarr-python does."""
    golden = Path(__file__).parents[1] / "golden/v3-zarr-lossless"
    copy = shutil.copytree(golden, tmp_path / "copy")
    path = copy / "train/image/zarr.json"
    text = path.read_text()
    levels = re.search(r'"levels": (\d+)', text)
    assert levels is not None
    path.write_text(text.replace(levels[0], '"levels": 1'))
    forge_hashes(copy)
    assert len(verify_dataset(copy)) == 1  # that zarr.json says so
    problems = verify_dataset(copy, depth="full")
    assert problems[1] == (
        "shard 0 of train, rows 0, 1, 2, 3, image: the container's own library reads other values."
    )
