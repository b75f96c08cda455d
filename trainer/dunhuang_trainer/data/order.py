"""Which sample comes when: a pure function of (seed, epoch), whoever reads and however many.

An epoch is a random order of the split's rows. The sample at *position* p of epoch e is row
``rows(e)[p]``. Ranks take positions by stride: rank r of W has positions r, r + W, r + 2 W …, so
that the positions of one step of all ranks together are the same whatever W is.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.errors import UsageProblem
from dunhuang_data.rng import permutation, rng_for
from dunhuang_trainer.config import check_masks

Rows = NDArray[np.int64]
Span = tuple[int, int, int]  # an epoch, its first position of a batch, and the one after its last


@dataclass(frozen=True, slots=True)
class Picks:
    """What one batch is made of.

    Attributes
    ----------
    epoch : int
    positions : (B,) int64
        In the epoch, over all ranks.
    rows : (B,) int64
        Of the split: whose image and damage it is.
    mask_rows : (B,) int64
        Of the split: whose ``valid`` is laid on it. The same as ``rows`` if masks are fixed.
    """

    epoch: int
    positions: Rows
    rows: Rows
    mask_rows: Rows


class Order:
    """The order of a split's samples, epoch by epoch.

    Parameters
    ----------
    count : int
        Samples in the split.
    seed : int
    shuffle : bool
        False: every epoch is in the dataset's own order.
    masks : {"fixed", "per-epoch"}
        Whether a sample keeps its own mask, or gets in every epoch one that is drawn anew: sample
        i that of row π(i, epoch), where π is a random order of the split. The masks of an epoch
        are thus exactly the split's, each used once.
    rank, world_size : int
        Which of how many that share the epoch this one is.

    Raises
    ------
    UsageProblem
        If the rank is not below the world size, or ``masks`` is neither.
    """

    def __init__(
        self,
        count: int,
        seed: int = 0,
        *,
        shuffle: bool = True,
        masks: str = "fixed",
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if not 0 <= rank < world_size:
            raise UsageProblem(
                f"The rank is {rank} of {world_size}; expected 0 to {world_size - 1}."
            )
        check_masks(masks)
        self.count, self.seed, self.shuffle, self.masks = count, seed, shuffle, masks
        self.rank, self.world_size = rank, world_size
        self._drawn: dict[tuple[str, int], Rows] = {}

    def __len__(self) -> int:
        """Return how many positions of an epoch are this rank's."""
        return len(range(self.rank, self.count, self.world_size))

    def rows(self, epoch: int) -> Rows:
        """Return the rows of an epoch by position, (count,) int64; not to be written to."""
        return self._permutation("order", epoch) if self.shuffle else self._stored()

    def mask_rows(self, epoch: int) -> Rows:
        """Return by *row* whose ``valid`` it gets in an epoch, (count,) int64."""
        return self._permutation("masks", epoch) if self.masks == "per-epoch" else self._stored()

    def pick(self, epoch: int, start: int, stop: int) -> Picks:
        """Return what this rank reads of the positions ``start`` … ``stop − 1`` of an epoch."""
        return self.at(epoch, np.arange(start + self.rank, min(stop, self.count), self.world_size))

    def at(self, epoch: int, positions: Rows) -> Picks:
        """Return what is at some positions of an epoch."""
        rows = self.rows(epoch)[positions] if self.shuffle else positions
        masks = self.mask_rows(epoch)[rows] if self.masks == "per-epoch" else rows
        return Picks(epoch, positions, rows, masks)

    def _stored(self) -> Rows:
        return np.arange(self.count)

    def _permutation(self, stage: str, epoch: int) -> Rows:
        """Return a drawn order; the last ones are kept, for they take 0.2 s for 10 million."""
        key = (stage, epoch)
        if key not in self._drawn:
            for old in [one for one in self._drawn if one[0] == stage]:
                del self._drawn[old]
            self._drawn[key] = permutation(rng_for(self.seed, stage, epoch), self.count)
        return self._drawn[key]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_drawn": {}}


def steps_per_epoch(count: int, batch_size: int, world_size: int = 1) -> int:
    """Return the whole batches of an epoch, the same for every rank."""
    return count // (batch_size * world_size)
