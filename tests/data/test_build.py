"""The build: same bytes however it runs, whole or absent, and it continues where it stopped."""

import errno
import filecmp
import json
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
import zarr

from build_server import BuildServer
from drawings import SIZE, TINY_PLAN, write_pictures
from dunhuang_data.build import build_dataset, dataset_bytes, worker_bytes, workers_that_fit
from dunhuang_data.errors import (
    DataProblem,
    DatasetError,
    EnvironmentProblem,
    MaskError,
    OutputError,
    OutputExistsError,
    PictureError,
    UsageProblem,
)
from dunhuang_data.manifest import DatasetManifest, read_manifest
from dunhuang_data.mask_bank import MaskBank, open_bank, write_bank
from dunhuang_data.mask_recipe import MaskRecipe
from dunhuang_data.pictures import read_picture
from dunhuang_data.plan import PatchPlan, make_plan
from dunhuang_data.polarity import unpack
from dunhuang_data.reader import DatasetReader
from dunhuang_data.recipe import BuildRecipe
from dunhuang_data.render import ArrayPicture, render_patch
from dunhuang_data.replay import PlannedPicture, open_planned
from dunhuang_data.rng import raw_words, rng_for
from dunhuang_data.shard_jobs import make_shard
from dunhuang_data.types import SPLITS, Picture
from dunhuang_data.verify import verify_dataset

FORMATS = ("zarr", "hdf5")


@pytest.fixture
def plan(pictures: Path) -> PatchPlan:
    return make_plan([pictures], TINY_PLAN)


@pytest.fixture
def bank(bank_root: Path) -> MaskBank:
    return open_bank(bank_root)


def same_files(one: Path, other: Path) -> bool:
    def names(root: Path) -> list[str]:
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())

    equal, _, _ = filecmp.cmpfiles(one, other, names(one), shallow=False)
    return equal == names(one) == names(other)


@pytest.mark.parametrize("format", FORMATS)
def test_every_sample_is_its_patch_its_mask_and_its_damage(
    make_dataset: Callable[[str], Path], plan: PatchPlan, bank: MaskBank, format: str
) -> None:
    root = make_dataset(format)
    for split in SPLITS:
        patches = [patch for patch in plan.patches if patch.split == split]
        reader = DatasetReader(root, split)
        samples = reader.read(range(len(reader)))
        assert len(patches) == len(reader)
        for row, patch in enumerate(patches):
            picture = next(one for one in plan.pictures if one.id == patch.picture_id)
            pixels = read_picture(plan.pictures_root / picture.file)
            image, damage = render_patch(
                ArrayPicture(pixels), patch.center_yx, SIZE, patch.augmentation
            )
            assert np.array_equal(samples.image[row], image)
            assert np.array_equal(samples.damage[row], damage)
            assert np.array_equal(samples.valid[row], bank.read(patch.index))


def test_both_formats_have_one_content_hash(make_dataset: Callable[[str], Path]) -> None:
    manifests = [read_manifest(make_dataset(format)) for format in FORMATS]
    assert manifests[0].content_sha256 == manifests[1].content_sha256
    assert [shard.content_sha256 for shard in manifests[0].shards] == [
        shard.content_sha256 for shard in manifests[1].shards
    ]


def test_plain_zarr_reads_it(make_dataset: Callable[[str], Path]) -> None:
    root = make_dataset("zarr")
    group = zarr.open_group(root, mode="r")
    samples = DatasetReader(root, "train").read([5])
    image, valid = group["train/image"], group["train/valid"]
    assert isinstance(image, zarr.Array)
    assert isinstance(valid, zarr.Array)
    assert image.shape == (24, SIZE, SIZE, 3)
    assert image.chunks == (1, SIZE, SIZE, 3)
    assert image.metadata.dimension_names == ("sample", "y", "x", "channel")  # type: ignore[union-attr]
    assert valid.attrs["meaning"] == "1 = known pixel, 0 = hole"
    assert np.array_equal(image[5], samples.image[0])
    assert np.array_equal(unpack(np.asarray(valid[5]), SIZE), samples.valid[0])


def test_plain_h5py_reads_it(make_dataset: Callable[[str], Path]) -> None:
    root = make_dataset("hdf5")
    samples = DatasetReader(root, "train").read([8])
    with h5py.File(root / "train" / "00001.h5") as file:
        assert file["image"].chunks == (1, SIZE, SIZE, 3)
        assert [dimension.label for dimension in file["valid"].dims] == ["sample", "y", "x_byte"]
        assert file["valid"].attrs["meaning"] == "1 = known pixel, 0 = hole"
        assert file.attrs["first_row"] == 7
        assert np.array_equal(file["image"][1], samples.image[0])


@pytest.mark.parametrize("format", FORMATS)
def test_two_workers_write_the_bytes_of_one(
    make_dataset: Callable[[str], Path],
    plan: PatchPlan,
    bank: MaskBank,
    tmp_path: Path,
    format: str,
) -> None:
    build_dataset(plan, bank, tmp_path / "two", BuildRecipe(format, 7), workers=2)
    assert same_files(tmp_path / "two", make_dataset(format))


def test_a_dataset_does_not_know_where_it_was_made(
    dataset: Path, bank: MaskBank, tmp_path: Path
) -> None:
    elsewhere = write_pictures(tmp_path / "elsewhere" / "again")
    build_dataset(make_plan([elsewhere], TINY_PLAN), bank, tmp_path / "b", BuildRecipe("zarr", 7))
    assert same_files(tmp_path / "b", dataset)


@pytest.mark.parametrize("format", FORMATS)
def test_an_interrupted_build_continues(
    make_dataset: Callable[[str], Path],
    plan: PatchPlan,
    bank: MaskBank,
    tmp_path: Path,
    format: str,
) -> None:
    recipe, out = BuildRecipe(format, 7), tmp_path / "out"
    done = []

    def stop(count: int, _bytes: int) -> None:
        done.append(count)
        if sum(done) >= 14:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_dataset(plan, bank, out, recipe, progress=stop)
    assert not out.exists()
    building = tmp_path / "out.building"
    assert len(list((building / "state").iterdir())) == 2
    # one of the two whole shards is damaged: it is made again, the other is kept
    record = json.loads(min((building / "state").iterdir()).read_text())
    shard = building / record["files"][0]["path"]
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    counted: list[int] = []
    build_dataset(plan, bank, out, recipe, progress=lambda count, _: counted.append(count))
    assert counted[0] == 7
    assert sum(counted) == len(plan.patches)
    assert not building.exists()
    assert same_files(out, make_dataset(format))


KILLS = {("zarr", 1): 17, ("hdf5", 1): 17, ("zarr", 2): 8, ("hdf5", 2): 8}


@pytest.fixture(scope="module")
def server() -> Iterator[BuildServer]:
    with BuildServer() as started:
        yield started


def check_nothing_half_done(building: Path, whole: Path) -> None:
    """See that every final name in an unfinished build is that of a whole file."""
    for path in building.rglob("*") if building.exists() else ():
        name = path.relative_to(building)
        hidden = any(part.startswith(".") and ".partial-" in part for part in name.parts)
        if hidden or path.is_dir():
            continue
        if name.parts[0] in ("state", "build.json"):
            assert json.loads(path.read_text())
        else:
            assert path.read_bytes() == (whole / name).read_bytes(), name


@pytest.mark.parametrize(("format", "workers"), KILLS)
def test_killed_at_any_moment_it_ends_with_the_same_bytes(
    make_dataset: Callable[[str], Path],
    server: BuildServer,
    plan_root: Path,
    bank_root: Path,
    tmp_path: Path,
    format: str,
    workers: int,
) -> None:
    whole, kills = make_dataset(format), KILLS[format, workers]
    server.build(plan_root, bank_root, tmp_path / "warm", format, workers=workers)
    once = server.build(plan_root, bank_root, tmp_path / "once", format, workers=workers)
    assert once["error"] == ""
    assert same_files(tmp_path / "once", whole)
    words = raw_words(rng_for(11, "kill", format, workers), 40 * kills) >> np.uint64(11)
    killed, out, seconds = 0, tmp_path / "0", once["seconds"]
    for number, word in enumerate(words.tolist()):
        if killed == kills:
            break
        share = (killed + word / 2**53) / kills  # spread over all its duration
        outcome = server.build(
            plan_root, bank_root, out, format,
            workers=workers, kill_after=share * seconds,
        )  # fmt: skip
        assert outcome["error"] == ""
        assert not outcome["orphans"]
        killed += outcome["killed"]
        if not outcome["killed"]:  # the machine was slower when the whole build was timed
            seconds *= 0.8
        check_nothing_half_done(Path(f"{out}.building"), whole)
        if out.exists():
            assert not (out / "build.json").exists() or outcome["killed"]
            server.build(plan_root, bank_root, out, format)  # an unfinished end is finished
            assert same_files(out, whole)
            out = tmp_path / str(number + 1)
    assert killed == kills
    if not out.exists():
        assert server.build(plan_root, bank_root, out, format)["error"] == ""
    assert same_files(out, whole)
    assert not list(tmp_path.glob("*.building"))


def test_killed_just_before_the_last_rename_it_only_renames(
    dataset: Path, plan: PatchPlan, bank: MaskBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, out = BuildRecipe("zarr", 7), tmp_path / "out"

    def killed(*paths: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("dunhuang_data.growth.replace_folder", killed)
        with pytest.raises(KeyboardInterrupt):
            build_dataset(plan, bank, out, recipe)
    made: list[int] = []
    build_dataset(plan, bank, out, recipe, progress=lambda count, _: made.append(count))
    assert made == []
    assert same_files(out, dataset)


def test_an_interrupted_build_of_something_else_is_not_continued(
    plan: PatchPlan, bank: MaskBank, tmp_path: Path
) -> None:
    def stop(count: int, _bytes: int) -> None:
        if count:
            raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        build_dataset(plan, bank, out, BuildRecipe("zarr", 7), progress=stop)
    with pytest.raises(
        OutputExistsError, match="interrupted build of another plan, bank or recipe"
    ):
        build_dataset(plan, bank, out, BuildRecipe("hdf5", 7))
    build_dataset(plan, bank, out, BuildRecipe("hdf5", 7), overwrite=True)
    assert verify_dataset(out) == []


def test_a_dataset_is_replaced_only_when_asked_and_only_by_a_whole_one(
    plan: PatchPlan, bank: MaskBank, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = build_dataset(plan, bank, out, BuildRecipe("hdf5", 20))
    with pytest.raises(OutputExistsError, match=r"already holds an output \(dataset\.json\)"):
        build_dataset(plan, bank, out, BuildRecipe("hdf5", 10))

    def stop(count: int, _bytes: int) -> None:
        if count:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_dataset(plan, bank, out, BuildRecipe("hdf5", 10), overwrite=True, progress=stop)
    assert read_manifest(out) == first
    second = build_dataset(plan, bank, out, BuildRecipe("hdf5", 10), overwrite=True)
    assert isinstance(second, DatasetManifest)
    assert len(second.shards) > len(first.shards)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_of_other_things_is_never_replaced(
    plan: PatchPlan, bank: MaskBank, tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputExistsError, match="holds files that are not an output of this"):
        build_dataset(plan, bank, tmp_path, BuildRecipe(), overwrite=True)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_bank_that_does_not_fit_is_a_sentence(plan: PatchPlan, tmp_path: Path) -> None:
    write_bank(MaskRecipe((SIZE, SIZE), (10, 10), 20), tmp_path / "few")
    with pytest.raises(MaskError, match=r"has 20 masks for 48 patches.*--count 48"):
        build_dataset(plan, open_bank(tmp_path / "few"), tmp_path / "out", BuildRecipe())
    write_bank(MaskRecipe((SIZE, SIZE + 8), (10, 10), 48), tmp_path / "wide")
    with pytest.raises(MaskError, match=r"are 32 x 40 px, the patches 32 x 32 px.*--size 32"):
        build_dataset(plan, open_bank(tmp_path / "wide"), tmp_path / "out", BuildRecipe())


def test_a_changed_or_missing_picture_is_a_sentence(bank: MaskBank, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pictures")
    plan = make_plan([folder], TINY_PLAN)
    shutil.copy(folder / "niche-7.png", folder / "niche-8.png")
    with pytest.raises(PictureError, match=r"niche-8\.png has changed since the plan was made"):
        build_dataset(plan, bank, tmp_path / "out", BuildRecipe())
    (folder / "niche-8.png").unlink()
    with pytest.raises(PictureError, match=r"needs .*niche-8\.png, which is not there.*--pictures"):
        build_dataset(plan, bank, tmp_path / "out", BuildRecipe())
    assert not (tmp_path / "out").exists()
    moved = replace(plan, pictures_root=tmp_path / "nowhere")
    with pytest.raises(PictureError, match="nowhere"):
        build_dataset(moved, bank, tmp_path / "out", BuildRecipe())


@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk_is_a_sentence_and_what_was_whole_is_kept(
    make_dataset: Callable[[str], Path],
    plan: PatchPlan,
    bank: MaskBank,
    tmp_path: Path,
    format: str,
) -> None:
    """A limit on the size of files stands in for the full disk: the system refuses alike."""
    recipe, out = BuildRecipe(format, 7), tmp_path / "out"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, before[1]))
    try:
        with pytest.raises(OutputError, match=r"Could not write .*: File too large\. Nothing"):
            build_dataset(plan, bank, out, recipe)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not out.exists()
    assert list(tmp_path.iterdir()) == []  # not one shard was whole
    build_dataset(plan, bank, out, recipe)
    assert same_files(out, make_dataset(format))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_a_sentence(
    plan: PatchPlan, bank: MaskBank, tmp_path: Path
) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        build_dataset(plan, bank, tmp_path / "locked" / "out", BuildRecipe())


def test_an_output_below_a_file_is_a_sentence(
    plan: PatchPlan, bank: MaskBank, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file is a file, not a folder"):
        build_dataset(plan, bank, tmp_path / "file" / "out", BuildRecipe())


def test_killed_at_any_rename_it_ends_with_the_same_bytes(
    dataset: Path, server: BuildServer, plan_root: Path, bank_root: Path, tmp_path: Path
) -> None:
    """Every change a build makes visible is a rename: the process dies just before the n-th."""
    total = server.build(plan_root, bank_root, tmp_path / "undisturbed", "zarr")["renames"]
    assert total > 40  # 8 shards of 3 files and a record, the metadata, the plan, the manifest
    for moment in [1, 2, 5, 17, *range(total - 9, total + 1)]:
        out = tmp_path / f"out-{moment}"
        assert server.build(plan_root, bank_root, out, "zarr", kill_before_rename=moment)["killed"]
        assert not out.exists()
        check_nothing_half_done(Path(f"{out}.building"), dataset)
        assert server.build(plan_root, bank_root, out, "zarr")["error"] == ""
        assert same_files(out, dataset), moment


def test_two_processes_cannot_build_one_dataset(
    plan: PatchPlan, bank: MaskBank, tmp_path: Path
) -> None:
    out, errors = tmp_path / "out", []

    def build_again(count: int, _bytes: int) -> None:
        try:
            build_dataset(plan, bank, out, BuildRecipe("zarr", 7))
        except OutputExistsError as error:
            errors.append(str(error))

    build_dataset(plan, bank, out, BuildRecipe("zarr", 7), progress=build_again)
    assert errors
    assert all("Another process is building" in error for error in errors)
    assert verify_dataset(out) == []


def test_what_appears_at_the_output_meanwhile_is_kept(
    plan: PatchPlan, bank: MaskBank, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    def write_there(count: int, _bytes: int) -> None:
        out.mkdir(exist_ok=True)
        (out / "thesis.txt").write_text("years of work")

    with pytest.raises(OutputExistsError, match="not an output of this command"):
        build_dataset(plan, bank, out, BuildRecipe("zarr", 7), progress=write_there)
    assert (out / "thesis.txt").read_text() == "years of work"


def test_workers_that_do_not_share_the_disk_are_found(
    plan: PatchPlan, bank: MaskBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(*arguments: object) -> object:
        jobs = arguments[1]
        for job in jobs:  # type: ignore[attr-defined]
            yield make_shard(replace(job, building=tmp_path / "elsewhere"))

    monkeypatch.setattr("dunhuang_data.pouring.run_jobs", elsewhere)
    with pytest.raises(EnvironmentProblem, match="the workers do not share this disk"):
        build_dataset(plan, bank, tmp_path / "out", BuildRecipe("zarr", 7))
    assert not (tmp_path / "out").exists()


def test_a_finished_dataset_named_like_a_building_is_left_alone(
    plan: PatchPlan, bank: MaskBank, tmp_path: Path
) -> None:
    build_dataset(plan, bank, tmp_path / "x.building", BuildRecipe("hdf5", 7))
    for recipe in (BuildRecipe("hdf5", 7), BuildRecipe("zarr", 7)):
        with pytest.raises(OutputExistsError, match="is in the way and is no interrupted build"):
            build_dataset(plan, bank, tmp_path / "x", recipe, overwrite=True)
    assert verify_dataset(tmp_path / "x.building") == []


def test_the_order_of_the_jobs_changes_no_byte(
    dataset: Path, plan: PatchPlan, bank: MaskBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def backwards(function: Callable[[Any], Any], jobs: Iterable[Any], *_: Any) -> Iterator[Any]:
        return map(function, reversed(list(jobs)))

    monkeypatch.setattr("dunhuang_data.pouring.run_jobs", backwards)
    build_dataset(plan, bank, tmp_path / "out", BuildRecipe("zarr", 7))
    assert same_files(tmp_path / "out", dataset)


def test_a_picture_is_opened_once_however_many_shards_it_lies_in(
    plan: PatchPlan, bank: MaskBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def counting(picture: Picture, *rest: Any) -> PlannedPicture:
        opened.append(picture.id)
        return open_planned(picture, *rest)

    monkeypatch.setattr("dunhuang_data.shard_jobs.open_planned", counting)
    manifest = build_dataset(plan, bank, tmp_path / "out", BuildRecipe("zarr", 4))
    assert len(manifest.shards) > len(plan.pictures)
    assert sorted(opened) == sorted(picture.id for picture in plan.pictures)
    build_dataset(plan, bank, tmp_path / "again", BuildRecipe("zarr", 4))
    assert len(opened) == 2 * len(plan.pictures)  # none is kept beyond a build


@pytest.mark.parametrize("workers", [1, 2])
def test_keep_going_makes_all_it_can_and_says_what_it_could_not(
    plan: PatchPlan, bank: MaskBank, dataset: Path, tmp_path: Path, workers: int
) -> None:
    moved = shutil.copytree(plan.pictures_root, tmp_path / "pictures")
    gone = next(picture for picture in plan.pictures if picture.split == "train")
    (moved / gone.file).rename(tmp_path / "gone")
    elsewhere = plan.moved(moved, None)
    recipe, out = BuildRecipe("zarr", 7), tmp_path / "out"
    with pytest.raises(DatasetError, match=r"of 8 shards could not be made; the others") as caught:
        build_dataset(elsewhere, bank, out, recipe, keep_going=True, workers=workers)
    assert f"shard 0 of train: The plan needs {moved / gone.file}, which is not" in str(
        caught.value
    )
    assert not out.exists()
    unmade = int(str(caught.value).split(" of ")[0])
    whole = list((tmp_path / "out.building" / "state").iterdir())
    assert 1 <= unmade < 8
    assert len(whole) == 8 - unmade
    (tmp_path / "gone").rename(moved / gone.file)
    build_dataset(elsewhere, bank, out, recipe)
    assert same_files(out, dataset)


def test_resume_refuses_to_begin(plan: PatchPlan, bank: MaskBank, tmp_path: Path) -> None:
    with pytest.raises(DataProblem, match="There is nothing to resume"):
        build_dataset(plan, bank, tmp_path / "out", BuildRecipe("zarr", 7), resume=True)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_too_small_is_refused_before_anything_is_made(
    plan: PatchPlan, bank: MaskBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = dataset_bytes(plan, BuildRecipe("zarr", 7))

    def usage(_path: Path) -> SimpleNamespace:
        return SimpleNamespace(free=needed // 2)

    monkeypatch.setattr("dunhuang_data.build.shutil.disk_usage", usage)
    with pytest.raises(EnvironmentProblem, match=r"The dataset needs 0\.00 GB at .*Make room"):
        build_dataset(plan, bank, tmp_path / "out", BuildRecipe("zarr", 7))
    assert list(tmp_path.iterdir()) == []


def test_fewer_workers_are_started_where_memory_is_short(plan: PatchPlan) -> None:
    recipe = BuildRecipe("zarr", 7)
    each = worker_bytes(plan, recipe)
    assert workers_that_fit(plan, recipe, 8, None) == 8
    assert workers_that_fit(plan, recipe, 8, 3 * each) == 3
    assert workers_that_fit(plan, recipe, 2, 3 * each) == 2
    assert workers_that_fit(plan, recipe, 0, None) == 1  # few samples: more do not pay
    assert workers_that_fit(plan, replace(recipe, shard_size=1000), 8, None) == 3  # one a shard
    with pytest.raises(UsageProblem, match=r"--max-memory is .* MB; one worker takes about"):
        workers_that_fit(plan, recipe, 1, each - 1)
    # HDF5 is written from memory, so its shards count
    assert worker_bytes(plan, BuildRecipe("hdf5", 7)) > each


def test_the_size_is_known_beforehand(make_dataset: Callable[[str], Path], plan: PatchPlan) -> None:
    made = read_manifest(make_dataset("zarr")).bytes()
    expected = dataset_bytes(plan, BuildRecipe("zarr", 7))
    assert made <= expected * 1.1
    assert made >= expected * 0.95


def test_documents_lie_in_the_dataset_and_are_summed(
    plan: PatchPlan, bank: MaskBank, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    build_dataset(plan, bank, out, BuildRecipe("hdf5", 7), documents={"run.toml": "[build]\n"})
    assert (out / "run.toml").read_text() == "[build]\n"
    checked = subprocess.run(
        ["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=out, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked
    named = {line.removesuffix(": OK") for line in checked.stdout.splitlines()}
    there = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert named == there - {"SHA256SUMS"}


def test_names_are_flushed_before_the_manifest_is_written(
    plan: PatchPlan, bank: MaskBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []

    def sync(folder: Path) -> None:
        assert not (tmp_path / "out.building" / "dataset.json").exists()
        synced.append(folder.relative_to(tmp_path / "out.building"))

    monkeypatch.setattr("dunhuang_data.pouring.sync_folder", sync)
    manifest = build_dataset(plan, bank, tmp_path / "out", BuildRecipe("zarr", 7))
    assert set(synced) == {Path(file.path).parent for file in manifest.files()}


@pytest.mark.parametrize(
    "change",
    [
        {"content_sha256": "0" * 64},
        {"content_sha256": "nonsense"},
        {"files": [{"path": "x", "bytes": 1, "sha256": "0" * 64}]},
        {"bytes": 1},
    ],
)
@pytest.mark.parametrize("format", FORMATS)
def test_a_record_that_does_not_fit_its_files_makes_the_shard_again(
    make_dataset: Callable[[str], Path],
    plan: PatchPlan,
    bank: MaskBank,
    tmp_path: Path,
    format: str,
    change: dict[str, Any],
) -> None:
    recipe, out = BuildRecipe(format, 7), tmp_path / "out"
    done: list[int] = []

    def stop(count: int, _bytes: int) -> None:
        done.append(count)
        if len(done) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_dataset(plan, bank, out, recipe, progress=stop)
    record = min((tmp_path / "out.building" / "state").iterdir())
    document = json.loads(record.read_text())
    if "bytes" in change:
        document["files"][0] |= change
    else:
        document |= change
    record.write_text(json.dumps(document))
    build_dataset(plan, bank, out, recipe)
    assert same_files(out, make_dataset(format))


def test_more_than_ten_shards_stand_in_their_order(
    plan: PatchPlan, bank: MaskBank, tmp_path: Path
) -> None:
    manifest = build_dataset(plan, bank, tmp_path / "out", BuildRecipe("zarr", 2))
    numbers = [shard.number for shard in manifest.shards if shard.split == "train"]
    assert numbers == list(range(12))
    assert verify_dataset(tmp_path / "out") == []


def test_where_the_disk_is_full_later_the_sentence_says_what_is_kept(
    dataset: Path, plan: PatchPlan, bank: MaskBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, out = BuildRecipe("zarr", 7), tmp_path / "out"
    real, written = os.replace, [0]

    def full(source: Path, target: Path) -> None:
        written[0] += 1
        if written[0] > 10:  # two shards of three files, each with its record, are whole
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("dunhuang_data.atomic.os.replace", full)
        with pytest.raises(OutputError, match=r"No space left on device\..* 2 parts are whole and"):
            build_dataset(plan, bank, out, recipe)
    build_dataset(plan, bank, out, recipe)
    assert same_files(out, dataset)
