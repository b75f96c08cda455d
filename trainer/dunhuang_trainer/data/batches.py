"""Batches: as they are stored, and as the network takes them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dunhuang_data.types import Samples
from dunhuang_trainer.data.order import Picks
from dunhuang_trainer.data.turns import Turns


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples as tensors.

    Attributes
    ----------
    target : (B, 3, S, S) float32
        In [0, 1].
    valid, damage : (B, 1, S, S) float32
        Of {0, 1}; see `dunhuang_data.types.Samples`.
    """

    target: Tensor
    valid: Tensor
    damage: Tensor


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """Samples as they lie in the dataset: what a loader hands over, on the device it was made for.

    Attributes
    ----------
    image : (B, S, S, 3) uint8
    valid : (B, S, ceil(S / 8)) uint8
        Eight pixels to a byte, the first highest; 1 = known.
    damage : (B, S, ceil(S / 8)) uint8
    picks : Picks
        Which samples and masks they are.
    turns : Turns or None
        How they are still to be turned.
    """

    image: Tensor
    valid: Tensor
    damage: Tensor
    picks: Picks
    turns: Turns | None

    def __len__(self) -> int:
        return len(self.picks.rows)


def unpack_bits(packed: Tensor, width: int) -> Tensor:
    """Unpack masks where they are: (…, ceil(W / 8)) uint8 → (…, W) uint8 of {0, 1}."""
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=packed.device)
    bits = packed.unsqueeze(-1).bitwise_right_shift(shifts).bitwise_and_(1)
    return bits.flatten(-2)[..., :width]


def finished(stored: StoredBatch) -> Batch:
    """Make a batch of a loader what the network takes, on the device where it lies.

    Unpacks the masks, turns what is to be turned, and makes uint8 float: (B, S, S, 3) in 0 … 255 →
    (B, 3, S, S) in [0, 1]. The picture keeps its layout, which torch calls ``channels_last``. The
    result shares no memory with the argument.
    """
    width = stored.image.shape[2]
    image, valid = stored.image, unpack_bits(stored.valid, width)
    damage = unpack_bits(stored.damage, width)
    if stored.turns is not None:
        image, valid, damage = (stored.turns.apply(one) for one in (image, valid, damage))
    return _batch(image, valid, damage)


def to_batch(samples: Samples, device: torch.device) -> Batch:
    """Move samples to a device and make them float: (B, S, S, 3) uint8 → (B, 3, S, S) float32."""

    def moved(values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).to(device)

    return _batch(moved(samples.image), moved(samples.valid), moved(samples.damage))


def _batch(image: Tensor, valid: Tensor, damage: Tensor) -> Batch:
    return Batch(
        target=image.permute(0, 3, 1, 2).float() / 255,
        valid=valid.unsqueeze(1).float(),
        damage=damage.unsqueeze(1).float(),
    )
