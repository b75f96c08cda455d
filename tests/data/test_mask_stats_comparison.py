"""Two sets of masks: told apart where they differ, left alone where chance alone is at work."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from dunhuang_data.mask_stats import MaskSet, RowLabel, compare, kolmogorov_distance, measure_masks
from dunhuang_data.mask_stats.comparison import (
    COMPARED,
    LARGE,
    RISK,
    SMALL,
    chance_distance,
    verdict_of,
)
from dunhuang_data.rng import draw_unit, rng_for
from dunhuang_data.types import UInt8Array
from dunhuang_data.walks import random_walk


def set_of(name: str, masks: list[UInt8Array]) -> MaskSet:
    return MaskSet(name, measure_masks(masks), tuple(map(RowLabel, range(len(masks)))))


def walks(steps: int, count: int, seed: int) -> list[UInt8Array]:
    return [random_walk((256, 256), steps, rng_for(seed, "mask", i)) for i in range(count)]


@pytest.fixture(scope="module")
def train() -> list[UInt8Array]:
    return walks(50_000, 120, 1)


def test_the_distance_is_that_of_scipy() -> None:
    for sizes in ((1, 1), (5, 9), (40, 23)):
        for index in range(8):
            rng = rng_for(index, "ks")
            first, second = (
                np.array([round(draw_unit(rng) ** power, 2) for _ in range(size)])
                for size, power in zip(sizes, (1, 2), strict=True)
            )
            expected = scipy_stats.ks_2samp(first, second).statistic
            assert kolmogorov_distance(first, second) == pytest.approx(expected)


def test_infinite_depth_is_the_deepest() -> None:
    finite, deep = np.array([1.0, 2.0]), np.array([1.0, np.inf])
    assert kolmogorov_distance(finite, deep) == 0.5
    assert kolmogorov_distance(deep, deep) == 0.0


def test_chance_is_the_critical_value_of_the_tables() -> None:
    """c(0.01) = 1.63 and c(0.05) = 1.36 stand in every table of the test."""
    assert chance_distance(100, 100, statistics=1) == pytest.approx(1.63 * np.sqrt(0.02), abs=1e-3)
    assert RISK == 0.01
    assert chance_distance(100, 100) == pytest.approx(1.883 * np.sqrt(0.02), abs=1e-3)  # of six
    assert chance_distance(30, 70) > chance_distance(300, 700) == chance_distance(700, 300)


def test_chance_alone_is_rarely_taken_for_a_difference() -> None:
    """Of 400 pairs of samples of one law, no more than a few per mille may be told apart."""
    told = 0
    for index in range(400):
        rng = rng_for(index, "null")
        first, second = (np.array([draw_unit(rng) for _ in range(n)]) for n in (60, 45))
        told += kolmogorov_distance(first, second) > chance_distance(60, 45, statistics=1)
    assert told <= 10  # 4 are expected; 11 or more have a chance of 3 in 1,000


def test_training_at_a_tenth_and_judging_at_a_thirtieth_is_flagged(train: list[UInt8Array]) -> None:
    judged = walks(10_000, 90, 2)
    comparison = compare(set_of("train", train), set_of("judged", judged))
    assert comparison.means[0] == pytest.approx(0.108, abs=0.012)
    assert comparison.means[1] == pytest.approx(0.036, abs=0.008)
    assert not comparison.alike
    by_name = {one.statistic: one for one in comparison.distances}
    assert by_name["hole_ratio"].verdict == "large"
    assert by_name["hole_ratio"].counts == (120, 90)
    first = comparison.sentences()[0]
    assert first.startswith("train and judged do not match (mean hole ratio 1")
    assert "They differ in hole ratio, " in first
    assert "What is learnt on the holes of the one is judged on other holes." in first
    assert any("Hole ratio: large difference, higher in train" in s for s in comparison.sentences())


def test_two_halves_of_one_bank_match(train: list[UInt8Array]) -> None:
    for halves in ((train[:60], train[60:]), (train[::2], train[1::2])):
        first, second = (set_of(name, half) for name, half in zip("ab", halves, strict=True))
        comparison = compare(first, second)
        assert comparison.alike
        assert {one.verdict for one in comparison.distances} <= {"within chance", "too few to tell"}


def constant(holes: int) -> UInt8Array:
    valid = np.ones((9, 14), dtype=np.uint8)
    valid[4, 2 : 2 + holes] = 0
    return valid


def test_few_masks_tell_nothing_and_say_so() -> None:
    comparison = compare(set_of("a", [constant(2)]), set_of("b", [constant(5), constant(6)]))
    assert {one.verdict for one in comparison.distances} == {"too few to tell"}
    assert comparison.alike
    (sentence,) = comparison.sentences()
    assert sentence.startswith("Whether a and b match cannot be told (mean hole ratio 1.6% against")
    assert "chance alone could bring such distances" in sentence


def test_a_real_but_small_difference_is_called_small() -> None:
    first = [constant(2 + (index % 10 == 0)) for index in range(4000)]
    second = [constant(2 + (index % 6 == 0)) for index in range(4000)]
    comparison = compare(set_of("a", first), set_of("b", second))
    ratio = comparison.distances[COMPARED.index("hole_ratio")]
    assert ratio.distance == pytest.approx(1 / 6 - 1 / 10, abs=1e-3)
    assert ratio.verdict == "small"
    assert comparison.alike
    assert comparison.sentences()[0].startswith("a and b nearly match")


@pytest.mark.parametrize(
    ("distance", "chance", "verdict"),
    [
        (0.05, 0.05, "within chance"),
        (0.35, 0.35, "too few to tell"),
        (SMALL, 0.05, "small"),
        (np.nextafter(SMALL, 1), 0.05, "clear"),
        (LARGE, 0.05, "clear"),
        (np.nextafter(LARGE, 1), 0.05, "large"),
    ],
)
def test_each_limit_belongs_to_the_milder_word(
    distance: float, chance: float, verdict: str
) -> None:
    assert verdict_of(distance, chance) == verdict


def test_a_set_matches_itself_however_few_its_masks_are() -> None:
    one = set_of("a", [constant(2), constant(3)])
    again = set_of("b", [constant(3), constant(2)])
    comparison = compare(one, again)
    assert comparison.alike
    assert {each.distance for each in comparison.distances} == {0.0}
    assert comparison.sentences() == [
        "a and b match (mean hole ratio 2.0% against 2.0%): they hold the same masks, pixel for "
        "pixel."
    ]
    more = compare(one, set_of("c", [constant(2), constant(3), constant(3)]))
    assert "cannot be told" in more.sentences()[0]


def test_what_both_sets_hold_is_counted() -> None:
    first = set_of("a", [constant(1), constant(2), constant(2), constant(3)])
    comparison = compare(first, set_of("b", [constant(2), constant(9)]))
    assert comparison.shared == 2
    assert comparison.sentences()[-1] == "b has 2 masks of a too, pixel for pixel."


def test_sets_without_holes_have_no_perimeter_to_compare() -> None:
    known = set_of("a", [np.ones((9, 14), np.uint8)] * 3)
    comparison = compare(known, set_of("b", [constant(2)] * 3))
    perimeter = comparison.distances[COMPARED.index("perimeter_per_px")]
    assert (perimeter.distance, perimeter.counts) == (None, (0, 3))
    assert comparison.document()["distances"]["perimeter_per_px"]["distance"] is None
