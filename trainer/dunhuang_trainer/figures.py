"""Pictures to look at after training: the loss curve, and restored beside masked."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dunhuang_data.figures import masked_image, montage
from dunhuang_data.polarity import hole_ratio
from dunhuang_data.types import UInt8Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WHITE_LEVEL = 255  # errors are shown on 0 … 255
FEW = 60  # points of a curve that are marked one by one
ENLARGED = 4  # times, of errors
ERROR = f"error x {ENLARGED}"
LEAST_CELL = 192  # px: the least width of a sample in a grid


def loss_curve(log: Sequence[Mapping[str, float]], learning_rate: bool = False) -> "Figure":
    """Plot a run's log: the error in the holes, training and validation, on 0 … 255.

    Parameters
    ----------
    log : sequence of mappings
        Rows of `dunhuang_trainer.training.log.read_log`: ``step``; ``hole``, of the training
        batches, in [0, 1]²; ``val_hole_mse``, on 0 … 255, in the rows that have one.
    learning_rate : bool
        Whether to plot it too, on an axis of its own.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogFormatter

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    curves = [
        ("training", "hole", WHITE_LEVEL**2, "o", "tab:blue"),
        ("validation", "val_hole_mse", 1, "s", "tab:orange"),
    ]
    for label, column, scale, marker, color in curves:
        steps, values = _points(log, column)
        shown = values > 0  # a logarithm has no place for an error of zero
        steps, values = steps[shown], values[shown]
        few = marker if len(steps) <= FEW else ""
        if len(steps):
            axes.plot(steps, scale * values, f"{few}-", markersize=4, label=label, color=color)
    axes.set(xlabel="step", ylabel="mean squared error in the holes (0…255)", yscale="log")
    axes.yaxis.set_major_formatter(LogFormatter())  # 300, not 3 x 10²
    axes.yaxis.set_minor_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(2, 0.5)))
    axes.grid(alpha=0.3, which="both")
    lines = list(axes.lines)
    if learning_rate and len(_points(log, "learning_rate")[0]):
        second = axes.twinx()
        rates = _points(log, "learning_rate")
        lines += second.plot(*rates, ":", color="tab:gray", label="learning rate")
        second.set(ylabel="learning rate", ylim=(0, None))
        second.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    if lines:
        axes.legend(handles=lines)
    return figure


def _points(log: Sequence[Mapping[str, float]], column: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the steps at which a column has a number, and the numbers."""
    found = [(row["step"], row.get(column, np.nan)) for row in log]
    points = np.array([point for point in found if np.isfinite(point[1])], dtype=float)
    steps, values = points.reshape(-1, 2).T
    return steps, values


def sample_grid(
    targets: Sequence[UInt8Array],
    valids: Sequence[UInt8Array],
    composites: Sequence[UInt8Array],
    max_rows: int = 8,
) -> UInt8Array:
    """Show what a network in training does with some samples, one a row.

    Parameters
    ----------
    targets, composites : sequences of (H, W, 3) uint8
        At least one.
    valids : sequence of (H, W) uint8
        1 = known, 0 = hole.
    max_rows : int
        The samples after so many are left out.

    Returns
    -------
    (h, w, 3) uint8
        Masked, composite, target, and the error four times enlarged. Small pictures are shown
        larger, by a whole number, so that the words above them have room.
    """
    times = -(-LEAST_CELL // targets[0].shape[1])
    rows, labels = [], []
    for views in list(zip(targets, valids, composites, strict=True))[:max_rows]:
        cells = compared(*views)
        rows.append([one.repeat(times, axis=0).repeat(times, axis=1) for one in cells])
        labels.append([f"masked, {hole_ratio(views[1]):.1%} holes", "composite", "target", ERROR])
    return montage(rows, labels)


def compared(target: UInt8Array, valid: UInt8Array, restored: UInt8Array) -> list[UInt8Array]:
    """Return what a restoration is judged by, (H, W, 3) each: masked, restored, target, error."""
    error = np.abs(restored.astype(np.int16) - target.astype(np.int16))
    enlarged = np.clip(ENLARGED * error, 0, WHITE_LEVEL).astype(np.uint8)
    return [masked_image(target, valid), restored, target, enlarged]
