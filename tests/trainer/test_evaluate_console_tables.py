"""Tables as text: what stands in them, and that they fit."""

from collections.abc import Sequence

import pytest

from dunhuang_cli import console
from dunhuang_trainer.buckets import Interval
from dunhuang_trainer.evaluate.cell_texts import heading, number, share, with_interval
from dunhuang_trainer.evaluate.comparison import compare, over_runs
from dunhuang_trainer.evaluate.console_tables import (
    ConsoleTable,
    bucket_tables,
    overall_tables,
    paired_tables,
    runs_table,
)
from dunhuang_trainer.evaluate.records import BASELINE_ORDER
from dunhuang_trainer.evaluate.tables import evaluation_of
from sample_scores import INF, NAN, random_scores, sample

METHODS = ("network", "predictions/of-another", *BASELINE_ORDER)


def test_numbers_have_the_decimals_of_their_kind() -> None:
    assert number("mse_hole", 352.46) == "352.5"
    assert number("l1_hole", 1.5) == "1.50"
    assert number("psnr_of_mean_mse_hole", 21.0) == "21.00"
    assert number("ssim_gauss11_hole", 0.87654) == "0.877"
    assert number("mse_hole", 0.004) == "0.004"  # not 0.0
    assert number("mse_hole", 0.0, sign=True) == "0.0"
    assert number("mse_hole", 2.0, sign=True) == "+2.0"
    assert number("ssim_course", -0.01, sign=True) == "-0.010"
    assert (number("psnr_hole", INF), number("psnr_hole", -INF)) == ("∞", "-∞")
    assert number("psnr_hole", NAN) == "–"


def test_intervals_tell_what_they_lack() -> None:
    assert with_interval("mse_hole", Interval(12.34, 10.0, 15.0, 9, 3)) == "12.3 (10.0 … 15.0)"
    assert with_interval("mse_hole", Interval(352.4, 341.3, 362.6, 9, 3), 9) == "352 (341 … 363)"
    assert with_interval("mse_hole", Interval(5.0, NAN, NAN, 2, 1)) == "5.0 (–)"
    assert with_interval("mse_hole", Interval(5.0, 4.0, 6.0, 2, 2), 3) == "5.0 (4.0 … 6.0) n=2"
    assert with_interval("mse_hole", Interval(NAN, NAN, NAN, 0, 0), 3) == "–"
    assert with_interval("psnr_hole", Interval(NAN, NAN, NAN, 0, 0, infinite=2)) == "∞"


def test_headings_and_shares() -> None:
    assert heading("psnr_of_mean_mse_hole") == "PSNR of mean MSE hole"
    assert heading("ssim_uniform7_rim", region=False) == "SSIM uniform 7"
    assert (heading("dssim"), heading("mse_course_wrapped")) == ("DSSIM", "mse_course_wrapped")
    assert (share(0.974), share(NAN)) == ("97.4 %", "–")


def _cells(tables: Sequence[ConsoleTable], column: str) -> dict[str, str]:
    """Return a column by its heading, of whichever table has it."""
    table = next(one for one in tables if column in one.columns)
    place = table.columns.index(column)
    return {row[0]: row[place] for row in table.rows}


def test_the_overall_table_shows_means_intervals_and_who_is_behind() -> None:
    scores = []
    for key, ours in (("x", 100.0), ("y", 300.0)):
        scores.append(sample("mine", key, ours, psnr_hole=INF, mse_known=0.5))
        scores.append(sample("Telea", key, ours - 50, psnr_hole=20.0, mse_known=0.0))
    hole, beside = overall_tables(evaluation_of(scores))
    assert hole.title.startswith("In the holes, 2 samples of 2 pictures")
    assert _cells([hole], "MSE") == {
        "mine (behind Telea)": "200 (100 … 300)",
        "Telea": "150 (50 … 250)",
    }
    assert _cells([beside], "MSE known") == {"mine": "0.5", "Telea": "0.0"}
    assert _cells([hole], "PSNR")["mine (behind Telea)"] == "∞"
    assert "PSNR of mean MSE" in hole.columns
    assert hole.notes[1] == "The mean of PSNR leaves out samples without any error: mine 2."
    assert beside.columns == ("method", "MSE known")


def test_a_method_behind_in_a_bucket_only_is_not_marked_over_all() -> None:
    scores = [
        sample("Telea", key, 100.0, hole_ratio=ratio) for key, ratio in (("x", 0.1), ("y", 0.5))
    ]
    scores += [
        sample("mine", "x", 110.0, hole_ratio=0.1),
        sample("mine", "y", 50.0, hole_ratio=0.5),
    ]
    evaluation = evaluation_of(scores)
    assert evaluation.behind
    assert [row[0] for row in overall_tables(evaluation)[0].rows] == ["mine", "Telea"]


def test_the_courses_figure_stands_beside_the_true_one_with_its_sentence() -> None:
    scores = [sample("a", "x", 1.0, mse_whole=500.0, mse_course_wrapped=36.3)]
    assert overall_tables(evaluation_of(scores), "It wraps.")[-1] == ConsoleTable(
        "The course's figures beside the true ones, 1 sample of one picture, so no intervals",
        ("method", "MSE whole", "mse_course_wrapped"),
        [("a", "500.0", "36.3")],
        ("It wraps.",),
    )
    without = overall_tables(evaluation_of([sample("a", "x", 1.0, mse_whole=5.0)]), "It wraps.")
    assert all("It wraps." not in one.notes for one in without)


def test_the_bucket_table_shows_counts_and_empty_cells() -> None:
    scores = [
        sample("mine", "x", 7.0, hole_ratio=0.15, touches_border=True),
        sample("mine", "y", 9.0, hole_ratio=0.2),
        sample("mine", "z", NAN, hole_ratio=0.0, depth_px=0.0),
        sample("Telea", "x", 5.0, hole_ratio=0.15, touches_border=True),
    ]
    (table,) = bucket_tables(evaluation_of(scores))
    assert table.columns == ("hole ratio", "samples", "pictures", "mine", "Telea")
    # ten lines, and the halves of what has samples: all, no hole, 0.1 … 0.2
    assert len(table.rows) == 10 + 3 * 2
    rows = [tuple(row) for row in table.rows]
    assert rows[0] == ("all", "2 of 3", "3", "8.0 (7.0 … 9.0)", "5.0 (–) n=1")
    assert ("no hole", "0 of 1", "1", "–", "–") in rows
    assert ("above 0.6", "0", "0", "–", "–") in rows
    place = rows.index(("0.1 … 0.2", "2", "2", "8.0 (7.0 … 9.0)", "5.0 (–) n=1"))
    assert rows[place + 1] == ("  touching", "1", "1", "7.0 (–)", "5.0 (–)")
    assert rows[place + 2] == ("  not touching", "1", "1", "9.0 (–)", "–")
    (table,) = bucket_tables(evaluation_of(scores), measure="depth", methods=("Telea",))
    assert table.columns == ("depth", "samples", "pictures", "Telea")
    assert [row[1] for row in table.rows] == ["0 of 1", "0", "0", "1 of 2", "0", "0"]
    assert bucket_tables(evaluation_of(scores), "ssim_gauss11_hole") == []


def test_paired_tables_show_both_sides_and_what_was_left_out() -> None:
    scores = [
        *(sample("A", key, mse, psnr_hole=INF) for key, mse in (("x", 1.0), ("y", 4.0))),
        *(sample("B", key, mse, psnr_hole=9.0) for key, mse in (("x", 2.0), ("y", 7.0))),
        *(sample("A", f"more {number}", 1.0) for number in range(7)),
    ]
    overall, ratio, depth = paired_tables(compare(scores, "A", "B"))
    assert overall.title == "A = A, B = B; 2 samples in pairs; 2000 draws of whole pictures"
    expected = ("2", "2", "2.5", "4.5", "-2.0", "-3.0 … -1.0", "100.0 %", "0.0 %")
    none = ("0", "0", *"–" * 6)
    assert overall.rows == [("MSE hole", *expected), ("PSNR hole", *none)]
    assert overall.notes == (
        "Only in A, and not compared: 7 keys, more 0, more 1, more 2, more 3, more 4 and 2 more.",
        "Pairs with an infinite value are left out of PSNR hole.",
    )
    assert ratio.rows[0] == ("all", *expected)
    assert len(ratio.rows) == 10 + 2 * 2  # the halves of all, and of the one that has samples
    assert ratio.rows[3] == ("no hole", *none)
    assert depth.rows[3] == ("2 … 3 px", *expected)


def test_the_runs_table_shows_mean_deviation_and_extremes() -> None:
    scores = [sample(name, "x", mse) for name, mse in (("r1", 14.0), ("r2", 10.0))]
    scores.append(sample("r1", "y", 99.0))
    table = runs_table(over_runs(scores, {"ours": ["r1", "r2"]})[0])
    assert table.title == "Spread over 2 runs: r1, r2"
    assert table.rows[0] == ("MSE hole", "12.0", "2.8", "10.0", "14.0", "2", "1")
    assert table.notes == ("Not in all runs, and left out: 1 key, y.",)


def test_every_table_fits_its_120_characters(capsys: pytest.CaptureFixture[str]) -> None:
    scores = random_scores(METHODS)
    evaluation = evaluation_of(scores, draws=40)
    tables = overall_tables(evaluation)
    for score in ("mse_hole", "psnr_hole", "ssim_uniform7_hole"):
        for measure in ("hole ratio", "depth"):
            parts = bucket_tables(evaluation, score, measure)
            shown = [name for one in parts for name in one.columns[3:]]
            assert shown == list(METHODS)
            tables += parts
    tables += paired_tables(compare(scores, "network", "Telea", draws=40))
    tables.append(runs_table(over_runs(scores, {"both": METHODS[:2]})[0]))
    for one in tables:
        assert all(len(row) == len(one.columns) for row in one.rows)
        console.table(one.title, one.columns, one.rows)
        printed = capsys.readouterr().err
        assert "…│" not in printed.replace(" ", "")  # nothing was cut off
        assert printed.count("\n") <= len(one.rows) + 6  # nor broken: title of two lines, frame
