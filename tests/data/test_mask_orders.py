"""What is asked for is drawn: exact ratios, exact cells, and each mask by itself."""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dunhuang_data import families
from dunhuang_data.errors import UsageProblem
from dunhuang_data.mask_orders import draw_order, make_mask
from dunhuang_data.mask_recipe import BUCKET_EDGES, CELLS, FAMILIES, MaskRecipe
from dunhuang_data.polarity import hole_ratio, pack
from dunhuang_data.types import UInt8Array

SHAPE = (90, 131)
PIXELS = SHAPE[0] * SHAPE[1]


def touches_border(valid: UInt8Array) -> bool:
    return bool((valid[[0, -1]] == 0).any() or (valid[:, [0, -1]] == 0).any())


@pytest.mark.parametrize("border", ["drop", "clip", "reflect", "torus"])
@pytest.mark.parametrize("brush", [(1, 1), (2, 7)])
def test_the_hole_ratio_is_exact(border: str, brush: tuple[int, int]) -> None:
    recipe = MaskRecipe(
        SHAPE, hole_ratio=(0.05, 0.4), border=border, brush_px=brush, walkers=(1, 3)
    )
    for index in range(6):
        wanted = draw_order(recipe, index).hole_pixels
        assert 0.05 <= wanted / PIXELS <= 0.4
        assert int((make_mask(recipe, index) == 0).sum()) == wanted


def test_ratios_are_drawn_uniformly_from_low_to_high() -> None:
    recipe = MaskRecipe(SHAPE, hole_ratio=(0.1, 0.3))
    drawn = np.array([draw_order(recipe, index).hole_pixels for index in range(4000)]) / PIXELS
    assert drawn.min() < 0.101
    assert drawn.max() > 0.299
    ranks = np.sort(drawn)
    distance = np.abs((ranks - 0.1) / 0.2 - np.arange(1, 4001) / 4000).max()
    assert distance < 1.95 / 4000**0.5  # Kolmogorov: one in a thousand


def test_pieces_of_a_ratio_are_equally_likely() -> None:
    recipe = MaskRecipe(SHAPE, hole_ratio=(0.01, 0.02, 0.5))
    drawn = np.array([draw_order(recipe, index).hole_pixels for index in range(2000)]) / PIXELS
    assert abs((drawn <= 0.0205).mean() - 0.5) < 0.06
    alone = MaskRecipe(SHAPE, hole_ratio=(0.25,))
    assert {draw_order(alone, index).hole_pixels for index in range(9)} == {round(0.25 * PIXELS)}


@pytest.mark.parametrize("border", ["drop", "clip", "torus"])
def test_twelve_cells_are_exact(border: str) -> None:
    recipe = MaskRecipe(SHAPE, buckets="nvidia", border=border)
    margin = recipe.bucket_margin_px
    assert margin == 90 * 50 // 512
    for index in range(2 * CELLS):
        valid = make_mask(recipe, index)
        low, high = BUCKET_EDGES[index % CELLS // 2 :][:2]
        assert low < hole_ratio(valid) <= high
        if index % 2 == 0:
            assert touches_border(valid)
        else:
            inner = np.pad(valid[margin:-margin, margin:-margin], margin, constant_values=1)
            assert np.array_equal(valid, inner)


@pytest.mark.parametrize(
    ("shape_hw", "settings"),
    [((70, 90), {"brush_px": (30, 30)}), ((70, 90), {"grid": 7}), ((10, 13), {"brush_px": (5, 5)})],
)
def test_masks_with_holes_at_the_border_have_one_there_however_wide_the_brush(
    shape_hw: tuple[int, int], settings: dict[str, Any]
) -> None:
    recipe = MaskRecipe(shape_hw, buckets="nvidia", border="clip", **settings)
    for index in range(0, 300, 2 * CELLS):  # the smallest bucket, where the brush is cut
        assert touches_border(make_mask(recipe, index)), index
        assert not touches_border(make_mask(recipe, index + 1)), index


def test_bucket_edges_hold_where_they_are_whole_pixels() -> None:
    recipe = MaskRecipe((10, 10), buckets="nvidia", border="clip")
    drawn = {cell: set[int]() for cell in range(6)}
    for index in range(1200):
        drawn[index % CELLS // 2].add(draw_order(recipe, index).hole_pixels)
    assert [(min(found), max(found)) for found in drawn.values()] == [
        (2, 10), (11, 20), (21, 30), (31, 40), (41, 50), (51, 60),
    ]  # fmt: skip


def test_a_range_draws_every_number_in_it() -> None:
    recipe = MaskRecipe(SHAPE, steps=(10, 12), walkers=(1, 3), brush_px=(1, 4))
    orders = [draw_order(recipe, index) for index in range(1000)]
    assert {order.steps for order in orders} == {10, 11, 12}
    assert {order.walkers for order in orders} == {1, 2, 3}
    assert {order.brush_px for order in orders} == {1, 2, 3, 4}
    # each has a stream of its own: what one is does not tell what another is
    assert len({(order.steps, order.walkers, order.brush_px) for order in orders}) == 36


def test_an_option_more_does_not_change_the_walk() -> None:
    plain = MaskRecipe(SHAPE, steps=(900, 900), seed=4)
    wide = replace(plain, brush_px=(3, 3))
    more = replace(plain, walkers=(2, 2))
    for index in range(5):
        holes = make_mask(plain, index) == 0
        assert (make_mask(wide, index)[holes] == 0).all()
        assert (make_mask(more, index)[holes] == 0).all()
        assert (make_mask(more, index) == 0).sum() > holes.sum()


def test_masks_with_more_holes_hold_those_with_fewer() -> None:
    few, many = (
        MaskRecipe(SHAPE, hole_ratio=(ratio,), border="clip", brush_px=(3, 3))
        for ratio in (0.1, 0.35)
    )
    for index in range(4):
        assert (make_mask(many, index) <= make_mask(few, index)).all()


@pytest.mark.parametrize(("border", "most"), [("drop", 0.95), ("clip", 0.99), ("torus", 0.99)])
def test_the_largest_promised_ratio_is_reached(border: str, most: float) -> None:
    for start in ("box", "center"):
        recipe = MaskRecipe((40, 61), hole_ratio=(most,), border=border, start=start)
        assert recipe.largest_ratio(0) == most
        for index in range(3):
            assert int((make_mask(recipe, index) == 0).sum()) == round(most * 40 * 61)


def test_the_impossible_is_refused_with_its_maximum() -> None:
    with pytest.raises(UsageProblem, match=r"ratio of 0\.97 of a walk with border drop .* 0\.9500"):
        MaskRecipe(SHAPE, hole_ratio=(0.1, 0.97))
    inner = (90 - 40) * (131 - 40) / PIXELS
    with pytest.raises(UsageProblem, match=rf"margin of 20 px: the maximum is {0.99 * inner:.4f}"):
        MaskRecipe(SHAPE, hole_ratio=(0.5,), margin_px=20, border="clip")
    with pytest.raises(UsageProblem, match="cells without holes at the border"):
        MaskRecipe((4, 100), buckets="nvidia")
    with pytest.raises(UsageProblem, match="at least 100 px in all"):
        MaskRecipe((9, 11), buckets="nvidia")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"hole_ratio": (0.1,), "buckets": "nvidia"}, "give one of them"),
        ({"buckets": "nvidia", "margin_px": 3}, "--buckets and --margin"),
        ({"buckets": "nvidia", "start": "center"}, "Leave out --start"),
        ({"family": "blocks"}, "say how much with --hole-ratio"),
        ({"family": "blocks", "hole_ratio": (0.1,), "border": "clip"}, "has no --border"),
        ({"family": "files", "hole_ratio": (0.1,)}, "takes masks as they are"),
        ({"family": "lace"}, "--family is 'lace'; expected one of walk, thin-strokes"),
        ({"hole_ratio": (0.0, 0.5)}, "--hole-ratio is 0:0.5; expected ratios above 0"),
        ({"hole_ratio": (0.5, 0.2)}, "the lowest first"),
        ({"walkers": (0, 3)}, "--walkers is 0:3"),
        ({"brush_px": (4, 3)}, "--brush is 4:3"),
        ({"margin_px": 45}, "--margin is 45 px on masks of 90x131 px; expected 0 to 44"),
        ({"grid": -1}, "--grid is -1"),
        ({"grid": 91}, "--grid is 91; expected 1 to 90"),
        ({"grid": 71, "margin_px": 10}, "--grid is 71; expected 1 to 70"),
        ({"width_px": (3, 5)}, "--family walk has no --width and no --length"),
        ({"family": "blocks", "hole_ratio": (0.1,), "width_px": (0, 5)}, "--width is 0:5"),
        ({"count": 10**9}, "--count is 1000000000; expected 1 to 100000000"),
    ],
)
def test_what_does_not_fit_together_is_a_sentence(
    settings: dict[str, object], sentence: str
) -> None:
    with pytest.raises(UsageProblem, match=sentence):
        MaskRecipe(SHAPE, **settings)  # type: ignore[arg-type]


def test_a_strip_is_filled_as_far_as_is_promised() -> None:
    for border, most in (("drop", 0.95), ("torus", 0.99)):
        recipe = MaskRecipe((1, 300), hole_ratio=(most,), border=border)
        assert int((make_mask(recipe, 0) == 0).sum()) == round(300 * most)
    with pytest.raises(UsageProblem, match="expected 1x1 to 65536x65536 px"):
        MaskRecipe((1, 65537))
    with pytest.raises(UsageProblem, match=r"the maximum is 0\.0000"):
        MaskRecipe((1, 100), buckets="nvidia")


def test_a_ratio_below_a_pixel_gives_one() -> None:
    recipe = MaskRecipe((9, 11), hole_ratio=(0.001,))
    assert int((make_mask(recipe, 0) == 0).sum()) == 1


def test_a_frame_is_warned_of_where_it_shows() -> None:
    assert not MaskRecipe((256, 256), hole_ratio=(0.35,), margin_px=25).shows_its_frame
    assert MaskRecipe((256, 256), hole_ratio=(0.45,), margin_px=25).shows_its_frame
    assert not MaskRecipe((256, 256), hole_ratio=(0.9,)).shows_its_frame
    assert MaskRecipe((256, 256), buckets="nvidia").shows_its_frame
    blocks = MaskRecipe((256, 256), family="blocks", hole_ratio=(0.45,), margin_px=25)
    assert not blocks.shows_its_frame


def test_the_recipe_names_the_families_that_there_are() -> None:
    assert ("walk", *families.FAMILIES, "files") == FAMILIES


GOLDEN = {
    "seed": (MaskRecipe(steps=(50_000, 50_000)), "3af1c7f98fa710cf"),
    "ratio": (
        MaskRecipe(SHAPE, hole_ratio=(0.05, 0.4), border="clip", brush_px=(1, 6)),
        "3f778895b5ad1edf",
    ),
    "buckets": (
        MaskRecipe(SHAPE, buckets="nvidia", border="torus", walkers=(1, 4)),
        "2b25c262ce8df06f",
    ),
    "grid": (
        MaskRecipe((120, 170), (700, 900), grid=32, start="uniform", walkers=(1, 8)),
        "06eb32cbd9532c89",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_masks_never_change(name: str) -> None:
    recipe, expected = GOLDEN[name]
    digest = hashlib.sha256()
    for index in (0, 1, 2, 11):
        digest.update(pack(make_mask(recipe, index)).tobytes())
    assert digest.hexdigest()[:16] == expected
