"""Who is judged and how: the scores are those of the pictures that were made."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from drawings import draw_picture, save_picture
from dunhuang_data.errors import CheckpointError, PictureError, UsageProblem
from dunhuang_data.reader import DatasetReader
from dunhuang_data.types import UInt8Array
from dunhuang_trainer.baselines import BASELINES
from dunhuang_trainer.checkpoint import CheckpointInfo, save_weights
from dunhuang_trainer.config import ModelConfig, TrainConfig
from dunhuang_trainer.evaluate import judging
from dunhuang_trainer.evaluate.judged import match_all, open_judged
from dunhuang_trainer.evaluate.judging import Network, evaluate, workers_for
from dunhuang_trainer.evaluate.targets import DatasetTargets, PictureTargets, Target
from dunhuang_trainer.metrics import score_picture
from dunhuang_trainer.model import PartialConvUNet
from dunhuang_trainer.restore import restore_picture

CPU = torch.device("cpu")
SMALL = ModelConfig(4, 3)


@pytest.fixture(scope="module")
def model() -> PartialConvUNet:
    torch.manual_seed(0)
    return PartialConvUNet(SMALL).eval()


@pytest.fixture
def checkpoint(model: PartialConvUNet, tmp_path: Path) -> Path:
    path = tmp_path / "run" / "best.safetensors"
    path.parent.mkdir()
    save_weights(path, model, CheckpointInfo(SMALL, TrainConfig(7), 5, "ab" * 32, 32, {}))
    return path


def inverted(targets: Sequence[Target]) -> list[UInt8Array]:
    return [255 - one.image for one in targets]


def target(height: int, width: int) -> Target:
    valid = np.ones((height, width), dtype=np.uint8)
    valid[3:9, 5:12] = 0
    damage = np.zeros_like(valid)
    damage[0, :4] = 1
    return Target("a", "a", draw_picture(height, width, "t"), valid, damage)


class Drawn:
    """Targets in memory, of several sizes."""

    flawed: Sequence[str] = ()
    problems: Sequence[str] = ()

    def __init__(self, *shapes: tuple[int, int]) -> None:
        self._targets = [target(*shape) for shape in shapes]
        self.keys = [f"{place}" for place in range(len(shapes))]

    def shape_of(self, place: int) -> tuple[int, int]:
        height, width = self._targets[place].valid.shape
        return height, width

    def read(self, places: Sequence[int]) -> list[Target]:
        return [self._targets[place] for place in places]


def test_every_method_is_scored_on_every_target_in_order(dataset: Path) -> None:
    targets = DatasetTargets(DatasetReader(dataset, "test"))
    done: list[int] = []
    scores = evaluate(targets, range(6), {"theirs": inverted}, batch_size=4, progress=done.append)
    assert sum(done) == 6
    methods = ["theirs", *BASELINES]
    assert [one.method for one in scores] == methods * 6
    assert [one.key for one in scores] == [key for key in targets.keys[:6] for _ in methods]
    for place, one in enumerate(targets.read(range(6))):
        hole = one.valid == 0
        mine = scores[place * len(methods) : (place + 1) * len(methods)]
        for score in mine:
            name = score.method
            made = 255 - one.image if name == "theirs" else BASELINES[name](one.image, one.valid)
            assert score.picture == one.cluster
            assert score.hole_ratio == pytest.approx(hole.mean())
            assert score.values == pytest.approx(
                score_picture(made, one.image, one.valid, one.damage), nan_ok=True
            )
            edges = np.concatenate([hole[0], hole[-1], hole[:, 0], hole[:, -1]])
            assert score.touches_border == bool(edges.any())


def test_several_processes_give_the_scores_of_one(dataset: Path) -> None:
    targets = DatasetTargets(DatasetReader(dataset, "test"))
    one, two = (
        evaluate(targets, range(5), {"theirs": inverted}, batch_size=2, workers=workers,
                 baselines=["Telea", "push-pull, smooth"])
        for workers in (1, 2)
    )  # fmt: skip
    assert [score.method for score in one] == [score.method for score in two]
    for a, b in zip(one, two, strict=True):
        assert a.key == b.key
        assert a.values == pytest.approx(b.values, rel=1e-6, nan_ok=True)


def test_targets_of_several_sizes_are_judged_together() -> None:
    targets = Drawn((20, 31), (24, 16), (20, 31))
    scores = evaluate(targets, [0, 1, 2], {"theirs": inverted}, baselines=["mean colour"])
    for place, score in zip((0, 0, 1, 1, 2, 2), scores, strict=True):
        one = targets.read([place])[0]
        made = (
            255 - one.image
            if score.method == "theirs"
            else BASELINES["mean colour"](one.image, one.valid)
        )
        assert score.values == pytest.approx(
            score_picture(made, one.image, one.valid, one.damage), nan_ok=True
        )


def test_the_figure_of_the_course_is_there_when_asked() -> None:
    targets = Drawn((20, 31))
    plain = evaluate(targets, [0], {"theirs": inverted}, baselines=[])[0].values
    course = evaluate(targets, [0], {"theirs": inverted}, baselines=[], course=True)[0].values
    assert set(course) - set(plain) == {"mse_course_wrapped", "ssim_course"}


@pytest.mark.parametrize("shapes", [[(16, 24)] * 3, [(20, 31)], [(16, 24), (24, 16)]])
def test_a_network_keeps_known_pixels_and_fills_holes(
    model: PartialConvUNet, shapes: list[tuple[int, int]]
) -> None:
    targets = Drawn(*shapes).read(range(len(shapes)))
    restored = Network(model, CPU)(targets)
    for one, picture in zip(targets, restored, strict=True):
        assert picture.dtype == np.uint8
        assert np.array_equal(picture[one.valid == 1], one.image[one.valid == 1])
        hidden = np.where(one.valid[..., None] == 1, one.image, np.uint8(7))
        again = Network(model, CPU)([Target("a", "a", hidden, one.valid, one.damage)])[0]
        assert np.array_equal(again, picture)  # it never sees what the holes hide
        assert (picture[one.valid == 0] != one.image[one.valid == 0]).any()


def test_a_batch_is_restored_as_its_pictures_are_alone(model: PartialConvUNet) -> None:
    targets = Drawn((16, 24), (16, 24)).read([0, 1])
    other = Target("b", "b", 255 - targets[1].image, targets[1].valid, targets[1].damage)
    together = Network(model, CPU)([targets[0], other])
    for one, picture in zip((targets[0], other), together, strict=True):
        alone = Network(model, CPU)([one])[0]
        assert np.abs(alone.astype(int) - picture.astype(int)).max() <= 1


def test_one_checkpoint_is_the_network_and_two_are_told_apart(
    checkpoint: Path, tmp_path: Path
) -> None:
    save_picture(tmp_path / "theirs" / "a.png", draw_picture(8, 9, "a"))
    (alone,) = open_judged([str(checkpoint)], CPU)
    assert alone.name == "network"
    assert alone.said["step"] == 5
    assert alone.model == SMALL
    several = open_judged([str(checkpoint), f"ours={checkpoint}", str(tmp_path / "theirs")], CPU)
    assert [one.name for one in several] == ["run/best", "ours", "theirs"]
    assert several[2].predictions is not None
    same = tmp_path / "other" / "run" / "best.safetensors"
    same.parent.mkdir(parents=True)
    same.write_bytes(checkpoint.read_bytes())
    names = [one.name for one in open_judged([str(checkpoint), str(same)], CPU)]
    assert names == [str(checkpoint), str(same)]


def test_an_equals_sign_in_a_path_is_part_of_it(checkpoint: Path) -> None:
    odd = checkpoint.with_name("lr=2e-4.safetensors")
    odd.write_bytes(checkpoint.read_bytes())
    assert open_judged([str(odd)], CPU)[0].path == odd


def test_names_that_clash_are_refused(checkpoint: Path) -> None:
    with pytest.raises(UsageProblem, match="Two of those to be judged are called ours"):
        open_judged([f"ours={checkpoint}", f"ours={checkpoint}"], CPU)
    with pytest.raises(UsageProblem, match="Telea is the name of a fill"):
        open_judged([f"Telea={checkpoint}"], CPU)
    with pytest.raises(UsageProblem, match="telea is the name of a fill"):
        open_judged([f"telea={checkpoint}"], CPU)


def test_what_is_not_there_or_is_a_run_is_a_sentence(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"gone cannot be read: it is not there\. Name a checkpoint"
    ):
        open_judged([str(tmp_path / "gone")], CPU)
    for name in ("run.json", "last.state.pt"):
        (checkpoint.parent / name).write_text("{}")
    with pytest.raises(PictureError, match=r"run is a run, .*/run/best\.safetensors"):
        open_judged([str(checkpoint.parent)], CPU)


def test_only_what_everyone_has_is_judged(tmp_path: Path) -> None:
    for key in ("a", "b", "c"):
        picture = draw_picture(20, 31, key)
        save_picture(tmp_path / "pictures" / f"{key}.png", picture)
        mask = np.zeros((20, 31, 3), dtype=np.uint8)
        mask[3:9, 4:14] = 255
        save_picture(tmp_path / "masks" / f"{key}.png", mask)
        for folder in ("one", "two"):
            if (folder, key) not in {("one", "a"), ("two", "b")}:
                save_picture(tmp_path / folder / f"{key}.png", picture)
    targets = PictureTargets(tmp_path / "pictures", tmp_path / "masks", "hole")
    judged = open_judged([str(tmp_path / "one"), str(tmp_path / "two")], CPU)
    places, problems = match_all(targets, judged)
    assert places == [2]
    assert sorted(line.split(" has ")[1] for line in problems) == [
        "no restoration of a.", "no restoration of b.",
    ]  # fmt: skip
    scores = evaluate(
        targets, places, {one.name: one.restore for one in judged}, baselines=["white"]
    )
    assert [(one.method, one.key) for one in scores] == [
        ("one", "c"), ("two", "c"), ("white", "c"),
    ]  # fmt: skip
    assert scores[0].values["mse_whole"] == 0


def test_large_pictures_are_alone_in_their_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "MOST_PIXELS", 2000)
    seen: list[int] = []

    def count(targets: Sequence[Target]) -> list[UInt8Array]:
        seen.append(len(targets))
        return inverted(targets)

    shapes = [(20, 30), (20, 31), (50, 60), (20, 30), (20, 30), (20, 30), (20, 30)]
    scores = evaluate(Drawn(*shapes), range(7), {"theirs": count}, baselines=[], batch_size=3)
    assert seen == [2, 1, 3, 1]  # 1,220 px; 3,000; 1,800 and as many as are asked for; the rest
    assert len(scores) == 7
    seen.clear()
    assert evaluate(Drawn((20, 30)), [], {"theirs": count}, baselines=[]) == []
    assert seen == []


def test_few_pixels_are_worth_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "cores", lambda: 3)
    assert workers_for([(256, 256)] * 10) == 1
    assert workers_for([(256, 256)] * 80) == 2
    assert workers_for([(5000, 8000)]) == 3


@pytest.mark.parametrize(
    ("shape", "in_tiles"),
    [((16, 32), 0), ((48, 16), 1), ((16, 48), 1), ((20, 32), 1), ((32, 20), 1)],
)
def test_only_what_suits_the_network_and_a_tile_on_both_sides_is_restored_at_once(
    model: PartialConvUNet,
    monkeypatch: pytest.MonkeyPatch,
    shape: tuple[int, int],
    in_tiles: int,
) -> None:
    calls: list[tuple[int, int]] = []

    def in_parts(*given: Any) -> tuple[UInt8Array, int]:
        calls.append(given[-2:])
        return given[1], 0

    monkeypatch.setattr(judging, "restore_picture", in_parts)
    Network(model, CPU, 32, 8)([target(*shape)])
    assert calls == [(32, 8)] * in_tiles


@pytest.mark.parametrize("side", ["top", "bottom", "left", "right", "none"])
def test_a_sample_says_how_deep_its_holes_are_and_whether_they_touch_a_border(side: str) -> None:
    one = target(20, 31)
    one.valid[:] = 1
    one.valid[5:8, 10:13] = 0  # eight pixels beside a known one, and one between
    line = {"top": np.s_[0, 4], "bottom": np.s_[-1, 4], "left": np.s_[4, 0], "right": np.s_[4, -1]}
    if side in line:
        one.valid[line[side]] = 0
    targets = Drawn((20, 31))
    targets.read([0])[0].valid[:] = one.valid
    (score,) = evaluate(targets, [0], {"theirs": inverted}, baselines=[])
    assert score.touches_border == (side != "none")
    assert score.depth_px == pytest.approx(10 / 9 if side == "none" else 11 / 10)


def test_what_a_network_does_not_reach_is_filled_as_in_tiles() -> None:
    torch.manual_seed(0)
    near = PartialConvUNet(ModelConfig(4, 3, base="none")).eval()
    one = target(96, 64)
    one.valid[:] = 0
    one.valid[:3, :5] = 1
    tiled, beyond = restore_picture(near, one.image, one.valid, CPU, 128, 16)
    assert np.any(beyond)
    (at_once,) = Network(near, CPU, 128, 16)([one])
    assert np.abs(at_once.astype(int) - tiled.astype(int)).max() <= 1


@pytest.mark.parametrize(("base", "shape"), [("none", (16, 24)), ("push-pull", (20, 31))])
def test_a_sample_in_which_nothing_is_known_is_grey(base: str, shape: tuple[int, int]) -> None:
    one = target(*shape)
    one.valid[:] = 0
    (filled,) = Network(PartialConvUNet(ModelConfig(4, 3, base=base)).eval(), CPU)([one])
    assert (filled == 128).all()
