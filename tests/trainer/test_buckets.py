"""Buckets and intervals: counted by hand, and against what theory says."""

import numpy as np
import pytest

from dunhuang_trainer.buckets import (
    DEPTH_EDGES_PX,
    RATIO_EDGES,
    bucket_names,
    bucket_of,
    by_bucket,
    mean_by_picture,
    not_better,
)


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
