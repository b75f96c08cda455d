"""The tables of an evaluation: counted by hand, and with the draws of a plain loop."""

from collections import Counter

import numpy as np
import pytest

from dunhuang_trainer.buckets import Interval, mean_by_picture
from dunhuang_trainer.evaluate.records import score_array
from dunhuang_trainer.evaluate.tables import ALL, Evaluation, apart, evaluation_of, sentences
from sample_scores import INF, NAN, drawn_by_loop, random_scores, sample


def test_the_mean_is_over_samples_and_its_interval_over_pictures() -> None:
    scores = [
        sample("network", "a1", 100.0, picture="a"),
        sample("network", "a2", 200.0, picture="a"),
        sample("network", "b1", 600.0, picture="b"),
        sample("network", "c1", NAN, picture="c", hole_ratio=0.0, depth_px=0.0),
    ]
    found = evaluation_of(scores)
    one = found.means["network"]["mse_hole"]
    # of two pictures: a twice (150), b twice (600), or both (300)
    assert one == Interval(300.0, 150.0, 600.0, samples=3, pictures=2)
    assert (found.samples, found.pictures) == (4, 3)


def test_psnr_is_told_in_two_ways() -> None:
    scores = [
        sample("network", "a", 65025.0, psnr_hole=0.0),
        sample("network", "b", 650.25, psnr_hole=20.0),
        sample("network", "c", 0.0, psnr_hole=INF),
    ]
    means = evaluation_of(scores).means["network"]
    assert means["psnr_hole"].mean == 10.0
    assert (means["psnr_hole"].samples, means["psnr_hole"].infinite) == (2, 1)
    of_mean = means["psnr_of_mean_mse_hole"]
    assert of_mean.mean == pytest.approx(10 * np.log10(65025 / ((65025 + 650.25) / 3)))
    assert of_mean.samples == 3
    mse = means["mse_hole"]
    assert of_mean.low == pytest.approx(10 * np.log10(65025 / mse.high))
    assert of_mean.low < of_mean.mean < of_mean.high


def test_the_courses_figure_has_no_psnr() -> None:
    found = evaluation_of([sample("network", "a", 4.0, mse_course_wrapped=1.0, mse_whole=1.0)])
    names = ["mse_hole", "mse_whole", "mse_course_wrapped"]
    assert list(found.means["network"]) == [
        *names,
        "psnr_of_mean_mse_hole",
        "psnr_of_mean_mse_whole",
    ]


def test_the_interval_is_that_of_the_same_draws_in_a_loop() -> None:
    scores = random_scores(("network", "Telea"))
    found = evaluation_of(scores, seed=4, draws=50)
    array = score_array(scores)
    for method in array.methods:
        for name in array.names:
            drawn = drawn_by_loop(array.of(method, name).tolist(), array.pictures, 4, 50)
            one = found.means[method][name]
            assert [one.low, one.high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]))


def test_cells_hold_what_they_say() -> None:
    scores = random_scores(("network", "Telea"))
    array = score_array(scores)
    found = evaluation_of(scores, draws=20)
    wholes = [one for one in found.cells if one.cell.border == "all" and one.cell.bucket != "all"]
    for measure in ("hole ratio", "depth"):
        assert sum(one.samples for one in wholes if one.cell.measure == measure) == 30
    for one in found.cells:
        of = array.hole_ratio if one.cell.measure == "hole ratio" else array.depth_px
        border = {"all": 2, "touching": 1, "not touching": 0}[one.cell.border]
        where = (of > one.cell.above) & (of <= one.cell.up_to)
        where &= (array.touches_border == border) | (border == 2)
        assert one.samples == where.sum()
        assert one.pictures == len({array.pictures[place] for place in np.flatnonzero(where)})
        for method in array.methods:
            for name in ("mse_hole", "psnr_hole", "ssim_uniform7_hole"):
                values = array.of(method, name)[where]
                own = one.means[method][name]
                finite = values[np.isfinite(values)]
                assert own.samples == len(finite)
                assert own.infinite == np.isinf(values).sum()
                assert own.mean == pytest.approx(finite.mean() if len(finite) else NAN, nan_ok=True)
            assert "mse_whole" not in one.means[method]
    empty = [one for one in found.cells if one.samples == 0]
    assert empty
    assert all(np.isnan(one.means["Telea"]["mse_hole"].mean) for one in empty)


def test_the_order_of_scores_changes_no_table() -> None:
    scores = random_scores(("network", "Telea", "white"), samples=24)
    one = evaluation_of(scores, draws=30)
    for seed in range(3):
        turned = [scores[place] for place in np.random.RandomState(seed).permutation(len(scores))]
        other = evaluation_of(turned, draws=30)
        assert repr(other.means) == repr(one.means)
        assert repr(other.cells) == repr(one.cells)
        assert repr(other.standings) == repr(one.standings)


def test_the_seed_and_the_number_of_draws_are_used() -> None:
    scores = random_scores(("network", "Telea"))
    one, other, more = (
        evaluation_of(scores, seed=seed, draws=draws) for seed, draws in ((1, 30), (2, 30), (1, 31))
    )
    assert (one.seed, one.draws) == (1, 30)
    for found in (other, more):
        assert found.means["network"]["mse_hole"].low != one.means["network"]["mse_hole"].low
        assert (
            found.cells[0].means["network"]["mse_hole"]
            != (one.cells[0].means["network"]["mse_hole"])
        )
        assert found.standings[0].difference.low != one.standings[0].difference.low


def _against_telea(ours: dict[str, float], theirs: float = 100.0) -> Evaluation:
    """Return an evaluation in which each key is a picture with its own place in the buckets."""
    places = {
        "a": {"hole_ratio": 0.15, "depth_px": 1.2, "touches_border": True},
        "b": {"hole_ratio": 0.18, "depth_px": 1.2, "touches_border": False},
        "c": {"hole_ratio": 0.55, "depth_px": 8.0, "touches_border": True},
    }
    scores = [sample("network", key, mse, **places[key]) for key, mse in ours.items()]
    scores += [sample("Telea", key, theirs, **places[key]) for key in places]
    return evaluation_of(scores)


def test_a_model_behind_telea_is_flagged_over_all_and_by_bucket() -> None:
    found = _against_telea({"a": 90.0, "b": 95.0, "c": 160.0})
    over_all = found.behind[0]
    assert over_all.cell == ALL
    assert (over_all.method, over_all.reference) == ("network", "Telea")
    assert (over_all.ours, over_all.theirs) == (115.0, 100.0)
    assert over_all.difference.mean == pytest.approx(15.0)
    paired = mean_by_picture(np.array([-10.0, -5.0, 60.0]), ["a", "b", "c"])
    assert over_all.difference == paired
    where = Counter((one.cell.measure, one.cell.bucket, one.cell.border) for one in found.behind)
    assert where == Counter(
        [
            ("hole ratio", "all", "all"),
            ("hole ratio", "all", "touching"),
            ("hole ratio", "0.5 … 0.6", "all"),
            ("hole ratio", "0.5 … 0.6", "touching"),
            ("depth", "above 5 px", "all"),
        ]
    )
    said = sentences(found)
    assert len(said) == 2
    assert said[0].startswith(
        "network is behind Telea in the holes: its mean squared error is 115.0, that of Telea "
        "100.0 (+15.0, 95 % interval -10.0 to +60.0, could be chance; 3 samples of 3 pictures)."
    )
    assert said[1] == (
        "network is behind Telea in: holes touching the border (+25.0, 95 % interval -10.0 to "
        "+60.0, could be chance; 2 samples of 2 pictures); hole ratio 0.5 … 0.6 (+60.0; 1 sample "
        "of one picture, so no interval); depth above 5 px (+60.0; 1 sample of one picture, so no "
        "interval)."
    )


def test_a_half_bucket_is_named_where_the_whole_is_not_behind() -> None:
    found = _against_telea({"a": 101.0, "b": 50.0, "c": 40.0})
    assert not found.standings[0].is_behind
    first, second = sentences(found)
    assert first.startswith("network is ahead of Telea in the holes")
    assert "no bucket" not in first
    assert second == (
        "network is behind Telea in: hole ratio 0.1 … 0.2, holes touching the border (+1.0; 1 "
        "sample of one picture, so no interval)."
    )


def test_a_model_ahead_everywhere_is_said_to_be() -> None:
    found = _against_telea({"a": 90.0, "b": 80.0, "c": 70.0})
    assert found.behind == []
    assert sentences(found) == [
        "network is ahead of Telea in the holes: its mean squared error is 80.0, that of Telea "
        "100.0 (-20.0, 95 % interval -30.0 to -10.0; 3 samples of 3 pictures). It is behind in no "
        "bucket that has samples."
    ]


def test_equal_is_not_behind() -> None:
    found = _against_telea({"a": 100.0, "b": 100.0, "c": 100.0})
    assert found.behind == []
    assert "network is level with Telea" in sentences(found)[0]


def test_what_is_missing_is_said_and_only_pairs_are_judged() -> None:
    found = _against_telea({"a": 90.0, "c": 200.0})
    assert found.missing == {"network": ["b"]}
    assert found.behind[0].difference.samples == 2
    assert found.behind[0].theirs == 100.0
    assert sentences(found)[0].startswith("network lacks 1 of 3 samples. Its means are over the")


def test_both_means_of_a_standing_are_over_the_pairs() -> None:
    scores = [sample("mine", "x", 10.0), sample("mine", "z", 900.0)]
    scores += [sample("Telea", "x", 30.0), sample("Telea", "y", 700.0)]
    one = evaluation_of(scores).standings[0]
    assert (one.ours, one.theirs, one.difference.mean) == (10.0, 30.0, -20.0)


def test_baselines_are_not_judged_and_without_the_reference_nobody_is() -> None:
    scores = [sample(name, "a", 200.0) for name in ("mean colour", "Navier-Stokes", "mine")]
    assert evaluation_of(scores).standings == []
    scores.append(sample("Telea", "a", 100.0))
    assert {one.method for one in evaluation_of(scores).standings} == {"mine"}
    other = evaluation_of(scores, reference="mean colour")
    assert {one.method for one in other.standings} == {"mine"}
    assert "level with mean colour" in sentences(other)[0]


def test_a_method_without_a_common_sample_is_said_not_to_be_judged() -> None:
    found = evaluation_of([sample("mine", "a", 1.0), sample("Telea", "b", 2.0)])
    assert found.behind == []
    assert sentences(found)[-1] == (
        "mine and Telea share no sample with a counted hole: mine is not judged."
    )


def test_a_difference_that_is_no_chance_is_not_called_one() -> None:
    assert apart(Interval(2.0, 1.0, 3.0, 9, 4)) == (
        "+2.0, 95 % interval +1.0 to +3.0; 9 samples of 4 pictures"
    )
