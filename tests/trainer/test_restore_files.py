"""Restored files: like their inputs, with a record, finished once, and one by one."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import pyvips
import torch
from torch import Tensor, nn

from drawings import draw_picture, save_picture
from dunhuang_data.errors import MaskError, OutputExistsError, PictureError, UsageProblem
from dunhuang_data.pictures import open_own
from dunhuang_data.types import UInt8Array
from dunhuang_trainer.config import ModelConfig
from dunhuang_trainer.model import PartialConvUNet
from dunhuang_trainer.restore import outputs, prediction
from dunhuang_trainer.restore.batch import Batch, Failure, find_tasks, restore_batch
from dunhuang_trainer.restore.given import Given, Network, Task
from dunhuang_trainer.restore.masks import MaskColour
from dunhuang_trainer.restore.one import restore_one
from dunhuang_trainer.restore.outputs import identities
from dunhuang_trainer.restore.records import Settings
from dunhuang_trainer.trained_holes import TrainedHoles

SHAPE = (61, 83)
CPU = torch.device("cpu")


class Identity(nn.Module):
    """Returns what it is given."""

    config = ModelConfig(1, 3)

    def predict(self, image: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        return image, torch.ones_like(valid)


class TileMean(Identity):
    """Answers with the mean of what it is given to see: every tile another one."""

    def predict(self, image: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        mean = (image * valid).sum((2, 3), keepdim=True) / valid.sum((2, 3), keepdim=True)
        return mean.expand_as(image), torch.ones_like(valid)


def holes() -> UInt8Array:
    hole = np.zeros(SHAPE, dtype=np.uint8)
    hole[10:25, 20:60] = 255
    hole[40:, 70:] = 255
    return hole


KNOWN = holes() == 0


@pytest.fixture
def given(tmp_path: Path) -> Given:
    torch.manual_seed(0)
    model = PartialConvUNet(ModelConfig(4, 3)).eval()
    network = Network(model, CPU, Path("net.safetensors"), "0" * 64, 7, None)
    settings = Settings(tile=32, overlap=16)
    return Given(network, settings, tmp_path / "out", False, False, set(), lambda text: None)


@pytest.fixture
def task(tmp_path: Path) -> Task:
    picture = save_picture(tmp_path / "wall.png", draw_picture(*SHAPE, "wall"))
    return Task("wall", picture, save_picture(tmp_path / "hole.png", holes()))


def with_network(given: Given, model: nn.Module) -> Given:
    return replace(given, network=replace(given.network, model=cast(PartialConvUNet, model)))


def with_settings(given: Given, **changes: Any) -> Given:
    return replace(given, settings=replace(given.settings, **changes))


def pixels(path: Path) -> np.ndarray:
    return np.asarray(pyvips.Image.new_from_file(str(path), revalidate=True).numpy())


class TestPixels:
    @pytest.mark.parametrize("suffix", ["png", "tif", "jpg", "webp"])
    def test_known_pixels_are_the_inputs(self, given: Given, task: Task, suffix: str) -> None:
        picture = save_picture(task.picture.with_suffix(f".{suffix}"), pixels(task.picture))
        record, new = restore_one(replace(task, picture=picture), given)
        restored = given.out / ("wall.tif" if suffix == "tif" else "wall.png")
        assert new
        assert np.array_equal(pixels(restored)[KNOWN], pixels(picture)[KNOWN])
        assert not np.array_equal(pixels(restored)[~KNOWN], pixels(picture)[~KNOWN])
        assert record["hole_px"] == (~KNOWN).sum()

    @pytest.mark.parametrize("in_memory", [True, False])
    def test_an_identity_returns_sixteen_bits_exactly(
        self, given: Given, task: Task, in_memory: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if not in_memory:
            monkeypatch.setattr(outputs, "IN_MEMORY", 0)
        deep = pixels(task.picture).astype(np.uint16) * 257
        deep += np.arange(83, dtype=np.uint16)[:, None]
        pyvips.Image.new_from_array(deep).write_to_file(str(task.picture))
        restore_one(task, with_network(given, Identity()))
        written = pyvips.Image.new_from_file(str(given.out / "wall.png"))
        assert written.format == "ushort"
        assert np.array_equal(written.numpy(), deep)

    def test_what_is_not_there_is_not_seen_and_stays(self, given: Given, task: Task) -> None:
        alpha = np.full(SHAPE, 255, dtype=np.uint8)
        alpha[:, :10] = 0
        noise = pixels(task.picture)
        save_picture(task.picture, np.dstack([noise, alpha]))
        restore_one(task, given)
        first = pixels(given.out / "wall.png")
        noise[:, :10] = 255 - noise[:, :10]
        save_picture(task.picture, np.dstack([noise, alpha]))
        restore_one(task, replace(given, overwrite=True))
        second = pixels(given.out / "wall.png")
        assert np.array_equal(first[:, 10:], second[:, 10:])
        assert np.array_equal(second[:, :10, :3], noise[:, :10])
        assert (second[..., 3] == alpha).all()

    def test_what_is_not_there_is_no_black(self, given: Given, task: Task) -> None:
        picture = np.full((*SHAPE, 4), 200, dtype=np.uint8)
        picture[..., 3] = 255
        picture[:, :15, 3] = 0
        save_picture(task.picture, picture)
        restore_one(task, with_network(given, TileMean()))
        assert (pixels(given.out / "wall.png")[~KNOWN] == (200, 200, 200, 255)).all()

    def test_a_picture_of_which_nothing_known_is_there_is_refused(
        self, given: Given, task: Task
    ) -> None:
        alpha = np.where(KNOWN, 0, 255).astype(np.uint8)
        save_picture(task.picture, np.dstack([pixels(task.picture), alpha]))
        with pytest.raises(MaskError, match="No pixel is both known and there"):
            restore_one(task, given)
        assert not (given.out / "wall.png").exists()

    def test_the_smooth_fill_takes_nothing_from_what_is_not_there(
        self, given: Given, task: Task
    ) -> None:
        picture = np.full((*SHAPE, 4), 200, dtype=np.uint8)
        picture[..., 3] = 255
        picture[:, 5:20] = 0
        save_picture(task.picture, picture)
        hole = np.zeros(SHAPE, dtype=np.uint8)
        hole[:, 20:] = 255
        assert task.mask is not None
        save_picture(task.mask, hole)
        model = PartialConvUNet(ModelConfig(2, 2, base="none")).eval()  # sees 11 px far
        record, _ = restore_one(task, replace(with_network(given, model), trust_mask=True))
        assert record["out_of_reach_px"] > 0
        assert (pixels(given.out / "wall.png")[:, 40:] == (200, 200, 200, 255)).all()

    def test_an_orientation_is_kept_and_the_mask_lies_upright(
        self, given: Given, task: Task
    ) -> None:
        image = pyvips.Image.new_from_array(draw_picture(83, 61, "turned")).copy()
        image.set_type(pyvips.GValue.gint_type, "orientation", 6)
        picture = task.picture.with_suffix(".jpg")
        image.write_to_file(str(picture), Q=95)
        restore_one(replace(task, picture=picture), given)
        before = open_own(picture).window(0, 0, *SHAPE).stored
        after = open_own(given.out / "wall.png")
        assert after.shape_hw == SHAPE
        assert np.array_equal(after.window(0, 0, *SHAPE).stored[KNOWN], before[KNOWN])
        stored = pyvips.Image.new_from_file(str(given.out / "wall.png"))
        assert (stored.height, stored.width, stored.get("orientation")) == (83, 61, 6)

    def test_dilate_replaces_the_rim_or_keeps_it(self, given: Given, task: Task) -> None:
        restore_one(task, with_settings(given, dilate=3))
        replaced = pixels(given.out / "wall.png")
        kept = with_settings(replace(given, out=given.out / "2"), dilate=3, keep_known=True)
        record, _ = restore_one(task, kept)
        picture, keeping = pixels(task.picture), pixels(given.out / "2" / "wall.png")
        assert np.array_equal(keeping[KNOWN], picture[KNOWN])
        assert not np.array_equal(replaced[KNOWN], picture[KNOWN])
        # the network saw the same: what it says of the holes is the same
        assert np.array_equal(keeping[~KNOWN], replaced[~KNOWN])
        assert record["settings"]["dilate"] == 3
        assert record["hole_px"] == (~KNOWN).sum()

    def test_no_seam_where_tiles_meet(self, given: Given, task: Task) -> None:
        """Tiles that disagree, over one large hole: no step larger than a smooth one makes."""
        slope = np.broadcast_to((np.arange(300) * 2 // 3 + 20)[:, None], (200, 300, 3))
        save_picture(task.picture, slope.astype(np.uint8))
        hole = np.full((200, 300), 255, dtype=np.uint8)
        hole[:, ::7] = 0
        assert task.mask is not None
        save_picture(task.mask, hole)
        settings = with_settings(with_network(given, TileMean()), tile=64, overlap=16)
        restore_one(task, replace(settings, trust_mask=True))
        filled = pixels(given.out / "wall.png")[100, hole[0] == 255, 0].astype(int)
        assert filled.max() - filled.min() > 100  # tiles do disagree, by some 30 levels each
        assert np.abs(np.diff(filled)).max() <= 6


class TestChecks:
    def test_holes_larger_than_trained_on_are_warned_of(self, given: Given, task: Task) -> None:
        trained = TrainedHoles(40, 64, 0.2, 0.4, 2.0, 5.0)
        network = replace(given.network, holes=trained)
        record, _ = restore_one(task, replace(given, network=network))
        (told,) = record["warnings"]
        assert "its largest hole has a radius of 13 px" in told
        grown = with_settings(replace(given, network=network, out=given.out / "3"), dilate=2)
        record, _ = restore_one(task, grown)
        assert record["largest_hole_radius_px"] == pytest.approx(15, abs=0.5)
        assert "holes of up to 5 px, in 40 patches of 64 px" in told
        larger = replace(given.network, holes=replace(trained, radius_px_max=13.0))
        record, _ = restore_one(task, replace(given, network=larger, out=given.out / "2"))
        assert record["warnings"] == []
        little = replace(given.network, holes=replace(trained, radius_px_max=12.5))
        record, _ = restore_one(task, replace(given, network=little, out=given.out / "4"))
        assert len(record["warnings"]) == 1

    def test_overlaps_that_leave_seams_are_warned_of(self, given: Given, task: Task) -> None:
        narrow = with_settings(replace(given, out=given.out / "1"), tile=64, overlap=31)
        (told,) = restore_one(task, narrow)[0]["warnings"]
        assert "tiles of 64 px that overlap by 31 px leave seams; give --overlap 32 or more" in told
        for number, (tile, overlap) in enumerate(((64, 32), (90, 0))):
            wide = with_settings(
                replace(given, out=given.out / f"w{number}"), tile=tile, overlap=overlap
            )
            assert restore_one(task, wide)[0]["warnings"] == []

    def test_a_mask_of_another_size_leaves_nothing(self, given: Given, task: Task) -> None:
        assert task.mask is not None
        save_picture(task.mask, holes()[:-1])
        with pytest.raises(PictureError, match=r"hole.png is 60 x 83 px"):
            restore_one(task, given)
        assert not given.out.exists()

    def test_what_is_written_is_read_back(
        self, given: Given, task: Task, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def write_wrongly(own: Any, target: Path, rows: np.ndarray) -> None:
            rows[60, 0, 1] ^= 1  # a known pixel
            save_picture(target, np.ascontiguousarray(rows))

        monkeypatch.setattr("dunhuang_trainer.restore.one.write_like", write_wrongly)
        with pytest.raises(Exception, match="read back its known pixels are not the input's"):
            restore_one(task, given)
        assert not (given.out / "wall.png").exists()
        assert not (given.out / "wall.json").exists()

    def test_settings_that_cannot_be(self) -> None:
        with pytest.raises(UsageProblem, match="--tile 16 and --overlap 9 do not fit"):
            Settings(tile=16, overlap=9)
        with pytest.raises(UsageProblem, match="--samples is 33; expected 2 to 32"):
            Settings(samples=33)
        with pytest.raises(UsageProblem, match="--keep-known says what becomes of the part by"):
            Settings(keep_known=True)


class TestSamples:
    def test_the_map_is_zero_on_known_pixels_and_changes_no_pixel(
        self, given: Given, task: Task
    ) -> None:
        restore_one(task, given)
        with_map = with_settings(replace(given, out=given.out / "2"), samples=10)
        record, _ = restore_one(task, with_map)
        levels = pixels(given.out / "2" / "wall-uncertainty.png").squeeze()
        assert levels.shape == SHAPE
        assert not levels[KNOWN].any()
        assert levels[~KNOWN].any()
        assert record["uncertainty"]["max_levels"] == pytest.approx(levels.max(), abs=0.51)
        assert record["uncertainty"]["mean_levels"] == pytest.approx(levels[~KNOWN].mean(), abs=0.2)
        assert np.array_equal(pixels(given.out / "2/wall.png"), pixels(given.out / "wall.png"))

    def test_what_no_answer_reaches_is_255_in_the_map(self, given: Given, task: Task) -> None:
        hole = holes()
        hole[:, 20:] = 255
        assert task.mask is not None
        save_picture(task.mask, hole)
        torch.manual_seed(0)
        model = PartialConvUNet(ModelConfig(2, 2, base="none")).eval()  # sees 11 px far
        one_tile = with_settings(with_network(given, model), samples=2, tile=128)
        record, _ = restore_one(task, replace(one_tile, trust_mask=True))
        levels = pixels(given.out / "wall-uncertainty.png").squeeze()
        assert (levels[:, 31:] == 255).all()
        assert levels[:, :31].max() < 255
        assert record["out_of_reach_px"] == 61 * (83 - 31)
        reached = levels[:, 20:31].mean()
        assert record["uncertainty"]["mean_levels"] == pytest.approx(reached, abs=0.3)
        assert "3,172 hole pixels are too far from every known one" in record["warnings"][0]

    def test_the_deviation_is_that_of_the_turned_answers(self, given: Given) -> None:
        torch.manual_seed(3)
        model = PartialConvUNet(ModelConfig(4, 3, base="none")).eval()
        srgb = np.asarray(draw_picture(24, 40, "turns") / 255, dtype=np.float32)
        known = np.ones((24, 40), dtype=np.uint8)
        known[5:15, 8:30] = 0
        answer = prediction.TilePredictor(model, CPU, 8)(srgb, known)
        answers = []
        for turn in range(8):
            image, mask = np.rot90(srgb, turn % 4), np.rot90(known, turn % 4)
            if turn >= 4:
                image, mask = image[:, ::-1], mask[:, ::-1]
            single = prediction.TilePredictor(model, CPU)(image.copy(), mask.copy()).predicted
            back = single[:, ::-1] if turn >= 4 else single
            answers.append(np.clip(np.rot90(back, -(turn % 4)), 0, 1))
        expected = 255 * np.sqrt(np.var(np.stack(answers), axis=0).mean(axis=-1))
        assert expected.max() > 1
        assert answer.deviation is not None
        assert answer.deviation == pytest.approx(expected, abs=0.002)
        single = prediction.TilePredictor(model, CPU)(srgb, known).predicted
        assert np.array_equal(answer.predicted, single)

    def test_shifts_move_the_grid(self, given: Given) -> None:
        """A ninth sample is not the first again."""
        srgb = np.asarray(draw_picture(24, 40, "turns") / 255, dtype=np.float32)
        known = np.ones((24, 40), dtype=np.uint8)
        known[5:15, 8:30] = 0
        predict = prediction.TilePredictor(given.network.model, CPU)
        shifted = predict._predict(srgb, known, predict._shift(1))[0]
        assert shifted.shape == srgb.shape
        assert not np.allclose(shifted, predict._predict(srgb, known, (0, 0))[0], atol=1e-4)
        identity = prediction.TilePredictor(Identity(), CPU, 32)  # type: ignore[arg-type]
        answer = identity(srgb, known)
        assert answer.deviation is not None
        assert not answer.deviation.any()


class TestResuming:
    def test_what_is_finished_is_not_done_again(self, given: Given, task: Task) -> None:
        first, new = restore_one(task, given)
        again, new_again = restore_one(task, given)
        assert (new, new_again) == (True, False)
        assert again == first == json.loads((given.out / "wall.json").read_text())

    @pytest.mark.parametrize("part", ["input", "mask", "weights", "settings"])
    def test_what_was_made_otherwise_is_refused(self, given: Given, task: Task, part: str) -> None:
        restore_one(task, given)
        assert task.mask is not None
        before = (given.out / "wall.png").read_bytes()
        if part == "input":
            save_picture(task.picture, draw_picture(*SHAPE, "another"))
        elif part == "mask":
            save_picture(task.mask, holes().T[:61, :61].repeat(2, 1)[:, :83])
        elif part == "weights":
            given = replace(given, network=replace(given.network, sha256="1" * 64))
        else:
            given = with_settings(given, dilate=1)
        with pytest.raises(OutputExistsError, match=r"made otherwise \((another|--dilate)"):
            restore_one(task, given)
        assert (given.out / "wall.png").read_bytes() == before
        _, new = restore_one(task, replace(given, overwrite=True))
        assert new

    def test_an_output_that_was_changed_is_made_again(self, given: Given, task: Task) -> None:
        restore_one(task, given)
        before = (given.out / "wall.png").read_bytes()
        (given.out / "wall.png").write_bytes(before[:-9])
        _, new = restore_one(task, given)
        assert new
        assert (given.out / "wall.png").read_bytes() == before

    def test_another_programs_output_is_refused(self, given: Given, task: Task) -> None:
        mine = save_picture(given.out / "wall.png", np.zeros((3, 4), dtype=np.uint8))
        before = mine.read_bytes()
        with pytest.raises(OutputExistsError, match=r"out/wall.png is already there\. Give"):
            restore_one(task, given)
        assert mine.read_bytes() == before
        assert list(given.out.iterdir()) == [mine]

    def test_an_interrupted_one_is_done_again(
        self, given: Given, task: Task, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(*arguments: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr("dunhuang_trainer.restore.one.write_json", interrupt)
            with pytest.raises(KeyboardInterrupt):
                restore_one(task, given)
        assert (given.out / "wall.png").exists()  # whole, but nothing says what it was made of
        assert not (given.out / "wall.json").exists()
        _, new = restore_one(task, given)
        assert new
        assert sorted(path.name for path in given.out.iterdir()) == ["wall.json", "wall.png"]

    def test_an_old_record_goes_before_the_picture_is_replaced(
        self, given: Given, task: Task, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(*arguments: Any) -> None:
            raise KeyboardInterrupt

        restore_one(task, given)
        otherwise = with_settings(replace(given, overwrite=True), dilate=2)
        with monkeypatch.context() as patched:
            patched.setattr("dunhuang_trainer.restore.one.write_like", interrupt)
            with pytest.raises(KeyboardInterrupt):
                restore_one(task, otherwise)
        assert not (given.out / "wall.json").exists()

    def test_what_a_killed_process_left_is_swept(
        self, given: Given, task: Task, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given.out.mkdir()
        left = [f".wall{end}.partial-0123abcd.png" for end in (".png", "-compare.png")]
        others = [".wall-2.png.partial-0123abcd.png", ".wall.png.mine"]
        for name in (*left, *others):
            (given.out / name).write_bytes(b"half a picture")
        restore_one(task, given)
        assert all((given.out / name).exists() for name in (*left, *others))  # no one was killed
        (given.out / ".wall.restoring").touch()
        restore_one(task, replace(given, overwrite=True, settings=replace(given.settings, tile=40)))
        assert not any((given.out / name).exists() for name in left)
        assert all((given.out / name).exists() for name in others)

    @pytest.mark.parametrize("name", ["wall.json", "wall-compare.png", "wall-uncertainty.png"])
    def test_what_lies_beside_it_is_not_replaced_either(
        self, given: Given, task: Task, name: str
    ) -> None:
        given.out.mkdir()
        (given.out / name).write_bytes(b"mine")
        with pytest.raises(OutputExistsError, match=name):
            restore_one(task, with_settings(given, compare=True, samples=2))
        assert (given.out / name).read_bytes() == b"mine"
        assert not (given.out / "wall.png").exists()

    def test_an_input_is_never_replaced(self, given: Given, task: Task) -> None:
        inside = replace(given, out=task.picture.parent, overwrite=True,
                         inputs=identities([task.picture]))  # fmt: skip
        with pytest.raises(OutputExistsError, match=r"wall.png is an input and would be replaced"):
            restore_one(task, inside)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "cave/b.png", "cave/c.jpg"):
        save_picture(tmp_path / "pictures" / name, draw_picture(*SHAPE, name))
        mask = (tmp_path / "masks" / name).with_suffix(".png")
        save_picture(mask, holes())
    return tmp_path


class TestBatches:
    def test_a_folder_with_its_masks(self, given: Given, folder: Path) -> None:
        tasks, failed = find_tasks([folder / "pictures"], folder / "masks", False, 1)
        assert [task.id for task in tasks] == ["a", "cave/b", "cave/c"]
        batch = restore_batch(tasks, given, failed)
        assert batch.exit_code == 0
        assert (given.out / "cave" / "c.png").is_file()
        assert [record["outputs"]["restored"]["file"] for record in batch.restored] == [
            "a.png", "b.png", "c.png"
        ]  # fmt: skip
        batch = restore_batch(tasks, given)
        assert (len(batch.restored), len(batch.skipped)) == (0, 3)

    def test_failures_do_not_take_the_others_with_them(self, given: Given, folder: Path) -> None:
        pictures = folder / "pictures"
        (pictures / "cut.png").write_bytes((pictures / "a.png").read_bytes()[:-300])
        save_picture(folder / "masks" / "cut.png", holes())
        (pictures / "empty.jpg").write_bytes(b"")
        save_picture(folder / "masks" / "empty.png", holes())
        save_picture(pictures / "maskless.png", draw_picture(*SHAPE, "maskless"))
        tasks, failed = find_tasks([pictures, folder / "nothing.png"], folder / "masks", False, 1)
        batch = restore_batch(tasks, given, failed)
        assert len(batch.restored) == 3
        told = {Path(one.picture).name: one.sentence for one in batch.failed}
        assert set(told) == {"cut.png", "empty.jpg", "maskless.png", "nothing.png"}
        assert "expected one file named maskless" in told["maskless.png"]
        assert batch.exit_code == 3
        assert {path.name for path in given.out.rglob("*.json")} == {"a.json", "b.json", "c.json"}

    def test_outputs_and_masks_among_the_pictures_are_none_of_them(
        self, given: Given, folder: Path
    ) -> None:
        (folder / "masks").rename(folder / "pictures" / "masks")
        out = folder / "pictures" / "out"
        asked = ([folder / "pictures"], folder / "pictures" / "masks", True, 1, out)
        for _ in range(2):  # the second time, the outputs are there
            tasks, failed = find_tasks(*asked)
            assert ([task.id for task in tasks], failed) == (["a", "cave/b", "cave/c"], [])
            restore_batch(tasks, with_settings(replace(given, out=out), compare=True))

    def test_a_link_that_leads_nowhere_is_a_failure(self, given: Given, folder: Path) -> None:
        (folder / "pictures" / "gone.png").symlink_to(folder / "nowhere.png")
        _, failed = find_tasks([folder / "pictures"], folder / "masks", False, 1)
        assert [one.picture for one in failed] == [str(folder / "pictures")]
        assert "gone.png is a link" in failed[0].sentence

    def test_the_exit_code_is_that_of_bad_input_first(self) -> None:
        codes = [4, 5, 3]
        assert Batch(failed=[Failure("p", "s", code) for code in codes]).exit_code == 3
        assert Batch(failed=[Failure("p", "s", code) for code in (4, 5)]).exit_code == 5
        assert Batch().exit_code == 0

    def test_two_masks_of_one_name(self, folder: Path) -> None:
        save_picture(folder / "masks" / "a.tif", holes())
        tasks, (failure,) = find_tasks([folder / "pictures"], folder / "masks", False, 1)
        assert [task.id for task in tasks] == ["cave/b", "cave/c"]
        assert "expected one file named a (with" in failure.sentence
        assert failure.sentence.endswith("found a.png, a.tif.")

    def test_an_unexpected_error_is_one_pictures_too(
        self, given: Given, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(task: Task, given: Given) -> Any:
            if task.id == "a":
                raise ZeroDivisionError("by nothing")
            return restore_one(task, given)

        monkeypatch.setattr("dunhuang_trainer.restore.batch.restore_one", fail)
        tasks, _ = find_tasks([folder / "pictures"], folder / "masks", False, 1)
        shown: list[BaseException] = []
        batch = restore_batch(tasks, given, unexpected=shown.append)
        assert len(batch.restored) == 2
        assert "unexpected ZeroDivisionError: by nothing" in batch.failed[0].sentence
        assert batch.exit_code == 1
        assert isinstance(shown[0], ZeroDivisionError)

    def test_names_that_two_would_have(self, folder: Path) -> None:
        pictures = [folder / "pictures" / "a.png", folder / "masks" / "a.png"]
        with pytest.raises(UsageProblem, match=r"would be restored as a\.png"):
            find_tasks(pictures, None, False, 1)
        with pytest.raises(UsageProblem, match="one mask for 3 pictures"):
            find_tasks([folder / "pictures"], folder / "masks" / "a.png", False, 1)
        save_picture(folder / "pictures" / "a-uncertainty.png", draw_picture(8, 9, "a"))
        with pytest.raises(UsageProblem, match="a-uncertainty"):
            find_tasks([folder / "pictures"], None, False, 2)
        assert len(find_tasks([folder / "pictures"], None, True, 1)[0]) == 4

    def test_holes_by_their_colour_need_no_mask_files(self, given: Given, folder: Path) -> None:
        for path in (folder / "pictures").rglob("*.png"):
            painted = pixels(path).copy()
            painted[~KNOWN] = (255, 0, 255)
            save_picture(path, painted)
        tasks, _ = find_tasks([folder / "pictures"], None, False, 1)
        by_colour = with_settings(given, mask_colour=MaskColour((255, 0, 255)))
        batch = restore_batch(tasks, by_colour)
        assert [record["hole_px"] for record in batch.restored] == 2 * [(~KNOWN).sum()]
        assert batch.restored[0]["mask"] is None
        colour = batch.restored[0]["settings"]["mask_colour"]
        assert colour == {"rgb": [255, 0, 255], "tolerance": 0}
        (failure,) = batch.failed  # the JPEG has none
        assert "c.jpg has the colour 255,0,255" in failure.sentence


def test_the_sheet_shows_three_pictures(given: Given, task: Task) -> None:
    record, _ = restore_one(task, with_settings(given, compare=True))
    sheet = pixels(given.out / "wall-compare.png")
    width = 3 * 83  # enlarged three times: 83 px are too narrow for the words
    assert sheet.shape == (3 * 61 + 22 + 12, 3 * (width + 6) + 6, 3)
    masked, restored, difference = (
        sheet[28 : 28 + 183, 6 + n * (width + 6) :][:, :width] for n in range(3)
    )
    assert (masked[3 * 12, 3 * 30] == 255).all()
    assert np.array_equal(restored[::3, ::3], pixels(given.out / "wall.png"))
    assert not difference[::3, ::3][KNOWN].any()
    assert difference[::3, ::3][~KNOWN].any()
    assert record["outputs"]["compare"]["file"] == "wall-compare.png"
