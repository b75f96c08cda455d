"""The draw of flips and angles."""

import numpy as np
import pytest

from dunhuang_data.augment import draw_augmentations
from dunhuang_data.recipe import PlanRecipe
from dunhuang_data.rng import rng_for


def test_frequencies_and_range_are_those_of_the_recipe() -> None:
    recipe = PlanRecipe(flip_probability=0.3, turn_probability=0.6, max_angle_deg=20)
    drawn = draw_augmentations(rng_for(1, "augment"), 4000, recipe)
    assert np.mean([one.flip for one in drawn]) == pytest.approx(0.3, abs=0.03)
    angles = np.array([one.angle_deg for one in drawn if one.angle_deg])
    assert len(angles) / len(drawn) == pytest.approx(0.6, abs=0.03)
    assert -20 <= angles.min() < -19.5
    assert 19.5 < angles.max() <= 20
    assert angles.mean() == pytest.approx(0, abs=0.8)


def test_switching_the_flip_off_moves_no_angle() -> None:
    def angles(flip: float) -> list[float]:
        recipe = PlanRecipe(flip_probability=flip)
        return [one.angle_deg for one in draw_augmentations(rng_for(1, "a"), 50, recipe)]

    assert angles(0.0) == angles(1.0)
