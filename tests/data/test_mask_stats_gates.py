"""Gates: what can be written, what is refused with what there is, and what fails."""

import numpy as np
import pytest

from dunhuang_data.errors import MaskError, UsageProblem
from dunhuang_data.mask_stats import (
    MaskSet,
    RowLabel,
    compare,
    failures,
    limitable,
    measure_masks,
    raise_failed,
    read_gate,
)


def set_of(name: str, *holes: int) -> MaskSet:
    masks = []
    for count in holes:
        valid = np.ones(50, dtype=np.uint8)
        valid[:count] = 0
        masks.append(valid.reshape(5, 10))
    return MaskSet(name, measure_masks(masks), tuple(map(RowLabel, range(len(masks)))))


TRAIN, TEST = set_of("train", 5, 5, 10), set_of("test", 25, 50)
VALUES = limitable([TRAIN, TEST], [compare(TRAIN, TEST)])


def failed(text: str) -> list[str]:
    names = ["train", "val", "test"]
    return failures([read_gate(text, names, compared=True)], VALUES, names)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("hole_ratio.p100 > 0.9", ["test: hole_ratio.p100 is 1; the limit is > 0.9."]),
        ("hole_ratio.p100 >= 0.2", [
            "train: hole_ratio.p100 is 0.2; the limit is >= 0.2.",
            "test: hole_ratio.p100 is 1; the limit is >= 0.2.",
        ]),
        ("train:hole_ratio.p100>0.2", []),
        (" train : hole_ratio.mean < .2 ", [
            "train: hole_ratio.mean is 0.133333; the limit is < 0.2."
        ]),
        ("duplicates > 0", ["train: duplicates is 1; the limit is > 0."]),
        ("all_hole == 1", ["test: all_hole is 1; the limit is == 1."]),
        ("count <= 2e0", [
            "val: count is 0; the limit is <= 2.", "test: count is 2; the limit is <= 2."
        ]),
        ("distance.hole_ratio > 0.1", ["train: distance.hole_ratio is 1; the limit is > 0.1."]),
        ("val:count < 1", ["val: count is 0; the limit is < 1."]),
        ("count < 1", ["val: count is 0; the limit is < 1."]),
    ],
)  # fmt: skip
def test_a_gate_fails_where_its_limit_is_reached(text: str, sentences: list[str]) -> None:
    assert failed(text) == sentences


def test_what_cannot_be_judged_has_not_passed() -> None:
    (sentence,) = failed("val:depth_px.mean > 99")
    assert sentence == (
        "val: depth_px.mean has no value there, so 'val:depth_px.mean > 99' cannot be judged."
    )
    apart = read_gate("distance.hole_ratio > 0.1", ["train"], compared=True)
    assert failures([apart], limitable([TRAIN], []), ["train"]) == [
        "distance.hole_ratio has no value in any set, so 'distance.hole_ratio > 0.1' cannot be "
        "judged."
    ]


def test_masks_without_a_known_pixel_are_infinitely_deep() -> None:
    values = limitable([set_of("masks", *[5] * 9, 50)], [])["masks"]
    shallow, deep = values["depth_px.p0"], float("inf")
    assert shallow == 1.0
    assert [values[f"depth_px.{name}"] for name in ("p5", "p50", "p95", "p100")] == [
        shallow, shallow, deep, deep,
    ]  # fmt: skip
    assert values["depth_px.mean"] == deep
    assert values["depth_px.sd"] is None
    assert values["hole_ratio.p100"] == 1
    eleven = limitable([set_of("masks", *[5] * 10, 50)], [])["masks"]
    assert eleven["radius_px.p95"] == deep
    two = limitable([set_of("masks", 5, 50, 50)], [])["masks"]
    assert two["radius_px.p50"] == two["radius_px.p75"] == deep
    odd = limitable([set_of("masks", 5, 5, 50)], [])["masks"]
    assert (odd["radius_px.p50"], odd["radius_px.p75"]) == (1.0, deep)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hole_ratio.p95", "is no limit; write [SET:]STATISTIC.SUMMARY OP NUMBER"),
        ("hole_ratio.p95 != 3", "OP is one of > >= < <= ==."),
        ("hole_ratio.p95 > much", "is no limit"),
        ("hole_ratio.p95 > 1e400", "1e400 is too large a number"),
        ("ratio.p95 > 1", "there is no statistic ratio.p95. Known are hole_ratio, depth_px, "),
        ("hole_ratio.p90 > 1", "there is no hole_ratio.p90. Known are hole_ratio. followed by one "
         "of: mean, sd, p0, p5, p25, p50, p75, p95, p100."),
        ("hole_ratio > 1", "there is no hole_ratio without a summary."),
        ("duplicates.mean > 1", "there is no statistic duplicates.mean. Known are hole_ratio"),
        ("distance.islands > 1", "there is no distance.islands. Known are distance. followed by"),
        ("dev:count < 1", "there is no set 'dev'. The sets are: train, val, test."),
    ],
)  # fmt: skip
def test_what_there_is_not_is_a_sentence_that_lists_what_there_is(text: str, sentence: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        failed(text)
    assert sentence in str(caught.value)


def test_a_split_that_was_left_out_is_not_unknown() -> None:
    with pytest.raises(UsageProblem, match=r"--only leaves train out\. The sets are: val"):
        read_gate("train:count < 1", ["val"], compared=False)


def test_a_distance_needs_another_set() -> None:
    with pytest.raises(UsageProblem, match="needs --against"):
        read_gate("distance.hole_ratio > 0.1", ["masks"], compared=False)


def test_all_failed_gates_are_one_error() -> None:
    raise_failed([], "bank")
    with pytest.raises(MaskError, match="bank: 2 limits were reached:\n  - one\n  - two"):
        raise_failed(["one", "two"], "bank")
