"""Statistics against masks small enough to count by eye, and against SciPy."""

from math import fsum

import cv2
import numpy as np
import pytest
from scipy import ndimage

from dunhuang_data.errors import MaskError
from dunhuang_data.mask_stats import (
    BUCKETS,
    MaskStats,
    depth_and_radius,
    measure_mask,
    measure_masks,
)
from dunhuang_data.mask_stats.summary import described, described_counts, where_holes_are
from dunhuang_data.polarity import hole_ratio
from dunhuang_data.rng import raw_words, rng_for
from dunhuang_data.types import UInt8Array
from dunhuang_data.walks import random_walk

EIGHT = np.ones((3, 3))


def mask(*rows: str) -> UInt8Array:
    return np.array([[character == "." for character in row] for row in rows], dtype=np.uint8)


DRAWN = mask(
    ".......",
    ".##....",
    ".###..#",
    ".##..#.",
    ".......",
)
RING = mask(
    "..####",
    "..#..#",
    "..#.##",
    "..###.",
    "......",
    "#.....",
    "......",
)


def noise(index: int, shape_hw: tuple[int, int], share: float) -> UInt8Array:
    """Return pixels that are holes with a probability, one by one; all shapes occur in it."""
    words = raw_words(rng_for(0, "noise", index), shape_hw[0] * shape_hw[1])
    return (words >= np.uint64(share * 2**64)).astype(np.uint8).reshape(shape_hw)


def test_one_mask_counted_by_eye() -> None:
    stats = measure_masks([DRAWN])
    assert stats.hole_ratio[0] == pytest.approx(9 / 35)
    assert stats.holes[0] == 2  # the diagonal pair is one hole: 8-connected
    assert stats.touches_border[0]
    assert stats.column("sides")[0] == 1  # right
    # the middle of the block, (2, 2), is the only hole pixel with all four neighbours in the hole
    assert stats.radius_px[0] == pytest.approx(np.sqrt(2))
    assert stats.depth_px[0] == pytest.approx((8 * 1 + np.sqrt(2)) / 9)
    assert stats.column("largest_share")[0] == pytest.approx(7 / 9)
    # 7 pixels in a block have 12 edges; (2, 6) has 3 inside the picture, (3, 5) has 4
    assert stats.column("perimeter_px")[0] == 12 + 3 + 4
    assert stats.column("perimeter_per_px")[0] == pytest.approx(19 / 9)
    assert stats.column("islands")[0] == 0


def test_islands_are_enclosed_and_the_border_encloses_nothing() -> None:
    row, areas = measure_mask(RING)
    stats = measure_masks([RING])
    assert stats.column("islands").tolist() == [1]  # (1, 3), (1, 4), (2, 3); not (3, 5)
    assert sorted(areas.tolist()) == [1, 12]
    assert stats.column("sides").tolist() == [3]  # upper, right, left
    assert row[3] == 2
    split = RING.copy()
    split[1, 4] = 0
    assert measure_masks([split]).column("islands").tolist() == [1]
    split = RING.copy()
    split[1, 3] = 0  # (1, 4) and (2, 3) touch at a corner alone
    assert measure_masks([split]).column("islands").tolist() == [2]


@pytest.mark.parametrize("share", [0.03, 0.3, 0.5, 0.7, 0.97])
@pytest.mark.parametrize("shape_hw", [(37, 23), (8, 61), (1, 9), (5, 1)])
def test_it_agrees_with_scipy(shape_hw: tuple[int, int], share: float) -> None:
    for index in range(6):
        valid = noise(index, shape_hw, share)
        hole = valid == 0
        if hole.all() or not hole.any():
            continue
        stats = measure_masks([valid])
        labels, holes = ndimage.label(hole, EIGHT)
        distance = ndimage.distance_transform_edt(hole)
        known, specks = ndimage.label(np.pad(valid, 1, constant_values=1))
        edges = np.abs(np.diff(valid.astype(int), axis=0)).sum()
        edges += np.abs(np.diff(valid.astype(int), axis=1)).sum()
        assert stats.hole_ratio[0] == pytest.approx(hole_ratio(valid))
        assert stats.depth_px[0] == pytest.approx(distance[hole].mean())
        assert stats.radius_px[0] == pytest.approx(distance.max())
        assert stats.holes[0] == holes
        assert stats.column("islands")[0] == specks - 1
        assert stats.column("perimeter_px")[0] == edges
        areas = np.repeat(stats.areas_px, stats.area_counts).tolist()
        assert areas == sorted(np.bincount(labels[hole])[1:].tolist())
        assert known[0, 0] == 1


def test_distances_are_exact_whatever_opencv_does_with_its_threads() -> None:
    masks = [random_walk((200, 256), 40_000, rng_for(4, "mask", index)) for index in range(8)]
    before = cv2.getNumThreads()
    tables = []
    try:
        for threads in (1, 4):
            cv2.setNumThreads(threads)
            tables.append(measure_masks(masks).table)
    finally:
        cv2.setNumThreads(before)
    assert tables[0].tobytes() == tables[1].tobytes()
    for valid, row in zip(masks, tables[0], strict=True):
        distance = ndimage.distance_transform_edt(valid == 0)[valid == 0]
        assert row["depth_px"] == pytest.approx(fsum(distance) / len(distance), rel=1e-14)
        assert row["radius_px"] == distance.max()


def test_long_distances_in_a_thin_picture_are_counted_as_often_as_they_occur() -> None:
    """Squares far above the number of pixels are sorted, not put into bins."""
    valid = np.ones((2, 50), np.uint8)
    valid[:, :30] = 0
    assert depth_and_radius(valid) == (15.5, 30.0)  # 30, 29 … 1, each twice


def test_what_lies_far_from_the_holes_changes_nothing() -> None:
    small = measure_masks([DRAWN])
    large = measure_masks([np.pad(DRAWN, ((9, 4), (13, 0)), constant_values=1)])
    for name in ("depth_px", "radius_px", "holes", "islands", "perimeter_px", "sides"):
        assert small.column(name).tolist() == large.column(name).tolist()
    assert small.table["hash"] != large.table["hash"]


def test_depth_tells_lace_from_a_stain_of_equal_ratio() -> None:
    lace, stain = np.ones((24, 40), np.uint8), np.ones((24, 40), np.uint8)
    lace[:, ::4] = 0
    stain[:, 15:25] = 0
    stats = measure_masks([lace, stain])
    assert stats.hole_ratio[0] == stats.hole_ratio[1]
    assert stats.depth_px.tolist() == [1.0, 3.0]  # 1 2 3 4 5 5 4 3 2 1


def test_extremes_are_counted_and_not_averaged() -> None:
    stats = measure_masks([np.ones((3, 4), np.uint8), np.zeros((3, 4), np.uint8)])
    document = stats.summary()
    assert document["all_known"] == 1
    assert document["all_hole"] == 1
    assert stats.holes.tolist() == [0, 1]
    assert stats.column("sides").tolist() == [0, 4]
    assert document["depth_px"]["mean"] == 0
    assert document["largest_share"]["mean"] == 1
    assert document["buckets"][-1]["depth_px_p50"] is None
    alone = measure_masks([np.zeros((3, 4), np.uint8)]).summary()
    assert alone["depth_px"]["mean"] is None
    assert alone["hole_area_px"]["p50"] == 12


def with_ratio(holes: int) -> UInt8Array:
    valid = np.ones(100, dtype=np.uint8)
    valid[:holes] = 0
    return valid.reshape(5, 20)


def test_the_buckets_add_up_and_own_their_upper_edge() -> None:
    stats = measure_masks([with_ratio(n) for n in (0, 1, 2, 10, 11, 60, 61)])
    assert {one["bucket"]: one["masks"] for one in stats.buckets()} == {
        "up to 0.01": 2, "0.01-0.1": 2, "0.1-0.2": 1, "0.2-0.3": 0,
        "0.3-0.4": 0, "0.4-0.5": 0, "0.5-0.6": 1, "above 0.6": 1,
    }  # fmt: skip
    buckets = stats.buckets()
    assert [one["bucket"] for one in buckets] == list(BUCKETS)
    assert sum(one["share"] for one in buckets) == pytest.approx(1)
    assert buckets[3]["depth_px_p50"] is None
    assert buckets[6]["depth_px_p50"] == 2.0  # three rows of holes: 3, 2 and 1 px from the known


def test_the_heat_map_is_a_frequency() -> None:
    stats = measure_masks([DRAWN, np.ones_like(DRAWN)])
    assert stats.hole_frequency is not None
    assert np.array_equal(stats.hole_frequency, (1 - DRAWN) / 2)


def test_where_holes_are_is_told_by_place() -> None:
    frequency = np.zeros((32, 64))
    frequency[12:20, 24:40] = 0.5  # the middle quarter of each axis
    frequency[:2, :4] = 1.0  # one corner; 1 of 2 rows and 2 of 4 columns lie in the edge
    found = where_holes_are(frequency)
    assert found["centre"] == 0.5
    assert found["corner"] == 0.25
    edge = np.ones((32, 64), dtype=bool)
    edge[1:-1, 2:-2] = False
    assert found["edge"] == pytest.approx((1 * 4 + 1 * 2) / edge.sum())
    assert found["mean"] == pytest.approx(frequency.mean())


def test_duplicates_are_those_that_an_earlier_one_equals() -> None:
    turned = np.ascontiguousarray(DRAWN[::-1])
    stats = measure_masks([DRAWN, turned, DRAWN, DRAWN.copy()])
    assert stats.counts()["duplicates"] == 2
    first, second = np.zeros((2, 3), np.uint8), np.zeros((2, 5), np.uint8)  # equal once packed
    assert measure_mask(first)[0][-1] != measure_mask(second)[0][-1]  # the shape counts


def test_areas_are_described_as_if_they_were_listed() -> None:
    areas = np.array([1, 1, 1, 4, 7, 8, 300])
    values, counts = np.unique(areas, return_counts=True)
    assert described_counts(values, counts) == pytest.approx(described(areas.astype(float)))
    stats = MaskStats(measure_masks([DRAWN]).table, values, counts, None, None)
    assert stats.areas()["edges"] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert stats.areas()["counts"] == [3, 0, 2, 1, 0, 0, 0, 0, 1]
    assert stats.areas()["holes"] == 7


def test_grey_values_and_mixed_sizes_are_sentences() -> None:
    grey = DRAWN.copy()
    grey[0, 0] = 255
    with pytest.raises(MaskError, match="Mask 1 holds 1 values other than 0 and 1"):
        measure_masks([DRAWN, grey])
    with pytest.raises(MaskError, match=r"Mask 1 is \(7, 5\), those before it \(5, 7\)"):
        measure_masks([DRAWN, DRAWN.T])
    with pytest.raises(MaskError, match=r"Mask 0 is bool \(5, 7\); expected \(H, W\) uint8"):
        measure_masks([DRAWN.astype(bool)])
    with pytest.raises(MaskError, match="no mask to measure"):
        measure_masks([])


def test_walks_have_the_signature_that_was_measured() -> None:
    """The evidence measured radius 8.2, depth 1.99 and perimeter 0.58 for the seed's masks."""
    masks = [random_walk((256, 256), 50_000, rng_for(1, "mask", i)) for i in range(60)]
    stats = measure_masks(masks)
    assert np.median(stats.radius_px) == pytest.approx(8.2, abs=1.2)
    assert stats.depth_px.mean() == pytest.approx(1.99, abs=0.15)
    assert stats.column("perimeter_per_px").mean() == pytest.approx(0.58, abs=0.04)
