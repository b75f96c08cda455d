"""Layouts are recognised by folders, and files paired by names; every misfit is a sentence."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from drawings import draw_picture, save_picture
from dunhuang_data.errors import PictureError, UsageProblem
from dunhuang_data.layouts import find_layout, pair_layout, photograph_of
from layout_trees import (
    SHAPE,
    save_three,
    write_challenge,
    write_course,
    write_folder,
    write_muraldh,
)

Write = Callable[[Path], Path]


def parts_of(root: Path, asked: str = "auto") -> dict[str, tuple[str, dict[str, str]]]:
    """Return, per part, its split and where its files are below the root."""
    layout = find_layout(root, asked)
    return {
        part.name: (
            part.split,
            {role: path.relative_to(root).as_posix() for role, path in part.folders.items()},
        )
        for part in layout.parts
    }


def keys_of(root: Path) -> dict[str, list[str]]:
    """Return, per part, the keys of the complete entries."""
    pairs = pair_layout(find_layout(root), "known")
    keys: dict[str, list[str]] = {}
    for entry in pairs.entries:
        keys.setdefault(entry.part.name, []).append(entry.key)
    return keys


def problems_of(root: Path) -> list[str]:
    """Return the sentences on a folder, with paths below it."""
    problems = pair_layout(find_layout(root), "known").problems
    return [text.replace(f"{root}/", "") for text in problems]


def test_the_courses_copy(tmp_path: Path) -> None:
    root = write_course(tmp_path)
    layout = find_layout(root)
    assert (layout.name, layout.white_is, layout.problems) == ("course", "known", ())
    assert layout.why == "train/ has masks in it and train_gt/ beside it"
    assert parts_of(root) == {
        "train": ("train", {"picture": "train_gt", "mask": "train", "masked": "train"}),
        "test": ("test", {"picture": "test_gt", "mask": "test", "masked": "test"}),
    }
    assert keys_of(root) == {"train": ["001", "002", "003"], "test": ["401", "402"]}
    assert problems_of(root) == []


@pytest.mark.parametrize("nested", [True, False])
def test_the_later_release_nested_or_not(tmp_path: Path, nested: bool) -> None:
    root = write_challenge(tmp_path, nested)
    assert find_layout(root).name == "challenge"
    start = "test/" if nested else ""
    assert parts_of(root)["test"] == (
        "test",
        {
            "picture": f"{start}test_GT",
            "mask": f"{start}test_mask",
            "masked": f"{start}test_masked",
        },
    )
    assert keys_of(root) == {"train": ["001", "002", "003"], "test": ["401", "402"]}
    if nested:  # the folder of one split is a dataset too
        assert list(parts_of(root / "test")) == ["test"]


def test_muraldh_and_each_of_its_sets(tmp_path: Path) -> None:
    root = write_muraldh(tmp_path)
    layout = find_layout(root)
    assert (layout.name, layout.white_is) == ("muraldh", "hole")
    assert layout.not_read == (f"Not read of {root}: Mural_SR.",)
    seg = {"picture": "Mural_seg/train/images", "damage": "Mural_seg/train/labels"}
    assert parts_of(root)["Mural_seg/train"] == ("train", seg)
    assert parts_of(root)["Mural512"] == ("", {"picture": "Mural512"})
    assert set(keys_of(root)) == {"Mural512", "Mural_seg/train", "Mural_seg/test"}
    assert parts_of(root / "Mural512") == {"": ("", {"picture": "."})}
    save_picture(root / "Mural512" / "more" / "img_1crop_0_0.png", draw_picture(*SHAPE, "more"))
    assert "more/img_1crop_0_0" in keys_of(root / "Mural512")[""]
    assert find_layout(root / "Mural512").not_read == ()
    assert set(parts_of(root / "Mural_seg")) == {"train", "test"}


def test_labels_may_be_called_masks_and_must_be_pictures(tmp_path: Path) -> None:
    root = write_muraldh(tmp_path)
    labels = root / "Mural_seg" / "train" / "labels"
    (labels / "000004.png").rename(labels / "000004_mask.png")
    assert keys_of(root)["Mural_seg/train"] == ["000004", "img_11crop_1_0"]
    assert problems_of(root) == []
    for label in labels.iterdir():
        label.rename(label.with_suffix(".txt"))  # boxes, as for finding things in pictures
    assert set(keys_of(root)) == {"Mural512", "Mural_seg/test"}
    assert problems_of(root) == [
        "Mural_seg/train lacks a folder images, or labels that are picture files."
    ]
    assert problems_of(root / "Mural_seg") == [
        "train lacks a folder images, or labels that are picture files."
    ]
    (root / "Mural_seg" / "test").rename(root / "Mural_seg" / "other")
    assert set(keys_of(root)) == {"Mural512"}
    assert len(problems_of(root)) == 1
    (root / "Mural_seg").rename(root / "train")
    assert problems_of(root) == []
    with pytest.raises(PictureError, match="has not a known layout"):
        find_layout(root / "train")


@pytest.mark.parametrize(
    ("name", "photograph"),
    [
        ("img_414crop_1_1", "img_414"),
        ("img_414crop_0_12", "img_414"),
        ("cave/img_7_crop_0_0", "cave/img_7"),
        ("IMG_7CROP_0_0", "IMG_7"),
        ("img_414", ""),
        ("crop_1_1", ""),
        ("img_414crop_1", ""),
        ("img_414crop_1_1_x", ""),
    ],
)
def test_crops_of_one_photograph_are_known_by_their_names(name: str, photograph: str) -> None:
    assert photograph_of(name) == photograph


@pytest.mark.parametrize(
    "names", [("images", "masks"), ("GT", "mask"), ("Pictures", "Masks"), ("ground_truth", "masks")]
)
def test_plain_folders_under_their_usual_names(tmp_path: Path, names: tuple[str, str]) -> None:
    write_folder(tmp_path, ("a", "cave/b"), names)
    write_folder(tmp_path / "test", ("c",), names)
    assert find_layout(tmp_path).name == "folder"
    assert keys_of(tmp_path) == {"": ["a", "cave/b"], "test": ["c"]}
    assert parts_of(tmp_path)["test"][0] == "test"


def test_splits_of_plain_folders_and_what_they_lack(tmp_path: Path) -> None:
    for name in ("training", "valid", "test", "cave"):
        write_folder(tmp_path / name, ("a",))
    assert {name: split for name, (split, _) in parts_of(tmp_path).items()} == {
        "train": "train",
        "val": "val",
        "test": "test",
    }
    assert find_layout(tmp_path).not_read == (f"Not read of {tmp_path}: cave.",)
    shutil.rmtree(tmp_path / "test" / "masks")
    shutil.rmtree(tmp_path / "valid" / "images")
    assert problems_of(tmp_path) == [
        "Beside valid/masks there is no folder images.",
        "Beside test/images there is no folder masks.",
    ]
    (tmp_path / "train").mkdir()
    with pytest.raises(PictureError, match=r"train and .*training may both be meant"):
        find_layout(tmp_path)


def test_the_meaning_of_white_must_be_said_of_plain_folders(tmp_path: Path) -> None:
    layout = find_layout(write_folder(tmp_path))
    with pytest.raises(UsageProblem, match=r"Look at one in .*masks: give --white-is hole or"):
        pair_layout(layout)
    assert pair_layout(layout, "hole").white_is == "hole"
    course = find_layout(write_course(tmp_path / "course"))
    assert pair_layout(course).white_is == "known"
    assert pair_layout(course, "hole").white_is == "hole"


def test_no_layout_and_what_was_looked_for(tmp_path: Path) -> None:
    save_picture(tmp_path / "scans" / "a.png", draw_picture(*SHAPE, "a"))
    with pytest.raises(PictureError, match=r"has not a known layout; in it there are scans\."):
        find_layout(tmp_path)
    with pytest.raises(PictureError, match=r"course: train/ with(.|\n)*folder: images/"):
        find_layout(tmp_path)
    (tmp_path / "scans" / "empty").mkdir()
    (tmp_path / "scans" / "empty" / ".DS_Store").write_bytes(b"")
    with pytest.raises(PictureError, match="in it there are no files"):
        find_layout(tmp_path / "scans" / "empty")
    with pytest.raises(PictureError, match=r"nowhere is no folder\. Name the folder"):
        find_layout(tmp_path / "nowhere")
    write_course(tmp_path / "archive")
    with pytest.raises(PictureError, match=r"archive has one: name that folder"):
        find_layout(tmp_path)
    with pytest.raises(PictureError, match="has not the layout muraldh"):
        find_layout(tmp_path / "archive", "muraldh")


def test_two_layouts_are_asked_about(tmp_path: Path) -> None:
    write_course(tmp_path)
    write_folder(tmp_path)
    with pytest.raises(UsageProblem, match=r"course, because .*; folder, because .*--layout"):
        find_layout(tmp_path)
    assert find_layout(tmp_path, "folder").name == "folder"


def test_two_folders_for_one_role_are_not_guessed(tmp_path: Path) -> None:
    write_folder(tmp_path)
    save_picture(tmp_path / "gt" / "a.png", draw_picture(*SHAPE, "a"))
    with pytest.raises(PictureError, match=r"images and .*gt may both be meant"):
        find_layout(tmp_path)
    (tmp_path / "Masks").mkdir()
    with pytest.raises(PictureError, match="differ in small and capital letters only"):
        find_layout(tmp_path)


def test_a_folder_that_lacks_its_partner(tmp_path: Path) -> None:
    root = write_course(tmp_path / "course")
    shutil.rmtree(root / "test_gt")
    assert problems_of(root) == [
        "test has masks, but there is no folder test_gt of pictures beside it."
    ]
    assert set(keys_of(root)) == {"train"}
    assert find_layout(root).not_read == ()  # it was told as a problem
    shutil.rmtree(root / "test")
    write_course(root)
    shutil.rmtree(root / "test")
    assert problems_of(root) == [
        "test_gt has pictures, but there is no folder test of masks beside it."
    ]
    root = write_challenge(tmp_path / "challenge")
    shutil.rmtree(root / "test" / "test_GT")
    assert problems_of(root) == ["Beside test/test_mask there is no folder test_gt."]
    root = write_challenge(tmp_path / "both")
    shutil.copytree(root / "train" / "train_mask", root / "train_mask")
    assert "train/train_mask may both be meant. Leave one." in problems_of(root)[0]


def test_orphans_are_told_with_the_name_that_may_be_meant(tmp_path: Path) -> None:
    root = write_course(tmp_path)
    (root / "train_gt" / "002.jpg").rename(root / "train_gt" / "2.jpg")
    (root / "test" / "401_mask.jpg").unlink()
    (root / "train" / "001_masked.jpg").unlink()  # only the check of polarity needs it
    assert problems_of(root) == [
        "train/002_mask.jpg: for '002' there is no picture in train_gt. Is train_gt/2.jpg meant? "
        "Names must be alike to the letter.",
        "train_gt/2.jpg: for '2' there is no mask in train. Is train/002_mask.jpg meant? Names "
        "must be alike to the letter.",
        "test_gt/401.jpg: for '401' there is no mask in test.",
    ]
    assert keys_of(root) == {"train": ["001", "003"], "test": ["402"]}


def test_two_forms_of_one_unicode_name_are_not_alike(tmp_path: Path) -> None:
    write_folder(tmp_path, ("a", "敦煌-é"))
    assert keys_of(tmp_path) == {"": ["a", "敦煌-é"]}
    (tmp_path / "masks" / "敦煌-é.png").rename(tmp_path / "masks" / "敦煌-e\u0301.png")
    texts = problems_of(tmp_path)
    assert len(texts) == 2
    assert all(" meant? Names must be alike" in text for text in texts)


def test_pairs_are_made_by_name_not_by_place(tmp_path: Path) -> None:
    """As many pictures as masks, of other names: sorted lists would fit, names do not."""
    root = write_course(tmp_path)
    (root / "train_gt" / "003.jpg").rename(root / "train_gt" / "000.jpg")
    pairs = pair_layout(find_layout(root))
    for entry in pairs.entries:
        assert {path.stem.split("_")[0] for path in entry.files.values()} == {entry.key}
    assert len(pairs.problems) == 2


def test_doubles_are_told_once_and_left_out(tmp_path: Path) -> None:
    root = write_course(tmp_path)
    shutil.copy(root / "train_gt" / "001.jpg", root / "train_gt" / "001_gt.jpg")
    shutil.copy(root / "train" / "002_mask.jpg", root / "train" / "002_MASK.JPG")
    assert sorted(problems_of(root)) == [
        "train/002_MASK.JPG and train/002_mask.jpg would both be the mask of '002'. Leave one.",
        "train_gt/001.jpg and train_gt/001_gt.jpg would both be the picture of '001'. Leave one.",
    ]
    assert keys_of(root)["train"] == ["003"]


def test_a_file_of_another_role_is_not_taken(tmp_path: Path) -> None:
    root = write_challenge(tmp_path)
    masks, targets = root / "train" / "train_mask", root / "train" / "train_GT"
    shutil.copy(root / "train" / "train_masked" / "001_masked.jpg", masks)
    shutil.copy(masks / "002_mask.jpg", targets)
    texts = problems_of(root)
    assert len(texts) == 2
    assert texts[0].startswith("train/train_GT/002_mask.jpg is in a folder of pictures, and its")
    assert texts[1].startswith("train/train_mask/001_masked.jpg is in a folder of masks, and its")
    assert keys_of(root)["train"] == ["001", "002", "003"]
    root = write_course(tmp_path / "course")
    save_picture(root / "train" / "009.jpg", draw_picture(*SHAPE, "9"))
    assert problems_of(root) == [
        "train/009.jpg is in a folder of masks and pictures with holes, and its name says "
        "otherwise; expected 009_mask or 009_masked. Rename it, or move it away."
    ]


def test_undecorated_names_and_other_letters(tmp_path: Path) -> None:
    root = write_challenge(tmp_path)
    for kind in ("mask", "masked"):
        folder = root / "test" / f"test_{kind}"
        (folder / f"401_{kind}.jpg").rename(folder / "401.jpg")
    (root / "test" / "test_mask" / "402_mask.jpg").rename(
        root / "test" / "test_mask" / "402_MASK.JPG"
    )
    (root / "test" / "test_GT" / "402.jpg").rename(root / "test" / "test_GT" / "402_GT.JPEG")
    assert keys_of(root)["test"] == ["401", "402"]
    assert problems_of(root) == []


def test_links_and_hidden_files(tmp_path: Path) -> None:
    root = write_course(tmp_path / "data")
    outside = save_picture(tmp_path / "outside.jpg", draw_picture(*SHAPE, "o"))
    (root / "train_gt" / "._001.jpg").write_bytes(b"\0")  # macOS leaves such beside each file
    (root / "train_gt" / "Thumbs.db").write_bytes(b"\0")
    (root / ".cache").mkdir()
    assert problems_of(root) == []
    (root / "train_gt" / "009.jpg").symlink_to(outside)
    (root / "test" / "404_mask.jpg").symlink_to(root / "gone.jpg")
    texts = problems_of(root)
    assert len(texts) == 2
    assert "train_gt/009.jpg is a link out of its folder" in texts[0]
    assert "test/404_mask.jpg is a link to" in texts[1]
    shutil.move(root / "train_gt", tmp_path / "elsewhere")
    (root / "train_gt").symlink_to(tmp_path / "elsewhere")  # the user's own choice of a place
    assert keys_of(root)["train"] == ["001", "002", "003"]


def test_keys_go_down_into_folders(tmp_path: Path) -> None:
    root = write_folder(tmp_path, ("a/_mask", "a/x", "x"))
    (root / "masks" / "x.png").rename(root / "masks" / "x_mask.png")
    (root / "masks" / "a" / "x.png").rename(root / "masks" / "a" / "x_mask.png")
    assert keys_of(root) == {"": ["a/_mask", "a/x", "x"]}


def test_the_same_name_in_two_folders_is_two_pictures(tmp_path: Path) -> None:
    root = write_course(tmp_path)
    save_three("401", root / "train_gt" / "401.jpg", root / "train" / "401_mask.jpg", None)
    assert keys_of(root)["train"][-1] == "401"
    assert keys_of(root)["test"][0] == "401"


def test_a_file_of_a_kind_that_is_not_read_is_named(tmp_path: Path) -> None:
    root = write_folder(tmp_path, ("a", "cave/b[1]"))
    (root / "images" / "cave" / "b[1].jpg").rename(root / "images" / "cave" / "b[1].bmp")
    assert problems_of(root) == [
        "masks/cave/b[1].png: for 'cave/b[1]' there is no picture in images. images/cave/b[1].bmp "
        "is of a kind that is not read; save it as PNG or TIFF."
    ]
