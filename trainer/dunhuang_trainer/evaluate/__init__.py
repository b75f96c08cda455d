"""Score a checkpoint on a split, beside the fills that need no training."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dunhuang_data.atomic import Progress, no_progress, write_text
from dunhuang_data.documents import csv_text
from dunhuang_data.errors import DatasetError
from dunhuang_data.polarity import hole_ratio
from dunhuang_data.types import Samples, UInt8Array
from dunhuang_trainer.baselines import BASELINES
from dunhuang_trainer.composite import composite_uint8
from dunhuang_trainer.data import DatasetReader, ordered_batches, to_batch
from dunhuang_trainer.figures import evaluation_sheet
from dunhuang_trainer.metrics import damage_free_windows, psnr_from_mse, squared_error, ssim_map
from dunhuang_trainer.model import PartialConvUNet

NETWORK = "network"
SCORES = ("mse_hole", "mse_whole", "ssim_uniform7_hole", "ssim_uniform7_whole")


@dataclass(frozen=True, slots=True)
class SampleScore:
    """The scores of one method on one sample; errors on 0 … 255.

    Attributes
    ----------
    method : str
        ``"network"`` or the name of a baseline.
    row : int
        Of the split.
    hole_ratio : float
    mse_hole, mse_whole : float
        Over the undamaged pixels of holes, and over all undamaged ones. NaN if there is none.
    ssim_uniform7_hole, ssim_uniform7_whole : float
        Mean over the windows centred there that hold no damaged pixel.
    """

    method: str
    row: int
    hole_ratio: float
    mse_hole: float
    mse_whole: float
    ssim_uniform7_hole: float
    ssim_uniform7_whole: float


def predict(model: PartialConvUNet, samples: Samples, device: torch.device) -> UInt8Array:
    """Return the composites of some samples, (B, S, S, 3) uint8, known pixels untouched."""
    batch = to_batch(samples, device)
    with torch.no_grad():
        outputs = model.predict(batch.target * batch.valid, batch.valid)
    predicted, reached = (output.permute(0, 2, 3, 1).cpu().numpy() for output in outputs)
    composites = map(composite_uint8, predicted, samples.image, samples.valid, reached[..., 0] > 0)
    return np.stack(list(composites))


def score(
    method: str,
    row: int,
    restored: UInt8Array,
    target: UInt8Array,
    valid: UInt8Array,
    damage: UInt8Array,
) -> SampleScore:
    """Score one restored picture, (H, W, 3) uint8, against its target."""
    errors, similarity = squared_error(restored, target), ssim_map(restored, target)
    counted, hole = damage == 0, valid == 0
    windows = damage_free_windows(damage) & np.isfinite(similarity)

    def mean(values: np.ndarray, where: np.ndarray) -> float:
        return float(values[where].mean()) if where.any() else float("nan")

    return SampleScore(
        method=method,
        row=row,
        hole_ratio=hole_ratio(valid),
        mse_hole=mean(errors, counted & hole),
        mse_whole=mean(errors, counted),
        ssim_uniform7_hole=mean(similarity, windows & hole),
        ssim_uniform7_whole=mean(similarity, windows),
    )


def evaluate_split(
    model: PartialConvUNet,
    reader: DatasetReader,
    device: torch.device,
    batch_size: int = 8,
    progress: Progress = no_progress,
    look: Callable[[Samples, UInt8Array], None] | None = None,
) -> list[SampleScore]:
    """Score the network and every baseline on every sample of a split.

    Parameters
    ----------
    model : PartialConvUNet
        In evaluation mode, on ``device``.
    reader : DatasetReader
    device : torch.device
    batch_size : int
        Of memory only; it changes no score.
    progress : callable
        Called with the samples done.
    look : callable, optional
        Called with the samples of each batch and their composites.

    Raises
    ------
    DatasetError
        If the split is empty.
    """
    if len(reader) == 0:
        raise DatasetError(
            f"{reader.root} has no sample in {reader.split}. Choose another --split, or build the "
            "dataset with a share for it."
        )
    scores: list[SampleScore] = []
    for samples in ordered_batches(reader, batch_size):
        restored = predict(model, samples, device)
        for place in range(len(samples.image)):
            target, valid = samples.image[place], samples.valid[place]
            methods = {NETWORK: restored[place]} | {
                name: fill(target, valid) for name, fill in BASELINES.items()
            }
            row = len(scores) // len(methods)
            scores += [
                score(name, row, picture, target, valid, samples.damage[place])
                for name, picture in methods.items()
            ]
        if look is not None:
            look(samples, restored)
        progress(len(samples.image))
    return scores


class Sheet:
    """Collects every n-th sample of an evaluation, to be drawn at its end.

    Parameters
    ----------
    rows : int
        Samples at most.
    every : int
        Take one sample of so many.
    """

    def __init__(self, rows: int, every: int) -> None:
        self.rows, self.every, self._seen = rows, every, 0
        self._taken: list[tuple[UInt8Array, UInt8Array, UInt8Array, str]] = []

    def look(self, samples: Samples, restored: UInt8Array) -> None:
        """Take what is due from a batch; for `evaluate_split`."""
        for target, valid, result in zip(samples.image, samples.valid, restored, strict=True):
            if self._seen % self.every == 0 and len(self._taken) < self.rows:
                title = f"row {self._seen}, hole ratio {hole_ratio(valid):.3f}"
                self._taken.append((target, valid, result, title))
            self._seen += 1

    def draw(self) -> UInt8Array:
        """Return the sheet, (H, W, 3) uint8."""
        targets, valids, restored, titles = zip(*self._taken, strict=True)
        return evaluation_sheet(targets, valids, restored, titles)


def summary(scores: Iterable[SampleScore]) -> dict[str, dict[str, float]]:
    """Return, per method, the mean of every score over the samples that have it, and PSNR.

    PSNR is that of the mean squared error, not the mean of each sample's PSNR, which a single
    perfect sample would make infinite.
    """
    table: dict[str, list[SampleScore]] = {}
    for one in scores:
        table.setdefault(one.method, []).append(one)
    result = {}
    for method, rows in table.items():
        means = {name: _finite_mean([getattr(row, name) for row in rows]) for name in SCORES}
        means["psnr_hole_db"] = psnr_from_mse(means["mse_hole"])
        means["psnr_whole_db"] = psnr_from_mse(means["mse_whole"])
        result[method] = {**means, "samples": len(rows)}
    return result


def _finite_mean(values: list[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")


def write_scores(scores: Iterable[SampleScore], path: Path) -> None:
    """Write one CSV row per method and sample."""
    columns = ("method", "row", "hole_ratio", *SCORES)
    rows = [[getattr(one, column) for column in columns] for one in scores]
    write_text(path, csv_text(columns, rows))
