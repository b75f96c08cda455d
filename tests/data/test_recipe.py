"""Defaults are the seed project's, and senseless settings are sentences."""

from typing import Any

import pytest

from dunhuang_data.errors import UsageProblem
from dunhuang_data.mask_recipe import MaskRecipe
from dunhuang_data.recipe import METHODS, BuildRecipe, PlanRecipe, recipe_from_json


def test_the_defaults_are_the_seeds() -> None:
    plan, masks = PlanRecipe(), MaskRecipe()
    assert (plan.patch_size, plan.per_picture) == (256, 25)
    assert (plan.flip_probability, plan.turn_probability, plan.max_angle_deg) == (0.5, 0.5, 30.0)
    assert (masks.steps, masks.shape_hw) == ((50_000, 50_000), (256, 256))


@pytest.mark.parametrize(
    ("kind", "settings", "sentence"),
    [
        (PlanRecipe, {"patch_size": 0}, "--size is 0"),
        (PlanRecipe, {"per_picture": 0}, "--per-picture is 0"),
        (PlanRecipe, {"split": (0.5, 0.5, 0.5)}, "--split is 0.5,0.5,0.5; expected three shares"),
        (PlanRecipe, {"split": (1.5, -0.5, 0.0)}, "--split is"),
        (PlanRecipe, {"flip_probability": 1.1}, "--flip is 1.1; expected"),
        (PlanRecipe, {"turn_probability": -0.1}, "--turn is -0.1; expected"),
        (PlanRecipe, {"max_angle_deg": 181}, "--max-angle is 181"),
        (PlanRecipe, {"max_damage": 1.5}, "--max-damage is 1.5"),
        (PlanRecipe, {"min_detail": -1.0}, "--min-detail is -1"),
        (PlanRecipe, {"total": -1}, "--total is -1"),
        (PlanRecipe, {"variants": 0}, "--variants is 0"),
        (PlanRecipe, {"scale": 0.0}, "--scale is 0.0; expected 0.01 to 16"),
        (PlanRecipe, {"method": "hex"}, "--method is 'hex'; expected one of max-distance"),
        (PlanRecipe, {"small": "drop"}, "--small is 'drop'"),
        (PlanRecipe, {"split_by": "cave"}, "--split-by is 'cave'"),
        (PlanRecipe, {"damage_is": "red"}, "--damage-is is 'red'; expected one of white, black"),
        (MaskRecipe, {"shape_hw": (0, 5)}, "--size is 0x5"),
        (MaskRecipe, {"steps": (-1, -1)}, "--steps is -1"),
        (MaskRecipe, {"steps": (2, 2**30)}, "--steps is 2:1073741824"),
        (MaskRecipe, {"count": 0}, "--count is 0"),
        (BuildRecipe, {"format": "tar"}, "--format is 'tar'; one of zarr, hdf5"),
        (BuildRecipe, {"codec": "jpeg"}, "--codec is 'jpeg'; one of none, gzip, lossless"),
        (BuildRecipe, {"format": "hdf5", "codec": "lossless"}, "--codec lossless needs --format"),
        (BuildRecipe, {"shard_size": 0}, "--shard-size is 0; expected 1 to 1,048,576"),
        (BuildRecipe, {"shard_size": 0}, "--shard-size is 0"),
    ],
)
def test_senseless_settings_are_sentences(
    kind: type, settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageProblem, match=sentence):
        kind(**settings)


def test_a_recipe_survives_json() -> None:
    assert recipe_from_json(
        MaskRecipe, {"shape_hw": [3, 4], "steps": [5, 7], "count": 6}
    ) == MaskRecipe((3, 4), (5, 7), 6)


def test_the_recipe_names_the_methods_that_there_are() -> None:
    from dunhuang_data.spread import METHODS as placed_by

    assert tuple(placed_by) == METHODS
