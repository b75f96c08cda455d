"""The trainer's figures show what they claim."""

from math import nan

import numpy as np
import pytest
from matplotlib.lines import Line2D

from drawings import draw_picture
from dunhuang_data.figures import GAP, LABEL, masked_image, png_of
from dunhuang_trainer.figures import (
    compared,
    loss_curve,
    sample_grid,
)


def test_the_curve_draws_validation_only_where_there_is_one() -> None:
    rows = [
        {"step": 1, "hole": 0.5, "val_hole_mse": nan},
        {"step": 2, "hole": 0.25, "val_hole_mse": 8.0},
        {"step": 3, "hole": nan},
    ]
    axes = loss_curve(rows).axes[0]
    assert [line.get_label() for line in axes.lines] == ["training", "validation"]
    assert points(axes.lines[0]) == ([1, 2], [255**2 / 2, 255**2 / 4])
    assert points(axes.lines[1]) == ([2], [8])
    assert axes.get_yscale() == "log"
    alone = loss_curve(rows[::2]).axes[0]
    assert [line.get_label() for line in alone.lines] == ["training"]


def points(line: Line2D) -> tuple[list[float], list[float]]:
    return np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()


def test_the_learning_rate_has_its_own_axis() -> None:
    rows = [{"step": step, "hole": 1 / step, "learning_rate": 1e-4 / step} for step in (1, 2, 4)]
    assert len(loss_curve(rows).axes) == 1
    left, right = loss_curve(rows, learning_rate=True).axes
    assert points(right.lines[0]) == ([1, 2, 4], [1e-4, 5e-5, 2.5e-5])
    legend = left.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["training", "learning rate"]


@pytest.mark.parametrize("rows", [[], [{"step": 1, "hole": 0.0}], [{"step": 1, "hole": nan}]])
def test_a_curve_of_nothing_can_be_drawn(rows: list[dict[str, float]]) -> None:
    assert png_of(loss_curve(rows, learning_rate=True))  # a warning would be an error here


def test_the_error_is_enlarged_four_times_and_clipped() -> None:
    target = np.full((10, 12, 3), 100, dtype=np.uint8)
    restored = target.copy()
    restored[2, 3] = [110, 20, 100]
    valid = np.ones((10, 12), dtype=np.uint8)
    valid[2, 3:5] = 0
    masked, shown, wanted, error = compared(target, valid, restored)
    assert np.array_equal(masked, masked_image(target, valid))
    assert shown is restored
    assert wanted is target
    assert error[2, 3].tolist() == [40, 255, 0]
    assert error.sum() == 295


def test_a_grid_shows_masked_composite_target_error_and_no_more_rows_than_asked() -> None:
    targets = [draw_picture(48, 64, name) for name in "abc"]
    composites = [draw_picture(48, 64, name) for name in "def"]
    valids = [np.ones((48, 64), dtype=np.uint8) for _ in targets]
    valids[1][5:20, 7:60] = 0
    grid = sample_grid(targets, valids, composites, max_rows=2)
    cell_h, cell_w = 3 * 48, 3 * 64  # enlarged to 192 px
    assert grid.shape == (2 * (cell_h + LABEL + GAP) + GAP, 4 * (cell_w + GAP) + GAP, 3)
    top = cell_h + LABEL + GAP + GAP + LABEL  # the second row
    cells = [
        grid[top : top + cell_h : 3, GAP + n * (cell_w + GAP) :][:, :cell_w:3] for n in range(4)
    ]
    error = np.abs(composites[1].astype(int) - targets[1])
    expected = [masked_image(targets[1], valids[1]), composites[1], targets[1]]
    for cell, picture in zip(cells, [*expected, np.minimum(4 * error, 255)], strict=True):
        assert np.array_equal(cell, picture)


def test_a_large_sample_is_shown_as_it_is() -> None:
    target, valid = draw_picture(40, 200, "a"), np.ones((40, 200), dtype=np.uint8)
    grid = sample_grid([target], [valid], [target])
    assert grid.shape == (40 + LABEL + 2 * GAP, 4 * (200 + GAP) + GAP, 3)
