"""What a walk promises: one stream, one mask, for ever; starts, margins and sentences."""

import hashlib

import numpy as np
import pytest

from dunhuang_data.errors import MaskError
from dunhuang_data.recipe import BORDERS
from dunhuang_data.rng import rng_for
from dunhuang_data.walks import (
    NEVER,
    WalkRule,
    backend,
    first_visits,
    mask_of_visits,
    random_walk,
    random_walks,
    start_box,
    use_compiled,
    walk_to_order,
)
from dunhuang_data.walks.rules import border_cell, border_cells

MASKS = {
    "drop": "d1125641099abe4f7c821e9a45c677b4e06feec473634d0999c2711a14e6d6b3",
    "clip": "edd6193e3b5d15f5ab1f29c9918a5b8f0768f11d194528c9bd182ecea6b3a1f7",
    "reflect": "d248e57da40bd9b9ac5eabd4a849338897993d682001d40a46c46164c9539db4",
    "torus": "e275eba05fe0efbd34a08062134641bffec064e0409bcfa9cc3735552d90d12e",
}
TO_ORDER = {
    "drop": "3b4a0b266e8713b43e2a333ff2f31a9e75ea1bad52f2bb0181fbdd5f2054dcc6",
    "clip": "4cf49711faff1f262f1ae67e914f0748855ad3c9ce7c640b7f322ef5717c8dff",
    "reflect": "a8135c792e1dd6491c39194b11bdc50e1d449384e6d59fe44113031c52187864",
    "torus": "bd1b773d33c3276258286b84e0daf1785ad8282ba8476b2c531c75bef9c9e35e",
}


def sha256(array: np.ndarray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


@pytest.mark.parametrize("border", BORDERS)
def test_golden_masks(border: str) -> None:
    assert (
        sha256(random_walk((40, 70), 9001, rng_for(7, "mask", 3), WalkRule(border)))
        == MASKS[border]
    )


@pytest.mark.parametrize("border", BORDERS)
def test_golden_masks_to_order(border: str) -> None:
    rule = WalkRule(border, "border", margin_px=2, walkers=2, brush_px=3)
    assert sha256(walk_to_order((40, 70), 1100, rng_for(7, "mask", 3), rule)) == TO_ORDER[border]


def test_the_first_golden_mask() -> None:
    valid = random_walk((40, 70), 900, rng_for(7, "mask", 3))
    assert sha256(valid) == "af14139e898fd01f09c063b1744c51cd44c2cfe28803d18b9517649d841022e7"


def test_a_longer_walk_begins_with_the_shorter_one() -> None:
    def walk(steps: int) -> np.ndarray:
        return random_walk((60, 90), steps, rng_for(9, "mask", 2))

    assert (walk(1000) <= walk(333)).all()
    assert walk(1000).sum() < walk(333).sum()


def test_more_walkers_only_add_holes() -> None:
    one, three = (
        random_walk((60, 90), 500, rng_for(9, "mask", 2), WalkRule("clip", walkers=count))
        for count in (1, 3)
    )
    assert (three <= one).all()
    assert three.sum() < one.sum()


def test_a_batch_is_the_masks_one_by_one() -> None:
    rule = WalkRule("torus", walkers=2)
    batch = random_walks((20, 31), 70, (rng_for(4, "mask", index) for index in range(5)), rule)
    assert batch.shape == (5, 20, 31)
    for index in (4, 0, 2):
        alone = random_walk((20, 31), 70, rng_for(4, "mask", index), rule)
        assert np.array_equal(batch[index], alone)
    assert random_walks((20, 31), 70, [], rule).shape == (0, 20, 31)


def test_the_start_is_the_seeds_box() -> None:
    assert start_box(256) == (50, 156)  # 50 ... 205
    starts = [np.argwhere(random_walk((256, 300), 0, rng_for(i, "s")) == 0)[0] for i in range(400)]
    y, x = np.array(starts).T
    assert (y.min() >= 50) & (y.max() <= 205) & (x.min() >= 58) & (x.max() <= 241)
    assert y.min() < 60


def test_other_starts() -> None:
    def starts(start: str, count: int) -> np.ndarray:
        rule = WalkRule(start=start, margin_px=1)
        masks = random_walks((8, 11), 0, [rng_for(index, "s") for index in range(count)], rule)
        return np.asarray((masks == 0).sum(axis=0))

    everywhere = starts("uniform", 2700)
    assert (everywhere[1:-1, 1:-1] > 15).all()
    assert everywhere[1:-1, 1:-1].max() < 100
    along = starts("border", 1300)
    assert (along[2:-2, 2:-2] == 0).all()
    along[2:-2, 2:-2] = 50
    assert (along[1:-1, 1:-1] > 20).all()
    assert along.max() < 100
    center = starts("center", 3)
    assert center[1 + 3, 1 + 4] == 3


@pytest.mark.parametrize("cells_hw", [(1, 1), (1, 6), (5, 1), (2, 7), (4, 2), (3, 3), (6, 9)])
def test_the_border_is_every_cell_along_it_once(cells_hw: tuple[int, int]) -> None:
    height, width = cells_hw
    expected = {
        (y, x)
        for y in range(height)
        for x in range(width)
        if y in (0, height - 1) or x in (0, width - 1)
    }
    listed = [border_cell(cells_hw, place) for place in range(border_cells(cells_hw))]
    assert len(listed) == len(expected)
    assert set(listed) == expected


def test_compiling_must_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "compiled", None)
    assert not use_compiled(100, to_order=True)
    assert backend.compiled is None
    monkeypatch.setattr(backend, "find_spec", lambda name: None)
    assert not use_compiled(10**9, to_order=True)


@pytest.mark.parametrize(("shape", "steps"), [((0, 5), 3), ((5, 5), -1), ((5, 5), 2**30)])
def test_the_impossible_is_a_sentence(shape: tuple[int, int], steps: int) -> None:
    for draw in (random_walk, first_visits):
        with pytest.raises(MaskError, match="cannot be drawn; expected a shape of at least 1 x 1"):
            draw(shape, steps, rng_for(0, "mask"))


def test_a_rule_that_cannot_be_is_a_sentence() -> None:
    with pytest.raises(MaskError, match="border 'wall' and start 'box' is not known; expected"):
        WalkRule("wall")
    with pytest.raises(MaskError, match="a brush of 0 px"):
        WalkRule(brush_px=0)
    with pytest.raises(MaskError, match="9 x 30 px within a margin of 5 px has no room"):
        random_walk((9, 30), 4, rng_for(0, "mask"), WalkRule(margin_px=5))
    with pytest.raises(MaskError, match="0 hole pixels cannot be drawn on 9 x 30 px"):
        walk_to_order((9, 30), 0, rng_for(0, "mask"))


@pytest.mark.parametrize("rule", [WalkRule("clip"), WalkRule("torus", brush_px=4, margin_px=2)])
def test_first_visits_hold_every_mask_to_order(rule: WalkRule) -> None:
    visits = first_visits((31, 44), 6000, rng_for(3, "mask"), rule)
    for hole_pixels in (1, 7, 200, 601):
        valid = mask_of_visits(visits, hole_pixels)
        assert np.array_equal(valid, walk_to_order((31, 44), hole_pixels, rng_for(3, "mask"), rule))
    drawn = int((visits != NEVER).sum())
    assert np.array_equal(mask_of_visits(visits, drawn) == 0, visits != NEVER)
    for wrong in (0, drawn + 1):
        with pytest.raises(MaskError, match=f"asked for are {wrong}; expected 1 to {drawn}"):
            mask_of_visits(visits, wrong)
