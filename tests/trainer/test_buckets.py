"""Buckets and intervals: counted by hand, and against what theory says."""

import numpy as np
import pytest
from scipy.stats import bootstrap

import dunhuang_trainer.buckets as module
from dunhuang_trainer.buckets import (
    ALL_DEPTH_EDGES_PX,
    ALL_RATIO_EDGES,
    DEPTH_EDGES_PX,
    RATIO_EDGES,
    Cell,
    bucket_names,
    bucket_of,
    by_bucket,
    cells,
    drawn_means,
    mean_by_picture,
    not_better,
)
from sample_scores import drawn_by_loop


def test_a_bucket_holds_its_upper_edge_and_not_its_lower() -> None:
    values = np.array([0.01, 0.0101, 0.1, 0.1001, 0.6, 0.61, np.nan])
    assert bucket_of(values, RATIO_EDGES).tolist() == [-1, 0, 0, 1, 5, -1, -1]
    depths = np.array([0.0, 1.0, 1.5, 1.6, 5.0, 700.0])
    assert bucket_of(depths, DEPTH_EDGES_PX).tolist() == [-1, 0, 0, 1, 3, 4]


def test_buckets_have_names() -> None:
    assert bucket_names((0.0, 1.5, 2.0, float("inf")), " px") == [
        "up to 1.5 px",
        "1.5 … 2 px",
        "above 2 px",
    ]
    assert bucket_names(ALL_RATIO_EDGES)[:3] == ["no hole", "up to 0.01", "0.01 … 0.1"]
    assert bucket_names(ALL_RATIO_EDGES)[-1] == "above 0.6"


def test_the_mean_is_over_samples_and_what_is_missing_is_not_counted() -> None:
    values = np.array([1.0, 2.0, 6.0, np.nan, np.nan])
    found = mean_by_picture(values, ["a", "a", "b", "b", "c"])
    assert (found.mean, found.samples, found.pictures) == (3.0, 3, 2)
    # of two pictures: a twice (1.5), b twice (6), or both (3)
    assert (found.low, found.high) == (1.5, 6.0)


def test_one_picture_has_no_interval_and_none_has_no_mean() -> None:
    one = mean_by_picture(np.array([1.0, 3.0]), ["a", "a"])
    assert one.mean == 2.0
    assert np.isnan([one.low, one.high]).all()
    none = mean_by_picture(np.array([np.nan]), ["a"])
    assert none.samples == 0
    assert np.isnan(none.mean)


def test_the_interval_is_that_of_the_pictures_not_of_the_patches() -> None:
    """Forty pictures that differ, 25 patches each that hardly do: as wide as of forty numbers."""
    level = np.random.RandomState(3).normal(100.0, 10.0, 40)
    values = np.repeat(level, 25) + np.tile([-1.0, 0.0, 1.0, 0.5, -0.5], 200)
    pictures = [f"picture {number}" for number in range(40) for _ in range(25)]
    found = mean_by_picture(values, pictures)
    assert found.mean == pytest.approx(level.mean())
    expected = 2 * 1.96 * level.std() / np.sqrt(40)
    assert found.high - found.low == pytest.approx(expected, rel=0.1)
    assert found.low < found.mean < found.high


def test_the_interval_depends_on_the_seed_alone() -> None:
    values, pictures = np.arange(30.0), [f"{number % 7}" for number in range(30)]
    assert mean_by_picture(values, pictures, 1) == mean_by_picture(values, pictures, 1)
    assert mean_by_picture(values, pictures, 1) != mean_by_picture(values, pictures, 2)
    order = np.random.RandomState(0).permutation(30)
    turned = mean_by_picture(values[order], [pictures[place] for place in order], 1)
    assert turned.low == pytest.approx(mean_by_picture(values, pictures, 1).low)


def test_every_sample_is_in_its_own_bucket() -> None:
    values, measure = np.array([5.0, 7.0, 9.0]), np.array([1.2, 8.0, 1.4])
    means = by_bucket(values, measure, DEPTH_EDGES_PX, ["a", "b", "c"])
    assert [one.samples for one in means] == [2, 0, 0, 0, 1]
    assert means[0].mean == 7.0
    assert means[4].mean == 7.0


def test_not_better_names_the_buckets() -> None:
    measure, pictures = np.array([1.2, 1.2, 1.8, 8.0]), ["a", "b", "c", "d"]
    ours, theirs = np.array([1.0, 4.0, 3.0, 2.0]), np.array([2.0, 4.0, 3.0, np.nan])
    assert not_better(ours, theirs, measure, DEPTH_EDGES_PX, pictures) == [1]  # equal is not better


def test_the_draws_are_those_of_a_plain_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.RandomState(0)
    values = random.normal(5, 2, (23, 4))
    pictures = [f"picture {number}" for number in random.randint(0, 6, 23)]
    values[[2, 5], 1] = np.nan
    values[[name == pictures[0] for name in pictures], 2] = np.nan  # one picture less
    values[7, 3], values[9, 3] = np.inf, -np.inf
    intervals, means = drawn_means(values, pictures, seed=3, draws=40)
    assert means.shape == (40, 4)
    for column, one in enumerate(intervals):
        expected = drawn_by_loop(values[:, column].tolist(), pictures, 3, 40)
        assert means[:, column] == pytest.approx(expected, rel=1e-12)
        assert [one.low, one.high] == pytest.approx(np.quantile(expected, [0.025, 0.975]))
        alone = mean_by_picture(values[:, column], pictures, 3, 40)
        assert (one.low, one.high) == pytest.approx((alone.low, alone.high), rel=1e-12)
    assert [one.samples for one in intervals] == [23, 21, 23 - pictures.count(pictures[0]), 21]
    assert [one.infinite for one in intervals] == [0, 0, 0, 2]
    monkeypatch.setattr(module, "BLOCK", 13)  # two draws of six pictures at a time
    assert np.allclose(drawn_means(values, pictures, seed=3, draws=40)[1], means, rtol=1e-12)


def test_the_interval_is_that_of_scipy() -> None:
    """One sample a picture: the ordinary percentile bootstrap, of other draws."""
    values = np.random.RandomState(1).gamma(2, 100, 50)
    found = mean_by_picture(values, [f"{number:02d}" for number in range(50)], draws=20_000)
    theirs = bootstrap(
        (values,),
        np.mean,
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(0),  # theirs, not ours
    ).confidence_interval
    width = theirs.high - theirs.low
    assert found.low == pytest.approx(theirs.low, abs=0.02 * width)
    assert found.high == pytest.approx(theirs.high, abs=0.02 * width)


def test_only_infinite_values_have_no_mean_and_are_counted() -> None:
    found = mean_by_picture(np.array([np.inf, np.inf, np.nan]), ["a", "b", "c"])
    assert (found.samples, found.pictures, found.infinite) == (0, 0, 2)
    assert np.isnan([found.mean, found.low, found.high]).all()


def test_every_sample_is_in_one_bucket_of_each_measure() -> None:
    ratios = np.array([0.0, 0.005, 0.01, 0.1, 0.100001, 0.6, 0.61, 1.0])
    depths = np.array([0.0, 1.0, 1.5, 2.0, 4.0, 5.0, 5.1, np.inf])
    touches = np.array([False, True, False, True, True, False, True, True])
    found = dict(cells(ratios, depths, touches))
    assert len(found) == 3 * (1 + 9) + 6
    for measure in ("hole ratio", "depth"):
        wholes = [
            where
            for cell, where in found.items()
            if (cell.measure, cell.border) == (measure, "all") and cell.bucket != "all"
        ]
        assert np.sum(wholes, axis=0).tolist() == [1] * 8
    names = [
        next(
            cell.bucket
            for cell, where in found.items()
            if where[place] and cell.bucket != "all" and cell.measure == "hole ratio"
        )
        for place in range(8)
    ]
    assert names[:3] == ["no hole", "up to 0.01", "up to 0.01"]
    assert names[3:] == ["0.01 … 0.1", "0.1 … 0.2", "0.5 … 0.6", "above 0.6", "above 0.6"]
    at = {(cell.measure, cell.bucket, cell.border): where for cell, where in found.items()}
    assert at["hole ratio", "all", "touching"].tolist() == touches.tolist()
    assert np.flatnonzero(at["hole ratio", "up to 0.01", "touching"]).tolist() == [1]
    assert np.flatnonzero(at["hole ratio", "up to 0.01", "not touching"]).tolist() == [2]
    assert np.flatnonzero(at["depth", "above 5 px", "all"]).tolist() == [6, 7]
    assert np.flatnonzero(at["depth", "no hole", "all"]).tolist() == [0]
    assert bucket_of(depths, ALL_DEPTH_EDGES_PX).tolist() == [0, 1, 1, 2, 4, 4, 5, 5]
    assert all(
        (ratios[where] > cell.above).all() and (ratios[where] <= cell.up_to).all()
        for cell, where in found.items()
        if cell.measure == "hole ratio"
    )


def test_cells_have_words() -> None:
    assert Cell("hole ratio", "all", "all").words() == "all samples"
    assert Cell("hole ratio", "all", "touching").words() == "holes touching the border"
    assert Cell("depth", "above 5 px", "all").words() == "depth above 5 px"
    words = Cell("hole ratio", "0.1 … 0.2", "not touching").words()
    assert words == "hole ratio 0.1 … 0.2, holes not touching the border"
