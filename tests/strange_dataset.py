"""A dataset of pictures with awkward names, with or without damage, for those who write it out."""

from pathlib import Path

import numpy as np

from drawings import draw_picture, save_picture
from dunhuang_data.build import build_dataset
from dunhuang_data.mask_bank import open_bank, write_bank
from dunhuang_data.mask_recipe import MaskRecipe
from dunhuang_data.plan import Sidecars, make_plan
from dunhuang_data.recipe import BuildRecipe, PlanRecipe

PATCH = 33  # px, no multiple of 8
PER_PICTURE = 3
SHARD = 4
SEED = 0  # every split has pictures
NAMES = {
    "a/wall.png": (60, 71),
    "b/wall.png": (53, 80),  # the same name in another folder
    "北壁/飞天 1.png": (64, 57),
    "007.png": (49, 66),  # a number to those who guess
    "NA.png": (70, 45),  # nothing to those who guess
    "un_mask.png": (58, 52),  # LaMa goes by this word
    "dot.in.name.png": (51, 77),
    "two  blanks, and 'quotes'.png": (66, 59),
}
RIGHTS = {"b/wall": {"rights": "CC BY 4.0", "attribution": 'A "B", C\nD'}}


def strange_dataset(folder: Path, format: str, damage: bool) -> Path:
    """Build it in ``folder / "shards"``, 24 samples, and return that."""
    for name, (height, width) in NAMES.items():
        save_picture(folder / "murals" / name, draw_picture(height, width, name))
        mask = np.zeros((height, width), dtype=np.uint8)
        mask[: height // 3, : width // 2] = 255
        save_picture(folder / "damage" / name, mask)
    recipe = PlanRecipe(
        patch_size=PATCH,
        per_picture=PER_PICTURE,
        split=(0.5, 0.25, 0.25),
        turn_probability=0.5 if damage else 0.0,
        damage_is="white" if damage else "",
        max_damage=0.6 if damage else 0.0,
        seed=SEED,
    )
    sidecars = Sidecars(rights=RIGHTS, damage_root=folder / "damage" if damage else None)
    plan = make_plan([folder / "murals"], recipe, sidecars)
    assert all(plan.count_by_split().values())
    bank = MaskRecipe(shape_hw=(PATCH, PATCH), steps=(300, 300), count=24, seed=5)
    write_bank(bank, folder / "masks")
    build_dataset(
        plan, open_bank(folder / "masks"), folder / "shards", BuildRecipe(format, shard_size=SHARD)
    )
    return folder / "shards"
