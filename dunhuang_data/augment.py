"""Draw flips and angles; nothing else. They are applied by `dunhuang_data.render`."""

import numpy as np

from dunhuang_data.recipe import PlanRecipe
from dunhuang_data.rng import raw_words
from dunhuang_data.types import Augmentation


def draw_augmentations(
    rng: np.random.Generator, count: int, recipe: PlanRecipe
) -> list[Augmentation]:
    """Draw how training patches are turned.

    Parameters
    ----------
    rng : numpy.random.Generator
        Three words a patch are always taken, so neither an option nor the count shifts a draw.
    count : int
        Patches.
    recipe : PlanRecipe
        Probabilities and the largest angle.

    Returns
    -------
    list of Augmentation
        Angles are rounded to 0.001°, so that the plan's CSV holds them exactly.
    """
    units = (raw_words(rng, 3 * count) >> np.uint64(11)).reshape(count, 3) * 2.0**-53
    flips = (units[:, 0] < recipe.flip_probability).tolist()
    turned = (units[:, 1] < recipe.turn_probability).tolist()
    angles = ((2 * units[:, 2] - 1) * recipe.max_angle_deg).tolist()
    return [
        Augmentation(flip, round(angle, 3) if turn else 0.0)
        for flip, turn, angle in zip(flips, turned, angles, strict=True)
    ]
