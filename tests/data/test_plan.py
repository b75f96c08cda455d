"""Plans: pure, complete, and the same after a trip through the disk."""

import csv
import json
import shutil
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drawings import TINY_PLAN, draw_picture, save_picture, write_pictures
from dunhuang_data.errors import OutputExistsError, PictureError, PlanError
from dunhuang_data.plan import Patches, PatchPlan, Sidecars, make_plan, read_plan, write_plan
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
        PlanError, match=r"(?s)2 of 3 pictures have too few places.*thin: .*tiny: .*--size"
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


def test_the_pictures_table_says_what_was_done_and_who_holds_the_rights(
    tmp_path: Path, pictures: Path
) -> None:
    sidecars = Sidecars(
        groups={"cave/wall-1": {"group": "cave"}, "cave/wall-2.png": {"group": "cave"}},
        rights={"niche-3": {"rights": "CC BY 4.0", "attribution": "A, B"}},
    )
    write_plan(make_plan([pictures], TINY_PLAN, sidecars), tmp_path / "plan")
    with (tmp_path / "plan" / "pictures.csv").open(newline="") as stream:
        rows = {row["id"]: row for row in csv.DictReader(stream)}
    assert (rows["niche-3"]["rights"], rows["niche-3"]["attribution"]) == ("CC BY 4.0", "A, B")
    assert rows["niche-4"]["rights"] == ""
    assert [rows[one]["group"] for one in ("cave/wall-1", "cave/wall-2", "niche-3")] == [
        "cave", "cave", "",
    ]  # fmt: skip
    assert len(rows["niche-3"]["sha256"]) == 64
    assert read_plan(tmp_path / "plan") == make_plan([pictures], TINY_PLAN, sidecars)


def test_a_group_is_never_parted(pictures: Path) -> None:
    ids = [picture.id for picture in make_plan([pictures], TINY_PLAN).pictures]
    groups = {one: {"group": f"cave {number // 2}"} for number, one in enumerate(ids)}
    recipe = replace(TINY_PLAN, split_by="group")
    by_picture = {one.id: one.split for one in make_plan([pictures], TINY_PLAN).pictures}
    plan = make_plan([pictures], recipe, Sidecars(groups=groups))
    by_group: dict[str, set[str]] = {}
    for picture in plan.pictures:
        by_group.setdefault(picture.group, set()).add(picture.split)
    assert len(by_group) == 4
    assert all(len(splits) == 1 for splits in by_group.values())
    parted = [first for first, second in zip(ids[::2], ids[1::2], strict=True)
              if by_picture[first] != by_picture[second]]  # fmt: skip
    assert parted  # by picture they would have been
    del groups[ids[0]]
    with pytest.raises(PlanError, match=f"{ids[0]}: the table of groups does not say"):
        make_plan([pictures], recipe, Sidecars(groups=groups))


def test_a_total_is_shared_by_area(tmp_path: Path) -> None:
    shapes = {"a.png": (64, 128), "b.png": (64, 64), "c.png": (33, 40)}
    folder = write_pictures(tmp_path / "some", shapes)
    plan = make_plan([folder], PlanRecipe(patch_size=32, total=20))
    counts = {report.id: report.patches for report in plan.reports}
    assert sum(counts.values()) == len(plan.patches) == 20
    whole = sum(height * width for height, width in shapes.values())
    for name, (height, width) in shapes.items():
        assert abs(counts[name[0]] - 20 * height * width / whole) < 1
    few = make_plan([folder], PlanRecipe(patch_size=32, total=2))
    assert [picture.id for picture in few.pictures] == ["a", "b"]
    assert few.left_out == ("c: no patch of --total 2 is left.",)


def test_variants_are_draws_of_the_same_place(pictures: Path) -> None:
    once = make_plan([pictures], TINY_PLAN)
    plan = make_plan([pictures], replace(TINY_PLAN, variants=3))
    train = [patch for patch in plan.patches if patch.split == "train"]
    others = [patch for patch in plan.patches if patch.split != "train"]
    counts = once.count_by_split()
    assert len(train) == 3 * counts["train"]
    assert len(others) == counts["val"] + counts["test"]
    for number, patch in enumerate(one for one in once.patches if one.split == "train"):
        three = train[3 * number : 3 * number + 3]
        assert {one.center_yx for one in three} == {patch.center_yx}
        assert three[0].augmentation == patch.augmentation  # more variants move no draw
    assert len({one.augmentation for one in train}) > counts["train"]
    assert [patch.index for patch in plan.patches] == list(range(len(plan.patches)))


def test_small_pictures_are_padded_or_enlarged(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "mixed", {"a.png": (50, 70), "low.png": (20, 90)})
    recipe = PlanRecipe(patch_size=32, per_picture=3, small="pad")
    plan = make_plan([folder], recipe)
    padded = [patch for patch in plan.patches if patch.picture_id == "low"]
    assert {patch.center_yx[0] for patch in padded} == {10}  # 6 rows beyond on both sides
    assert len({patch.center_yx[1] for patch in padded}) == 3
    assert all(patch.scale == 1.0 for patch in padded)
    plan = make_plan([folder], replace(recipe, small="upscale"))
    large, low = plan.pictures
    assert (large.scale, low.scale) == (1.0, 1.6)
    assert low.scaled_hw == (32, 144)
    assert {patch.scale for patch in plan.patches if patch.picture_id == "low"} == {1.6}


def test_pictures_are_cut_at_a_scale(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "some", {"a.png": (100, 150)})
    plan = make_plan([folder], PlanRecipe(patch_size=32, per_picture=12, scale=0.5))
    centers = [patch.center_yx for patch in plan.patches]
    assert max(y for y, _ in centers) == 50 - 16
    assert max(x for _, x in centers) == 75 - 16
    with pytest.raises(PlanError, match=r"at scale 0\.2\) is smaller than a patch of 32 px"):
        make_plan([folder], PlanRecipe(patch_size=32, per_picture=1, scale=0.2))


def test_the_report_says_how_patches_lie(plan_root: Path) -> None:
    plan = read_plan(plan_root)
    for picture, report in zip(plan.pictures, plan.reports, strict=True):
        patches = [patch for patch in plan.patches if patch.picture_id == picture.id]
        seen = np.zeros((picture.height, picture.width), dtype=int)
        for patch in patches:
            top, left = patch.center_yx[0] - 16, patch.center_yx[1] - 16
            seen[top : top + 32, left : left + 32] += 1
        assert (report.id, report.split, report.patches) == (picture.id, picture.split, 6)
        assert report.coverage == (seen > 0).mean()
        assert report.most_depth == seen.max()
        assert report.mean_depth == pytest.approx(seen.mean(), abs=1e-3)
        assert report.smallest_px == min(patch.nearest_px for patch in patches)
        assert report.mean_px == pytest.approx(
            np.mean([patch.nearest_px for patch in patches]), abs=1e-2
        )
        assert report.share_of_layout == pytest.approx(
            report.smallest_px / report.layout_px, abs=1e-3
        )
        assert report.smallest_px <= report.bound_px + 1e-3


def masks_of_damage(folder: Path, sizes: dict[str, tuple[int, int]]) -> Path:
    """Write masks whose left half is damaged, in white."""
    for name, (height, width) in sizes.items():
        mask = np.zeros((height, width), dtype=np.uint8)
        mask[:, : width // 2] = 255
        save_picture(folder / name, mask)
    return folder


def test_patches_keep_off_real_damage(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "some", {"a.png": (64, 140), "b.png": (60, 90)})
    masks = masks_of_damage(tmp_path / "masks", {"a.png": (64, 140)})
    recipe = PlanRecipe(patch_size=32, per_picture=5, damage_is="white")
    plan = make_plan([folder], recipe, Sidecars(damage_root=masks))
    lefts = [patch.center_yx[1] - 16 for patch in plan.patches if patch.picture_id == "a"]
    assert min(lefts) == 70
    a, b = plan.pictures
    assert (a.damage_file, len(a.damage_sha256), b.damage_file) == ("a.png", 64, "")
    assert plan.reports[0].sampleable == pytest.approx(39 / 109, abs=1e-3)
    assert plan.reports[1].sampleable == 1.0
    black = make_plan([folder], replace(recipe, damage_is="black"), Sidecars(damage_root=masks))
    assert max(p.center_yx[1] + 16 for p in black.patches if p.picture_id == "a") == 70
    some = make_plan([folder], replace(recipe, max_damage=0.5), Sidecars(damage_root=masks))
    assert min(p.center_yx[1] - 16 for p in some.patches if p.picture_id == "a") == 54
    with pytest.raises(PlanError, match=r"a: .* 1287 admissible positions .* at most 1287"):
        make_plan([folder], replace(recipe, per_picture=1500), Sidecars(damage_root=masks))


def test_masks_of_damage_that_fit_nothing_are_refused(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "some", {"a.png": (64, 140)})
    recipe = PlanRecipe(patch_size=32, per_picture=5, damage_is="white")
    wrong = masks_of_damage(tmp_path / "wrong", {"a.png": (140, 64)})
    with pytest.raises(PictureError, match=r"is 140 x 64 px .* its picture 64 x 140 px"):
        make_plan([folder], recipe, Sidecars(damage_root=wrong))
    other = masks_of_damage(tmp_path / "other", {"c.png": (64, 140)})
    with pytest.raises(PlanError, match=r"No mask in .*other is named like a picture"):
        make_plan([folder], recipe, Sidecars(damage_root=other))
    masks_of_damage(tmp_path / "other", {"c.tif": (64, 140)})
    with pytest.raises(PlanError, match="Two masks are named like the picture 'c'"):
        make_plan([folder], recipe, Sidecars(damage_root=other))


def test_transparent_pixels_are_not_sampled(tmp_path: Path) -> None:
    pixels = draw_picture(64, 120, "alpha")
    alpha = np.full((64, 120, 1), 255, dtype=np.uint8)
    alpha[:, :50] = 0
    save_picture(tmp_path / "p" / "a.png", np.concatenate([pixels, alpha], axis=-1))
    plan = make_plan([tmp_path / "p"], PlanRecipe(patch_size=32, per_picture=7))
    assert plan.pictures[0].transparent
    assert min(patch.center_yx[1] - 16 for patch in plan.patches) == 50
    write_plan(plan, tmp_path / "plan")
    assert read_plan(tmp_path / "plan") == plan


def test_pictures_that_cannot_be_used_are_left_out_if_asked(tmp_path: Path) -> None:
    shapes = {"a.png": (50, 70), "tiny.png": (20, 20)}
    folder = write_pictures(tmp_path / "some", shapes)
    (folder / "b.jpg").write_bytes(b"no picture")
    (folder / "link.png").symlink_to(tmp_path / "elsewhere.png")
    save_picture(tmp_path / "elsewhere.png", draw_picture(50, 60, "else"))
    recipe = PlanRecipe(patch_size=32, per_picture=2)
    with pytest.raises(PictureError, match=r"(?s)2 of 4 pictures cannot be used.*link.*b\.jpg"):
        make_plan([folder], recipe)
    plan = make_plan([folder], recipe, keep_going=True)
    assert [picture.id for picture in plan.pictures] == ["a"]
    assert len(plan.left_out) == 3
    assert "link out of its folder" in plan.left_out[0]
    assert "b.jpg" in plan.left_out[1]
    assert "tiny: a picture of 20 x 20 px" in plan.left_out[2]


def test_workers_change_nothing(pictures: Path) -> None:
    counted: list[int] = []
    plan = make_plan([pictures], TINY_PLAN, workers=2, progress=counted.append)
    assert plan == make_plan([pictures], TINY_PLAN)
    assert sum(counted) == 16


def test_another_order_of_sources_changes_nothing(tmp_path: Path) -> None:
    write_pictures(tmp_path, {"one/a.png": (50, 60), "two/b.png": (60, 50), "two/c.png": (40, 90)})
    recipe = PlanRecipe(patch_size=32, per_picture=4)
    first = make_plan([tmp_path / "one", tmp_path / "two"], recipe)
    assert first == make_plan([tmp_path / "two", tmp_path / "one"], recipe)


def test_shards_are_cut_without_holding_the_plan(plan_root: Path) -> None:
    plan = read_plan(plan_root)
    cut = list(plan.in_shards(7))
    for split, count in plan.count_by_split().items():
        parts = [patches for one, _, patches in cut if one == split]
        assert [number for one, number, _ in cut if one == split] == list(range(len(parts)))
        assert all(len(part) == 7 for part in parts[:-1])
        joined = [patch for part in parts for patch in part]
        assert joined == [patch for patch in plan.patches if patch.split == split]
        assert len(joined) == count


def test_a_long_plan_is_written_and_read_in_bounded_memory(tmp_path: Path, pictures: Path) -> None:
    """Twenty times the rows must not take noticeably more memory; the benchmark has 10 million."""

    def peak_of(variants: int) -> tuple[int, int]:
        plan = make_plan([pictures], replace(TINY_PLAN, variants=variants))
        tracemalloc.start()
        write_plan(plan, tmp_path / f"plan-{variants}")
        read = read_plan(tmp_path / f"plan-{variants}")
        rows = sum(1 for _ in read.patches)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert rows == len(read.patches) == len(plan.patches)
        return rows, peak

    few, little = peak_of(20)
    many, more = peak_of(400)
    assert many > 15 * few
    assert more < 2.5 * little


def test_rows_compare_by_what_they_hold(plan_root: Path) -> None:
    rows = list(read_plan(plan_root).patches)
    patches = Patches.listed(rows)
    assert patches == read_plan(plan_root).patches
    assert patches != Patches.listed(rows[:-1])
    assert patches != Patches.listed([*rows[:-1], replace(rows[-1], index=0)])
    assert rows[3] in patches
    assert replace(rows[3], index=9) not in patches


def test_a_moved_plan_names_the_new_folders(tmp_path: Path, plan_root: Path) -> None:
    plan: PatchPlan = read_plan(plan_root)
    assert plan.moved(None, None) == plan
    assert plan.moved(tmp_path, None).pictures_root == tmp_path.resolve()
    assert plan.moved(None, tmp_path).damage_root == tmp_path.resolve()


def test_masks_at_fault_are_listed_or_their_pictures_left_out(tmp_path: Path) -> None:
    shapes = {"a.png": (64, 140), "b.png": (60, 90), "c.png": (60, 90)}
    folder = write_pictures(tmp_path / "some", shapes)
    masks = masks_of_damage(tmp_path / "masks", {"a.png": (60, 90), "c.png": (60, 90)})
    (masks / "b.png").write_bytes(b"no mask")
    masks_of_damage(masks, {"z.png": (60, 90)})
    recipe = PlanRecipe(patch_size=32, per_picture=3, damage_is="white")
    sidecars = Sidecars(damage_root=masks)
    with pytest.raises(PictureError, match=r"(?s)2 of 3 pictures cannot be used.*60 x 90.*b\.png"):
        make_plan([folder], recipe, sidecars)
    plan = make_plan([folder], recipe, sidecars, keep_going=True)
    assert [picture.id for picture in plan.pictures] == ["c"]
    assert "masks/z.png: no picture has this name." in plan.left_out[0]
    assert len(plan.left_out) == 3


@pytest.mark.parametrize(
    ("color", "what"), [((255, 0, 0), "are coloured"), ((150, 150, 150), "neither black nor white")]
)
def test_a_coloured_or_grey_mask_of_damage_is_refused(
    tmp_path: Path, color: tuple[int, int, int], what: str
) -> None:
    folder = write_pictures(tmp_path / "some", {"a.png": (64, 140)})
    mask = np.zeros((64, 140, 3), dtype=np.uint8)
    mask[:, :90] = color
    save_picture(tmp_path / "masks" / "a.png", mask)
    recipe = PlanRecipe(patch_size=32, per_picture=3, damage_is="white")
    with pytest.raises(PictureError, match=f"is no mask: .* {what}"):
        make_plan([folder], recipe, Sidecars(damage_root=tmp_path / "masks"))


def test_a_padded_strip_keeps_off_what_is_not_there(tmp_path: Path) -> None:
    pixels = draw_picture(20, 120, "strip")
    alpha = np.full((20, 120, 1), 255, dtype=np.uint8)
    alpha[:, :50] = 0
    save_picture(tmp_path / "p" / "a.png", np.concatenate([pixels, alpha], axis=-1))
    recipe = PlanRecipe(patch_size=32, per_picture=7, small="pad")
    plan = make_plan([tmp_path / "p"], recipe)
    assert min(patch.center_yx[1] - 16 for patch in plan.patches) == 50
    assert {patch.center_yx[0] for patch in plan.patches} == {10}


def test_nothing_usable_says_why(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.png").write_bytes(b"no picture")
    masks_of_damage(tmp_path / "masks", {"a.png": (60, 90)})
    recipe = PlanRecipe(patch_size=32, damage_is="white")
    sidecars = Sidecars(damage_root=tmp_path / "masks")
    with pytest.raises(PlanError, match=r"(?s)None of the 1 pictures .*Could not read .*a\.png"):
        make_plan([tmp_path / "p"], recipe, sidecars, keep_going=True)


def test_rows_must_be_as_many_as_the_plan_says(tmp_path: Path, plan_root: Path) -> None:
    copy = shutil.copytree(plan_root, tmp_path / "copy")
    document = json.loads((copy / "plan.json").read_text())
    document["patches"]["train"] += 1
    (copy / "plan.json").write_text(json.dumps(document))
    with pytest.raises(PlanError, match=r"plan\.json counts .* and there are"):
        list(read_plan(copy).patches)


@pytest.mark.parametrize(("make", "what"), [
    (lambda mask: mask // 255, "has no white pixel: its largest value is 1 of 255"),
    (lambda mask: np.stack([mask, mask, mask, mask], -1), "has transparent pixels"),
])  # fmt: skip
def test_a_mask_that_would_be_read_as_sound_is_refused(
    tmp_path: Path, make: Callable[[np.ndarray], np.ndarray], what: str
) -> None:
    folder = write_pictures(tmp_path / "some", {"a.png": (64, 140)})
    mask = np.zeros((64, 140), dtype=np.uint8)
    mask[:, :70] = 255
    save_picture(tmp_path / "masks" / "a.png", make(mask))
    recipe = PlanRecipe(patch_size=32, per_picture=3, damage_is="white")
    with pytest.raises(PictureError, match=what):
        make_plan([folder], recipe, Sidecars(damage_root=tmp_path / "masks"))


def test_rows_of_tables_that_fit_no_picture_are_said(pictures: Path) -> None:
    groups = {"cave/wall-1": {"group": "a"}, "wall-9": {"group": "b"}}
    plan = make_plan([pictures], TINY_PLAN, Sidecars(groups=groups))
    assert plan.left_out == ("'wall-9' in --groups: no picture has this name.",)
    groups = {"niche-4": {"group": "a"}, "niche-4.png": {"group": "b"}}
    with pytest.raises(PlanError, match=r"niche-4 stands in a table twice, as niche-4 and niche-4"):
        make_plan([pictures], TINY_PLAN, Sidecars(groups=groups))


def test_what_a_total_lacks_is_said(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "some", {"a.png": (90, 128), "b.png": (32, 32)})
    plan = make_plan([folder], PlanRecipe(patch_size=32, total=40, small="skip"))
    missing = 40 - len(plan.patches)
    assert missing == 3
    assert plan.left_out[-1].startswith("3 of the 40 patches of --total: they fell to pictures")
