"""``evaluate`` as a user calls it: tables, documents, and what does not fit."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drawings import draw_picture, save_picture
from dunhuang_data.pictures import read_picture
from refusals import check

pytest.importorskip("torch")
pytest.importorskip("skimage")

Invoke = Callable[..., Any]
SHAPE = (40, 52)
BASELINES = [
    "white", "mean colour", "push-pull", "push-pull, smooth", "Telea", "Navier-Stokes",
    "biharmonic",
]  # fmt: skip


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    """Five pictures, masks in which white is a hole, and two folders of restorations."""
    for place in range(5):
        key = f"wall/{place}"
        picture = draw_picture(*SHAPE, key)
        hole = np.zeros((*SHAPE, 3), dtype=np.uint8)
        hole[4 + place : 16, 6 : 20 + place] = 255
        save_picture(tmp_path / "pictures" / f"{key}.png", picture)
        save_picture(tmp_path / "masks" / f"{key}.png", hole)
        for folder, error in (("good", 3), ("bad", 40 + place)):
            restored = np.where(hole == 255, picture + np.uint8(error), picture)
            save_picture(tmp_path / folder / f"{key}.png", restored)
    return tmp_path


def on(gallery: Path) -> tuple[object, ...]:
    return "--pictures", gallery / "pictures", "--masks", gallery / "masks", "--white-is", "hole"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    import torch

    from dunhuang_trainer.checkpoint import CheckpointInfo, save_weights
    from dunhuang_trainer.config import ModelConfig, TrainConfig
    from dunhuang_trainer.model import PartialConvUNet

    torch.manual_seed(0)
    config = ModelConfig(4, 3, base="none")
    path = tmp_path / "best.safetensors"
    info = CheckpointInfo(config, TrainConfig(1), 9, "ab" * 32, 32, {})
    save_weights(path, PartialConvUNet(config), info)
    return path


def test_a_checkpoint_on_a_dataset(
    invoke: Invoke, dataset: Path, checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scores"
    outcome = invoke(
        "dunhuang-train", "evaluate", checkpoint, "--dataset", dataset, "-o", out, "--json"
    )
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    assert found == json.loads((out / "scores.json").read_text())
    assert found["on"] == {"dataset": str(dataset), "split": "test"}
    assert found["judged"]["network"]["step"] == 9
    assert list(found["methods"]) == ["network", *BASELINES]
    with (out / "scores.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 6 * len(found["methods"])
    for method, means in found["methods"].items():
        mine = [row for row in rows if row["method"] == method]
        for score in ("mse_hole", "l1_rim", "ssim_gauss11_whole", "lmse"):
            expected = np.mean([float(row[score]) for row in mine if row[score]])
            assert means["scores"][score]["mean"] == pytest.approx(expected)
    # a network of random weights is far behind
    assert "network is behind Telea in the holes" in " ".join(outcome.err.split())
    heading = outcome.err.partition("MSE hole by hole ratio")[2].splitlines()[2]
    columns = [one.strip() for one in heading.split("┃")[1:-1]]
    assert columns[2:] == ["network", *(one for one in BASELINES if one != "push-pull")]
    tables = (out / "tables.txt").read_text()
    assert all(name in tables for name in BASELINES)
    assert tables.count("by hole ratio") >= 4  # of the MSE, the PSNR and both SSIMs
    sheet = read_picture(out / "sheet.png")
    assert sheet.std() > 5
    assert "[evaluate]" in (out / "run.toml").read_text()


def test_two_folders_are_compared_in_pairs(invoke: Invoke, gallery: Path) -> None:
    outcome = invoke(
        "dunhuang-train", "evaluate", gallery / "good", gallery / "bad", *on(gallery),
        "--baselines", "telea", "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    assert list(found["methods"]) == ["good", "bad", "Telea"]
    assert found["judged"]["bad"] == {"kind": "folder", "path": str(gallery / "bad")}
    assert found["methods"]["good"]["scores"]["mse_hole"]["mean"] == pytest.approx(9)
    (compared,) = found["comparisons"]
    assert (compared["a"], compared["b"], compared["samples"]) == ("good", "bad", 5)
    pair = compared["scores"]["mse_hole"]
    errors = [(40 + place) ** 2 for place in range(5)]
    assert pair["a_minus_b"]["mean"] == pytest.approx(9 - np.mean(errors))
    assert pair["a_minus_b"]["high"] < 0
    assert pair["share_of_draws_a_better"] == 1


def test_predictions_may_be_named_by_their_option(invoke: Invoke, gallery: Path) -> None:
    named, optional = (
        invoke("dunhuang-train", "evaluate", *how, *on(gallery), "--baselines", "none", "--json")
        for how in ((gallery / "good",), ("--predictions", gallery / "good"))
    )
    assert named.code == optional.code == 0
    assert json.loads(named.out) == json.loads(optional.out)


def test_runs_have_a_mean_and_a_spread(invoke: Invoke, gallery: Path) -> None:
    outcome = invoke(
        "dunhuang-train", "evaluate", gallery / "good", f"again={gallery / 'bad'}", *on(gallery),
        "--runs", "--baselines", "none", "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    (runs,) = json.loads(outcome.out)["runs"]
    means = [9.0, float(np.mean([(40 + place) ** 2 for place in range(5)]))]
    assert runs["scores"]["mse_hole"]["mean"] == pytest.approx(np.mean(means))
    assert runs["scores"]["mse_hole"]["sd"] == pytest.approx(np.std(means, ddof=1))


def test_baselines_alone_can_be_judged(invoke: Invoke, gallery: Path) -> None:
    outcome = invoke("dunhuang-train", "evaluate", *on(gallery), "--json", "-o", gallery / "out")
    assert outcome.code == 0, outcome.err
    assert list(json.loads(outcome.out)["methods"]) == BASELINES
    assert read_picture(gallery / "out" / "sheet.png").std() > 5


def test_the_figure_of_the_course(invoke: Invoke, gallery: Path) -> None:
    outcome = invoke(
        "dunhuang-train", "evaluate", gallery / "bad", *on(gallery), "--legacy-course", "--json"
    )
    assert outcome.code == 0, outcome.err
    scores = json.loads(outcome.out)["methods"]["bad"]["scores"]
    wrapped, true = [], []
    for place in range(5):
        target = read_picture(gallery / "pictures" / "wall" / f"{place}.png")
        picture = read_picture(gallery / "bad" / "wall" / f"{place}.png")
        wrapped.append(np.mean((target - picture) ** 2))
        true.append(np.mean((target.astype(float) - picture) ** 2))
    assert scores["mse_course_wrapped"]["mean"] == pytest.approx(np.mean(wrapped))
    assert scores["mse_whole"]["mean"] == pytest.approx(np.mean(true))
    assert np.mean(wrapped) < np.mean(true) / 3
    assert "wrap at 256" in " ".join(outcome.err.split())


def test_everything_that_does_not_fit_is_listed_and_the_rest_is_judged_if_asked(
    invoke: Invoke, gallery: Path
) -> None:
    (gallery / "good" / "wall" / "0.png").unlink()
    shutil.copy(gallery / "good" / "wall" / "1.png", gallery / "good" / "wall" / "9.png")
    (gallery / "masks" / "wall" / "2.png").unlink()
    grey = np.full((*SHAPE, 3), 0, dtype=np.uint8)
    grey[4:10, 4:10] = 128
    grey[12:14, 4:10] = 255
    save_picture(gallery / "masks" / "wall" / "3.png", grey)
    line = ("dunhuang-train", "evaluate", gallery / "good", *on(gallery), "--json")
    check(
        invoke(*line), 3, "4 things do not fit together (--allow-missing judges the rest)",
        "good has no restoration of wall/0.", "9.png is the restoration of no target",
        "2.png has no mask", "3.png has 1.73% pixels that are neither black nor white",
    )  # fmt: skip
    outcome = invoke(*line, "--allow-missing")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    assert found["samples"] == 2
    assert found["methods"]["good"]["samples"] == found["methods"]["Telea"]["samples"] == 2
    assert any("has no restoration of wall/0" in one for one in found["left_out"])
    assert "Left out: " in outcome.err


def test_nothing_left_to_judge_is_a_problem_even_if_missing_is_allowed(
    invoke: Invoke, gallery: Path
) -> None:
    shutil.rmtree(gallery / "good" / "wall")
    save_picture(gallery / "good" / "x.png", draw_picture(*SHAPE, "x"))
    outcome = invoke(
        "dunhuang-train", "evaluate", gallery / "good", *on(gallery), "--allow-missing"
    )
    check(outcome, 3, "No file in", "the first target wall/0. Name them alike")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("--dataset", "shards"), "--dataset and --pictures both say what to judge on"),
        (("--lpips-weights", "x.pth"), "--lpips-weights is for --lpips"),
        (("--fid-weights", "x.pth"), "--fid-weights is for --fid"),
        (("--baselines", "telea,best"), "--baselines names 'best'; there are white, mean-colour"),
        (("--baselines", "none"), "There is nothing to judge"),
    ],
)
def test_options_that_do_not_go_together(
    invoke: Invoke, gallery: Path, change: tuple[str, ...], sentence: str
) -> None:
    check(invoke("dunhuang-train", "evaluate", *on(gallery), *change), 2, sentence)


def test_what_is_said_of_masks_is_not_for_datasets(invoke: Invoke, dataset: Path) -> None:
    line = ("dunhuang-train", "evaluate", "--dataset", dataset, "--grey", "threshold")
    check(invoke(*line), 2, "--grey is for the masks of --pictures")


def test_masks_are_not_for_a_dataset(invoke: Invoke, dataset: Path, gallery: Path) -> None:
    line = ("dunhuang-train", "evaluate", "--dataset", dataset, "--masks", gallery / "masks")
    check(invoke(*line), 2, "--dataset has its own pictures and masks; --masks is for --pictures")


def test_masks_that_are_turned_round_are_noticed(invoke: Invoke, gallery: Path) -> None:
    line = ("dunhuang-train", "evaluate", gallery / "bad", *on(gallery)[:4], "--white-is", "known")
    outcome = invoke(*line, "--json")
    assert outcome.code == 0, outcome.err
    said = " ".join(json.loads(outcome.out)["doubts"])
    assert "The mean hole ratio is 0.92: most of the pictures is a hole." in said
    assert "bad has no error in the holes, but on known pixels" in said
    assert said in " ".join(outcome.err.split())


def test_what_is_judged_on_has_to_be_said(invoke: Invoke, gallery: Path) -> None:
    check(invoke("dunhuang-train", "evaluate", gallery / "good"), 2, "Say what to judge on")
    line = ("dunhuang-train", "evaluate", *on(gallery)[:4])
    check(invoke(*line), 2, "Missing option '--white-is'. Choose from: hole, known")
    check(invoke(*line[:4], "--white-is", "hole"), 2, "Missing option '--masks'")


def test_an_output_is_not_overwritten(invoke: Invoke, gallery: Path) -> None:
    line = ("dunhuang-train", "evaluate", gallery / "good", *on(gallery), "--baselines", "none",
            "-o", gallery / "out")  # fmt: skip
    assert invoke(*line).code == 0
    check(invoke(*line), 4, "--overwrite")
    assert invoke(*line, "--overwrite").code == 0


def test_restorations_are_read_as_the_pictures_are(invoke: Invoke, gallery: Path) -> None:
    line = ("dunhuang-train", "evaluate", f"same={gallery / 'pictures'}", *on(gallery),
            "--baselines", "none", "--json", "--assume-profile", "p3")  # fmt: skip
    outcome = invoke(*line)
    assert outcome.code == 0, outcome.err
    scores = json.loads(outcome.out)["methods"]["same"]["scores"]
    assert scores["mse_whole"]["mean"] == 0


def test_a_run_toml_names_the_restorations_again(invoke: Invoke, gallery: Path) -> None:
    both = ("--predictions", gallery / "good", "--predictions", gallery / "bad")
    line = ("dunhuang-train", "evaluate", *both, *on(gallery), "--baselines", "none")
    assert invoke(*line, "-o", gallery / "a").code == 0
    config = gallery / "a" / "run.toml"
    outcome = invoke("dunhuang-train", "evaluate", "--config", config, "-o", gallery / "b")
    assert outcome.code == 0, outcome.err
    tables = [(gallery / name / "scores.csv").read_text() for name in "ab"]
    assert tables[0] == tables[1]
    config.write_text('[evaluate]\npredictions = "good"\n')
    outcome = invoke("dunhuang-train", "evaluate", "--config", config)
    check(outcome, 2, "predictions is 'good'; expected a list")


@pytest.mark.parametrize("name", ["", "theirs="])
def test_an_output_does_not_lie_among_the_pictures_that_are_read(
    invoke: Invoke, gallery: Path, name: str
) -> None:
    line = ("dunhuang-train", "evaluate", f"{name}{gallery / 'good'}", *on(gallery))
    check(invoke(*line, "-o", gallery / "good" / "out"), 2, "good, which is read")
    check(invoke(*line, "-o", gallery / "masks" / "wall" / "out"), 2, "masks, which is read")
    assert not (gallery / "good" / "out").exists()


def test_one_run_has_no_spread_which_is_said_before_the_work(invoke: Invoke, gallery: Path) -> None:
    outcome = invoke("dunhuang-train", "evaluate", gallery / "good", *on(gallery), "--runs")
    check(outcome, 2, "--runs shows the spread of several runs, and 1 is named.")
    assert "judging" not in outcome.err


def test_fid_of_few_pictures_is_refused_whatever_is_installed(
    invoke: Invoke, gallery: Path
) -> None:
    line = ("dunhuang-train", "evaluate", gallery / "good", *on(gallery), "--fid")
    check(invoke(*line), 3, "asked for 5 pictures, and needs at least 2,000")


def test_damage_groups_and_seed_reach_the_tables(invoke: Invoke, gallery: Path) -> None:
    from dunhuang_trainer.buckets import mean_by_picture

    sound = np.full((*SHAPE, 3), 255, dtype=np.uint8)
    sound[8:12, 10:30] = 0
    for place in (0, 3):
        save_picture(gallery / "damage" / "wall" / f"{place}.png", sound)
    groups = ["north", "north", "south", "east", "east"]
    rows = "".join(f"wall/{place},{group}\n" for place, group in enumerate(groups))
    (gallery / "groups.csv").write_text("picture,group\n" + rows)
    outcome = invoke(
        "dunhuang-train", "evaluate", gallery / "good", gallery / "bad", *on(gallery),
        "--damage", gallery / "damage", "--damage-is", "black", "--groups", gallery / "groups.csv",
        "--seed", 7, "--baselines", "none", "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    errors = {}
    for name in ("good", "bad"):
        pairs = [
            [
                read_picture(gallery / folder / "wall" / f"{place}.png")
                for folder in (name, "pictures")
            ]
            for place in range(5)
        ]
        squares = [np.square(one.astype(float) - target) for one, target in pairs]
        for place in (0, 3):
            squares[place] = squares[place][sound[..., 0] == 255]
        errors[name] = np.array([one.mean() for one in squares])
    for values, shown in (
        (errors["good"], found["methods"]["good"]["scores"]["mse_whole"]),
        (
            errors["good"] - errors["bad"],
            found["comparisons"][0]["scores"]["mse_whole"]["a_minus_b"],
        ),
    ):
        expected = mean_by_picture(values, groups, 7)
        assert shown["pictures"] == 3
        assert (shown["mean"], shown["low"], shown["high"]) == pytest.approx(
            (expected.mean, expected.low, expected.high)
        )
    assert found["bootstrap"]["seed"] == found["comparisons"][0]["seed"] == 7


def test_tiles_are_as_large_as_asked(invoke: Invoke, gallery: Path, checkpoint: Path) -> None:
    line = ("dunhuang-train", "evaluate", checkpoint, *on(gallery), "--baselines", "none")
    outcome = invoke(*line, "--tile", 16, "--overlap", 12)
    assert "--tile 16 and --overlap 12 do not fit" in " ".join(outcome.err.split())
