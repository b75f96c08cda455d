"""The trainer's figures show what they claim."""

import numpy as np

from drawings import draw_picture
from dunhuang_data.figures import GAP, LABEL, masked_image
from dunhuang_trainer.figures import evaluation_sheet, loss_curve, restoration_sheet


def test_the_curve_draws_validation_only_if_there_is_one() -> None:
    rows = [
        {"step": 1, "hole_mse": 9.0, "val_hole_mse": 8.0},
        {"step": 2, "hole_mse": 4.0, "val_hole_mse": 5.0},
    ]
    axes = loss_curve(rows).axes[0]
    assert [line.get_label() for line in axes.lines] == ["training", "validation"]
    assert np.asarray(axes.lines[1].get_ydata()).tolist() == [8.0, 5.0]
    alone = loss_curve([{**row, "val_hole_mse": float("nan")} for row in rows]).axes[0]
    assert [line.get_label() for line in alone.lines] == ["training"]


def test_masked_stands_beside_restored() -> None:
    picture, restored = draw_picture(20, 33, "a"), draw_picture(20, 33, "b")
    valid = np.ones((20, 33), dtype=np.uint8)
    valid[4:9, 5:20] = 0
    sheet = restoration_sheet(picture, valid, restored)
    top = sheet[GAP + LABEL : GAP + LABEL + 20]
    assert np.array_equal(top[:, GAP : GAP + 33], masked_image(picture, valid))
    assert np.array_equal(top[:, 2 * GAP + 33 : 2 * GAP + 66], restored)


def test_the_error_is_enlarged_four_times_and_clipped() -> None:
    target = np.full((10, 12, 3), 100, dtype=np.uint8)
    restored = target.copy()
    restored[2, 3] = [110, 20, 100]
    sheet = evaluation_sheet([target], [np.ones((10, 12), np.uint8)], [restored], ["row 0"])
    error = sheet[GAP + LABEL : GAP + LABEL + 10, GAP + 3 * (12 + GAP) :][:, :12]
    assert error[2, 3].tolist() == [40, 255, 0]
    assert error.sum() == 295
