"""``sample-patches`` and ``replay`` as a user meets them."""

import csv
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips

from drawings import draw_picture, save_picture, write_pictures
from dunhuang_data.pictures import read_picture
from dunhuang_data.reader import DatasetReader

Invoke = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "pictures", {"a.png": (64, 90), "b.png": (120, 200)})
    return tmp_path


def sample(folder: Path, *more: object) -> tuple[object, ...]:
    arguments = ("sample-patches", folder / "pictures", "-o", folder / "plan", "--size", 32)
    return (*arguments, "--per-picture", 7, "--split", "1,0,0", *more)


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_fifty_pictures_are_shared_among_processes_and_give_the_same_plan(
    invoke: Invoke, tmp_path: Path
) -> None:
    sizes = {f"{number:02}.png": (40, 32 + number % 3) for number in range(50)}
    write_pictures(tmp_path / "pictures", sizes)
    for name, workers in (("auto", "auto"), ("one", 1)):
        arguments = ("sample-patches", tmp_path / "pictures", "-o", tmp_path / name, "--size", 32)
        outcome = invoke("dunhuang-data", *arguments, "--per-picture", 1, "--workers", workers)
        assert outcome.code == 0, outcome.err
    plans = [table(tmp_path / name / "patches.csv") for name in ("auto", "one")]
    assert len(plans[0]) == 50
    assert plans[0] == plans[1]


def test_a_dry_run_says_what_is_possible_and_writes_nothing(invoke: Invoke, folder: Path) -> None:
    outcome = invoke("dunhuang-data", *sample(folder, "--dry-run", "--json"))
    assert outcome.code == 0
    a, b = json.loads(outcome.out)["report"]
    assert (a["id"], a["coverage"], a["cover_number"]) == ("a", 1.0, 6)
    assert (b["id"], b["cover_number"]) == ("b", 28)
    assert b["coverage"] < 1
    for one in (a, b):
        assert 0 < one["layout_px"] <= one["bound_px"]
        assert 0.5 < one["share_of_bound"] <= 1
    assert f"{b['layout_px']:.1f} - {b['bound_px']:.1f}" in outcome.err
    assert "fewer patches than cover it" in outcome.err
    assert not (folder / "plan").exists()


def test_too_little_coverage_fails_after_the_plan_is_written(invoke: Invoke, folder: Path) -> None:
    outcome = invoke("dunhuang-data", *sample(folder, "--fail-under-coverage", 0.9))
    assert outcome.code == 3
    text = " ".join(outcome.err.split())
    assert "1 of 2 pictures are covered by less than 90.0%: - b:" in text
    assert "28 can cover it" in text
    assert (folder / "plan" / "report.csv").is_file()
    more = ("--per-picture", 32, "--fail-under-coverage", 1, "--overwrite")
    outcome = invoke("dunhuang-data", *sample(folder, *more))
    assert outcome.code == 0, outcome.err


def test_what_cannot_be_used_is_listed_or_left_out(invoke: Invoke, folder: Path) -> None:
    (folder / "pictures" / "note.jpg").write_text("no picture")
    save_picture(folder / "pictures" / "a.jpg", draw_picture(50, 60, "twin"))
    outcome = invoke("dunhuang-data", *sample(folder))
    assert outcome.code == 3
    assert "2 of 3 pictures cannot be used" in outcome.err
    assert not (folder / "plan").exists()
    outcome = invoke("dunhuang-data", *sample(folder, "--keep-going"))
    assert outcome.code == 0
    assert "2 left out:" in outcome.err
    assert "note.jpg" in outcome.err
    rows = table(folder / "plan" / "pictures.csv")
    assert [row["id"] for row in rows] == ["b"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--exclude-masks", "DIR"), "--exclude-masks needs --damage-is white or"),
        (("--damage-is", "white"), "mean nothing without --exclude-masks"),
        (("--max-damage", "0.1"), "mean nothing without --exclude-masks"),
        (("--split-by", "group"), "--split-by group needs --groups"),
        (("--method", "hex"), "'hex' is not one of 'max-distance'"),
        (("--scale", "0"), "--scale is 0.0; expected 0.01 to 16"),
    ],
)
def test_options_that_do_not_fit_together(
    invoke: Invoke, folder: Path, options: tuple[str, ...], sentence: str
) -> None:
    outcome = invoke("dunhuang-data", *sample(folder, *options))
    assert outcome.code == 2
    assert sentence in " ".join(outcome.err.split())
    assert not (folder / "plan").exists()


def test_sidecars_are_read(invoke: Invoke, folder: Path) -> None:
    sidecar = folder / "groups.csv"
    sidecar.write_text("picture,group,rights,attribution\na,cave,CC0,X\nb,cave,,\n")
    options = ("--split-by", "group", "--groups", sidecar, "--rights", sidecar)
    outcome = invoke("dunhuang-data", *sample(folder, *options))
    assert outcome.code == 0, outcome.err
    rows = table(folder / "plan" / "pictures.csv")
    assert [(row["group"], row["rights"]) for row in rows] == [("cave", "CC0"), ("cave", "")]
    sidecar.write_text("picture,group\na,cave\n")
    outcome = invoke("dunhuang-data", *sample(folder, *options[:4], "--overwrite"))
    assert outcome.code == 3
    assert "b: the table of groups does not say which group" in outcome.err


def test_a_decision_is_recorded_and_used_by_the_build(invoke: Invoke, tmp_path: Path) -> None:
    """Twelve bits in sixteen: refused, then read with the white level, in plan and shards."""
    deep = (draw_picture(50, 70, "deep").astype(np.uint32) * 4095 // 255).astype(np.uint16)
    (tmp_path / "pictures").mkdir()
    image = pyvips.Image.new_from_array(deep).copy(interpretation="rgb16")
    image.write_to_file(str(tmp_path / "pictures" / "a.tif"))
    outcome = invoke("dunhuang-data", *sample(tmp_path))
    assert outcome.code == 3
    assert "--white-level" in outcome.err
    options = ("--white-level", 4095, "--turn", 0, "--flip", 0)
    outcome = invoke("dunhuang-data", *sample(tmp_path, *options))
    assert outcome.code == 0, outcome.err
    row = table(tmp_path / "plan" / "pictures.csv")[0]
    assert "white level 4095" in row["reading"]
    masks = ("--steps", 9, "--count", 7, "--size", 32, "-o", tmp_path / "masks")
    assert invoke("dunhuang-data", "make-masks", *masks).code == 0
    built = ("--plan", tmp_path / "plan", "--masks", tmp_path / "masks", "-o", tmp_path / "shards")
    outcome = invoke("dunhuang-data", "build", *built)
    assert outcome.code == 0, outcome.err
    sample_0 = DatasetReader(tmp_path / "shards", "train").read([0]).image[0]
    patch = table(tmp_path / "plan" / "patches.csv")[0]
    top, left = int(patch["center_y"]) - 16, int(patch["center_x"]) - 16
    expected = draw_picture(50, 70, "deep")[top : top + 32, left : left + 32].astype(int)
    assert np.abs(sample_0 - expected).max() <= 1


def test_overlays_are_drawn_of_variants_and_scaled_pictures(invoke: Invoke, folder: Path) -> None:
    options = ("--variants", 3, "--scale", 0.6, "--overlay", folder / "overlay")
    outcome = invoke("dunhuang-data", *sample(folder, *options))
    assert outcome.code == 0, outcome.err
    for name, (height, width) in {"a": (64, 90), "b": (120, 200)}.items():
        drawing = read_picture(folder / "overlay" / f"{name}.png")
        assert drawing.shape[0] > height
        assert drawing.shape[1] > 2 * width


def test_workers_write_the_same_plan(invoke: Invoke, folder: Path) -> None:
    assert invoke("dunhuang-data", *sample(folder, "--workers", 1)).code == 0
    first = {path.name: path.read_bytes() for path in (folder / "plan").glob("*.csv")}
    assert invoke("dunhuang-data", *sample(folder, "--workers", 2, "--overwrite")).code == 0
    assert first == {path.name: path.read_bytes() for path in (folder / "plan").glob("*.csv")}
    assert set(first) == {"patches.csv", "pictures.csv", "report.csv"}


def test_a_row_is_replayed_from_plan_and_dataset(
    invoke: Invoke, dataset: Path, plan_root: Path, pictures: Path, tmp_path: Path
) -> None:
    options = ("--row", 5, "-o", tmp_path / "p.png", "--damage", tmp_path / "d.png", "--json")
    outcome = invoke("dunhuang-data", "replay", plan_root, *options)
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    assert document["index"] == 5
    again = ("--row", 5, "-o", tmp_path / "q.png", "--pictures", pictures)
    assert invoke("dunhuang-data", "replay", dataset, *again).code == 0
    image = read_picture(tmp_path / "p.png")
    assert np.array_equal(image, read_picture(tmp_path / "q.png"))
    reader = DatasetReader(dataset, document["split"])
    stored = reader.read(range(len(reader)))
    assert any(np.array_equal(image, one) for one in stored.image)
    assert invoke("dunhuang-data", "replay", plan_root, *options).code == 4
    beyond = ("--row", 480, "-o", tmp_path / "r.png")
    outcome = invoke("dunhuang-data", "replay", plan_root, *beyond)
    assert outcome.code == 3
    assert "The plan has no row 480; its rows are 0 to 47." in outcome.err


def test_masks_of_damage_are_never_overwritten(invoke: Invoke, folder: Path) -> None:
    masks = folder / "masks"
    mask = np.zeros((120, 200), dtype=np.uint8)
    mask[:9, :9] = 255
    save_picture(masks / "b.png", mask)
    before = (masks / "b.png").read_bytes()
    options = ("--exclude-masks", masks, "--damage-is", "white", "--overwrite")
    outcome = invoke("dunhuang-data", *sample(folder, *options, "--overlay", masks))
    assert outcome.code == 4
    assert "b.png is an input and would be replaced" in outcome.err
    assert invoke("dunhuang-data", *sample(folder, *options)).code == 0
    again = ("--row", 1, "-o", masks / "b.png", "--overwrite")
    assert invoke("dunhuang-data", "replay", folder / "plan", *again).code == 4
    both = ("--row", 1, "-o", folder / "x.png", "--damage", folder / "x.png")
    assert invoke("dunhuang-data", "replay", folder / "plan", *both).code == 2
    assert (masks / "b.png").read_bytes() == before


@pytest.mark.parametrize(("below", "what"), [("pictures/ov", "the pictures"), ("plan", "the plan")])
def test_drawings_never_become_pictures_or_plan(
    invoke: Invoke, folder: Path, below: str, what: str
) -> None:
    outcome = invoke("dunhuang-data", *sample(folder, "--overlay", folder / below))
    assert outcome.code == 2
    assert f"lies in the folder of {what}" in " ".join(outcome.err.split())
    assert not (folder / "plan").exists()


def test_a_name_with_a_line_feed_does_not_break_run_toml(invoke: Invoke, tmp_path: Path) -> None:
    odd = save_picture(tmp_path / "a\nb.png", draw_picture(50, 60, "odd"))
    options = ("-o", tmp_path / "plan", "--size", 32, "--per-picture", 2)
    assert invoke("dunhuang-data", "sample-patches", odd, *options).code == 0
    document = tomllib.loads((tmp_path / "plan" / "run.toml").read_text())
    assert document["sample-patches"]["per-picture"] == 2
