"""What two splits share is found, however it was turned; what merely looks alike is not."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from drawings import save_picture
from dunhuang_data.build import build_dataset
from dunhuang_data.errors import PictureError
from dunhuang_data.leaks import LeakReport, View, find_leaks, stored_patches, whole_pictures
from dunhuang_data.leaks.alignment import AGREEMENT, Placement, agreement, find_placement
from dunhuang_data.leaks.hashes import BITS, NEAR, hash_distances, perceptual_hashes
from dunhuang_data.leaks.keypoints import PointIndex, find_key_points
from dunhuang_data.leaks.matching import KnownViews
from dunhuang_data.mask_bank import open_bank, write_bank
from dunhuang_data.mask_recipe import MaskRecipe
from dunhuang_data.plan import Patches, PatchPlan, make_plan, read_plan, write_plan
from dunhuang_data.recipe import BuildRecipe, PlanRecipe
from dunhuang_data.splits import split_of
from dunhuang_data.types import Augmentation, PatchSpec, Picture, Split, UInt8Array

RECIPE = PlanRecipe(patch_size=64, per_picture=4, split=(0.5, 0.2, 0.3), seed=3)
PLACED = {"top": 60, "left": 90}  # of the planted crop in the training picture


def paint(number: int, height: int, width: int) -> UInt8Array:
    """Return overlapping strokes and discs of many sizes on mottled plaster, (H, W, 3) uint8."""
    rng = np.random.default_rng(number)
    plaster = np.full((height, width, 3), 150.0)
    for sigma, depth in ((12, 300), (3, 60), (1, 20)):
        plaster += cv2.GaussianBlur(rng.normal(size=plaster.shape), (0, 0), sigma) * depth
    canvas: UInt8Array = np.clip(plaster, 0, 255).astype(np.uint8)
    for _ in range(height * width // 700):
        y, x = int(rng.integers(height)), int(rng.integers(width))
        axes = (int(rng.integers(3, 22)), int(rng.integers(2, 9)))
        color = tuple(int(value) for value in rng.integers(0, 255, 3))
        cv2.ellipse(canvas, (x, y), axes, int(rng.integers(180)), 0, 360, color, -1, cv2.LINE_AA)
    return canvas


def named(stem: str, split: Split) -> str:
    """Return a file name whose picture is in a split."""
    tried = (f"{stem}-{number}" for number in range(1000))
    return next(one for one in tried if split_of(one, RECIPE.split, RECIPE.seed) == split) + ".png"


def grey(pixels: UInt8Array) -> UInt8Array:
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def recompressed(pixels: UInt8Array, quality: int) -> UInt8Array:
    data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)


def resized(pixels: UInt8Array, factor: float) -> UInt8Array:
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=how), np.uint8)


def turned(pixels: UInt8Array, angle_deg: float) -> UInt8Array:
    """Turn a picture around its middle and keep what lies within it."""
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle_deg, 1.0)
    whole = cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_CUBIC)
    return np.asarray(whole[height // 5 : -height // 5, width // 5 : -width // 5], np.uint8)


WALL = paint(1, 330, 450)
CROP = WALL[PLACED["top"] : PLACED["top"] + 170, PLACED["left"] : PLACED["left"] + 210]
COPIES: dict[str, Callable[[UInt8Array], UInt8Array]] = {
    "as it is, in a file of other bytes": lambda p: p,
    "quarter turn": lambda p: np.ascontiguousarray(np.rot90(p)),
    "mirrored": lambda p: np.ascontiguousarray(p[:, ::-1]),
    "half as large": lambda p: resized(p, 0.5),
    "twice as large": lambda p: resized(p, 2.0),
    "compressed": lambda p: recompressed(p, 30),
    "lighter": lambda p: np.clip(p * 0.7 + 60, 0, 255).astype(np.uint8),
    "mirrored, turned, smaller, compressed": lambda p: recompressed(
        resized(np.ascontiguousarray(np.rot90(p, 3)[:, ::-1]), 0.7), 50
    ),
}


@pytest.fixture
def walls(tmp_path: Path) -> Path:
    """Three training pictures, of which WALL is one, a validation and a test picture."""
    folder = tmp_path / "murals"
    save_picture(folder / named("wall", "train"), WALL)
    save_picture(folder / named("niche", "train"), paint(2, 300, 280))
    save_picture(folder / named("cave", "train"), paint(3, 260, 400))
    save_picture(folder / named("door", "val"), paint(4, 240, 310))
    save_picture(folder / named("roof", "test"), paint(5, 350, 260))
    return folder


def searched(folder: Path) -> LeakReport:
    plan = make_plan([folder], RECIPE)
    return find_leaks(plan, whole_pictures(plan.pictures_root))


def plant(folder: Path, pixels: UInt8Array, split: Split = "test") -> tuple[str, str]:
    """Save a picture in a split; return the pair of ids that must be found."""
    name = named("planted", split)
    save_picture(folder / name, pixels)
    return named("wall", "train").removesuffix(".png"), name.removesuffix(".png")


def test_unrelated_pictures_are_no_leak(walls: Path) -> None:
    calls: list[int] = []
    plan = make_plan([walls], RECIPE)
    report = find_leaks(plan, whole_pictures(plan.pictures_root), calls.append)
    assert report.leaks == ()
    assert (report.pictures, report.pairs) == ({"train": 3, "val": 1, "test": 1}, 7)
    assert report.views == 5
    assert sum(calls) == 7
    assert "5 pictures (3 train, 1 val, 1 test): 7 pairs across splits" in report.sentence()
    assert report.sentence().endswith(": no leak.")


@pytest.mark.parametrize("how", COPIES)
def test_a_planted_crop_is_found(walls: Path, how: str) -> None:
    pair = plant(walls, COPIES[how](np.ascontiguousarray(CROP)))
    (leak,) = searched(walls).leaks
    assert (leak.kind, leak.ids, leak.splits) == ("crop", pair, ("train", "test"))
    assert leak.evidence.endswith("mirrored") == ("mirrored" in how)


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_crop_turned_by_any_angle_is_found_and_placed(walls: Path, split: Split) -> None:
    pair = plant(walls, turned(WALL, 37.0), split)
    (leak,) = searched(walls).leaks
    assert (leak.kind, leak.ids, leak.splits) == ("crop", pair, ("train", split))


def test_the_evidence_says_where_the_crop_lies(walls: Path) -> None:
    plant(walls, np.ascontiguousarray(CROP[:, ::-1]))
    (leak,) = searched(walls).leaks
    numbers = [
        int(word.rstrip(",")) for word in leak.evidence.split() if word.rstrip(",").isdigit()
    ]
    _points, *boxes = numbers
    expected = [60, 230, 90, 300, 0, 170, 0, 210]  # rows and columns of the wall, of the crop
    assert np.abs(np.subtract(boxes, expected)).max() <= 1, leak.evidence


def test_a_crop_of_a_test_picture_in_training_is_found(walls: Path) -> None:
    other = paint(5, 350, 260)[100:280, 40:220]
    save_picture(walls / named("bit", "train"), np.ascontiguousarray(other))
    (leak,) = searched(walls).leaks
    assert leak.ids == tuple(
        n.removesuffix(".png") for n in (named("bit", "train"), named("roof", "test"))
    )


def test_a_leak_between_the_two_small_splits_is_found_once(walls: Path) -> None:
    door = paint(4, 240, 310)[30:210, 50:260]
    save_picture(walls / named("bit", "test"), np.ascontiguousarray(door))
    (leak,) = searched(walls).leaks
    assert leak.splits == ("val", "test")


def test_the_same_inside_a_split_is_no_leak(walls: Path) -> None:
    save_picture(walls / named("bit", "train"), np.ascontiguousarray(CROP))
    twin = walls / named("twin", "train")
    twin.write_bytes((walls / named("wall", "train")).read_bytes())
    report = searched(walls)
    assert report.leaks == ()
    assert report.inside == 1
    assert "Inside a split, 1 files equal another one" in report.sentence()


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_of_the_whole_is_a_near_duplicate(walls: Path, how: str) -> None:
    pair = plant(walls, COPIES[how](WALL))
    if how == "as it is, in a file of other bytes":
        pixels = WALL.copy()
        pixels[0, 0] ^= 1
        pair = plant(walls, pixels)
    (leak,) = searched(walls).leaks
    assert (leak.kind, leak.ids, leak.splits) == ("near-duplicate", pair, ("train", "test"))
    assert f"of {BITS} bits" in leak.evidence


def table_plan(rows: Sequence[tuple[str, str, tuple[int, int], Split, float]]) -> PatchPlan:
    """Return a plan of patches of 20 px on pictures of 60 x 90 px: (id, sha256, centre, ...)."""
    pictures = {key: Picture(key, key, 60, 90, sha256) for key, sha256, *_ in rows}
    patches = Patches.listed(
        PatchSpec(index, key, center, split, Augmentation(False, angle_deg), float("inf"))
        for index, (key, _, center, split, angle_deg) in enumerate(rows)
    )
    recipe = replace(RECIPE, patch_size=20)
    return PatchPlan(recipe, Path("/"), tuple(pictures.values()), patches)


def blank(picture: Picture) -> Any:
    return iter([View(np.full((60, 90), 128, np.uint8), 1.0)] if picture.id != "b" else [])


def test_one_picture_in_two_splits_and_its_shared_pixels() -> None:
    plan = table_plan([
        ("a", "1", (20, 20), "train", 0.0),
        ("a", "1", (25, 28), "test", 0.0),
        ("a", "1", (45, 70), "val", 0.0),
    ])  # fmt: skip
    found = [(one.kind, one.splits, one.evidence) for one in find_leaks(plan, blank).leaks]
    assert found == [
        ("one picture", ("train", "val"), "it has patches in both"),
        ("one picture", ("train", "test"), "it has patches in both"),
        ("one picture", ("val", "test"), "it has patches in both"),
        ("shared pixels", ("train", "test"), "180 pixels lie in patches of both"),  # 15 x 12
    ]


def test_a_group_in_two_splits() -> None:
    plan = table_plan([
        ("a", "1", (20, 20), "train", 0.0),
        ("b", "2", (20, 20), "train", 0.0),
        ("c", "3", (20, 20), "test", 0.0),
    ])  # fmt: skip
    pictures = tuple(
        replace(one, group=group) for one, group in zip(plan.pictures, ("x", "y", "y"), strict=True)
    )
    by_picture = find_leaks(replace(plan, pictures=pictures), blank).leaks
    assert "one group" not in [leak.kind for leak in by_picture]
    by_group = replace(plan, pictures=pictures, recipe=replace(plan.recipe, split_by="group"))
    leak = find_leaks(by_group, blank).leaks[0]
    assert (leak.kind, leak.ids, leak.splits) == ("one group", ("b", "c"), ("train", "test"))


def test_shared_pixels_are_those_of_the_picture_whatever_the_scale() -> None:
    plan = table_plan([("a", "1", (20, 20), "train", 0.0), ("a", "1", (25, 28), "test", 0.0)])
    doubled = Patches.listed(replace(patch, scale=0.5) for patch in plan.patches)
    evidence = find_leaks(replace(plan, patches=doubled), blank).leaks[-1].evidence
    assert evidence.endswith("pixels lie in patches of both")
    assert int(evidence.split()[0]) == pytest.approx(4 * 180, rel=0.1)


def test_equal_files_under_two_names_and_their_shared_pixels() -> None:
    plan = table_plan([
        ("b", "1", (20, 20), "test", 0.0),
        ("a", "1", (20, 20), "train", 45.0),
        ("c", "2", (20, 20), "train", 0.0),
    ])  # fmt: skip
    files, pixels = find_leaks(plan, blank).leaks
    assert (files.kind, files.ids, files.splits) == ("equal files", ("a", "b"), ("train", "test"))
    assert (pixels.kind, pixels.ids) == ("shared pixels", ("a", "b"))
    octagon = 20**2 * 2 * (2**0.5 - 1)  # px², of a square and the same one turned by 45 degrees
    assert abs(int(pixels.evidence.split()[0]) - octagon) < 0.1 * octagon


def test_an_ornament_repeated_on_two_walls_is_no_leak() -> None:
    """A thousand Buddhas from one stencil: hundreds of points agree, the pixels between do not."""
    motif = paint(9, 60, 60).astype(float)
    y, x = np.mgrid[:60, :60]
    disc = ((y - 30) ** 2 + (x - 30) ** 2 < 900)[..., None]

    def wall(number: int, height: int, width: int) -> UInt8Array:
        pixels = paint(number, height, width)
        for top in range(8, height - 60, 76):
            for left in range(8, width - 60, 76):
                under = pixels[top : top + 60, left : left + 60]
                pixels[top : top + 60, left : left + 60] = np.where(disc, motif, under)
        return pixels

    one, other = wall(11, 400, 520), wall(12, 360, 560)
    views = [grey(one)]
    known = KnownViews(views, [find_key_points(view) for view in views])
    assert known.matches(grey(other), [0]) == []
    points, others = find_key_points(grey(other)), find_key_points(grey(one))
    point, entry, _ = PointIndex([others]).lookup(points)
    placement = find_placement(
        points.at[point], others.at[entry], others.pull[entry] / points.pull[point]
    )
    assert placement is not None
    assert placement.points > 50, "the ornament must have deceived the points"
    assert agreement(grey(other), grey(one), placement) < AGREEMENT - 0.1
    (match,) = known.matches(grey(np.ascontiguousarray(one[90:290, 120:380])), [0])
    assert match.agreement > 0.95


def test_a_hash_is_that_of_its_image_and_far_from_others() -> None:
    shown = grey(WALL)
    images = [np.rot90(part, turn) for part in (shown, shown[:, ::-1]) for turn in range(4)]
    of_wall = perceptual_hashes(shown)
    found = [perceptual_hashes(np.ascontiguousarray(image)) for image in images]
    assert {one[0].tobytes() for one in found} == {one.tobytes() for one in of_wall}
    others = np.array([perceptual_hashes(grey(paint(n, 300, 410))) for n in range(20, 32)])
    assert hash_distances(of_wall, others).min() > NEAR
    assert hash_distances(of_wall, np.array(found)).tolist() == [0] * 8


def test_the_points_of_a_mirrored_picture_need_no_second_look() -> None:
    shown = grey(WALL)
    derived = find_key_points(shown).mirrored(shown.shape[1])
    seen = find_key_points(np.ascontiguousarray(shown[:, ::-1]))
    nearest = np.abs(derived.at[:, None] - seen.at[None, :])
    nearest += np.abs(derived.pull[:, None] - seen.pull[None, :])
    partner = nearest.argmin(axis=1)
    same = nearest.min(axis=1) < 0.1
    assert same.mean() > 0.8
    apart = derived.descriptors[same].astype(int) - seen.descriptors[partner[same]]
    assert np.median(np.abs(apart).max(axis=1)) <= 2


def test_a_placement_needs_no_luck() -> None:
    rng = np.random.default_rng(0)
    here = rng.uniform(0, 500, 60) + 1j * rng.uniform(0, 300, 60)
    turn, shift = 0.6 * np.exp(0.9j), 40 - 25j
    there = here * turn + shift + rng.normal(0, 0.3, 60) + 1j * rng.normal(0, 0.3, 60)
    turns = turn * np.exp(rng.normal(0, 0.05, 60) + 1j * rng.normal(0, 0.05, 60))
    there[::2] = rng.uniform(0, 500, 30) + 1j * rng.uniform(0, 300, 30)  # half are wrong
    found = find_placement(here, there, turns)
    assert found == find_placement(here, there, turns)
    assert found is not None
    assert 28 <= found.points <= 33
    assert abs(found.turn - turn) < 0.005
    assert abs(found.shift - shift) < 1.0
    assert find_placement(here[::2], there[::2], turns[::2]) is None
    assert agreement(grey(WALL), grey(WALL), Placement(1.0, 0.0, 9)) == 1.0
    assert agreement(grey(WALL), grey(WALL), Placement(1.0, 20.0, 9)) < 0.2
    assert agreement(grey(WALL), grey(WALL), Placement(1.0, 440.0, 9)) == 0.0


def test_pictures_without_anything_on_them_are_compared_too() -> None:
    nothing = np.full((60, 90), 128, np.uint8)
    points = find_key_points(nothing)
    assert len(points.at) == 0
    assert KnownViews([nothing], [points]).matches(nothing, [0]) == []


def test_a_picture_that_is_gone_or_changed_is_named(walls: Path) -> None:
    plan = make_plan([walls], RECIPE)
    door = walls / named("door", "val")
    door.write_bytes(door.read_bytes() + b"x")
    with pytest.raises(PictureError, match=r"door-\d+\.png has changed since the plan was made"):
        find_leaks(plan, whole_pictures(walls))
    door.unlink()
    with pytest.raises(PictureError, match="which is not there"):
        find_leaks(plan, whole_pictures(walls))


def test_a_plan_of_one_split_has_nothing_to_compare() -> None:
    plan = table_plan([("a", "1", (20, 20), "test", 0.0), ("c", "2", (20, 20), "test", 0.0)])
    assert "nothing to compare" in find_leaks(plan, blank).sentence()


def test_few_points_at_once_find_the_same(walls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(walls, np.ascontiguousarray(CROP))
    expected = searched(walls)
    monkeypatch.setattr("dunhuang_data.leaks.search.POINTS_AT_ONCE", 1)
    in_rounds = searched(walls)
    assert [leak.ids for leak in in_rounds.leaks] == [leak.ids for leak in expected.leaks]
    assert (in_rounds.views, in_rounds.pairs) == (expected.views, expected.pairs)


def test_a_dataset_is_searched_without_its_pictures(walls: Path, tmp_path: Path) -> None:
    pair = plant(walls, resized(np.ascontiguousarray(CROP), 0.9))
    plan = make_plan([walls], replace(RECIPE, patch_size=128, per_picture=12))
    write_bank(
        MaskRecipe(shape_hw=(128, 128), steps=(400, 400), count=72, seed=5), tmp_path / "bank"
    )
    out = tmp_path / "shards"
    build_dataset(plan, open_bank(tmp_path / "bank"), out, BuildRecipe("hdf5"))
    for picture in walls.iterdir():
        picture.unlink()
    stored = read_plan(out / "plan")
    report = find_leaks(stored, stored_patches(out, stored))
    assert [(leak.kind, leak.ids) for leak in report.leaks] == [("crop", pair)]
    assert "of patch " in report.leaks[0].evidence
    assert "72 patches in their place" in report.sentence()


def test_a_written_plan_is_searched_as_it_was_made(walls: Path, tmp_path: Path) -> None:
    plant(walls, np.ascontiguousarray(CROP))
    plan = make_plan([walls], RECIPE)
    write_plan(plan, tmp_path / "plan")
    again = read_plan(tmp_path / "plan")
    views = whole_pictures(plan.pictures_root)
    assert find_leaks(again, views) == find_leaks(plan, views)
    assert again.pictures == plan.pictures
    json.dumps([leak.ids for leak in find_leaks(again, views).leaks])


def test_shared_pixels_are_counted_far_down_a_wall() -> None:
    plan = table_plan([("a", "1", (1500, 20), "train", 0.0), ("a", "1", (1505, 28), "test", 0.0)])
    pictures = (replace(plan.pictures[0], height=3000, width=90),)
    leaks = find_leaks(replace(plan, pictures=pictures), blank).leaks
    assert leaks[-1].evidence == "180 pixels lie in patches of both"


def test_plain_margins_are_no_near_duplicates() -> None:
    rng = np.random.default_rng(0)
    plan = table_plan([
        ("a", "1", (20, 20), "train", 0.0),
        ("b", "2", (20, 20), "test", 0.0),
        ("c", "3", (20, 20), "test", 0.0),
    ])  # fmt: skip
    views = {name: View(rng.integers(200, 203, (90, 120), dtype=np.uint8), 1.0) for name in "abc"}
    report = find_leaks(plan, lambda picture: iter([views[picture.id]]))
    assert report.leaks == ()
    assert report.plain == 3
    assert "3 are too plain to be hashed" in report.sentence()
