"""Weights of the right shapes for tests: seeded, and written once a session."""

import torch
from torch import Tensor

from dunhuang_trainer.losses.vgg import CONVOLUTIONS


def random_vgg(seed: int = 0) -> dict[str, Tensor]:
    """Return random weights, scaled so that features neither vanish nor explode."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for layer, (inside, outside) in CONVOLUTIONS.items():
        noise = torch.randn(outside, inside, 3, 3, generator=generator)
        weights[f"{layer}.weight"] = noise * (2 / (9 * inside)) ** 0.5
        weights[f"{layer}.bias"] = 0.1 * torch.randn(outside, generator=generator)
    return weights
