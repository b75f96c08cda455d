"""Plots of measured masks: read from their axes, and equal byte for byte on every run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dunhuang_data.figures import png_of, save_figure
from dunhuang_data.mask_figures import (
    MOST_ROWS,
    comparison_figure,
    scales_of,
    set_figure,
    stats_figure,
)
from dunhuang_data.mask_stats import MaskSet, MaskStats, RowLabel, compare, measure_masks
from dunhuang_data.mask_stats.comparison import COMPARED
from dunhuang_data.pictures import read_picture

MASKS = [np.eye(9, 12, k, dtype=np.uint8) for k in range(5)]
WITHOUT = [np.ones((9, 12), np.uint8), np.zeros((9, 12), np.uint8)]


def axes_of(stats: MaskStats) -> Any:
    return stats_figure({"train": stats}).axes


def test_every_axis_has_its_unit_and_every_panel_its_count() -> None:
    axes = axes_of(measure_masks(MASKS))
    assert [(axis.get_xlabel(), axis.get_ylabel()) for axis in axes[:4]] == [
        ("hole ratio (share of the pixels)", "masks"),
        ("hole ratio (share of the pixels)", "depth (px)"),
        ("area of a connected hole (px)", "connected holes"),
        ("x (px)", "y (px)"),
    ]
    assert axes[0].get_title() == "train: 5 masks"
    assert sum(bar.get_height() for bar in axes[0].patches) == 5
    assert axes[2].get_title().startswith("5 connected holes, median ")
    assert sum(bar.get_height() for bar in axes[2].patches) == 5
    assert axes[4].get_ylabel() == "share of the masks"  # of the colour bar


def test_points_and_map_are_those_that_were_measured() -> None:
    stats = measure_masks(MASKS)
    axes = axes_of(stats)
    points = axes[1].collections[0].get_offsets()
    assert np.allclose(points, np.stack([stats.hole_ratio, stats.depth_px], axis=1))
    assert stats.hole_frequency is not None
    assert np.array_equal(axes[3].images[0].get_array(), stats.hole_frequency)
    assert axes[1].get_ylim()[1] > stats.depth_px.max()


def test_what_cannot_be_drawn_is_said() -> None:
    axes = axes_of(measure_masks(WITHOUT))
    assert "1 all hole, left out" in axes[1].get_title()
    alone = measure_masks(WITHOUT[:1])
    without = MaskStats(alone.table, alone.areas_px, alone.area_counts, None, None)
    axes = axes_of(without)
    assert axes[0].get_title() == "train: 1 mask"
    assert axes[2].get_title() == "0 connected holes"
    assert "no heat map" in axes[3].texts[0].get_text()


def test_very_many_sets_are_cut_and_it_is_said() -> None:
    figure = stats_figure({str(n): measure_masks(MASKS[:1]) for n in range(MOST_ROWS + 3)})
    assert figure.get_suptitle() == "the first 12 of 15 sets"
    assert sum("masks" in axis.get_ylabel() and not axis.images for axis in figure.axes) >= 12


def test_sets_share_their_scales() -> None:
    thin, thick = measure_masks(MASKS[:2]), measure_masks([1 - MASKS[0]])
    axes = stats_figure({"thin": thin, "thick": thick}).axes
    depths = [axis for axis in axes if axis.get_ylabel() == "depth (px)"]
    assert depths[0].get_ylim() == depths[1].get_ylim()
    assert depths[0].get_xlim() == depths[1].get_xlim()


def test_a_single_mask_does_not_dim_the_heat_map_of_many() -> None:
    many, one = measure_masks(MASKS * 10), measure_masks(MASKS[:1])
    images = [axis.images[0] for axis in stats_figure({"many": many, "one": one}).axes
              if axis.images and axis.get_xlabel() == "x (px)"]  # fmt: skip
    assert many.hole_frequency is not None
    assert images[0].get_clim()[1] == pytest.approx(many.hole_frequency.max())
    assert images[1].get_clim()[1] == 1.0


def test_a_comparison_draws_the_gap_that_it_names() -> None:
    one, other = (
        MaskSet(name, measure_masks(masks), tuple(map(RowLabel, range(len(masks)))))
        for name, masks in (("a", MASKS), ("b", [1 - MASKS[0], MASKS[0]]))
    )
    comparison = compare(one, other)
    figure = comparison_figure(comparison, one, other)
    axis: Any = figure.axes[0]
    first, second = axis.lines
    assert first.get_linestyle() != second.get_linestyle()  # not by colour alone
    assert first.get_ydata()[-1] == second.get_ydata()[-1] == 1
    assert axis.get_title() == f"distance {comparison.distances[0].distance:.2f}: too few to tell"
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["a: 5 masks", "b: 2 masks"]


def test_shares_are_of_the_masks_that_have_a_value() -> None:
    """Without holes there is no perimeter per hole pixel (NaN); all hole is infinitely deep."""
    one, other = (
        MaskSet(name, measure_masks(masks), tuple(map(RowLabel, range(len(masks)))))
        for name, masks in (("a", [*MASKS[:2], *WITHOUT]), ("b", MASKS[:3]))
    )
    figure = comparison_figure(compare(one, other), one, other)
    last = {name: axis.lines[0].get_ydata()[-1]  # type: ignore[index]
            for name, axis in zip(COMPARED, figure.axes, strict=True)}  # fmt: skip
    assert last["perimeter_per_px"] == 1  # of 3, one of which is NaN no more
    assert last["depth_px"] == 3 / 4  # the infinite one is never reached
    assert last["hole_ratio"] == 1


@pytest.mark.filterwarnings("error")
def test_names_are_text_and_no_formulas(capfd: pytest.CaptureFixture[str]) -> None:
    stats = measure_masks(MASKS)
    for name in ("a$\\frac{$b", "_under", "\u58c1\u753b\x1b[31m"):
        one = MaskSet(name, stats, tuple(map(RowLabel, range(5))))
        comparison = compare(one, one)
        figure = comparison_figure(comparison, one, one)
        assert len(png_of(figure)) > 1000
        assert len(figure.legends[0].get_texts()) == 2
        assert len(png_of(stats_figure({name: stats}))) > 1000
    figure = stats_figure({"a$\\frac{$b": stats, "_under": stats})
    assert figure.axes[0].get_title() == "a$\\frac{$b: 5 masks"
    assert capfd.readouterr().err == ""


def test_a_character_without_a_font_is_written_as_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dunhuang_data.mask_figures.FONTS", ("No Such Font", "DejaVu Sans"))
    figure = stats_figure({"wall \u58c1\u753b": measure_masks(MASKS)})
    assert figure.axes[0].get_title() == "wall \\u58c1\\u753b: 5 masks"
    assert len(png_of(figure)) > 1000


def test_a_figure_is_the_same_bytes_again(tmp_path: Path) -> None:
    stats = measure_masks(MASKS)
    for name in ("a.png", "b.png"):
        save_figure(stats_figure({"train": stats}), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert read_picture(tmp_path / "a.png").shape == (390, 1700, 3)
    pages = [png_of(set_figure("train", stats, scales_of([stats]))) for _ in range(2)]
    assert pages[0] == pages[1]
