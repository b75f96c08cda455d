"""Mirror images and quarter turns of whole batches: exact, drawn by position, applied on a device.

The convention is that of the plan (`dunhuang_data.types.Augmentation`): first the turn,
counter-clockwise, then the mirror image, left to right.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dunhuang_data.rng import raw_words, rng_for

BLOCK = 4096  # positions that are drawn with one generator


@dataclass(frozen=True, slots=True)
class Turns:
    """How the samples of a batch are turned.

    Attributes
    ----------
    quarters : (B,) int64
        Quarter turns, 0 to 3, counter-clockwise.
    flip : (B,) bool
        Mirrored left to right, after the turn.
    """

    quarters: NDArray[np.int64]
    flip: NDArray[np.bool_]

    def apply(self, pixels: Tensor) -> Tensor:
        """Turn a batch, (B, S, S, …) → the same shape. The argument is left as it is."""
        turned = pixels.clone()
        for quarter in range(4):
            for flip in (False, True):
                alike = (self.quarters == quarter) & (self.flip == flip)
                if (quarter or flip) and alike.any():
                    places = torch.from_numpy(np.flatnonzero(alike)).to(pixels.device)
                    one = torch.rot90(pixels[places], quarter, (1, 2))
                    turned[places] = one.flip(2) if flip else one
        return turned


def draw_turns(
    seed: int, epoch: int, positions: NDArray[np.int64], flip: float, quarter_turns: bool
) -> Turns | None:
    """Draw how the samples at some positions of an epoch are turned.

    Parameters
    ----------
    seed, epoch : int
    positions : (B,) int64
    flip : float
        The probability of a mirror image.
    quarter_turns : bool
        Whether to turn by 0, 90, 180 or 270 degrees, each as likely.

    Returns
    -------
    Turns or None
        None if nothing can turn: then nothing is drawn.
    """
    if not flip and not quarter_turns:
        return None
    words = np.empty(len(positions), dtype=np.uint64)
    blocks = positions // BLOCK
    for block in np.unique(blocks):
        drawn = raw_words(rng_for(seed, "turns", epoch, int(block)), BLOCK)
        here = blocks == block
        words[here] = drawn[positions[here] % BLOCK]
    # one word each: its low two bits turn, its high 53 mirror
    quarters = (words & np.uint64(3)).astype(np.int64) * quarter_turns
    return Turns(quarters, (words >> np.uint64(11)) * 2.0**-53 < flip)
