"""Draws depend on (seed, stage, indices) alone, and never change."""

import numpy as np
import pytest

from dunhuang_data import rng
from dunhuang_data.errors import UsageProblem
from dunhuang_data.rng import draw_below, draw_unit, permutation, raw_words, rng_for


def test_the_stream_is_the_one_it_always_was() -> None:
    # by hand: blake2b('[3, "mask", 7]', 16 bytes) as the key of Philox
    assert [f"{word:016x}" for word in raw_words(rng_for(3, "mask", 7), 3).tolist()] == [
        "1926926a0ac57400",
        "70c9df8346475106",
        "7ff44689c228aa54",
    ]


def test_every_part_of_the_address_matters() -> None:
    generators = [
        rng_for(0, "a"),
        rng_for(1, "a"),
        rng_for(0, "b"),
        rng_for(0, "a", 1),
        rng_for(0, "a", "1"),
        rng_for(0, "a", 1, 1),
    ]
    assert len({int(raw_words(rng, 1)[0]) for rng in generators}) == len(generators)


def test_draws_stay_in_range_and_reach_the_ends() -> None:
    rng = rng_for(0, "test")
    assert {draw_below(rng, 3) for _ in range(200)} == {0, 1, 2}
    units = [draw_unit(rng) for _ in range(2000)]
    assert 0 <= min(units) < 0.01
    assert 0.99 < max(units) < 1


def test_a_permutation_holds_everything_once() -> None:
    order = permutation(rng_for(0, "order", 1), 101)
    assert sorted(order.tolist()) == list(range(101))
    assert not np.array_equal(order, permutation(rng_for(0, "order", 2), 101))


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_out_of_range_is_a_sentence(seed: int) -> None:
    with pytest.raises(UsageProblem, match=r"The seed is .*; expected a whole number from 0"):
        rng_for(seed, "mask")


class Words:
    """A generator whose words are given."""

    def __init__(self, words: list[int]) -> None:
        self.bit_generator, self.words = self, np.array(words, dtype=np.uint64)

    def random_raw(self, count: int) -> np.ndarray:
        return self.words[:count]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 64, 65, 1000])
def test_a_permutation_is_the_stable_argsort_of_its_words(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rng, "BLOCK", 32)
    words = raw_words(rng_for(4, "order", count), count)
    alike = words & np.uint64(0xF000000000000003)  # 16 groups that only their low bits order
    for given in (words, alike, words >> np.uint64(60), words & np.uint64(0xF)):
        found = permutation(Words(given.tolist()), count)  # type: ignore[arg-type]
        assert found.dtype == np.int64
        assert found.tolist() == np.argsort(given, kind="stable").tolist()
