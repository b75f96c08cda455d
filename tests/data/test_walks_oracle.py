"""Every mask of a walk is the one that a walker makes who takes one step at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pytest

import dunhuang_data.walks.drawing as drawing
import dunhuang_data.walks.relay as relay
from dunhuang_data.errors import MaskError
from dunhuang_data.recipe import BORDERS, STARTS
from dunhuang_data.rng import rng_for
from dunhuang_data.walks import (
    NEVER,
    WalkRule,
    backend,
    first_visits,
    random_walk,
    use_compiled,
    walk_to_order,
)
from dunhuang_data.walks.relay import STEPS_PER_CELL
from dunhuang_data.walks.rules import draw_start
from dunhuang_data.walks.steps import Walker
from walk_oracle import first_pixels, pixel_times, sites

SHAPES = ((1, 1), (1, 9), (7, 1), (2, 5), (3, 3), (8, 8), (8, 23), (19, 9), (33, 14))
STEPS = (0, 1, 3, 4, 5, 31, 32, 33, 126, 700)
RULES = (
    WalkRule("clip", "uniform", margin_px=3),
    WalkRule("drop", "border", walkers=3),
    WalkRule("torus", "center", brush_px=2),
    WalkRule("reflect", "box", brush_px=5, margin_px=1),
    WalkRule("clip", "uniform", grid=9, walkers=2, brush_px=3),
    WalkRule("drop", "border", grid=30, margin_px=2, brush_px=4, walkers=2),
)


@contextmanager
def loop(name: str) -> Iterator[None]:
    """Draw with NumPy, or compiled."""
    before = backend.compiled
    try:
        backend.compiled = None
        if name == "compiled":
            pytest.importorskip("numba")
            assert use_compiled(10**9, to_order=False)
        yield
    finally:
        backend.compiled = before


both = pytest.mark.parametrize("name", ["numpy", "compiled"])


@both
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("shape_hw", SHAPES)
def test_any_shape_and_length(name: str, border: str, shape_hw: tuple[int, int]) -> None:
    with loop(name):
        for number, steps in enumerate(STEPS):
            rule = WalkRule(border, STARTS[number % len(STARTS)])
            seed = 10 * number + len(border)
            valid = random_walk(shape_hw, steps, rng_for(seed, "mask"), rule)
            times = pixel_times(shape_hw, steps, rng_for(seed, "mask"), rule)
            assert valid.dtype == np.uint8
            assert np.array_equal(valid, times == NEVER), (steps, rule)
            visits = first_visits(shape_hw, steps, rng_for(seed, "mask"), rule)
            assert visits.dtype == np.int32
            assert np.array_equal(visits, times), (steps, rule)


@both
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_margin_brush_grid_walkers_and_starts(name: str, rule: WalkRule) -> None:
    with loop(name):
        for seed, steps in enumerate((0, 45, 333)):
            times = pixel_times((18, 29), steps, rng_for(seed, "mask"), rule)
            valid = random_walk((18, 29), steps, rng_for(seed, "mask"), rule)
            assert np.array_equal(valid, times == NEVER)
            assert np.array_equal(first_visits((18, 29), steps, rng_for(seed, "mask"), rule), times)


@both
@pytest.mark.parametrize("border", BORDERS)
def test_several_stretches(name: str, border: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "MOST_STEPS", 64)
    with loop(name):
        for seed, steps in enumerate((63, 64, 65, 500, 1027)):
            rule = WalkRule(border, "uniform", walkers=1 + seed % 2)
            times = pixel_times((9, 21), steps, rng_for(seed, "mask"), rule)
            valid = random_walk((9, 21), steps, rng_for(seed, "mask"), rule)
            assert np.array_equal(valid, times == NEVER)
            assert np.array_equal(first_visits((9, 21), steps, rng_for(seed, "mask"), rule), times)


@both
@pytest.mark.parametrize("border", BORDERS)
def test_long_walks_fold_many_times(name: str, border: str) -> None:
    """Far beyond the mask on both sides; rows wider than the table of the first guess."""
    with loop(name):
        times = pixel_times((8, 11), 30_001, rng_for(4, "mask"), WalkRule(border))
        visits = first_visits((8, 11), 30_001, rng_for(4, "mask"), WalkRule(border))
        assert np.array_equal(visits, times)
        for steps in (2_000, 30_001):
            valid = random_walk((8, 11), steps, rng_for(4, "mask"), WalkRule(border))
            assert np.array_equal(valid, times > steps)


@both
@pytest.mark.parametrize("border", BORDERS)
def test_every_symbol_ended_after_any_step(
    name: str, border: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All 256 ways to make four steps, from a corner, after four, ended after 0 to 4 of them."""
    rule = WalkRule(border, "uniform")
    monkeypatch.setattr("dunhuang_data.walks.rules.draw_below", lambda rng, bound: bound - 1)
    with loop(name):
        for symbol in range(0, 256):
            words = np.array([0b01010101 + (symbol << 8)], dtype=np.uint64)
            for place in ("dunhuang_data.walks.steps.raw_words", "walk_oracle.raw_words"):
                monkeypatch.setattr(place, lambda rng, count, words=words: words[:count])
            for steps in range(4, 9):
                times = pixel_times((8, 10), steps, rng_for(0, "mask"), rule)
                valid = random_walk((8, 10), steps, rng_for(0, "mask"), rule)
                assert np.array_equal(valid, times == NEVER), (symbol, steps)


@both
@pytest.mark.parametrize("border", BORDERS)
def test_a_walker_stands_where_it_went(name: str, border: str) -> None:
    rule = WalkRule(border, "border")
    with loop(name):
        for steps in range(70):
            rng = rng_for(steps, "mask")
            walker = Walker(rng, draw_start((8, 13), rule.start, rng))
            drawing._visit(np.zeros((8, 13), dtype=np.uint8), walker, steps, border)
            here = np.zeros((8, 13), dtype=np.uint8)
            drawing._visit(here, walker, 0, border)
            last = sites(rng_for(steps, "mask"), rule, (8, 13), steps)[-1]
            expected = [] if last is None else [list(last)]
            assert np.argwhere(here).tolist() == expected


def test_a_walk_that_strays_far_gets_a_wider_canvas(monkeypatch: pytest.MonkeyPatch) -> None:
    straight = np.zeros(40, dtype=np.uint64)  # symbol 0: four steps to the right
    monkeypatch.setattr("dunhuang_data.walks.steps.raw_words", lambda rng, count: straight[:count])
    visits = first_visits((3, 2000), 1200, rng_for(0, "mask"), WalkRule(start="center"))
    assert np.array_equal(visits[1, 1000:], np.minimum(np.arange(1000), NEVER))
    assert (visits[1, :1000] == NEVER).all()
    assert (visits[0] == NEVER).all()


def test_no_walk_wraps_round_its_canvas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Straight walks of every length, so that each canvas is filled to its last column once."""
    for symbol, step_x in ((0x00, 1), (0x55, -1)):
        straight = np.full(40, symbol * 0x0101010101010101, dtype=np.uint64)
        monkeypatch.setattr("dunhuang_data.walks.steps.raw_words", lambda rng, n, w=straight: w[:n])
        for steps in range(0, 400):
            valid = random_walk((3, 1000), steps, rng_for(0, "mask"), WalkRule(start="center"))
            columns = np.flatnonzero(valid[1] == 0)
            assert sorted({500, 500 + step_x * steps}) == sorted({columns[0], columns[-1]})
            assert len(columns) == valid.size - valid.sum() == steps + 1


@both
@pytest.mark.parametrize("rule", [WalkRule(border) for border in BORDERS] + list(RULES), ids=str)
def test_to_order_takes_the_first_pixels(
    name: str, rule: WalkRule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "LEAST_STRETCH", 32)  # so that it counts many times
    shape_hw = (14, 19)
    lifetime = -(-(max(rule.cells_hw(shape_hw)) ** 2) // 32) * 32
    if rule.border == "drop":
        # walkers are followed by others when they have made as many steps as a square has cells
        generations = [
            pixel_times(shape_hw, lifetime, rng_for(1, "mask"), rule, number) for number in range(9)
        ]
    else:
        generations = [pixel_times(shape_hw, 6000, rng_for(1, "mask"), rule)]
    times = np.full(shape_hw, NEVER, dtype=np.int64)
    for number, one in enumerate(generations):
        later = np.where(one == NEVER, NEVER, one + number * (lifetime + 1))
        times = np.minimum(times, later)
    reached = int((times != NEVER).sum())
    assert reached > 60
    with loop(name):
        for count in {1, 2, 17, 60, reached // 2, reached - 1}:
            valid = walk_to_order(shape_hw, count, rng_for(1, "mask"), rule)
            assert valid.dtype == np.uint8
            assert np.count_nonzero(valid == 0) == count
            assert np.array_equal(valid, first_pixels(times, count)), count


@both
@pytest.mark.parametrize("border", BORDERS)
def test_masks_to_order_lie_in_each_other(name: str, border: str) -> None:
    rule = WalkRule(border, brush_px=3)
    with loop(name):
        masks = [
            walk_to_order((70, 50), count, rng_for(3, "mask"), rule)
            for count in (9, 700, 701, 2100)
        ]
    for smaller, larger in pairwise(masks):
        assert (larger <= smaller).all()


def test_how_often_it_counts_does_not_change_the_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = WalkRule("clip", brush_px=4)
    usual = walk_to_order((60, 90), 2000, rng_for(3, "mask"), rule)
    for stretch in (32, 96, 2**15):
        monkeypatch.setattr(drawing, "LEAST_STRETCH", stretch)
        assert np.array_equal(usual, walk_to_order((60, 90), 2000, rng_for(3, "mask"), rule))


def test_all_pixels_can_be_had() -> None:
    for border in ("clip", "reflect", "torus"):
        rule = WalkRule(border, margin_px=2)
        valid = walk_to_order((13, 24), 9 * 20, rng_for(0, "mask"), rule)
        assert (valid[2:-2, 2:-2] == 0).all()
        assert valid.sum() == 13 * 24 - 9 * 20


def test_a_walk_that_never_gets_there_ends_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert STEPS_PER_CELL == 500
    monkeypatch.setattr(relay, "STEPS_PER_CELL", 1)
    with pytest.raises(MaskError, match=r"border clip on 30 x 41 px drew \d+ of 1230 hole pixels"):
        walk_to_order((30, 41), 1230, rng_for(0, "mask"), WalkRule("clip"))
    with pytest.raises(MaskError, match="expected 1 to 432"):
        walk_to_order((30, 41), 433, rng_for(0, "mask"), WalkRule(margin_px=7))
