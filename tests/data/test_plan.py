"""Plans: pure, complete, and the same after a trip through the disk."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from drawings import TINY_PLAN, draw_picture, save_picture, write_pictures
from dunhuang_data.errors import OutputExistsError, PictureError, PlanError
from dunhuang_data.plan import make_plan, read_plan, write_plan
from dunhuang_data.recipe import PlanRecipe
from dunhuang_data.types import Augmentation


def test_a_plan_comes_back_as_it_was(pictures: Path, plan_root: Path) -> None:
    assert read_plan(plan_root) == make_plan([pictures], TINY_PLAN)


def test_every_picture_gives_its_patches_in_order(plan_root: Path) -> None:
    plan = read_plan(plan_root)
    assert [patch.index for patch in plan.patches] == list(range(6 * 8))
    by_picture = [patch.picture_id for patch in plan.patches]
    assert by_picture == sorted(by_picture)
    for picture in plan.pictures:
        assert by_picture.count(picture.id) == 6


def test_only_training_patches_are_turned(plan_root: Path) -> None:
    plan = read_plan(plan_root)
    others = [patch.augmentation for patch in plan.patches if patch.split != "train"]
    assert set(others) == {Augmentation()}
    train = [patch.augmentation for patch in plan.patches if patch.split == "train"]
    assert any(one.flip for one in train)
    assert any(one.angle_deg for one in train)


def test_a_picture_more_moves_no_other(tmp_path: Path, pictures: Path) -> None:
    few = write_pictures(tmp_path / "few")
    before = make_plan([few], TINY_PLAN)
    save_picture(few / "cave" / "aaa-first.png", draw_picture(50, 66, "more"))
    after = make_plan([few], TINY_PLAN)

    def rows(plan: object, picture_id: str) -> list[object]:
        return [
            (patch.center_yx, patch.split, patch.augmentation)
            for patch in plan.patches  # type: ignore[attr-defined]
            if patch.picture_id == picture_id
        ]

    assert len(after.pictures) == len(before.pictures) + 1
    for picture in before.pictures:
        assert rows(before, picture.id) == rows(after, picture.id)


def test_the_tables_open_in_a_spreadsheet(plan_root: Path) -> None:
    with (plan_root / "patches.csv").open(newline="") as stream:
        row = list(csv.DictReader(stream))[7]
    assert row["index"] == "7"
    assert row["picture_id"] == "cave/wall-2"
    assert float(row["nearest_px"]) > 0
    with (plan_root / "pictures.csv").open(newline="") as stream:
        first = next(csv.DictReader(stream))
    assert (first["file"], first["height"], first["width"]) == ("cave/wall-1.jpg", "70", "91")


def test_small_pictures_are_named_together_or_left_out(tmp_path: Path) -> None:
    shapes = {"big.png": (50, 70), "thin.png": (31, 90), "tiny.jpg": (20, 20)}
    folder = write_pictures(tmp_path / "mixed", shapes)
    recipe = PlanRecipe(patch_size=32, per_picture=2)
    with pytest.raises(
        PlanError, match=r"(?s)2 of 3 pictures are too small.*thin: .*tiny: .*--size"
    ):
        make_plan([folder], recipe)
    plan = make_plan([folder], replace(recipe, small="skip"))
    assert [picture.id for picture in plan.pictures] == ["big"]
    assert len(plan.left_out) == 2
    with pytest.raises(PlanError, match="None of the 3 pictures can give patches of 64 px"):
        make_plan([folder], PlanRecipe(patch_size=64, per_picture=2, small="skip"))


def test_unreadable_pictures_stop_the_plan(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "some", {"a.png": (40, 50)})
    (folder / "b.jpg").write_bytes(b"no picture")
    with pytest.raises(PictureError, match=r"Could not read .*b\.jpg"):
        make_plan([folder], PlanRecipe(patch_size=32, per_picture=1))


def test_an_altered_table_is_found(tmp_path: Path, pictures: Path) -> None:
    write_plan(make_plan([pictures], TINY_PLAN), tmp_path / "plan")
    table = tmp_path / "plan" / "patches.csv"
    table.write_text(table.read_text().replace("train", "test", 1))
    with pytest.raises(PlanError, match=r"patches\.csv is not the table that was written"):
        read_plan(tmp_path / "plan")


def test_what_is_no_plan_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"is not a patch plan: there is no plan\.json in it"):
        read_plan(tmp_path)
    (tmp_path / "plan.json").write_text('{"format": {"name": "dunhuang-plan", "version": 99}}')
    with pytest.raises(PlanError, match="'version': 99}; this version reads"):
        read_plan(tmp_path)


def test_a_plan_is_not_overwritten_unasked(tmp_path: Path, pictures: Path) -> None:
    plan = make_plan([pictures], TINY_PLAN)
    write_plan(plan, tmp_path / "plan")
    with pytest.raises(OutputExistsError, match="Give --overwrite to replace it"):
        write_plan(plan, tmp_path / "plan")
    write_plan(plan, tmp_path / "plan", overwrite=True)
    assert read_plan(tmp_path / "plan") == plan


def test_one_file_in_two_splits_is_refused(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "twins", {"niche-4.png": (40, 50)})
    for name in ("a", "b", "c", "d", "e"):
        (folder / f"{name}.png").write_bytes((folder / "niche-4.png").read_bytes())
    with pytest.raises(PlanError, match=r"are the same file, in the splits \w+ and \w+\. Take one"):
        make_plan([folder], TINY_PLAN)
