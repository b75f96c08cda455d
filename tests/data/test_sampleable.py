"""Where patches may lie: exact, on shapes that are never square, however a picture is read."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawings import HoledPicture
from dunhuang_data import sampleable
from dunhuang_data.rng import rng_for
from dunhuang_data.sampleable import Limits, allowed_positions
from dunhuang_data.spread import Allowed, spread_centers


def found(*arguments: Any) -> Allowed:
    allowed = allowed_positions(*arguments)
    assert allowed is not None
    return allowed


def drawn(seed: int, height: int, width: int) -> HoledPicture:
    rng = np.random.default_rng(seed)
    there = np.ones((height, width), dtype=np.uint8)
    for _ in range(3):
        y, x = rng.integers(0, height), rng.integers(0, width)
        there[y : y + 5, x : x + 7] = 0
    pixels = np.repeat(rng.integers(0, 256, (height, width, 1), dtype=np.uint8), 3, axis=2)
    pixels[:, : width // 2] = 90  # bare plaster
    return HoledPicture(pixels, there)


@given(st.integers(0, 999), st.integers(9, 40), st.integers(9, 55), st.integers(1, 9))
def test_what_is_not_there_is_never_in_a_patch(
    seed: int, height: int, width: int, size: int
) -> None:
    picture = drawn(seed, height, width)
    allowed = allowed_positions(picture, None, size, 1.0, Limits())
    expected = [
        [y, x]
        for y in range(height - size + 1)
        for x in range(width - size + 1)
        if picture.there[y : y + size, x : x + size].all()
    ]
    if picture.there.all():
        assert allowed is None
    else:
        assert allowed is not None
        assert allowed.corners.tolist() == expected
        assert allowed.positions == (height - size + 1) * (width - size + 1)


@given(st.integers(0, 999), st.sampled_from([0.0, 0.1, 0.5]), st.integers(1, 9))
def test_damage_is_kept_below_its_limit(seed: int, most: float, size: int) -> None:
    picture = HoledPicture(drawn(seed, 23, 41).pixels, np.ones((23, 41), dtype=np.uint8))
    damage = drawn(seed + 1, 23, 41)
    allowed = found(picture, damage, size, 1.0, Limits(max_damage=most))
    expected = [
        [y, x]
        for y in range(23 - size + 1)
        for x in range(41 - size + 1)
        if (damage.there[y : y + size, x : x + size] == 0).sum() <= most * size * size
    ]
    assert allowed.corners.tolist() == expected


def test_bare_plaster_is_skipped() -> None:
    picture = HoledPicture(drawn(4, 40, 70).pixels, np.ones((40, 70), dtype=np.uint8))
    allowed = found(picture, None, 16, 1.0, Limits(min_detail=2.0))
    columns = allowed.corners[:, 1]
    assert columns.min() > 19  # patches of columns up to 34 show plaster alone
    assert set(range(35, 55)) <= set(columns.tolist())


def test_detail_is_the_mean_difference_of_neighbours() -> None:
    pixels = np.zeros((20, 30, 3), dtype=np.uint8)
    pixels[:, 1::2] = 100  # columns 0, 100, 0 …: 100 across, 0 down, 50 on average
    picture = HoledPicture(pixels, np.ones((20, 30), dtype=np.uint8))
    assert found(picture, None, 8, 1.0, Limits(min_detail=49)).corners.size > 0
    assert found(picture, None, 8, 1.0, Limits(min_detail=51)).corners.size == 0


@pytest.mark.parametrize("block_hw", [(7, 1000), (1000, 11), (9, 13), (1, 1)])
def test_blocks_give_what_the_whole_gives(
    block_hw: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, damage = drawn(1, 61, 47), drawn(2, 61, 47)
    limits = Limits(0.05, 1.0)
    whole = found(picture, damage, 12, 1.0, limits)
    monkeypatch.setattr(sampleable, "BLOCK_HW", block_hw)
    blocks = found(picture, damage, 12, 1.0, limits)
    assert 0 < len(whole.corners) < whole.positions
    assert np.array_equal(whole.corners, blocks.corners)


def test_a_huge_picture_is_tried_on_a_lattice(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = drawn(5, 90, 130)
    every = {tuple(one) for one in found(picture, None, 16, 1.0, Limits()).corners}
    monkeypatch.setattr(sampleable, "MOST_POSITIONS", 500)
    lattice = found(picture, None, 16, 1.0, Limits())
    assert 100 < lattice.positions < 1000
    assert {tuple(one) for one in lattice.corners} <= every
    assert lattice.corners.max(axis=0).tolist() == [74, 114]  # with the last row and column


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_at_a_scale_a_patch_shows_another_area(scale: float) -> None:
    there = np.ones((60, 84), dtype=np.uint8)
    there[:, 40] = 0
    picture = HoledPicture(np.zeros((60, 84, 3), dtype=np.uint8), there)
    allowed = found(picture, None, 10, scale, Limits())
    shown = {
        x: range(int(x / scale), int(np.ceil((x + 10) / scale)))
        for x in range(int(84 * scale) - 10 + 1)
    }
    expected = {x for x, columns in shown.items() if 40 not in columns}
    assert set(allowed.corners[:, 1].tolist()) == expected
    assert 0 < len(expected) < len(shown)


def test_a_lattice_never_lets_a_patch_between_its_spots_onto_damage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every lattice spot is fine, and most places between them are not."""
    monkeypatch.setattr(sampleable, "MOST_POSITIONS", 900)
    there = np.ones((60, 68), dtype=np.uint8)
    there[1::2] = 0
    picture = HoledPicture(np.zeros((60, 68, 3), dtype=np.uint8), np.ones_like(there))
    damage = HoledPicture(picture.pixels, there)
    allowed = found(picture, damage, 1, 1.0, Limits())
    assert allowed.positions < 60 * 68
    assert all(there[y, x] for y, x in allowed.corners)
    assert all(there[y, x] for y, x in spread_centers((60, 68), 1, 40, rng_for(0, "c"), allowed))


def test_few_places_are_found_wherever_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampleable, "MOST_POSITIONS", 100)
    there = np.zeros((90, 134), dtype=np.uint8)
    there[31:48, 57:75] = 1  # patches of 16 px: rows 31 and 32, columns 57, 58 and 59
    picture = HoledPicture(np.zeros((90, 134, 3), dtype=np.uint8), there)
    expected = [[y, x] for y in (31, 32) for x in (57, 58, 59)]
    assert found(picture, None, 16, 1.0, Limits(), 6).corners.tolist() == expected
    rng = np.random.default_rng(0)
    picture = HoledPicture(np.repeat(rng.integers(0, 9, (90, 134, 1), dtype=np.uint8), 3, 2), there)
    assert found(picture, None, 16, 1.0, Limits(min_detail=1), 6).corners.tolist() == expected


def test_a_padded_picture_is_looked_at_where_it_is() -> None:
    there = np.ones((20, 90), dtype=np.uint8)
    there[:, :40] = 0
    picture = HoledPicture(np.zeros((20, 90, 3), dtype=np.uint8), there)
    allowed = found(picture, None, 32, 1.0, Limits())
    assert allowed.corners.tolist() == [[0, x] for x in range(40, 59)]


def test_a_ramp_has_the_detail_that_the_page_says() -> None:
    ramp = np.repeat(np.arange(80, dtype=np.uint8)[None, :, None], 50, axis=0).repeat(3, axis=2)
    picture = HoledPicture(ramp, np.ones((50, 80), dtype=np.uint8))
    assert len(found(picture, None, 16, 1.0, Limits(min_detail=0.46)).corners)
    assert not len(found(picture, None, 16, 1.0, Limits(min_detail=0.54)).corners)
