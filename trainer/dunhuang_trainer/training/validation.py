"""Score a network in training on a split, quickly: the number on which the best weights are chosen.

`dunhuang_trainer.evaluate` scores in full, in 8 bits and beside other fills.
"""

from math import isfinite

import numpy as np
import torch

from dunhuang_data.types import UInt8Array
from dunhuang_trainer.composite import composite
from dunhuang_trainer.data import Batch, DatasetReader, Loader, finished
from dunhuang_trainer.model import PartialConvUNet
from dunhuang_trainer.training.distributed import Ranks


@torch.no_grad()
def hole_mse(
    model: PartialConvUNet,
    reader: DatasetReader,
    batch_size: int,
    device: torch.device,
    workers: int | None = None,
    ranks: Ranks = Ranks(),  # noqa: B008 (frozen)
) -> float:
    """Return the mean squared error in the holes of a split, on 0 … 255.

    NaN if the split has none; infinite if the network predicts what is no number.

    The prediction is clipped to [0, 1]; damaged pixels do not count. Every undamaged pixel of a
    hole weighs the same, whichever sample it is in. Several processes share the samples, and each
    gets the score of all.
    """
    model.eval()
    sums = torch.zeros(2, dtype=torch.float64, device=device)  # squared error, values
    with Loader(
        reader,
        batch_size,
        shuffle=False,
        tail="keep",
        workers=workers,
        device=device,
        rank=ranks.rank,
        world_size=ranks.world_size,
    ) as loader:
        for batch in map(finished, loader):
            predicted = model(batch.target * batch.valid, batch.valid).float().clamp(0, 1)
            counted = (1 - batch.valid) * (1 - batch.damage)
            # where, not a product: what lies under damage may be anything
            error = torch.where(counted > 0, predicted - batch.target, 0.0).square()
            sums[0] += error.sum(dtype=torch.float64)
            sums[1] += 3 * counted.sum(dtype=torch.float64)
    squared, values = ranks.sum(sums).tolist()
    if not values:
        return float("nan")
    return 255**2 * squared / values if isfinite(squared) else float("inf")


@torch.no_grad()
def restored(
    model: PartialConvUNet, batch: Batch
) -> tuple[list[UInt8Array], list[UInt8Array], list[UInt8Array]]:
    """Return some samples as pictures: targets (S, S, 3), valids (S, S) and composites, uint8."""
    model.eval()
    predicted = model(batch.target * batch.valid, batch.valid).float()
    filled = composite(predicted, batch.target, batch.valid)

    def pictures(values: torch.Tensor) -> list[UInt8Array]:
        scaled = (255 * values.clamp(0, 1)).round().byte().permute(0, 2, 3, 1)
        return list(np.ascontiguousarray(scaled.cpu().numpy()))

    valids = list(batch.valid[:, 0].byte().cpu().numpy())
    return pictures(batch.target), valids, pictures(filled)
