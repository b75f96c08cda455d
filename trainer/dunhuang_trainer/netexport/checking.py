"""Whether an exported file computes what the network does: both run, on random masks and others."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dunhuang_data.errors import DunhuangError
from dunhuang_data.rng import raw_words, rng_for
from dunhuang_trainer.model import PartialConvUNet
from dunhuang_trainer.netexport.graphs import Run
from dunhuang_trainer.netexport.network import mean_colour

ALLOWED = 1e-4  # of colours in [0, 1]
MASKS = (
    "all known", "70 % known", "2 % known", "one pixel known", "border known", "a side is a hole",
    "nothing known",
)  # fmt: skip


class ExportFault(DunhuangError):
    """An exported file that does not compute what the network does: a fault of the export."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class CheckedSize:
    """What the check of one size found.

    Attributes
    ----------
    height, width : int
        In pixels.
    masks : int
        In one batch; see `MASKS`.
    max_difference : float
        Between file and network, of colours in [0, 1].
    """

    height: int
    width: int
    masks: int
    max_difference: float


def check_export(model: PartialConvUNet, run: Run, seed: int = 0) -> list[CheckedSize]:
    """Run an exported file beside its network.

    Parameters
    ----------
    model : PartialConvUNet
        In evaluation mode, on the CPU.
    run : callable
        The file, by its own runtime.
    seed : int
        Of pictures and masks.

    Returns
    -------
    list of CheckedSize
        Of sizes that are multiples of what the network needs, and of others.

    Raises
    ------
    ExportFault
        If they differ by more than `ALLOWED` anywhere, or one gives what is no number.
    """
    found = []
    for height, width, masks in _sizes(model.config.multiple):
        image, valid = (one[masks] for one in draw_case(height, width, seed))
        restored, expected = run(image, valid), expected_of(model, image, valid)
        if restored.shape != expected.shape:
            raise ExportFault(
                f"The exported network gives {tuple(restored.shape)} for pictures of {height} x "
                f"{width} px (height x width), expected {tuple(expected.shape)}. {_BLAME}"
            )
        apart = (restored - expected).abs().amax(dim=(1, 2, 3))  # (masks,)
        for mask, difference in zip(MASKS[masks], apart.tolist(), strict=True):
            if not difference <= ALLOWED:  # also if it is no number
                raise ExportFault(
                    f"The exported network differs from the checkpoint's by {difference:.2g} on "
                    f"{height} x {width} px (height x width), {mask}; expected at most "
                    f"{ALLOWED:g}, of colours from 0 to 1. {_BLAME}"
                )
        found.append(CheckedSize(height, width, len(image), float(apart.max())))
    return found


_BLAME = (
    "Nothing was kept. Try another --to; and report this with the versions of torch and of the "
    "runtime, for it is a fault of the export."
)


def expected_of(model: PartialConvUNet, image: Tensor, valid: Tensor) -> Tensor:
    """Restore by the network as it is, (B, 3, H, W): padded, composited, clipped."""
    height, width = image.shape[-2:]
    beyond = (0, -width % model.config.multiple, 0, -height % model.config.multiple)
    with torch.no_grad():
        predicted, reached = model.predict(F.pad(image, beyond), F.pad(valid, beyond))
    predicted, reached = (one[..., :height, :width] for one in (predicted, reached))
    filled = torch.where(reached > 0, predicted.clamp(0, 1), mean_colour(image, valid))
    return torch.where(valid > 0, image, filled)


def draw_case(height: int, width: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw pictures and one mask of each kind in `MASKS`, (B, 3, H, W) and (B, 1, H, W) float32."""
    rng = rng_for(seed, "export-check", height, width)
    count = len(MASKS)
    words = raw_words(rng, count * 4 * height * width) >> np.uint64(40)
    unit = torch.from_numpy((words / 2.0**24).astype(np.float32)).view(count, 4, height, width)
    valid = torch.zeros(count, 1, height, width)
    valid[0] = 1
    valid[1], valid[2] = unit[1, 3:] < 0.7, unit[2, 3:] < 0.02
    valid[3, 0].view(-1)[unit[3, 3].argmax()] = 1
    valid[4] = 1
    valid[4, :, 1:-1, 1:-1] = 0
    valid[5, :, :, width // 2 :] = 1
    return unit[:, :3].contiguous(), valid


def _sizes(multiple: int) -> Iterator[tuple[int, int, slice]]:
    """Yield heights, widths, and which masks: one step, more, less, hardly anything, and much.

    Sums over a large picture lose digits that those over a small one have.
    """
    every = slice(None)
    yield multiple, multiple, every
    yield multiple + 1, 2 * multiple - 3 if multiple > 4 else 11, every
    yield 5, 9, every
    yield 1, 1, every
    if multiple <= 64:
        yield 130, 77, every
    yield 1000, 1010, slice(1, 2)  # one mask alone, for the time it takes
