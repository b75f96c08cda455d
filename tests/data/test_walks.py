"""The random walk against a ten-line walker that takes one step at a time."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunhuang_data.errors import MaskError
from dunhuang_data.rng import draw_below, raw_words, rng_for
from dunhuang_data.walks import random_walk, start_box


def step_by_step(shape_hw: tuple[int, int], steps: int, seed: int) -> np.ndarray:
    rng = rng_for(seed, "mask", 0)
    (top, rows), (left, columns) = start_box(shape_hw[0]), start_box(shape_hw[1])
    y, x = top + draw_below(rng, rows), left + draw_below(rng, columns)
    words = [int(word) for word in raw_words(rng, -(-steps // 32))]
    valid = np.ones(shape_hw, dtype=np.uint8)
    for step in range(steps + 1):
        if 0 <= y < shape_hw[0] and 0 <= x < shape_hw[1]:
            valid[y, x] = 0
        if step < steps:
            direction = (words[step // 32] >> (2 * (step % 32))) & 3
            dy, dx = ((0, 1), (0, -1), (1, 0), (-1, 0))[direction]
            y, x = y + dy, x + dx
    return valid


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)), st.integers(0, 700), st.integers(0, 2**32)
)
def test_it_equals_one_step_at_a_time(shape_hw: tuple[int, int], steps: int, seed: int) -> None:
    valid = random_walk(shape_hw, steps, rng_for(seed, "mask", 0))
    assert valid.dtype == np.uint8
    assert np.array_equal(valid, step_by_step(shape_hw, steps, seed))


def test_a_longer_walk_begins_with_the_shorter_one() -> None:
    def walk(steps: int) -> np.ndarray:
        return random_walk((60, 90), steps, rng_for(9, "mask", 2))

    assert (walk(1000) <= walk(333)).all()
    assert walk(1000).sum() < walk(333).sum()


def test_directions_are_equally_likely_and_steps_independent() -> None:
    count = 400_000
    symbols = raw_words(rng_for(0, "mask", 0), count // 32).astype("<u8").view(np.uint8)
    directions = ((symbols[:, None] >> np.array([0, 2, 4, 6])) & 3).ravel()
    share = np.bincount(directions, minlength=4) / count
    assert np.abs(share - 0.25).max() < 4 * np.sqrt(0.25 * 0.75 / count)
    pairs = np.bincount(4 * directions[:-1] + directions[1:], minlength=16) / (count - 1)
    assert np.abs(pairs - 1 / 16).max() < 5 * np.sqrt(1 / 16 / count)


def test_the_seeds_preset_makes_its_hole_ratio() -> None:
    # 50,000 steps on 256 px: 0.105 ± 0.01 over 1,000 masks, sd near 0.047; here 150 masks
    ratios = [
        1 - random_walk((256, 256), 50_000, rng_for(0, "mask", index)).mean()
        for index in range(150)
    ]
    assert np.mean(ratios) == pytest.approx(0.105, abs=4 * 0.047 / np.sqrt(150))
    assert np.std(ratios) == pytest.approx(0.047, abs=0.012)


def test_the_start_is_the_seeds_box() -> None:
    assert start_box(256) == (50, 156)  # 50 ... 205
    starts = [np.argwhere(random_walk((256, 300), 0, rng_for(i, "s")) == 0)[0] for i in range(400)]
    y, x = np.array(starts).T
    assert (y.min() >= 50) & (y.max() <= 205) & (x.min() >= 58) & (x.max() <= 241)
    assert y.min() < 60


def test_golden_mask() -> None:
    valid = random_walk((40, 70), 900, rng_for(7, "mask", 3))
    assert (
        hashlib.sha256(valid.tobytes()).hexdigest()
        == "af14139e898fd01f09c063b1744c51cd44c2cfe28803d18b9517649d841022e7"
    )


@pytest.mark.parametrize(("shape", "steps"), [((0, 5), 3), ((5, 5), -1)])
def test_the_impossible_is_a_sentence(shape: tuple[int, int], steps: int) -> None:
    with pytest.raises(MaskError, match="cannot be drawn; expected a shape of at least 1 x 1"):
        random_walk(shape, steps, rng_for(0, "mask"))
