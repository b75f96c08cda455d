"""What is odd about an evaluation is said."""

from collections.abc import Iterable

import pytest

from dunhuang_trainer.evaluate.doubts import doubts
from dunhuang_trainer.evaluate.records import SampleScore
from dunhuang_trainer.evaluate.tables import evaluation_of
from sample_scores import sample

PICTURES = [f"p{number:02d}" for number in range(12)]


def of_all(method: str, errors: Iterable[float], **values: float) -> list[SampleScore]:
    """Return one sample of each of twelve pictures."""
    return [
        sample(method, key, error, **{"mse_known": 0.0, "hole_ratio": 0.2, **values})
        for key, error in zip(PICTURES, errors, strict=True)
    ]


def said_of(*scores: SampleScore) -> list[str]:
    return doubts(evaluation_of(scores))


TELEA = of_all("Telea", range(300, 324, 2))
BIHARMONIC = of_all("biharmonic", range(200, 224, 2))


def test_a_sound_evaluation_says_how_it_stands_against_the_best_fill() -> None:
    ours = of_all("mine", (100 + 3 * place for place in range(12)))
    (said,) = said_of(*ours, *TELEA, *BIHARMONIC)
    assert said.startswith("mine is better than biharmonic, the best fill without training here")
    assert "-94.5, 95 % interval" in said
    (said,) = said_of(*of_all("mine", range(210, 234, 2)), *TELEA, *BIHARMONIC)
    assert said.startswith("mine is no better than biharmonic")
    unsure = of_all("mine", [150, 270] * 6)
    (said,) = said_of(*unsure, *TELEA, *BIHARMONIC)
    assert said.startswith("mine is not surely better than biharmonic")


def test_telea_as_the_best_is_not_said_twice() -> None:
    assert said_of(*of_all("mine", [10.0] * 12), *TELEA) == []


def test_masks_that_are_turned_round_show() -> None:
    turned = of_all("mine", [0.0] * 12, mse_known=35.0)
    (said,) = said_of(*turned, *TELEA)
    assert said == (
        "mine has no error in the holes, but on known pixels (mean squared error 35.0): the masks "
        "are probably the wrong way round. Give the other --white-is."
    )


def test_targets_judged_as_a_restoration_show() -> None:
    (said,) = said_of(*of_all("mine", [0.0] * 12), *TELEA)
    assert said == "mine has no error at all: are its files the targets themselves?"


def test_known_pixels_that_changed_are_said() -> None:
    (said,) = said_of(*of_all("mine", [10.0] * 12, mse_known=0.25), *TELEA)
    assert said.startswith("mine changed known pixels: its mean squared error there is 0.25")


def test_mostly_holes_are_said() -> None:
    scores = [
        *of_all("mine", [10.0] * 12, hole_ratio=0.7),
        *of_all("Telea", [11.0] * 12, hole_ratio=0.7),
    ]
    (said,) = said_of(*scores)
    assert said.startswith("The mean hole ratio is 0.70")


def test_no_counted_hole_is_said() -> None:
    nan = float("nan")
    (said, *_) = said_of(*of_all("mine", [nan] * 12), *of_all("Telea", [nan] * 12))
    assert said.startswith("No sample has a hole pixel that counts")


@pytest.mark.parametrize(("count", "few"), [(1, False), (2, True), (9, True), (10, False)])
def test_intervals_of_few_pictures_are_too_narrow(count: int, few: bool) -> None:
    said = said_of(*of_all("mine", [10.0] * 12)[:count], *TELEA[:count])
    assert any(f"The intervals are of {count} pictures" in one for one in said) == few
