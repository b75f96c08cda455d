"""Layouts are read into pictures, masks, damage and groups; whatever is wrong is told together."""

import csv
import hashlib
import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from drawings import draw_picture, save_picture
from dunhuang_data.errors import OutputExistsError, PictureError
from dunhuang_data.foreign_masks import read_mask
from dunhuang_data.layouts import Import, find_layout, pair_layout, read_pairs, write_import
from dunhuang_data.pictures import read_picture
from dunhuang_data.polarity import WhiteIs
from dunhuang_data.sidecar import read_sidecar
from layout_trees import (
    SHAPE,
    TEST,
    TRAIN,
    draw_valid,
    save_three,
    with_holes,
    write_challenge,
    write_course,
    write_folder,
    write_muraldh,
)


def read(
    root: Path, white_is: WhiteIs | None = None, allow_missing: bool = False, workers: int = 1
) -> Import:
    return read_pairs(pair_layout(find_layout(root), white_is), allow_missing, workers)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def white_of(path: Path) -> np.ndarray:
    """Return where a written mask is white, having seen that it has one bit a pixel."""
    assert path.read_bytes()[24:26] == b"\x01\x00"  # depth 1, grey
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert grey is not None
    return np.asarray(grey // 255)


@pytest.mark.parametrize("layout", ["course", "challenge", "flat"])
def test_the_challenge_is_imported_whole(tmp_path: Path, layout: str) -> None:
    root, out = tmp_path / "data", tmp_path / "out"
    if layout == "course":
        write_course(root)
    else:
        write_challenge(root, layout == "challenge")
    imported = read(root)
    write_import(imported, out)
    for split, keys in (("train", TRAIN), ("test", TEST)):
        pictures = sorted(path.name for path in (out / split / "pictures").iterdir())
        assert pictures == [f"{key}.jpg" for key in keys]
        for key in keys:
            # JPEG of quality 75, thresholded at half of white, is the mask that was drawn
            assert np.array_equal(white_of(out / split / "masks" / f"{key}.png"), draw_valid(key))
            sources = list(root.rglob(f"{key}.jpg"))
            copied = out / split / "pictures" / f"{key}.jpg"
            assert copied.read_bytes() == sources[0].read_bytes()
            assert not copied.samefile(sources[0])
        groups = read_sidecar(out / split / "groups.csv", ["group"])
        assert groups == {key: {"group": key} for key in keys}
    rows = table(out / "files.csv")
    assert [(row["split"], row["picture"]) for row in rows] == [
        *(("train", key) for key in TRAIN),
        *(("test", key) for key in TEST),
    ]
    for row in rows:
        source = root / row["source"]
        assert row["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
        mask = root / row["mask_source"]
        assert row["mask_sha256"] == hashlib.sha256(mask.read_bytes()).hexdigest()
        assert (out / row["file"]).read_bytes() == source.read_bytes()
        valid = draw_valid(row["picture"])
        assert float(row["hole_ratio"]) == pytest.approx(1 - valid.mean())
        assert row["damage_ratio"] == ""
        assert (row["height"], row["width"]) == tuple(map(str, SHAPE))
        assert 0 < float(row["grey_share"]) < 0.5
        assert row["polarity"] == "agrees"
    document = json.loads((out / "import.json").read_text())
    assert document["layout"] == ("course" if layout == "course" else "challenge")
    assert document["parts"]["test"]["pictures"] == 2
    assert document["white_is"] == "known"
    assert document["polarity"] == {"agrees": 5}
    assert (document["warnings"], document["left_out"]) == ([], [])
    assert document["grey_files"] == 5
    greys = [float(row["grey_share"]) for row in rows]
    assert document["grey_share_mean"] == pytest.approx(np.mean(greys))


def test_muraldh_becomes_pictures_damage_and_groups(tmp_path: Path) -> None:
    root, out = write_muraldh(tmp_path / "MuralDH"), tmp_path / "out"
    imported = read(root)
    write_import(imported, out)
    assert not list(out.rglob("masks"))
    assert not list(out.rglob("0001.png"))  # the pairs for enlarging
    damage = white_of(out / "Mural_seg" / "train" / "damage" / "000004.png")
    assert np.array_equal(damage, 1 - draw_valid("000004"))  # white = damaged
    groups = read_sidecar(out / "Mural512" / "groups.csv", ["group"])
    assert {key: one["group"] for key, one in groups.items()} == {
        "img_414crop_0_1": "img_414",
        "img_414crop_1_1": "img_414",
        "img_7crop_0_0": "img_7",
    }
    groups = read_sidecar(out / "Mural_seg" / "train" / "groups.csv", ["group"])
    assert groups["000004"] == {"group": "000004"}
    rows = {row["picture"]: row for row in table(out / "files.csv")}
    assert rows["img_414crop_1_1"]["split"] == ""
    assert rows["img_414crop_1_1"]["mask_file"] == rows["img_414crop_1_1"]["grey_share"] == ""
    share = (1 - draw_valid("000004")).mean()
    assert float(rows["000004"]["damage_ratio"]) == pytest.approx(share)
    assert rows["000004"]["hole_ratio"] == ""
    assert imported.warnings() == [
        "1 of 3 photographs have crops in more than one part, img_414 (in Mural512 and "
        "Mural_seg/test) first: what is trained on in one is seen again in the other."
    ]
    other = read(root, "known")
    assert np.mean([row.damage_ratio or 0 for row in other.rows if row.mask_file]) > 0.8
    assert "most of the masks is damage" in other.warnings()[0]


def test_the_other_polarity_is_seen_in_the_pictures_with_holes(tmp_path: Path) -> None:
    root = write_course(tmp_path / "a", white_is="hole")
    imported = read(root)
    assert imported.summary()["polarity"] == {"contradicts": 5}
    assert imported.warnings()[0] == (
        "White was read as known, but the pictures with holes differ from the pictures where white "
        "would be hole, in all 5 that can be told (train/001_mask.jpg first). Give --white-is hole."
    )
    right = read(root, "hole")
    assert right.summary()["polarity"] == {"agrees": 5}
    assert right.warnings() == []
    write_import(right, tmp_path / "out")
    mask = tmp_path / "out" / "test" / "masks" / "402.png"
    assert np.array_equal(white_of(mask), draw_valid("402"))


@pytest.mark.parametrize("colour", [0, 128, 255])
def test_polarity_is_told_whatever_the_colour_of_the_holes(tmp_path: Path, colour: int) -> None:
    root = write_course(tmp_path)
    pixels, valid = draw_picture(*SHAPE, "401"), draw_valid("401")
    masked = root / "test" / "401_masked.jpg"
    save_picture(masked, with_holes(pixels, valid, colour), Q=60)
    rows = {row.picture: row for row in read(root).rows}
    assert rows["401"].polarity == "agrees"
    save_picture(masked, pixels, Q=60)  # nothing was taken away
    imported = read(root)
    assert {row.picture: row.polarity for row in imported.rows}["401"] == "undecided"
    assert imported.warnings() == []


@pytest.mark.parametrize(
    ("grey", "change", "told"),
    [(169, 86, "agrees"), (169, 9, "agrees"), (169, 7, "undecided"), (255, -255, "agrees")],
)
def test_how_much_tells_the_polarity(tmp_path: Path, grey: int, change: int, told: str) -> None:
    """Levels are exact here: all is PNG. 86 in each of three channels is more than a byte."""
    root = write_folder(tmp_path, ("a",))
    (root / "images" / "a.jpg").unlink()
    pixels = np.full((*SHAPE, 3), grey, dtype=np.uint8)
    save_picture(root / "images" / "a.png", pixels)
    save_picture(root / "masked" / "a.png", with_holes(pixels, draw_valid("a"), grey + change))
    assert read(root, "hole").rows[0].polarity == told
    other = {"agrees": "contradicts"}.get(told, told)
    assert read(root, "known").rows[0].polarity == other


def test_a_mask_of_one_value_tells_nothing_of_polarity(tmp_path: Path) -> None:
    root = write_folder(tmp_path, ("a",))
    save_picture(root / "masks" / "a.png", np.zeros(SHAPE, np.uint8))
    save_picture(root / "masked" / "a.png", draw_picture(*SHAPE, "a"))
    assert read(root, "hole").rows[0].polarity == "undecided"


def test_a_picture_with_holes_of_another_picture_is_named(tmp_path: Path) -> None:
    """The numbers of two lists may be out of step: then the names agree and the pictures do not."""
    root = write_course(tmp_path)
    pixels = 255 - draw_picture(*SHAPE, "401")
    save_picture(root / "test" / "401_masked.jpg", with_holes(pixels, draw_valid("401")))
    imported = read(root)
    assert {row.picture: row.polarity for row in imported.rows}["401"] == "undecided"
    (warning,) = imported.warnings()
    assert "401_masked.jpg differs from its picture by " in warning
    assert warning.endswith("elsewhere: are both of one picture? Look at them.")


def test_one_mask_the_other_way_round_is_named(tmp_path: Path) -> None:
    root = write_course(tmp_path)
    save_picture(root / "train" / "002_mask.jpg", (1 - draw_valid("002")) * np.uint8(255), Q=75)
    warning = read(root).warnings()[0]
    assert "1 of 5 masks seem to be the other way round (train/002_mask.jpg first)" in warning


def test_a_picture_with_holes_that_is_no_use_is_a_warning(tmp_path: Path) -> None:
    root = write_course(tmp_path)
    (root / "train" / "001_masked.jpg").write_text("not a picture")
    save_picture(root / "train" / "002_masked.jpg", draw_picture(20, 30, "small"))
    (root / "train" / "003_masked.jpg").unlink()
    imported = read(root)
    assert [row.polarity for row in imported.rows] == ["", "", "", "agrees", "agrees"]
    assert len(imported.warnings()) == 2
    assert "Only the meaning of white is checked with it" in imported.warnings()[0]
    assert (
        "002_masked.jpg is 20 x 30 px (height x width), its picture 44 x 71 px"
        in (imported.warnings()[1])
    )


def test_all_problems_are_told_together_or_left_out_and_counted(tmp_path: Path) -> None:
    root = write_course(tmp_path / "data")
    picture = root / "train_gt" / "001.jpg"
    picture.write_bytes(picture.read_bytes()[:-300])
    save_picture(root / "train" / "002_mask.jpg", np.full((44, 70), 255, np.uint8))
    save_picture(root / "train" / "003_mask.jpg", draw_picture(*SHAPE, "photo"))
    (root / "test_gt" / "401.jpg").write_bytes(b"")
    (root / "test" / "401_mask.jpg").write_text("a shopping list")
    save_picture(root / "test_gt" / "403.jpg", draw_picture(*SHAPE, "403"))
    with pytest.raises(PictureError) as caught:
        read(root)
    text = str(caught.value)
    assert text.startswith(f"6 problems with the files of {root}:\n  - ")
    for part in (
        "test_gt/403.jpg: for '403' there is no mask in",
        "001.jpg: ",
        "002_mask.jpg is 44 x 70 px (height x width), the picture",
        "003_mask.jpg is no mask: ",
        "Could not read " + str(root / "test_gt" / "401.jpg"),
        "Could not read " + str(root / "test" / "401_mask.jpg"),
    ):
        assert part in text
    assert text.endswith("Mend these, or leave them out: --allow-missing.")
    imported = read(root, allow_missing=True)
    assert [row.picture for row in imported.rows] == ["402"]
    assert len(imported.left_out) == 6
    write_import(imported, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "import.json").read_text())["left_out"] == list(
        imported.left_out
    )
    assert not (tmp_path / "out" / "train").exists()


def test_one_problem_is_one_sentence_with_the_remedy(tmp_path: Path) -> None:
    root = write_course(tmp_path)
    (root / "test_gt" / "402.jpg").unlink()
    with pytest.raises(PictureError) as caught:
        read(root)
    first, last = str(caught.value).splitlines()
    assert first.endswith(f"402_mask.jpg: for '402' there is no picture in {root / 'test_gt'}.")
    assert last == "Mend these, or leave them out: --allow-missing."


def test_nothing_left_is_an_error_all_the_same(tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    with pytest.raises(PictureError, match=r"No pictures found in .*images"):
        read(tmp_path, "hole")
    with pytest.raises(PictureError, match=r"No picture of .* can be imported:\n  - No pictures"):
        read(tmp_path, "hole", allow_missing=True)


@pytest.mark.parametrize(
    ("name", "pixels", "done"),
    [
        ("a.png", draw_valid("a"), "values 0 and 1 instead of 0 and 255"),
        ("a.tif", draw_valid("a") * np.uint8(255), ""),
        ("a.PNG", np.repeat(draw_valid("a")[..., None], 3, axis=-1) * np.uint8(255), ""),
    ],
)
def test_masks_written_in_other_ways(
    tmp_path: Path, name: str, pixels: np.ndarray, done: str
) -> None:
    root = write_folder(tmp_path / "data", ("a",))
    (root / "masks" / "a.png").unlink()
    target = root / "masks" / name
    save_picture(target.with_suffix(target.suffix.lower()), pixels)
    if target.suffix.isupper():
        target.with_suffix(".png").rename(target)
    imported = read(root, "known")
    assert imported.rows[0].done == done
    write_import(imported, tmp_path / "out")
    assert np.array_equal(white_of(tmp_path / "out" / "masks" / "a.png"), draw_valid("a"))


def test_a_turned_picture_and_its_upright_mask(tmp_path: Path) -> None:
    """A camera's JPEG lies on its side; its mask was drawn on what a viewer shows."""
    import pyvips

    root = write_folder(tmp_path / "data", ("a",))
    pixels = np.ascontiguousarray(np.rot90(draw_picture(*SHAPE, "a")))
    image = pyvips.Image.new_from_array(pixels).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    image.write_to_file(str(root / "images" / "a.jpg"))
    imported = read(root, "hole")
    assert (imported.rows[0].height, imported.rows[0].width) == SHAPE
    before = (root / "images" / "a.jpg").read_bytes()
    write_import(imported, tmp_path / "out")
    assert (tmp_path / "out" / "pictures" / "a.jpg").read_bytes() == before


def test_a_picture_that_needs_a_decision_is_copied_and_said(tmp_path: Path) -> None:
    root = write_folder(tmp_path, ("a", "b"))
    (root / "images" / "a.jpg").unlink()
    deep = draw_picture(*SHAPE, "a").astype(np.uint16) * 8
    assert cv2.imwrite(str(root / "images" / "a.png"), deep)
    imported = read(root, "hole")
    assert [row.file for row in imported.rows] == ["pictures/a.png", "pictures/b.jpg"]
    assert "--white-level" in imported.warnings()[0]
    assert imported.warnings()[0].endswith("It is copied all the same.")
    # beside a picture with holes, too, which it then is not compared with
    for key in "ab":
        save_picture(root / "masked" / f"{key}.png", draw_picture(*SHAPE, key))
    again = read(root, "hole")
    assert [row.polarity for row in again.rows] == ["", "undecided"]
    assert again.warnings() == imported.warnings()
    clear = np.full((*SHAPE, 4), 255, dtype=np.uint8)
    clear[:9, :, 3] = 0
    save_picture(root / "images" / "a.png", clear)
    assert [row.polarity for row in read(root, "hole").rows] == ["", "undecided"]


def test_doubtful_masks_are_warned_of(tmp_path: Path) -> None:
    root = write_folder(tmp_path, ("a", "b", "c"))
    assert read(root, "hole").warnings() == []
    assert "The mean hole ratio is 0.9" in read(root, "known").warnings()[0]
    save_picture(root / "masks" / "b.png", np.zeros(SHAPE, np.uint8))
    save_picture(root / "masks" / "c.png", np.full(SHAPE, 255, np.uint8))
    warnings = read(root, "hole").warnings()
    assert "1 of 3 masks have no hole, masks/b.png first." in warnings
    assert "1 of 3 masks have nothing but hole, masks/c.png first." in warnings


def test_copies_are_warned_of(tmp_path: Path) -> None:
    root = write_course(tmp_path)
    save_three("404", root / "test_gt" / "404.jpg", root / "test" / "404_mask.jpg", None)
    shutil.copy(root / "train_gt" / "002.jpg", root / "test_gt" / "404.jpg")
    assert read(root).warnings() == [
        "1 of 6 pictures are copies of others, train_gt/002.jpg and test_gt/404.jpg first; 1 of "
        "these files are in more than one part."
    ]


def test_workers_change_nothing(tmp_path: Path) -> None:
    root = write_course(tmp_path / "data")
    save_picture(root / "train" / "003_mask.jpg", draw_picture(*SHAPE, "photo"))
    for workers in (1, 2):
        imported = read(root, allow_missing=True, workers=workers)
        write_import(imported, tmp_path / f"out-{workers}")
    assert files_below(tmp_path / "out-1") == files_below(tmp_path / "out-2")


def test_nothing_is_overwritten_and_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, out = write_course(tmp_path / "data"), tmp_path / "out"
    imported = read(root)
    write_import(imported, out)
    before = files_below(out)
    with pytest.raises(OutputExistsError, match=r"already holds an output \(import\.json\)"):
        write_import(imported, out)
    (root / "test_gt" / "402.jpg").write_bytes(b"another picture")
    with pytest.raises(PictureError, match=r"402\.jpg changed while it was imported"):
        write_import(imported, out, overwrite=True)
    (root / "test_gt" / "402.jpg").unlink()
    with pytest.raises(PictureError, match=r"Could not read .*402\.jpg: No such file"):
        write_import(imported, out, overwrite=True)
    assert files_below(out) == before
    assert sorted(os.listdir(tmp_path)) == ["data", "out"]
    (out / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"also holds notes\.txt"):
        write_import(imported, out, overwrite=True)


def test_what_was_written_is_a_layout_again(tmp_path: Path) -> None:
    root, out = write_course(tmp_path / "data"), tmp_path / "out"
    write_import(read(root), out)
    assert find_layout(out).name == "folder"
    again = read(out, "known")
    assert [row.picture for row in again.rows] == [*TRAIN, *TEST]
    for row in again.rows:
        assert row.grey_share == 0
        mask = read_mask(out / row.mask_source, "known")
        assert np.array_equal(mask.valid, draw_valid(row.picture))
        assert read_picture(out / row.source).shape == (*SHAPE, 3)
