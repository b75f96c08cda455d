"""Ask the network for one tile, once or several times, turned and shifted."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dunhuang_data.types import UInt8Array
from dunhuang_trainer.model import PartialConvUNet

TURNS = 8  # four quarter turns, each as it is and mirrored
MOST_SAMPLES = 32  # the turns, at four places of the network's grid


@dataclass(frozen=True, slots=True)
class Answer:
    """What the network says of a tile.

    Attributes
    ----------
    predicted : (h, w, 3) float32
        sRGB; about [0, 1], not clipped.
    reached : (h, w, 1) float32
        0 where the prediction means nothing, else 1.
    deviation : (h, w) float32 or None
        Standard deviation over the samples, in levels of 0 … 255; None of a single one.
    """

    predicted: NDArray[np.float32]
    reached: NDArray[np.float32]
    deviation: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class TilePredictor:
    """The network, and how often it is asked.

    Attributes
    ----------
    model : PartialConvUNet
        In evaluation mode, on ``device``.
    device : torch.device
    samples : int
        1 to `MOST_SAMPLES`. The answer is the first sample's, whatever their number.
    """

    model: PartialConvUNet
    device: torch.device
    samples: int = 1

    def __call__(self, srgb: NDArray[np.float32], known: UInt8Array) -> Answer:
        """Predict a tile, (h, w, 3) float32, of which ``known``, (h, w), is seen."""
        predicted, reached = self._predict(srgb, known, (0, 0))
        if self.samples < 2:
            return Answer(predicted, reached, None)
        # sums of differences from the first sample: those of the values themselves cancel
        total, squares = np.zeros_like(predicted), np.zeros_like(predicted)
        first = np.clip(predicted, 0, 1)
        for number in range(1, self.samples):
            turn, shift = number % TURNS, self._shift(number // TURNS)
            turned = self._predict(_turned(srgb, turn), _turned(known, turn), shift)[0]
            difference = np.clip(_turned_back(turned, turn), 0, 1) - first
            total += difference
            squares += difference**2
        variance = squares / self.samples - (total / self.samples) ** 2
        deviation = 255 * np.sqrt(np.maximum(variance, 0).mean(axis=-1))
        return Answer(predicted, reached, deviation.astype(np.float32))

    def _shift(self, number: int) -> tuple[int, int]:
        """Return how far a tile is moved over the network's grid: half its step, down or across."""
        half = self.model.config.multiple // 2
        return half * (number & 1), half * (number >> 1 & 1)

    def _predict(
        self, srgb: NDArray[np.float32], known: UInt8Array, shift: tuple[int, int]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Predict a tile behind so many rows and columns of holes, padded with holes."""
        (height, width), multiple = known.shape, self.model.config.multiple
        down, across = shift
        padding = (
            (down, -(height + down) % multiple),
            (across, -(width + across) % multiple),
        )
        image = torch.from_numpy(np.pad(srgb, (*padding, (0, 0)))).to(self.device)
        valid = torch.from_numpy(np.pad(known, padding)).to(self.device)
        with torch.no_grad():
            outputs = self.model.predict(image.permute(2, 0, 1)[None], valid[None, None].float())
        predicted, reached = (
            output[0, :, down : down + height, across : across + width]
            .permute(1, 2, 0)
            .float()
            .cpu()
            .numpy()
            for output in outputs
        )
        return predicted, reached


def _turned(plane: NDArray[Any], turn: int) -> NDArray[Any]:
    """Turn by quarter turns, and mirror from the fourth on."""
    turned = np.rot90(plane, turn % 4)
    return np.ascontiguousarray(turned[:, ::-1] if turn >= 4 else turned)


def _turned_back(plane: NDArray[Any], turn: int) -> NDArray[Any]:
    """Undo `_turned`."""
    return np.rot90(plane[:, ::-1] if turn >= 4 else plane, -(turn % 4))
