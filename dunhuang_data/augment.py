"""Draw a flip and an angle; nothing else. They are applied by `dunhuang_data.render`."""

import numpy as np

from dunhuang_data.recipe import PlanRecipe
from dunhuang_data.rng import draw_unit
from dunhuang_data.types import Augmentation


def draw_augmentation(rng: np.random.Generator, recipe: PlanRecipe) -> Augmentation:
    """Draw how a training patch is turned.

    Parameters
    ----------
    rng : numpy.random.Generator
        Three words are always taken, so an option never shifts another's draw.
    recipe : PlanRecipe
        Probabilities and the largest angle.

    Returns
    -------
    Augmentation
        The angle is rounded to 0.001°, so that the plan's CSV holds it exactly.
    """
    flip = draw_unit(rng) < recipe.flip_probability
    turned = draw_unit(rng) < recipe.turn_probability
    angle = round((2 * draw_unit(rng) - 1) * recipe.max_angle_deg, 3)
    return Augmentation(flip=flip, angle_deg=angle if turned else 0.0)
