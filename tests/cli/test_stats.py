"""``stats`` as it is typed: its tables, files, comparisons, limits, and what it refuses."""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drawings import TINY_PLAN, save_picture
from dunhuang_cli import console
from dunhuang_data.build import build_dataset
from dunhuang_data.mask_bank import open_bank, write_bank
from dunhuang_data.mask_recipe import MaskRecipe
from dunhuang_data.mask_stats import STATISTICS
from dunhuang_data.plan import make_plan
from dunhuang_data.recipe import BuildRecipe

Invoke = Callable[..., Any]


@pytest.fixture
def stats(invoke: Invoke) -> Invoke:
    """Return a function that runs ``stats``."""
    return lambda *arguments: invoke("dunhuang-data", "stats", *arguments)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A bank of short walks, of the size of the tiny dataset."""
    write_bank(MaskRecipe(shape_hw=(32, 32), steps=(25, 25), count=40, seed=9), tmp_path / "small")
    return tmp_path / "small"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Mask files, white = hole, of a size that is not square."""
    folder = tmp_path / "damage"
    for number in range(4):
        hole = np.zeros((20, 31), np.uint8)
        hole[2 : 4 + number, 5:20] = 255
        save_picture(folder / f"wall-{number}.png", hole)
    return folder


def test_depth_stands_beside_the_ratio(stats: Invoke, bank_root: Path) -> None:
    outcome = stats(bank_root)
    assert (outcome.code, outcome.out) == (0, "")
    titles = (
        "Hole ratio (share", "Depth (px)", "Largest inscribed", "Connected holes per mask",
        "Medians of what", "Masks by hole ratio (in brackets their median depth",
        "Masks that stand out", "Areas of all connected holes", "How often a pixel",
    )  # fmt: skip
    places = [outcome.err.index(title) for title in titles]
    assert places == sorted(places)
    document = json.loads(stats(bank_root, "--json").out)
    assert (document["kind"], document["by"], document["masks"]) == ("bank", "all", 48)
    one = document["sets"]["masks"]
    assert {statistic.name for statistic in STATISTICS} <= set(one)
    assert sum(bucket["masks"] for bucket in one["buckets"]) == 48
    assert sum(one["hole_ratio_histogram"]["masks"]) == 48
    assert set(one["hole_frequency"]) == {"mean", "centre", "edge", "corner"}


def test_by_says_what_is_measured_apart(stats: Invoke, bank_root: Path, dataset: Path) -> None:
    buckets = json.loads(stats(bank_root, "--by", "bucket", "--json").out)["sets"]
    assert sum(one["count"] for one in buckets.values()) == 48
    assert all(" " in name or "-" in name for name in buckets)
    pictures = json.loads(stats(dataset, "--by", "picture", "--json").out)["sets"]
    assert "cave/wall-1" in pictures
    assert len(pictures) == 8
    assert list(json.loads(stats(dataset, "--by", "all", "--json").out)["sets"]) == ["masks"]
    only = json.loads(stats(dataset, "--only", "val", "--json").out)
    assert list(only["sets"]) == ["val"]
    outcome = stats(bank_root, "--by", "picture")
    assert outcome.code == 2
    assert "--by picture is for datasets" in outcome.err


def test_a_row_for_each_mask(stats: Invoke, dataset: Path, tmp_path: Path) -> None:
    table = tmp_path / "masks.csv"
    outcome = stats(dataset, "--csv", table)
    assert (outcome.code, outcome.out) == (0, f"{table}\n")
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 48
    assert list(rows[0]) == [
        "row", "name", "split", "picture", "bucket", "hole_ratio", "depth_px", "radius_px",
        "holes", "largest_share", "islands", "perimeter_px", "perimeter_per_px", "sides",
        "grey_share", "hash",
    ]  # fmt: skip
    document = json.loads(stats(dataset, "--json").out)
    for split, one in document["sets"].items():
        ratios = [float(row["hole_ratio"]) for row in rows if row["split"] == split]
        assert sum(ratios) / len(ratios) == pytest.approx(one["hole_ratio"]["mean"])
    assert {row["picture"] for row in rows if row["split"] == "train"}.isdisjoint(
        row["picture"] for row in rows if row["split"] == "test"
    )


def test_what_does_not_exist_is_empty_and_what_has_no_end_says_so(
    stats: Invoke, files: Path, tmp_path: Path
) -> None:
    save_picture(files / "a.png", np.zeros((20, 31), np.uint8))
    save_picture(files / "b.png", np.full((20, 31), 255, np.uint8))
    assert stats(files, "--white-is", "hole", "--csv", tmp_path / "m.csv").code == 0
    known, hole, *_ = csv.DictReader((tmp_path / "m.csv").read_text().splitlines())
    assert (known["hole_ratio"], known["perimeter_per_px"], known["depth_px"]) == ("0.0", "", "0.0")
    assert (hole["hole_ratio"], hole["depth_px"], hole["sides"]) == ("1.0", "inf", "4")


def test_any_number_of_workers_writes_the_same(
    stats: Invoke, bank_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dunhuang_data.mask_stats.sets.ROWS_PER_JOB", 10)
    printed = []
    for workers in (1, 2):
        arguments = ("--csv", tmp_path / f"{workers}.csv", "--html", tmp_path / f"{workers}.html")
        outcome = stats(bank_root, "--workers", workers, "--json", *arguments)
        assert outcome.code == 0
        printed.append(outcome.out)
    assert printed[0] == printed[1]
    for kind in ("csv", "html"):
        first, second = (tmp_path / f"{workers}.{kind}" for workers in (1, 2))
        assert first.read_bytes() == second.read_bytes()


def test_files_of_other_programs_need_the_users_word(
    stats: Invoke, files: Path, bank_root: Path
) -> None:
    outcome = stats(files)
    assert outcome.code == 2
    assert "say what white stands for in them, --white-is hole or --white-is known" in outcome.err
    document = json.loads(stats(files, "--white-is", "hole", "--json").out)
    assert document["sets"]["masks"]["hole_ratio"]["p100"] == pytest.approx(5 * 15 / 620)
    assert document["grey_share"]["most"] == 0
    outcome = stats(files, "--white-is", "known")
    assert "--white-is says the wrong one" in outcome.err
    outcome = stats(bank_root, "--white-is", "hole")
    assert outcome.code == 2
    assert "Leave --white-is out" in outcome.err


def test_grey_and_duplicates_are_reported(stats: Invoke, files: Path) -> None:
    hole = np.zeros((20, 31), np.uint8)
    hole[5:9], hole[9] = 255, 90
    save_picture(files / "soft.png", hole)
    (files / "again.png").write_bytes((files / "wall-2.png").read_bytes())
    outcome = stats(files, "--white-is", "hole")
    assert outcome.code == 0
    assert "(most in soft.png: 5.0%); they were thresholded at half of white" in outcome.err
    assert "1 mask is an exact duplicate of another:" in outcome.err
    assert "equal: row 0 (again.png), row 4 (wall-2.png)" in outcome.err


def test_a_mismatch_is_said_in_words(stats: Invoke, bank_root: Path, small: Path) -> None:
    outcome = stats(bank_root, "--against", small, "--json")
    assert outcome.code == 0  # a verdict is no error
    assert f"{bank_root} and {small} do not match (mean hole ratio " in outcome.err
    document = json.loads(outcome.out)
    (comparison,) = document["comparisons"]
    assert comparison["alike"] is False
    assert comparison["distances"]["depth_px"]["verdict"] == "large"
    assert document["against"]["count"] == 40
    assert "not of one size" not in outcome.err


def test_one_bank_matches_itself_split_by_split(stats: Invoke, dataset: Path) -> None:
    outcome = stats(dataset, "--against", "val", "--json")
    document = json.loads(outcome.out)
    assert [one["set"] for one in document["comparisons"]] == ["train", "val", "test"]
    assert all(one["alike"] for one in document["comparisons"])
    outcome = stats(dataset, "--only", "train", "--against", dataset, "--against-only", "test")
    assert f"{dataset} (train) and {dataset} (test) " in " ".join(outcome.err.split())


def test_a_bank_against_a_folder_of_real_damage(
    stats: Invoke, small: Path, files: Path, tmp_path: Path
) -> None:
    arguments = (small, "--against", files, "--against-white-is", "hole")
    outcome = stats(*arguments, "--html", tmp_path / "a.html", "--figure", tmp_path / "a.png")
    assert outcome.code == 0
    assert "The two sets are not of one size." in outcome.err
    assert (tmp_path / "a.html").read_text().count("<img ") == 3
    outcome = stats(small, "--against", files)
    assert outcome.code == 2
    assert "--against-white-is" in outcome.err
    outcome = stats(small, "--against-white-is", "hole")
    assert outcome.code == 2
    assert "go with --against" in outcome.err


def test_failed_limits_come_last_and_together(
    stats: Invoke, bank_root: Path, small: Path, tmp_path: Path
) -> None:
    limits = ("--fail-if", "hole_ratio.p95 > 0.01", "--fail-if", "depth_px.mean < 0",
              "--fail-if", "masks:distance.hole_ratio > 0.1")  # fmt: skip
    outcome = stats(
        bank_root, "--against", small, *limits, "--json", "--csv", tmp_path / "masks.csv"
    )
    assert outcome.code == 3
    assert (tmp_path / "masks.csv").is_file()
    said = outcome.err[outcome.err.index("Error: ") :]
    assert "2 limits were reached:" in said
    assert "  - masks: hole_ratio.p95 is 0." in said
    assert "  - masks: distance.hole_ratio is " in said
    assert "depth_px.mean" not in said
    assert len(json.loads(outcome.out)["failed"]) == 2
    assert stats(bank_root, "--fail-if", "duplicates > 47").code == 0


def test_a_limit_that_makes_no_sense_is_refused_before_anything_is_measured(
    stats: Invoke, bank_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dunhuang_data.mask_stats.measure_source", None)
    for limit, sentence in (
        ("ratio > 1", "Known are hole_ratio, depth_px"),
        ("distance.hole_ratio > 1", "needs --against"),
        ("train:count < 1", "The sets are: masks."),
    ):
        outcome = stats(bank_root, "--fail-if", limit)
        assert outcome.code == 2
        assert sentence in outcome.err


def test_nothing_is_overwritten_unasked(stats: Invoke, bank_root: Path, tmp_path: Path) -> None:
    for option, name in (("--csv", "a.csv"), ("--html", "a.html"), ("--figure", "a.png")):
        taken = tmp_path / name
        taken.write_text("mine")
        outcome = stats(bank_root, option, taken)
        assert outcome.code == 4
        assert taken.read_text() == "mine"
        assert stats(bank_root, option, taken, "--overwrite").code == 0
        assert taken.read_bytes() != b"mine"
        outcome = stats(bank_root, option, tmp_path / "a.txt")
        assert outcome.code == 2
        assert f"does not end in {Path(name).suffix}" in outcome.err


def test_a_plot_is_not_put_among_the_masks(stats: Invoke, files: Path) -> None:
    outcome = stats(files, "--white-is", "hole", "--figure", files / "stats.png")
    assert outcome.code == 2
    assert "nothing is written into it" in outcome.err
    outcome = stats(files, "--white-is", "hole", "--figure", files / "wall-1.png", "--overwrite")
    assert outcome.code == 4
    assert "is an input" in outcome.err


def test_bad_masks_are_named_with_file_and_row(
    stats: Invoke, files: Path, bank_root: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    outcome = stats(tmp_path / "empty", "--white-is", "hole")
    assert outcome.code == 3
    assert "there are no mask files in it" in outcome.err
    save_picture(files / "x.png", np.full((20, 31), 127, np.uint8))
    outcome = stats(files, "--white-is", "hole")
    assert outcome.code == 3
    assert "row 4 (x.png)" in outcome.err
    save_picture(files / "x.png", np.zeros((31, 20), np.uint8))
    outcome = stats(files, "--white-is", "hole")
    assert outcome.code == 3
    assert "row 4 (x.png) is 31 x 20 px (height x width)" in outcome.err
    assert stats(files, "--white-is", "hole", "--any-size").code == 0


def test_what_was_asked_for_is_compared_even_with_itself(
    stats: Invoke, bank_root: Path, dataset: Path
) -> None:
    for arguments in (
        (bank_root, "--against", bank_root),
        (bank_root, "--against", bank_root, "--by", "bucket"),
        (bank_root, "--against", f"{bank_root}/."),
        (dataset, "--only", "train", "--against", "train"),
    ):
        outcome = stats(*arguments, "--json", "--fail-if", "distance.depth_px > 0.1")
        assert outcome.code == 0, arguments
        (comparison,) = json.loads(outcome.out)["comparisons"]
        assert comparison["distances"]["depth_px"]["distance"] == 0
        assert " match (" in comparison["verdict"][0]
        assert "hold the same masks, pixel for pixel" in comparison["verdict"][0]
        assert stats(*arguments, "--fail-if", "distance.depth_px <= 0").code == 3


def test_a_folder_read_in_two_ways_is_compared_with_itself(stats: Invoke, files: Path) -> None:
    arguments = (files, "--white-is", "known", "--against", files, "--against-white-is", "hole")
    outcome = stats(*arguments, "--fail-if", "distance.hole_ratio > 0.1")
    assert outcome.code == 3
    assert "distance.hole_ratio is 1" in outcome.err


@pytest.fixture
def without_test(pictures: Path, bank_root: Path, tmp_path: Path) -> Path:
    """A dataset whose split test has no samples."""
    recipe = replace(TINY_PLAN, split=(0.7, 0.3, 0.0))
    plan = make_plan([pictures], recipe)
    assert plan.count_by_split()["test"] == 0
    build_dataset(plan, open_bank(bank_root), tmp_path / "shards", BuildRecipe("zarr"))
    return tmp_path / "shards"


def test_a_limit_on_counts_sees_what_is_empty(
    stats: Invoke, without_test: Path, bank_root: Path
) -> None:
    outcome = stats(without_test, "--fail-if", "count < 1")
    assert outcome.code == 3
    assert "test: count is 0; the limit is < 1." in outcome.err
    assert stats(without_test, "--fail-if", "hole_ratio.p100 > 1").code == 0
    outcome = stats(bank_root, "--by", "bucket", "--fail-if", "count == 0")
    assert outcome.code == 3
    assert "above 0.6: count is 0" in outcome.err


def test_what_was_left_out_is_not_called_empty(stats: Invoke, dataset: Path) -> None:
    outcome = stats(dataset, "--only", "val", "--fail-if", "train:count < 1")
    assert outcome.code == 2
    assert "--only leaves train out" in outcome.err
    assert stats(dataset, "--only", "val", "--fail-if", "count < 1").code == 0


def test_nothing_is_written_among_what_is_measured(
    stats: Invoke, dataset: Path, bank_root: Path, files: Path, tmp_path: Path
) -> None:
    dataset = shutil.copytree(dataset, tmp_path / "shards")
    table = dataset / "plan" / "patches.csv"
    before = table.read_bytes()
    (tmp_path / "link").symlink_to(dataset)
    against = ("--against", files, "--against-white-is", "hole")
    for arguments in (
        (dataset, "--csv", table, "--overwrite"),
        (dataset, "--csv", tmp_path / "link" / "new.csv"),
        (bank_root, "--html", bank_root / "page.html"),
        (bank_root, "--csv", dataset / "new.csv", "--against", dataset),
        (bank_root, "--figure", files / "x.png", *against),
        (bank_root, "--csv", files / "x.csv", *against),
    ):
        outcome = stats(*arguments)
        assert outcome.code == 2, arguments
        assert "is measured, and nothing is written into it" in outcome.err
    assert table.read_bytes() == before
    assert not {"x.png", "x.csv"} & {path.name for path in files.iterdir()}


def test_a_limit_sees_masks_without_a_known_pixel(stats: Invoke, files: Path) -> None:
    save_picture(files / "none.png", np.full((20, 31), 255, np.uint8))
    arguments = (files, "--white-is", "hole", "--fail-if")
    outcome = stats(*arguments, "radius_px.p100 > 5")
    assert outcome.code == 3
    assert "radius_px.p100 is inf; the limit is > 5." in outcome.err
    assert "Depth (px); masks that are all hole are left out" in outcome.err
    assert stats(*arguments, "radius_px.p50 > 5").code == 0


def test_limits_of_the_environment_are_told_apart_by_semicolons(
    stats: Invoke, bank_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUNHUANG_STATS_FAIL_IF", "count > 9; hole_ratio.p0 > 2;count > 10")
    outcome = stats(bank_root)
    assert outcome.code == 3
    assert "2 limits were reached" in outcome.err


def test_the_option_that_was_given_is_named(
    stats: Invoke, bank_root: Path, small: Path, files: Path
) -> None:
    outcome = stats(bank_root, "--against", small, "--against-white-is", "hole")
    assert outcome.code == 2
    assert "Leave --against-white-is out" in outcome.err
    outcome = stats(bank_root, "--against", small, "--against-only", "val")
    assert outcome.code == 2
    assert "Leave --against-only out" in outcome.err
    outcome = stats(bank_root, "--against", files, "--against-white-is", "known")
    assert "--against-white-is says the wrong one" in outcome.err
    outcome = stats(bank_root / "bank.json")
    assert outcome.code == 2
    assert f"Name the folder, {bank_root}" in outcome.err


def test_a_bank_full_of_holes_is_no_matter_of_polarity(
    stats: Invoke, dataset: Path, tmp_path: Path
) -> None:
    recipe = MaskRecipe(shape_hw=(32, 40), steps=(60_000, 60_000), border="torus", count=3, seed=1)
    write_bank(recipe, tmp_path / "full")
    outcome = stats(tmp_path / "full", "--fail-if", "hole_ratio.p0 < 0.6")
    assert outcome.code == 0, outcome.err
    assert "says the wrong one" not in outcome.err


def test_a_bank_that_is_not_whole_is_not_measured(stats: Invoke, tmp_path: Path) -> None:
    building = tmp_path / "hm.building"
    save_picture(building / "png" / "0.png", np.zeros((20, 31), np.uint8))
    (building / "making.json").write_text("{}")
    for root in (tmp_path / "hm", building, building / "png"):
        outcome = stats(root, "--white-is", "known")
        assert outcome.code == 3
        assert "Run the same command again; it continues." in outcome.err


def test_a_table_shows_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    console.table("x[/y]", ["a[red]b", "n"], [("c[/d]:smile:\x1b[31m", "1"), ("\udcff", "2")])
    shown = capsys.readouterr().err
    for name in ("x[/y]", "a[red]b", "c[/d]:smile:\u241b[31m", "\ufffd"):
        assert name in shown
    assert "\x1b" not in shown


def test_control_characters_of_file_names_are_made_visible(
    stats: Invoke, files: Path, tmp_path: Path
) -> None:
    (files / "e\x1b[31mvil.png").write_bytes((files / "wall-2.png").read_bytes())
    outcome = stats(files, "--white-is", "hole", "--html", tmp_path / "a.html")
    assert outcome.code == 0
    for shown in (outcome.err, (tmp_path / "a.html").read_text("utf-8")):
        assert "row 0 (e\u241b[31mvil.png)" in shown
        assert "\x1b" not in shown


def test_names_are_shown_as_they_are(stats: Invoke, tmp_path: Path) -> None:
    for pair in (("x[|y]", "x[red]z"), ("a$\\frac{$b", "\u58c1\u753b")):
        for name in pair:
            save_picture(tmp_path / name / "m.png", np.eye(20, 31, dtype=np.uint8) * 255)
        outputs = ("--figure", tmp_path / "a.png", "--html", tmp_path / "a.html", "--overwrite")
        white = ("--white-is", "hole", "--against-white-is", "hole")
        against = ("--against", tmp_path / pair[1], "--by", "all")
        outcome = stats(tmp_path / pair[0], *white, *against, *outputs)
        assert outcome.code == 0, outcome.err
        assert "Warning" not in outcome.err
        page = (tmp_path / "a.html").read_text("utf-8")
        assert all(name in page for name in pair)
