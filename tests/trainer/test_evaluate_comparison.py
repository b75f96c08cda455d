"""Pairs and runs: counted by hand, and with the draws of a plain loop."""

import numpy as np
import pytest

from dunhuang_data.errors import DataProblem, UsageProblem
from dunhuang_trainer.buckets import Interval
from dunhuang_trainer.evaluate.comparison import compare, over_runs
from dunhuang_trainer.evaluate.records import SampleScore, score_array
from sample_scores import INF, NAN, drawn_by_loop, random_scores, sample


def _pair(key: str, a: float, b: float, picture: str, **other: float) -> list[SampleScore]:
    return [sample(name, key, mse, picture=picture, **other) for name, mse in (("A", a), ("B", b))]


def test_a_pair_is_of_one_key() -> None:
    """B's samples come the other way round: by position the difference would be another."""
    a = [sample("A", "x", 10.0), sample("A", "y", 100.0), sample("A", "z", 1000.0)]
    b = [sample("B", "z", 900.0), sample("B", "y", 101.0), sample("B", "x", 12.0)]
    one = compare([*a, *b], "A", "B").scores["mse_hole"]
    assert [one.a, one.b] == pytest.approx([370.0, 1013 / 3])
    assert one.difference.mean == pytest.approx(97 / 3)
    assert (one.difference.low, one.difference.high) == (-2.0, 100.0)
    assert (one.difference.samples, one.difference.pictures) == (3, 3)


def test_pictures_are_drawn_not_samples() -> None:
    scores = [*_pair("a1", 1, 3, "a"), *_pair("a2", 1, 2, "a"), *_pair("b1", 9, 3, "b")]
    one = compare(scores, "A", "B", draws=4000).scores["mse_hole"]
    # a twice: −1.5; b twice: +6; both: +1
    assert one.difference == Interval(1.0, -1.5, 6.0, samples=3, pictures=2)
    assert one.a_better == pytest.approx(0.25, abs=0.03)
    assert one.b_better == pytest.approx(0.75, abs=0.03)


def test_the_interval_and_the_shares_are_those_of_a_loop() -> None:
    scores = random_scores(("A", "B"))
    array = score_array(scores)
    found = compare(scores, "A", "B", seed=2, draws=60)
    for name in ("mse_hole", "ssim_uniform7_hole", "mse_whole"):
        differences = array.of("A", name) - array.of("B", name)
        drawn = np.array(drawn_by_loop(differences.tolist(), array.pictures, 2, 60))
        one = found.scores[name]
        expected = np.quantile(drawn, [0.025, 0.975])
        assert [one.difference.low, one.difference.high] == pytest.approx(expected)
        better = drawn > 0 if name.startswith("ssim") else drawn < 0
        assert one.a_better == better.mean()
        assert one.b_better == (~better).mean()
        assert 0 < one.a_better < 1


def test_equal_methods_are_better_in_no_draw() -> None:
    scores = [*_pair("x", 5, 5, "p"), *_pair("y", 6, 6, "q")]
    one = compare(scores, "A", "B").scores["mse_hole"]
    assert (one.difference.low, one.difference.high) == (0.0, 0.0)
    assert (one.a_better, one.b_better) == (0.0, 0.0)


def test_one_picture_has_no_interval_and_no_shares() -> None:
    one = compare([*_pair("x", 5, 4, "p"), *_pair("y", 6, 4, "p")], "A", "B").scores["mse_hole"]
    assert one.difference.mean == 1.5
    assert np.isnan([one.difference.low, one.a_better, one.b_better]).all()


def test_keys_of_one_method_are_listed_and_not_compared() -> None:
    scores = [*_pair("x", 1, 2, "p"), sample("A", "only a", 900.0), sample("B", "only b", 900.0)]
    scores += [sample("C", "only c", 1.0), sample("C", "x", 1.0, picture="p")]
    found = compare(scores, "A", "B")
    assert (found.keys, found.only_a, found.only_b) == (1, ["only a"], ["only b"])
    assert (found.scores["mse_hole"].a, found.scores["mse_hole"].b) == (1.0, 2.0)


def test_scores_that_one_lacks_are_left_out_and_infinite_ones_counted() -> None:
    values = [(1.0, 2.0), (INF, 30.0), (INF, INF), (NAN, 4.0), (20.0, INF), (3.0, 2.0)]
    scores = []
    for number, (a, b) in enumerate(values):
        scores += [sample("A", f"{number}", psnr_hole=a), sample("B", f"{number}", psnr_hole=b)]
    one = compare(scores, "A", "B").scores["psnr_hole"]
    assert (one.a, one.b) == (2.0, 2.0)
    assert (one.difference.mean, one.difference.samples, one.difference.infinite) == (0.0, 2, 3)


def test_every_cell_is_compared() -> None:
    low = {"hole_ratio": 0.05, "touches_border": True, "depth_px": 1.2}
    high = {"hole_ratio": 0.55, "depth_px": 9.0}
    scores = [*_pair("x", 1, 3, "p", **low), *_pair("y", 9, 3, "q", **high)]
    scores.append(sample("A", "z", 1e6, hole_ratio=0.55))
    cells = {
        (cell.measure, cell.bucket, cell.border): one["mse_hole"].difference
        for cell, one in compare(scores, "A", "B").cells
    }
    assert len(cells) == 36
    assert (cells["hole ratio", "all", "all"].mean, cells["hole ratio", "all", "all"].samples) == (
        2.0,
        2,
    )
    assert cells["hole ratio", "0.01 … 0.1", "touching"].mean == -2.0
    assert cells["hole ratio", "0.01 … 0.1", "not touching"].samples == 0
    assert cells["hole ratio", "0.5 … 0.6", "all"].mean == 6.0
    assert cells["depth", "above 5 px", "all"].samples == 1


def test_comparisons_of_nothing_are_sentences() -> None:
    scores = [sample("A", "x", 1.0), sample("B", "y", 1.0), sample("B", "z", 1.0)]
    with pytest.raises(DataProblem, match="A and B have no key in common: 1 keys here, 2 there"):
        compare(scores, "A", "B")
    with pytest.raises(UsageProblem, match="A was to be compared with itself"):
        compare(scores, "A", "A")
    with pytest.raises(UsageProblem, match="There are no scores of C"):
        compare(scores, "A", "C")


def _run(method: str, *mses: float, **other: float) -> list[SampleScore]:
    return [sample(method, f"{n}", mse, **other) for n, mse in enumerate(mses)]


def test_runs_have_a_mean_and_the_deviation_of_a_sample() -> None:
    scores = [*_run("r1", 10, 20), *_run("r2", 20, 30), *_run("r3", 20, 10), *_run("x", 999, 999)]
    (found,) = over_runs(scores, {"ours": ["r1", "r2", "r3"]})
    one = found.scores["mse_hole"]
    assert one.runs == (15.0, 25.0, 15.0)
    assert one.mean == pytest.approx(55 / 3)
    assert one.sd == pytest.approx(np.sqrt(((15 - 55 / 3) ** 2 * 2 + (25 - 55 / 3) ** 2) / 2))
    assert (found.name, found.methods, found.keys) == ("ours", ("r1", "r2", "r3"), 2)
    psnr = found.scores["psnr_of_mean_mse_hole"]
    expected = [10 * np.log10(65025 / mse) for mse in one.runs]
    assert psnr.runs == pytest.approx(expected)
    assert psnr.sd == pytest.approx(np.std(expected, ddof=1))


def test_only_samples_of_every_run_count() -> None:
    scores = [*_run("r1", 10, 20, NAN), *_run("r2", 30, NAN, NAN), sample("r1", "more", 500.0)]
    scores.append(sample("a stranger", "of nobody else", 1.0))
    (found,) = over_runs(scores, {"ours": ["r1", "r2"]})
    one = found.scores["mse_hole"]
    assert (one.runs, one.samples, one.left_out) == ((10.0, 30.0), 1, 1)
    assert (found.keys, found.not_in_all) == (3, ["more"])


def test_a_score_that_no_sample_has_in_all_runs_has_no_mean() -> None:
    scores = [*_run("r1", 10, NAN, psnr_hole=INF), *_run("r2", NAN, 10, psnr_hole=1.0)]
    (found,) = over_runs(scores, {"ours": ["r1", "r2"]})
    for name, left_out in (("mse_hole", 2), ("psnr_hole", 2)):
        one = found.scores[name]
        assert np.isnan([one.mean, one.sd, *one.runs]).all()
        assert (len(one.runs), one.samples, one.left_out) == (2, 0, left_out)


def test_perfect_runs_have_an_infinite_psnr_and_no_spread() -> None:
    (found,) = over_runs([*_run("r1", 0, 0), *_run("r2", 0, 0)], {"ours": ["r1", "r2"]})
    assert found.scores["mse_hole"].sd == 0.0
    psnr = found.scores["psnr_of_mean_mse_hole"]
    assert psnr.mean == INF
    assert np.isnan(psnr.sd)


def test_runs_that_are_none_are_sentences() -> None:
    scores = [*_run("r1", 1), *_run("r2", 2), sample("r3", "other", 1.0)]
    with pytest.raises(UsageProblem, match=r"over runs was asked for of ours, with 1 run \(r1\)"):
        over_runs(scores, {"ours": ["r1"]})
    with pytest.raises(UsageProblem, match="with 0 run"):
        over_runs(scores, {"ours": []})
    with pytest.raises(UsageProblem, match="r1, r1: one is named twice"):
        over_runs(scores, {"ours": ["r1", "r1"]})
    with pytest.raises(UsageProblem, match="There are no scores of r9"):
        over_runs(scores, {"ours": ["r1", "r9"]})
    with pytest.raises(DataProblem, match=r"The runs of ours \(r1, r3\) have no key in common"):
        over_runs(scores, {"ours": ["r1", "r3"]})
