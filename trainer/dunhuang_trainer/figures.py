"""Pictures to look at after training: the loss curve, and restored beside masked."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dunhuang_data.figures import masked_image, montage
from dunhuang_data.types import UInt8Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def loss_curve(log: Sequence[dict[str, float]]) -> "Figure":
    """Plot a run's log: error in the holes, training and validation, on 0 … 255."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    steps = [row["step"] for row in log]
    axes.plot(steps, [row["hole_mse"] for row in log], "o-", label="training")
    validation = [row["val_hole_mse"] for row in log]
    if np.isfinite(validation).any():
        axes.plot(steps, validation, "s-", label="validation")
    axes.set(xlabel="step", ylabel="mean squared error in the holes (0…255)", yscale="log")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    return figure


def restoration_sheet(
    picture: UInt8Array, valid: UInt8Array, restored: UInt8Array, target: bool = False
) -> UInt8Array:
    """Show masked and restored picture side by side, and the target third if ``picture`` is it."""
    cells, labels = [masked_image(picture, valid), restored], ["masked", "restored"]
    if target:
        cells, labels = [*cells, picture], [*labels, "target"]
    return montage([cells], [labels])


def evaluation_sheet(
    targets: Sequence[UInt8Array],
    valids: Sequence[UInt8Array],
    restored: Sequence[UInt8Array],
    titles: Sequence[str],
) -> UInt8Array:
    """Show samples, one a row: masked, restored, target, and the error four times enlarged."""
    rows, labels = [], []
    for target, valid, result, title in zip(targets, valids, restored, titles, strict=True):
        error = np.abs(result.astype(np.int16) - target.astype(np.int16))
        enlarged = np.clip(4 * error, 0, 255).astype(np.uint8)
        rows.append([masked_image(target, valid), result, target, enlarged])
        labels.append([title, "restored", "target", "error x 4"])
    return montage(rows, labels)
