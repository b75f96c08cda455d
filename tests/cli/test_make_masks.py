"""``make-masks``: what its options ask for, presets, and what is refused."""

import json
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dunhuang_data.mask_bank import open_bank
from dunhuang_data.polarity import hole_ratio

Invoke = Callable[..., Any]

SMALL = ("--size", "40x67", "--count", 3)


def recipe(bank: Path) -> dict[str, object]:
    document: dict[str, object] = json.loads((bank / "bank.json").read_text("utf-8"))["recipe"]
    return document


def test_every_option_reaches_the_recipe(invoke: Invoke, tmp_path: Path) -> None:
    given = ("--hole-ratio", "0.1:0.2:0.5", "--border", "torus", "--margin", 3, "--walkers", "2:4")
    more = ("--brush", 3, "--start", "center", "--grid", 16, "--seed", 9)
    outcome = invoke("dunhuang-data", "make-masks", *SMALL, *given, *more, "-o", tmp_path / "m")
    assert outcome.code == 0, outcome.err
    assert recipe(tmp_path / "m") == {
        "shape_hw": [40, 67], "steps": [50000, 50000], "count": 3, "seed": 9, "family": "walk",
        "hole_ratio": [0.1, 0.2, 0.5], "buckets": "", "border": "torus", "start": "center",
        "margin_px": 3, "walkers": [2, 4], "brush_px": [3, 3], "grid": 16, "width_px": [0, 0],
        "length_px": [0, 0], "source_sha256": "",
    }  # fmt: skip


def test_a_family_is_drawn_to_order(invoke: Invoke, tmp_path: Path) -> None:
    given = ("--family", "cracks", "--hole-ratio", 0.25, "--width", "1:2", "--length", 20)
    assert invoke("dunhuang-data", "make-masks", *SMALL, *given, "-o", tmp_path / "m").code == 0
    for valid in open_bank(tmp_path / "m"):
        assert int((valid == 0).sum()) == round(0.25 * 40 * 67)
    written = recipe(tmp_path / "m")
    assert (written["width_px"], written["length_px"]) == ([1, 2], [20, 20])


def test_a_preset_stands_in_for_defaults_only(invoke: Invoke, tmp_path: Path) -> None:
    preset = ("--preset", "challenge-like", "--walkers", 2, "--size", "256x300", "--count", 2)
    assert invoke("dunhuang-data", "make-masks", *preset, "-o", tmp_path / "m").code == 0
    written = recipe(tmp_path / "m")
    assert (written["grid"], written["steps"], written["start"]) == (256, [10000] * 2, "uniform")
    assert written["walkers"] == [2, 2]
    text = (tmp_path / "m" / "run.toml").read_text("utf-8")
    assert 'steps = "10000:10000"  # --preset' in text
    assert 'walkers = "2:2"  # command line' in text
    again = ("--config", tmp_path / "m" / "run.toml", "-o", tmp_path / "n")
    assert invoke("dunhuang-data", "make-masks", *again).code == 0
    assert recipe(tmp_path / "n") == written


@pytest.mark.parametrize("order", ["preset first", "config first"])
def test_a_config_counts_more_than_a_preset(invoke: Invoke, tmp_path: Path, order: str) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[make-masks]\ngrid = 32\n")
    both = [("--preset", "challenge-like"), ("--config", config)]
    given = [one for pair in (both if order == "preset first" else both[::-1]) for one in pair]
    assert invoke("dunhuang-data", "make-masks", *SMALL, *given, "-o", tmp_path / "m").code == 0
    assert recipe(tmp_path / "m")["grid"] == 32
    assert recipe(tmp_path / "m")["steps"] == [10000, 10000]
    text = (tmp_path / "m" / "run.toml").read_text("utf-8")
    assert "grid = 32  # --config" in text
    assert tomllib.loads(text)["make-masks"]["steps"] == "10000:10000"


def test_buckets_come_in_twelve_equal_cells(invoke: Invoke, tmp_path: Path) -> None:
    given = ("--buckets", "nvidia", "--per-bucket", 2, "--border", "clip", "--size", 64)
    outcome = invoke("dunhuang-data", "make-masks", *given, "-o", tmp_path / "m", "--json")
    assert outcome.code == 0
    assert "24 masks of 64 x 64 px" in outcome.err
    assert "show its straight edges" in outcome.err
    assert json.loads(outcome.out)["count"] == 24
    ratios = [hole_ratio(valid) for valid in open_bank(tmp_path / "m")]
    assert np.histogram(ratios, [0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])[0].tolist() == [4] * 6


def test_the_sheet_shows_the_masks(invoke: Invoke, tmp_path: Path) -> None:
    given = ("--hole-ratio", "0.05:0.5", "--border", "clip", "--sheet", tmp_path / "s.png")
    assert invoke("dunhuang-data", "make-masks", *SMALL, *given, "-o", tmp_path / "m").code == 0
    sheet = cv2.imread(str(tmp_path / "s.png"))
    assert sheet is not None
    holes = sum(int((valid == 0).sum()) for valid in open_bank(tmp_path / "m"))
    text = 22 * 3 * 67  # at most so many pixels of three labels are black
    assert holes <= (sheet == 0).all(axis=-1).sum() <= holes + text


@pytest.mark.parametrize(
    ("given", "code", "sentence"),
    [
        (("--hole-ratio", "0.1:x"), 2, "'0.1:x' is no range of numbers; write 5 or 5:20"),
        (("--steps", "1:2:3"), 2, "'1:2:3' is no range of whole numbers"),
        (("--steps", 5, "--hole-ratio", 0.1), 2, "--hole-ratio and --steps exclude each other"),
        (("--steps", 5, "--buckets", "nvidia"), 2, "--buckets and --steps exclude each other"),
        (("--per-bucket", 5), 2, "give --buckets nvidia too"),
        (
            ("--per-bucket", 5, "--buckets", "nvidia", "--count", 7),
            2,
            "--per-bucket and --count exclude each other",
        ),
        (("--hole-ratio", 0.97), 2, "the maximum is 0.9500"),
        (("--grid", 41), 2, "--grid is 41; expected 1 to 40"),
        (("--width", 5), 2, "--family walk has no --width"),
        (("--preset", "dusk"), 2, "'dusk' is not one of 'seed', 'challenge-like'"),
        (("--family", "stains"), 2, "say how much with --hole-ratio LOW:HIGH"),
    ],
)
def test_what_cannot_be_is_a_sentence(
    invoke: Invoke, tmp_path: Path, given: tuple[object, ...], code: int, sentence: str
) -> None:
    size = ("--size", "40x67", "-o", tmp_path / "m")
    outcome = invoke("dunhuang-data", "make-masks", *size, *given)
    assert outcome.code == code
    assert sentence in " ".join(outcome.err.split())
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "m").exists()


def test_a_dry_run_draws_and_writes_nothing(invoke: Invoke, tmp_path: Path) -> None:
    given = ("--hole-ratio", 0.2, "--dry-run", "-o", tmp_path / "m")
    outcome = invoke("dunhuang-data", "make-masks", *SMALL, *given)
    assert outcome.code == 0
    assert "The first 3: hole ratio 0.200 on average (sd 0.000), depth" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_is_no_part_of_the_bank(invoke: Invoke, tmp_path: Path) -> None:
    bank = tmp_path / "m"
    given = (*SMALL, "--steps", 20, "-o", bank)
    for place in (
        bank / "sheet.png",
        bank / "png" / "00000.png",
        tmp_path / "x" / ".." / "m" / "s.png",
    ):
        outcome = invoke("dunhuang-data", "make-masks", *given, "--sheet", place)
        assert outcome.code == 2
        assert "would be taken for a part of it. Name another place." in outcome.err
    assert not bank.exists()


def test_looking_beforehand_takes_seconds_not_minutes(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the package has a command of the module's name
    monkeypatch.setattr(sys.modules["dunhuang_cli.data.make_masks"], "LOOKED_AT_S", 0.0)
    outcome = invoke("dunhuang-data", "make-masks", *SMALL, "--dry-run", "-o", tmp_path / "m")
    assert "The first 1: hole ratio" in outcome.err
