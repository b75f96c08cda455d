"""What losses cost: CPU milliseconds an image, forward and backward, on one thread.

    python benchmarks/losses.py [--size 128] [--batch 2] [--rounds 7]

VGG-16 gets random weights: the time is the same. The ways take turns in one process, and each is
compared with the loss "paper" of the same round; medians over the rounds.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from dunhuang_trainer.losses import Loss, make_loss
from dunhuang_trainer.losses.perceptual import PaperTerms
from dunhuang_trainer.losses.vgg import CONVOLUTIONS

CPU = torch.device("cpu")
Step = Callable[[], None]


class InHalves(nn.Module):
    """VGG-16 that is passed by prediction and composite one after the other."""

    def __init__(self, vgg: nn.Module) -> None:
        super().__init__()
        self.vgg = vgg

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Return the features of both."""
        if not pictures.requires_grad:  # the target
            return list(self.vgg(pictures))
        halves = [self.vgg(half) for half in pictures.chunk(2)]
        return [torch.cat(both) for both in zip(*halves, strict=True)]


def random_weights(path: Path) -> None:
    """Write weights of the right shapes."""
    weights = {}
    for layer, (inside, outside) in CONVOLUTIONS.items():
        scale = (2 / (9 * inside)) ** 0.5
        weights[f"{layer}.weight"] = scale * torch.randn(outside, inside, 3, 3)
        weights[f"{layer}.bias"] = torch.zeros(outside)
    torch.save(weights, path)


def ways(features: Path, size: int, batch: int) -> dict[str, Step]:
    """Return what is measured, by name."""
    predicted, target = torch.rand(2, batch, 3, size, size)
    valid = (torch.rand(batch, 1, size, size) > 0.3).float()
    damage = torch.zeros_like(valid)
    predicted.requires_grad_()

    def step(loss: Loss) -> None:
        predicted.grad = None
        loss(predicted, target, valid, damage).total.backward()

    losses = {name: make_loss(name, None, CPU) for name in ("mse", "mse+ssim")}
    losses |= {name: make_loss(name, features, CPU) for name in ("poster", "paper")}
    apart = make_loss("paper", features, CPU)
    assert isinstance(apart.terms, PaperTerms)
    apart.terms.vgg = InHalves(apart.terms.vgg)  # type: ignore[assignment]
    losses["paper, in three passes"] = apart
    return {name: partial(step, loss) for name, loss in losses.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        features = Path(folder) / "vgg.pth"
        random_weights(features)
        steps = ways(features, options.size, options.batch)
        spent: dict[str, list[float]] = {name: [] for name in steps}
        for turn in range(options.rounds + 1):
            for name, step in steps.items():
                begun = time.process_time()
                step()
                if turn:  # the first turn warms
                    spent[name].append((time.process_time() - begun) / options.batch)
    print(f"torch {torch.__version__}, {options.batch} x {options.size} px")
    for name, seconds in spent.items():
        ratio = median(one / two for one, two in zip(seconds, spent["paper"], strict=True))
        print(f"{name:28} {1000 * median(seconds):8.1f} ms an image {ratio:7.3f} x paper")


if __name__ == "__main__":
    main()
