"""Scores as one array: the order in which they came changes nothing, and nothing is mixed up."""

import numpy as np
import pytest

from dunhuang_data.errors import DataProblem, UsageProblem
from dunhuang_trainer.evaluate.records import in_order, is_better, score_array
from sample_scores import NAN, random_scores, sample


def test_scores_stand_in_an_order_of_their_own() -> None:
    scores = [
        sample("Telea", "b", 4.0, l1_hole=1.0),
        sample("network", "b", 3.0),
        sample("network", "a", 1.0, psnr_hole=20.0, picture="p", depth_px=1.5, hole_ratio=0.5),
        sample("Telea", "a", 2.0, picture="p", depth_px=1.5, hole_ratio=0.5),
    ]
    array = score_array(scores)
    assert (array.methods, array.keys) == (("network", "Telea"), ("a", "b"))
    assert array.names == ("mse_hole", "l1_hole", "psnr_hole")
    assert array.pictures == ("p", "b")
    assert array.hole_ratio.tolist() == [0.5, 0.25]
    assert array.depth_px.tolist() == [1.5, 2.5]
    assert array.of("network", "mse_hole").tolist() == [1.0, 3.0]
    assert array.of("Telea", "mse_hole").tolist() == [2.0, 4.0]
    assert np.array_equal(array.of("Telea", "l1_hole"), [NAN, 1.0], equal_nan=True)
    assert np.isnan(array.of("Telea", "never")).all()


def test_the_order_of_scores_changes_nothing() -> None:
    scores = random_scores(("network", "Telea"), samples=12)
    one = score_array(scores)
    for seed in range(3):
        turned = [scores[place] for place in np.random.RandomState(seed).permutation(len(scores))]
        other = score_array(turned)
        assert (one.methods, one.keys, one.names) == (other.methods, other.keys, other.names)
        assert np.array_equal(one.values, other.values, equal_nan=True)
        assert one.pictures == other.pictures
        assert one.touches_border.tolist() == other.touches_border.tolist()


def test_baselines_stand_last_in_their_own_order() -> None:
    names = {"biharmonic", "white", "b", "a", "Telea", "mean colour", "push-pull"}
    baselines = ("white", "mean colour", "push-pull", "Telea", "biharmonic")
    assert in_order(names) == ("a", "b", *baselines)
    assert in_order(names, ("b",)) == ("b", "a", *baselines)


def test_what_a_method_lacks_is_known() -> None:
    scores = [sample("a", "x", 1.0), sample("a", "y", 1.0), sample("b", "y", NAN)]
    array = score_array(scores)
    assert array.missing() == {"b": ["x"]}
    assert array.there.tolist() == [[True, True], [False, True]]


def test_more_of_a_similarity_is_better_and_less_of_an_error() -> None:
    names = ("mse_hole", "l1_rim", "dssim", "lmse", "lpips", "mse_course_wrapped")
    assert {is_better(name) for name in names} == {-1}
    assert {is_better(name) for name in ("psnr_hole", "ssim_gauss11_whole", "ssim_course")} == {1}


def test_no_scores_are_a_sentence() -> None:
    with pytest.raises(DataProblem, match="not one sample was compared"):
        score_array([])


def test_two_scores_of_one_key_are_a_sentence() -> None:
    with pytest.raises(DataProblem, match=r"^a has two scores of x; expected one"):
        score_array([sample("a", "x", 1.0), sample("b", "x", 2.0), sample("a", "x", 1.0)])


def test_one_key_of_two_pictures_is_a_sentence() -> None:
    with pytest.raises(DataProblem, match=r"The key x is of p for a, and of q for b"):
        score_array([sample("a", "x", picture="p"), sample("b", "x", picture="q")])


@pytest.mark.parametrize(
    "other", [{"hole_ratio": 0.3}, {"depth_px": 2.6}, {"touches_border": True}]
)
def test_one_key_of_two_masks_is_a_sentence(other: dict[str, float]) -> None:
    with pytest.raises(DataProblem, match=r"The key x has a hole ratio of 0\.25 for a .*same mask"):
        score_array([sample("a", "x"), sample("b", "x", **other)])


@pytest.mark.parametrize("other", [{"hole_ratio": NAN}, {"hole_ratio": 1.1}, {"depth_px": NAN}])
def test_what_is_in_no_bucket_is_refused(other: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="x: hole ratio"):
        score_array([sample("a", "x", **other)])


def test_a_method_without_scores_is_a_sentence() -> None:
    with pytest.raises(UsageProblem, match=r"There are no scores of c, but of a, b\. Choose"):
        score_array([sample("b", "x"), sample("a", "x")]).of("c", "mse_hole")
