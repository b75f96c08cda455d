"""Any row of a plan can be cut again, with the very pixels of the dataset."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drawings import draw_picture, save_picture, write_pictures
from dunhuang_data.build import build_dataset
from dunhuang_data.errors import PictureError, PlanError
from dunhuang_data.mask_bank import open_bank
from dunhuang_data.plan import Sidecars, make_plan, read_plan
from dunhuang_data.reader import DatasetReader
from dunhuang_data.recipe import BuildRecipe, PlanRecipe
from dunhuang_data.replay import replay


def test_a_replayed_row_is_the_stored_sample(
    dataset: Path, pictures: Path, plan_root: Path
) -> None:
    plan = read_plan(plan_root)
    stored = read_plan(dataset / "plan").moved(pictures, None)
    seen = dict.fromkeys(("train", "val", "test"), 0)
    for patch in plan.patches:
        if patch.index % 5 == 0:
            samples = DatasetReader(dataset, patch.split).read([seen[patch.split]])
            found, image, damage = replay(stored, patch.index)
            assert found == patch
            assert np.array_equal(image, samples.image[0])
            assert np.array_equal(damage, samples.damage[0])
        seen[patch.split] += 1


def test_damage_scale_and_alpha_are_replayed_too(tmp_path: Path, bank_root: Path) -> None:
    folder = write_pictures(tmp_path / "some", {"a.png": (100, 140), "small.png": (28, 40)})
    pixels = draw_picture(90, 120, "alpha")
    alpha = np.full((90, 120, 1), 255, dtype=np.uint8)
    alpha[:30, :30] = 0
    save_picture(folder / "holed.png", np.concatenate([pixels, alpha], axis=-1))
    mask = np.zeros((100, 140), dtype=np.uint8)
    mask[40:60, 60:90] = 255
    save_picture(tmp_path / "masks" / "a.png", mask)
    recipe = PlanRecipe(
        patch_size=32, per_picture=4, variants=2, small="pad", damage_is="white", max_damage=0.5,
        split=(1.0, 0.0, 0.0), turn_probability=0.7,
    )  # fmt: skip
    plan = make_plan([folder], recipe, Sidecars(damage_root=tmp_path / "masks"))
    build_dataset(plan, open_bank(bank_root), tmp_path / "shards", BuildRecipe("hdf5", 10))
    samples = DatasetReader(tmp_path / "shards", "train").read(range(24))
    moved = read_plan(tmp_path / "shards" / "plan").moved(folder, tmp_path / "masks")
    marked = dict.fromkeys(("a", "small", "holed"), 0)
    for index in range(24):
        patch, image, damage = replay(moved, index)
        marked[patch.picture_id] += int(damage.sum())
        assert np.array_equal(image, samples.image[index])
        assert np.array_equal(damage, samples.damage[index])
    assert min(marked.values()) > 0


def test_what_cannot_be_replayed_is_a_sentence(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "some", {"a.png": (100, 140)})
    save_picture(tmp_path / "masks" / "a.png", np.zeros((100, 140), dtype=np.uint8))
    recipe = PlanRecipe(patch_size=32, per_picture=4, damage_is="white")
    plan = make_plan([folder], recipe, Sidecars(damage_root=tmp_path / "masks"))
    with pytest.raises(PlanError, match="no row 4; its rows are 0 to 3"):
        replay(plan, 4)
    with pytest.raises(PictureError, match=r"planned with a mask of its damage, a.png. Name"):
        replay(replace(plan, damage_root=None), 0)
    save_picture(tmp_path / "masks" / "a.png", np.full((100, 140), 255, dtype=np.uint8))
    with pytest.raises(PictureError, match=r"masks.a\.png has changed since the plan was made"):
        replay(plan, 0)
    with pytest.raises(PictureError, match=r"which is not there. Put it back, or .* --pictures"):
        replay(replace(plan, pictures_root=tmp_path), 0)
