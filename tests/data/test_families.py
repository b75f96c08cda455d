"""Families of holes: what was ordered is what is drawn, and each family keeps its character."""

import hashlib
import tracemalloc
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunhuang_data.errors import MaskError
from dunhuang_data.families import FAMILIES, family_mask
from dunhuang_data.families.brush import pressed, pressed_by_field, pressed_varying
from dunhuang_data.families.canvas import blank_canvas
from dunhuang_data.families.cracks import draw_crack
from dunhuang_data.families.draws import draw_many
from dunhuang_data.mask_stats import measure_masks
from dunhuang_data.polarity import pack
from dunhuang_data.rng import raw_words, rng_for
from dunhuang_data.types import UInt8Array

families = pytest.mark.parametrize("family", list(FAMILIES))
shapes = st.tuples(st.integers(1, 40), st.integers(1, 60))


def draw(
    family: str, shape_hw: tuple[int, int], holes: int, index: int = 0, **options: Any
) -> UInt8Array:
    rng = rng_for(3, "mask", family, index)
    return family_mask(family, shape_hw, holes, rng, **options)


@families
@given(shape_hw=shapes, share=st.floats(0, 1), index=st.integers(0, 2**32))
def test_the_count_is_exact(
    family: str, shape_hw: tuple[int, int], share: float, index: int
) -> None:
    holes = round(share * shape_hw[0] * shape_hw[1])
    valid = draw(family, shape_hw, holes, index)
    assert valid.shape == shape_hw
    assert valid.dtype == np.uint8
    assert valid.max(initial=0) <= 1
    assert (valid == 0).sum() == holes


@families
@pytest.mark.parametrize("shape_hw", [(8, 8), (1, 5), (5, 1), (1, 1), (23, 40)])
def test_it_ends_when_all_pixels_are_asked_for(family: str, shape_hw: tuple[int, int]) -> None:
    assert draw(family, shape_hw, shape_hw[0] * shape_hw[1]).sum() == 0
    assert draw(family, shape_hw, 0).all()


@families
@given(
    shape_hw=shapes,
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    at_border=st.booleans(),
    index=st.integers(0, 2**32),
)
def test_more_holes_contain_fewer(
    family: str,
    shape_hw: tuple[int, int],
    shares: tuple[float, float],
    at_border: bool,
    index: int,
) -> None:
    room = shape_hw[0] * shape_hw[1]
    few, many = sorted(max(1, round(share * room)) for share in shares)
    small = draw(family, shape_hw, few, index, at_border=at_border)
    large = draw(family, shape_hw, many, index, at_border=at_border)
    assert (large <= small).all()


@families
def test_a_hole_of_a_series_only_grows(family: str) -> None:
    masks = [draw(family, (90, 130), holes) for holes in range(1, 4000, 333)]
    for small, large in pairwise(masks):
        assert (large <= small).all()


@families
def test_the_margin_is_free(family: str) -> None:
    for index in range(20):
        valid = draw(family, (60, 90), 1500, index, margin_px=11)
        inner = valid[11:-11, 11:-11]
        assert (inner == 0).sum() == 1500
        assert valid.sum() == 60 * 90 - 1500
    assert (draw(family, (60, 90), 38 * 68, margin_px=11)[11:-11, 11:-11] == 0).all()


@families
def test_the_border_is_touched_if_asked(family: str) -> None:
    for holes in (1, 40):
        for index in range(20):
            valid = draw(family, (70, 110), holes, index, at_border=True)
            edges = (valid[0], valid[-1], valid[:, 0], valid[:, -1])
            assert any((edge == 0).any() for edge in edges)
    insides = [draw(family, (70, 110), 1, index)[1:-1, 1:-1].min() for index in range(20)]
    assert 0 in insides  # what is not asked for does not happen every time


@pytest.mark.parametrize("shape_hw", [(4, 6), (1, 5), (5, 1), (2, 3), (3, 2), (1, 1)])
def test_every_border_pixel_begins_masks_alike(shape_hw: tuple[int, int]) -> None:
    border = np.zeros(shape_hw, dtype=np.int64)
    border[[0, -1]] = border[:, [0, -1]] = 1
    times = 60 * border.sum()
    starts = np.zeros(shape_hw, dtype=np.int64)
    for index in range(times):
        starts += 1 - draw("blocks", shape_hw, 1, index, at_border=True)
    assert (starts[border == 0] == 0).all()
    assert np.abs(starts[border == 1] - 60).max() < 5 * np.sqrt(60)


def test_the_last_pixels_are_drawn_alike() -> None:
    # elements of one pixel until two are left: half of the throws miss, and the list is used
    shape_hw, times = (3, 14), 400
    options: dict[str, Any] = {"width_px": (1, 1), "length_px": (1, 1)}
    first = 0
    for index in range(times):
        left = np.flatnonzero(draw("blocks", shape_hw, 40, index, **options))
        last = np.flatnonzero(draw("blocks", shape_hw, 41, index, **options))
        first += int(left[0] != last[0])
    assert abs(first - times / 2) < 4 * np.sqrt(times) / 2


@families
def test_a_mask_is_a_function_of_its_key(family: str) -> None:
    first, again, other = (draw(family, (50, 80), 900, index) for index in (4, 4, 5))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


GOLDEN = {
    "thin-strokes": "f175f633864164c32656102677ef6856a03f224a2c5f41cc45ef0a11167a54fb",
    "medium-strokes": "cecc3bdc590ba1ae4b398a905df3c0507ac70c8de0f6414c97828c44c7d09b1d",
    "thick-strokes": "87050eaaa2dddfa50b95c599b1434b714ff5e6188d3441b8938e058ef38be60c",
    "blocks": "d0bc468351c330f99523f0547d04913ac9f3867b516f4727480c58aca1e90635",
    "flakes": "a64b302f400045953c9a41833829a17e1fffe8fb3d51f694759ba1139bcf6d30",
    "cracks": "884bf2c6b71ddbfca9e10e3d0a956a0e7a0957fddb4a089d529d553e789d26b0",
    "stains": "885b9fe4c54099160aa17d476e0395be60333b7e2bd65fd5adce6f602c53834d",
}


@families
def test_golden_masks(family: str) -> None:
    digest = hashlib.sha256()
    for index, holes in enumerate((200, 2400, 6000)):
        digest.update(pack(draw(family, (100, 150), holes, index)).tobytes())
    assert digest.hexdigest() == GOLDEN[family]


@families
def test_rows_and_columns_are_not_mixed_up(family: str) -> None:
    """On an oblong mask every part is as often a hole as its mirror image."""
    count, shape_hw = 240, (48, 96)
    valid = np.stack([draw(family, shape_hw, 900, index) for index in range(count)])
    holes = 1 - valid.astype(np.float64)
    for axis in (1, 2):
        first, second = np.array_split(holes.mean(axis=3 - axis), 2, axis=1)
        difference = first.mean(axis=1) - second.mean(axis=1)
        assert abs(difference.mean()) < 4.5 * difference.std() / np.sqrt(count)
    corners = [holes[:, y : y + 8, x : x + 8].mean() for y in (0, 40) for x in (0, 88)]
    assert max(corners) < 2 * min(corners)


@families
def test_elements_lie_in_all_directions(family: str) -> None:
    count = 120
    valid = np.stack([draw(family, (96, 96), 1800, index) for index in range(count)])
    down = np.abs(np.diff(valid.astype(np.int8), axis=1)).sum(axis=(1, 2), dtype=np.float64)
    across = np.abs(np.diff(valid.astype(np.int8), axis=2)).sum(axis=(1, 2), dtype=np.float64)
    difference = down - across
    assert abs(difference.mean()) < 4.5 * difference.std() / np.sqrt(count)


@pytest.mark.parametrize(
    ("family", "narrow", "wide", "factor"),
    [
        ("thin-strokes", (4, 5), (16, 20), 2.5),
        ("blocks", (4, 8), (30, 40), 2.5),
        ("flakes", (3, 5), (15, 25), 2),
        ("cracks", (1, 1), (5, 7), 1.7),
    ],
)
def test_a_wider_element_is_deeper(
    family: str, narrow: tuple[int, int], wide: tuple[int, int], factor: float
) -> None:
    def depth(width_px: tuple[int, int]) -> float:
        masks = [draw(family, (120, 150), 3000, i, width_px=width_px) for i in range(12)]
        return float(measure_masks(masks).depth_px.mean())

    assert depth(wide) > factor * depth(narrow)


@families
def test_longer_elements_are_fewer(family: str) -> None:
    def components(length_px: tuple[int, int]) -> float:
        masks = [
            draw(family, (150, 200), 1500, i, width_px=(2, 3), length_px=length_px)
            for i in range(12)
        ]
        return float(measure_masks(masks).holes.mean())

    assert components((60, 80)) < 0.6 * components((5, 8))


@pytest.mark.parametrize(("family", "width_px"), [("flakes", (3, 5)), ("stains", (1, 1))])
def test_small_losses_are_more_frequent(family: str, width_px: tuple[int, int]) -> None:
    """Three quarters of the elements are smaller than one of the mean length."""

    def areas(length_px: tuple[int, int]) -> np.ndarray:
        canvas, sizes = blank_canvas((300, 320), 6), []
        for index in range(200):
            rng = rng_for(3, "size", family, index)
            start = canvas.position(150, 160)
            pixels = FAMILIES[family].draw(canvas, start, width_px, length_px, rng)
            sizes.append(len(np.unique(pixels)))
        return np.array(sizes)

    smaller = (areas((20, 100)) < np.median(areas((60, 60)))).mean()
    assert 0.64 < smaller < 0.88


def test_a_flake_extends_as_far_as_it_says() -> None:
    canvas, extents = blank_canvas((220, 260), 2), []
    for index in range(300):
        start, rng = canvas.position(110, 130), rng_for(3, "extent", index)
        pixels = FAMILIES["flakes"].draw(canvas, start, (1, 1), (40, 40), rng)
        row, column = np.divmod(pixels, canvas.stride)
        extents.append((np.ptp(row) + 1, np.ptp(column) + 1))
    assert np.mean(extents, axis=0) == pytest.approx([40, 40], rel=0.06)


def test_a_wider_edge_makes_a_stain_more_ragged() -> None:
    def per_hole(width_px: tuple[int, int]) -> float:
        masks = [
            draw("stains", (120, 150), 3000, i, width_px=width_px, length_px=(60, 70))
            for i in range(12)
        ]
        return float(np.mean([edges(valid) for valid in masks])) / 3000

    assert per_hole((16, 20)) > 1.5 * per_hole((1, 2))


def edges(valid: UInt8Array) -> int:
    """Return how many pairs of neighbours are one hole and one known."""
    return int((valid[1:] != valid[:-1]).sum() + (valid[:, 1:] != valid[:, :-1]).sum())


def walk_mask(shape_hw: tuple[int, int], holes: int, index: int) -> UInt8Array:
    """Return a one-pixel random walk, reflected at the border, with exactly so many holes."""
    rng, valid = rng_for(5, "walk", index), np.ones(shape_hw, dtype=np.uint8)
    y, x = shape_hw[0] // 2, shape_hw[1] // 2
    while True:
        symbols = (raw_words(rng, 2000).astype("<u8").view(np.uint8)) & 3
        path_y = y + np.cumsum(np.array([0, 0, 1, -1])[symbols])
        path_x = x + np.cumsum(np.array([1, -1, 0, 0])[symbols])
        y, x = int(path_y[-1]), int(path_x[-1])
        for length, path in ((shape_hw[0], path_y), (shape_hw[1], path_x)):
            path %= 2 * length
            np.minimum(path, 2 * length - 1 - path, out=path)
        flat = path_y * shape_hw[1] + path_x
        new = flat[valid.reshape(-1)[flat] == 1]
        missing = holes - int((valid == 0).sum())
        first_times = np.sort(np.unique(new, return_index=True)[1])[:missing]
        valid.reshape(-1)[new[first_times]] = 0
        if int((valid == 0).sum()) == holes:
            return valid


def signature(masks: list[UInt8Array]) -> dict[str, float]:
    stats = measure_masks(masks)
    holes = int((masks[0] == 0).sum())
    return {
        "depth": float(stats.depth_px.mean()),
        "radius": float(stats.radius_px.mean()),
        "components": float(stats.holes.mean()),
        "perimeter": float(np.mean([edges(valid) for valid in masks])) / holes,
    }


@pytest.fixture(scope="module")
def signatures() -> dict[float, dict[str, dict[str, float]]]:
    """Signatures of 24 masks each of 256 x 256 px, by hole ratio and family."""
    shape_hw, count = (256, 256), 24
    table: dict[float, dict[str, dict[str, float]]] = {}
    for ratio in (0.15, 0.30):
        holes = round(ratio * shape_hw[0] * shape_hw[1])
        table[ratio] = {
            family: signature([draw(family, shape_hw, holes, i) for i in range(count)])
            for family in FAMILIES
        }
        walks = [walk_mask(shape_hw, holes, i) for i in range(count)]
        table[ratio]["random-walk"] = signature(walks)
    return table


@pytest.mark.parametrize("ratio", [0.15, 0.30])
@pytest.mark.parametrize(
    ("statistic", "rising", "factor"),
    [
        (
            "depth",
            ["cracks", "random-walk", "thin-strokes", "medium-strokes", "thick-strokes"],
            1.1,
        ),
        ("depth", ["random-walk", "flakes", "stains", "thick-strokes"], 1.2),
        ("depth", ["thin-strokes", "medium-strokes", "thick-strokes"], 1.5),
        ("radius", ["cracks", "thin-strokes", "medium-strokes", "thick-strokes"], 1.4),
        ("radius", ["thin-strokes", "flakes", "blocks", "stains"], 1.1),
        ("components", ["random-walk", "cracks", "flakes"], 2),
        ("components", ["random-walk", "thin-strokes", "flakes"], 1.5),
        ("components", ["thick-strokes", "medium-strokes", "blocks", "stains"], 1.2),
        ("perimeter", ["thick-strokes", "medium-strokes", "stains", "thin-strokes"], 1.2),
        ("perimeter", ["blocks", "stains", "flakes", "random-walk", "cracks"], 1.3),
    ],
)
def test_families_differ_at_equal_hole_ratio(
    signatures: dict[float, dict[str, dict[str, float]]],
    ratio: float,
    statistic: str,
    rising: list[str],
    factor: float,
) -> None:
    values = [signatures[ratio][family][statistic] for family in rising]
    for low, high in pairwise(values):
        assert high > factor * low, dict(zip(rising, values, strict=True))


@pytest.mark.parametrize(
    ("family", "depth_px"), [("thin-strokes", 4), ("medium-strokes", 10), ("thick-strokes", 20)]
)
def test_strokes_are_as_deep_as_brush_masks_in_use(
    signatures: dict[float, dict[str, dict[str, float]]], family: str, depth_px: float
) -> None:
    assert signatures[0.30][family]["depth"] == pytest.approx(depth_px, rel=0.15)


@pytest.mark.parametrize("kind", ["one width", "varying", "by field"])
def test_the_brush_presses_discs(kind: str) -> None:
    """Against discs worked out pixel by pixel, also from centres outside the area."""
    height, width, rng = 13, 21, rng_for(3, "brush", kind)
    canvas = blank_canvas((height, width), 10)
    y, x = draw_many(rng, 12, -6, height + 5), draw_many(rng, 12, -6, width + 5)
    widths = draw_many(rng, 12, 1, 9)
    field = draw_many(rng, 50 * 60, 1, 9).reshape(50, 60)
    if kind == "one width":
        widths[:] = 6
        pixels = pressed(canvas, y, x, 6)
    elif kind == "varying":
        pixels = pressed_varying(canvas, y, x, widths)
    else:
        pixels = pressed_by_field(canvas, (0, 0), (y, x), (-15, -15), field)
    expected = np.zeros((height, width), dtype=np.bool_)
    for row, column in np.ndindex(height, width):
        for cy, cx, one in zip(y.tolist(), x.tolist(), widths.tolist(), strict=True):
            wide = int(field[row + 15, column + 15]) if kind == "by field" else one
            even = 0.5 if kind != "by field" and wide % 2 == 0 else 0.0  # centred on a corner
            distance = np.hypot(row + even - cy, column + even - cx)
            expected[row, column] |= distance < wide / 2 - 0.2
    canvas.free[pixels] = False
    assert np.array_equal(~canvas.area(), expected)


@pytest.mark.parametrize("widest", [1, 3])
def test_cracks_are_as_wide_as_they_say(widest: int) -> None:
    """Opened by a square that is larger, little is left: places where branches meet."""
    square = np.ones((widest + 1, widest + 1), np.uint8)
    for index in range(10):
        hole = 1 - draw("cracks", (200, 320), 600, index, width_px=(1, widest))
        assert cv2.morphologyEx(hole, cv2.MORPH_OPEN, square).sum() < 0.15 * 600


def test_cracks_end_at_holes() -> None:
    """An arm runs through three at most, its branch through one more, and so does the branch's."""
    walls = 20 + 8 * np.arange(7)
    columns_reached = []
    for index in range(60):
        canvas = blank_canvas((60, 120), 2)
        canvas.area()[:, np.concatenate((walls, walls + 1))] = False
        start = canvas.position(30, 5)
        pixels = draw_crack(canvas, start, (1, 1), (60, 90), rng_for(3, "walls", index))
        fresh = pixels[canvas.free[pixels]]
        columns_reached.append(max(canvas.pixel(int(one))[1] for one in fresh))
    assert max(columns_reached) > walls[2]
    assert max(columns_reached) < walls[5]


def test_a_block_is_a_rectangle() -> None:
    options: dict[str, Any] = {"width_px": (7, 7), "length_px": (13, 13)}
    seen = set()
    for index in range(40):
        valid = draw("blocks", (60, 90), 7 * 13, index, **options)
        y, x = np.nonzero(valid == 0)
        if y.min() > 0 and x.min() > 0 and y.max() < 59 and x.max() < 89:
            seen.add((int(np.ptp(y)) + 1, int(np.ptp(x)) + 1))
    assert seen == {(7, 13), (13, 7)}


@pytest.mark.parametrize("width", [1, 2, 3, 8, 9])
def test_a_stroke_is_as_wide_as_it_says(width: int) -> None:
    options: dict[str, Any] = {"width_px": (width, width), "length_px": (30, 30)}
    for index in range(5):
        hole = 1 - draw("thin-strokes", (100, 140), 20 * width, index, **options)
        distance = cv2.distanceTransform(np.pad(hole, 1), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        assert width / 2 - 0.6 <= distance.max() <= width / 2 + 0.8


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        (("rust", (5, 5), 3), {}, "no family 'rust'; expected one of thin-strokes, medium"),
        (("blocks", (0, 5), 0), {}, "expected at least 1 x 1 px and nothing negative"),
        (("blocks", (4, 5), -1), {}, "-1 hole pixels"),
        (("blocks", (4, 5), 1), {"margin_px": -1}, "margin of -1 px cannot be drawn"),
        (("blocks", (4, 5), 21), {}, "at most 20 do .hole ratio 1.0000."),
        (("stains", (14, 25), 61), {"margin_px": 5}, "at most 60 do .hole ratio 0.1714."),
        (("stains", (4, 5), 1), {"margin_px": 2}, "at most 0 do"),
        (("cracks", (4, 5), 3), {"width_px": (0, 2)}, "width of cracks is 0:2 px; expected LOW"),
        (("cracks", (4, 5), 3), {"length_px": (3, 2)}, "length of cracks is 3:2 px"),
        (("cracks", (4, 5), 3), {"at_border": True, "margin_px": 1}, "no hole at its border"),
        (("cracks", (4, 5), 0), {"at_border": True}, "no hole at its border"),
    ],
)
def test_the_impossible_is_a_sentence(
    arguments: tuple[str, tuple[int, int], int], options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(MaskError, match=sentence):
        draw(*arguments, **options)


@families
def test_elements_beyond_the_mask_are_cut(family: str) -> None:
    valid = draw(family, (9, 14), 70, width_px=(10**6, 10**9), length_px=(10**6, 10**9))
    assert (valid == 0).sum() == 70


@pytest.mark.parametrize("family", ["thick-strokes", "flakes", "cracks"])
def test_wide_and_long_elements_take_no_more_memory_than_there_is(family: str) -> None:
    tracemalloc.start()
    draw(family, (150, 320), 9000, width_px=(1, 80), length_px=(300, 300))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300e6
