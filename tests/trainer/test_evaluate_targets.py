"""Targets and restorations are paired by key; whatever does not fit is said, all of it."""

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from drawings import draw_picture, save_picture
from dunhuang_data.errors import DatasetError, PictureError
from dunhuang_data.pictures import read_picture
from dunhuang_data.plan import read_plan
from dunhuang_data.reader import DatasetReader
from dunhuang_data.recipe import ReadingRecipe
from dunhuang_data.types import UInt8Array
from dunhuang_trainer.data import pictures_of_rows
from dunhuang_trainer.evaluate.folders import Predictions
from dunhuang_trainer.evaluate.targets import DatasetTargets, PictureTargets

SHAPES = {"a": (20, 31), "b": (24, 18), "cave/c": (17, 40)}


def hole(shape: tuple[int, int], inside: int = 255, outside: int = 0) -> UInt8Array:
    grey = np.full(shape, outside, dtype=np.uint8)
    grey[3:9, 4:14] = inside
    return np.repeat(grey[..., None], 3, axis=-1)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Pictures, and masks in which white is a hole."""
    for key, shape in SHAPES.items():
        save_picture(tmp_path / "pictures" / f"{key}.png", draw_picture(*shape, key))
        save_picture(tmp_path / "masks" / f"{key}.tif", hole(shape))
    return tmp_path / "pictures", tmp_path / "masks"


def test_pictures_meet_the_masks_of_their_names(folders: tuple[Path, Path]) -> None:
    targets = PictureTargets(*folders, "hole")
    assert targets.keys == ["a", "b", "cave/c"]
    assert not targets.problems
    assert targets.grey_share == 0
    for place, (key, shape) in enumerate(SHAPES.items()):
        (one,) = targets.read([place])
        assert (one.key, one.cluster) == (key, key)
        assert targets.shape_of(place) == shape
        assert np.array_equal(one.image, draw_picture(*shape, key))
        assert np.array_equal(one.valid, (hole(shape)[..., 0] == 0).astype(np.uint8))
        assert not one.damage.any()


def test_white_can_be_what_is_known(folders: tuple[Path, Path]) -> None:
    one = PictureTargets(*folders, "known").read([0])[0]
    assert np.array_equal(one.valid, (hole(SHAPES["a"])[..., 0] == 255).astype(np.uint8))


def test_damage_and_groups_are_of_the_picture_they_name(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    damage = hole(SHAPES["b"])
    save_picture(tmp_path / "damage" / "b.png", damage)
    (tmp_path / "groups.csv").write_text("picture,group\na,north\ncave/c.png,north\n")
    targets = PictureTargets(
        *folders, "hole", damage=tmp_path / "damage", groups=tmp_path / "groups.csv"
    )
    a, b, c = targets.read([0, 1, 2])
    assert [a.cluster, b.cluster, c.cluster] == ["north", "b", "north"]
    assert np.array_equal(b.damage, (damage[..., 0] == 255).astype(np.uint8))
    assert not a.damage.any()
    black = PictureTargets(*folders, "hole", damage=tmp_path / "damage", damage_is="black")
    assert np.array_equal(black.read([1])[0].damage, 1 - b.damage)


def test_everything_that_is_wrong_is_listed_and_the_rest_can_be_judged(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    pictures, masks = folders
    grey = hole(SHAPES["a"])
    grey[5, 6:10] = 100
    save_picture(pictures / "grey.png", draw_picture(*SHAPES["a"], "grey"))
    save_picture(masks / "grey.png", grey)
    save_picture(pictures / "size.png", draw_picture(20, 30, "size"))
    save_picture(masks / "size.png", hole((30, 20)))
    save_picture(pictures / "alone.png", draw_picture(20, 30, "alone"))
    save_picture(masks / "orphan.png", hole((20, 30)))
    save_picture(pictures / "twice.png", draw_picture(20, 30, "twice"))
    save_picture(pictures / "twice.tif", draw_picture(20, 30, "twice"))
    save_picture(masks / "twice.png", hole((20, 30)))
    save_picture(pictures / "none.png", draw_picture(20, 30, "none"))
    save_picture(masks / "none.png", hole((20, 30), 255, 255))
    broken = pictures / "broken.png"
    broken.write_bytes((pictures / "a.png").read_bytes()[:-400])
    shutil.copy(masks / "a.tif", masks / "broken.tif")
    save_picture(tmp_path / "damage" / "elsewhere.png", hole((20, 30)))
    targets = PictureTargets(pictures, masks, "hole", damage=tmp_path / "damage")
    assert targets.keys == ["a", "b", "cave/c"]
    said = "\n".join(targets.problems)
    for expected in (
        "grey.png has 0.65% pixels that are neither black nor white",
        "size.png is 30 x 20 px (height x width), its picture",
        "alone.png has no mask: expected alone",
        "orphan.png is the mask of no picture: there is no orphan",
        "Two pictures would have the id 'twice'",
        "twice.png is the mask of no picture",
        "none.png has no known pixel",
        "broken.png",
        "elsewhere.png is the damage of no picture",
    ):
        assert expected in said
    assert len(targets.problems) == 9


def test_grey_masks_are_thresholded_when_asked(folders: tuple[Path, Path]) -> None:
    pictures, masks = folders
    (masks / "a.tif").unlink()
    smooth = hole(SHAPES["a"])
    smooth[3:9, 14] = 100  # below half of white
    smooth[3:9, 3] = 150
    save_picture(masks / "a.png", smooth)
    assert PictureTargets(pictures, masks, "hole").keys == ["b", "cave/c"]
    targets = PictureTargets(pictures, masks, "hole", grey="threshold")
    assert targets.grey_share == pytest.approx(12 / (20 * 31) / 3)
    valid = targets.read([0])[0].valid
    assert (valid[3:9, 3:14] == 0).all()
    assert (valid[3:9, 14] == 1).all()


def test_masks_of_damage_are_as_strict_as_those_of_holes(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    smooth = hole(SHAPES["a"])
    smooth[3:9, 14] = 100
    save_picture(tmp_path / "damage" / "a.png", smooth)
    save_picture(tmp_path / "damage" / "b.png", hole(SHAPES["b"], inside=1))  # 0 and 1
    refused = PictureTargets(*folders, "hole", damage=tmp_path / "damage")
    assert refused.keys == ["b", "cave/c"]
    assert "a.png has 0.97% pixels that are neither black nor white" in refused.problems[0]
    assert refused.read([0])[0].damage.sum() == 60
    taken = PictureTargets(*folders, "hole", damage=tmp_path / "damage", grey="threshold")
    assert taken.read([0])[0].damage.sum() == 60


def test_folders_of_other_projects_are_pointed_to_import(tmp_path: Path) -> None:
    save_picture(tmp_path / "pictures" / "001.png", draw_picture(20, 30, "a"))
    save_picture(tmp_path / "masks" / "001_mask.png", hole((20, 30)))
    targets = PictureTargets(tmp_path / "pictures", tmp_path / "masks", "known")
    assert targets.keys == []
    assert "dunhuang-data import" in targets.problems[-1]


def test_a_folder_that_is_none_is_a_sentence(folders: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="gone is no folder"):
        PictureTargets(tmp_path / "gone", folders[1], "hole")


def test_samples_are_called_by_their_picture_and_row(dataset: Path) -> None:
    reader = DatasetReader(dataset, "test")
    targets = DatasetTargets(reader)
    plan = read_plan(dataset / "plan")
    ids = [patch.picture_id for patch in plan.patches if patch.split == "test"]
    assert targets.keys == [f"{one}/{row:08d}" for row, one in enumerate(ids)]
    (third, first) = targets.read([2, 0])
    samples = reader.read([2, 0])
    assert np.array_equal(third.image, samples.image[0])
    assert np.array_equal(first.valid, samples.valid[1])
    assert np.array_equal(first.damage, samples.damage[1])
    assert third.cluster == ids[2]
    assert targets.shape_of(1) == (32, 32)


def test_an_empty_split_is_a_sentence(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = DatasetReader(dataset, "test")
    monkeypatch.setattr(DatasetReader, "__len__", lambda _self: 0)
    with pytest.raises(DatasetError, match=r"no sample in test\. Choose another --split"):
        DatasetTargets(reader)


def test_restorations_are_matched_by_name_and_what_is_not_is_listed(tmp_path: Path) -> None:
    shapes = {"a": (20, 31), "b": (24, 18), "cave/c": (17, 40), "d": (8, 9)}
    root = tmp_path / "restored"
    save_picture(root / "a.png", draw_picture(20, 31, "a"))
    save_picture(root / "b.png", draw_picture(24, 19, "b"))
    save_picture(root / "cave" / "c.tif", draw_picture(17, 40, "c"))
    save_picture(root / "e.png", draw_picture(17, 40, "e"))
    predictions = Predictions(root, "theirs")
    problems = predictions.match(shapes)
    assert predictions.keys == {"a", "cave/c"}
    assert np.array_equal(predictions.read("cave/c"), draw_picture(17, 40, "c"))
    assert len(problems) == 3
    said = "\n".join(problems)
    assert "restored has no restoration of d." in said
    assert "e.png is the restoration of no target: none is named e." in said
    assert "b.png is 24 x 19 px (height x width), its target 24 x 18 px" in said


def test_rows_alone_name_the_samples_of_a_dataset(tmp_path: Path) -> None:
    shapes = {f"cave/{row % 2}/{row:08d}": (8, 9) for row in range(3)}
    for row in range(3):
        save_picture(tmp_path / f"{row:08d}.png", np.full((8, 9, 3), row, np.uint8))
    predictions = Predictions(tmp_path, "theirs")
    assert predictions.match(shapes) == []
    assert [int(predictions.read(key)[0, 0, 0]) for key in sorted(shapes)] == [0, 2, 1]


def test_last_parts_that_are_not_unique_name_nothing(tmp_path: Path) -> None:
    save_picture(tmp_path / "x.png", draw_picture(8, 9, "x"))
    predictions = Predictions(tmp_path, "theirs")
    problems = predictions.match({"one/x": (8, 9), "two/x": (8, 9)})
    assert predictions.keys == set()
    (said,) = problems
    assert said.startswith(f"No file in {tmp_path} has the name of a target: the first is ")
    assert "x.png, the first target one/x. Name them alike" in said


def test_a_jpeg_restoration_is_read_as_any_program_reads_it(tmp_path: Path) -> None:
    pixels = draw_picture(24, 40, "j")
    path = tmp_path / "j.jpg"
    assert cv2.imwrite(str(path), pixels[..., ::-1])
    predictions = Predictions(tmp_path, "theirs")
    assert predictions.match({"j": (24, 40)}) == []
    decoded = cv2.imread(str(path))
    assert decoded is not None
    expected = decoded[..., ::-1].astype(int)
    assert np.abs(predictions.read("j").astype(int) - expected).max() <= 2


def test_a_last_part_that_a_flawed_target_has_too_names_nothing(tmp_path: Path) -> None:
    save_picture(tmp_path / "x.png", draw_picture(8, 9, "x"))
    predictions = Predictions(tmp_path, "theirs")
    problems = predictions.match({"one/x": (8, 9)}, {"two/x"})
    assert predictions.keys == set()
    assert len(problems) == 1
    other = Predictions(tmp_path, "theirs")
    assert other.match({"one/y": (8, 9)}, {"two/x"}) == [f"{tmp_path} has no restoration of one/y."]


def test_masks_without_a_picture_are_flawed_too(folders: tuple[Path, Path]) -> None:
    (folders[0] / "b.png").unlink()
    targets = PictureTargets(*folders, "hole")
    assert set(targets.flawed) == {"b"}
    assert len(targets.problems) == 1


def test_what_of_a_folder_cannot_be_used_is_said(tmp_path: Path) -> None:
    for name in ("a.png", "a.tif", "b.png"):
        save_picture(tmp_path / name, draw_picture(8, 9, name))
    predictions = Predictions(tmp_path, "theirs")
    said = predictions.match({"a": (8, 9), "b": (8, 9)})
    assert predictions.keys == {"b"}
    assert len(said) == 2
    assert "Two pictures would have the id 'a'" in said[0]
    assert "has no restoration of a." in said[1]


def test_a_folder_with_folders_names_whole_keys(tmp_path: Path) -> None:
    save_picture(tmp_path / "cave" / "1.png", draw_picture(8, 9, "1"))
    save_picture(tmp_path / "2.png", draw_picture(8, 9, "2"))
    predictions = Predictions(tmp_path, "theirs")
    assert len(predictions.match({"cave/1": (8, 9), "cave/2": (8, 9)})) == 2
    assert predictions.keys == {"cave/1"}


def test_masks_of_damage_are_looked_at(folders: tuple[Path, Path], tmp_path: Path) -> None:
    save_picture(tmp_path / "damage" / "a.png", draw_picture(*SHAPES["a"], "photograph"))
    save_picture(tmp_path / "damage" / "b.png", hole(SHAPES["a"]))
    save_picture(tmp_path / "damage" / "z.png", hole(SHAPES["a"]))
    targets = PictureTargets(*folders, "hole", damage=tmp_path / "damage")
    assert targets.keys == ["cave/c"]
    said = "\n".join(targets.problems)
    assert len(targets.problems) == 3
    assert "a.png is no mask" in said
    assert "b.png is 20 x 31 px (height x width), its picture" in said
    assert "b.png 24 x 18 px. They must be of one size" in said
    assert "z.png is the damage of no picture" in said


def test_pictures_are_read_with_the_decisions_that_were_made(
    folders: tuple[Path, Path],
) -> None:
    (plain,) = PictureTargets(*folders, "hole").read([0])
    reading = ReadingRecipe(assume_profile="p3")
    (decided,) = PictureTargets(*folders, "hole", reading=reading).read([0])
    assert np.array_equal(decided.image, read_picture(folders[0] / "a.png", reading))
    assert not np.array_equal(decided.image, plain.image)


def test_patches_of_a_group_are_one_cluster(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = DatasetReader(dataset, "test")
    targets = DatasetTargets(reader)
    assert [one.cluster for one in targets.read([0])] == [targets.keys[0].rpartition("/")[0]]
    rows = [replace(one, group="wall") for one in pictures_of_rows(reader)]
    monkeypatch.setattr("dunhuang_trainer.evaluate.targets.pictures_of_rows", lambda _reader: rows)
    assert [one.cluster for one in DatasetTargets(reader).read([0])] == ["wall"]


def test_a_table_of_groups_that_does_not_fit_is_a_problem(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    table = tmp_path / "groups.csv"
    table.write_text("picture,group\nx,north\ny,north\n")
    targets = PictureTargets(*folders, "hole", groups=table)
    assert targets.keys == ["a", "b", "cave/c"]
    (said,) = targets.problems
    assert "groups.csv names a picture, for instance a." in said
    table.write_text("picture,group\na,north\na.png,south\n")
    targets = PictureTargets(*folders, "hole", groups=table)
    assert targets.keys == ["b", "cave/c"]
    (said,) = targets.problems
    assert "The picture a stands in a table twice" in said
