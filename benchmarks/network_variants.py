"""The networks that are measured against each other, and pictures to give them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.many_channel import ManyChannelUNet
from dunhuang_data.rng import rng_for
from dunhuang_data.walks import random_walks
from dunhuang_trainer.config import ModelConfig
from dunhuang_trainer.model import PartialConvUNet

PLAIN, DEFAULT, MANY = "plain, concat", "partial, split", "many-channel"


def variants(config: ModelConfig) -> dict[str, Callable[[], nn.Module]]:
    """Return the networks of these widths, the plain one first."""

    def of(**changes: Any) -> Callable[[], nn.Module]:
        return lambda: PartialConvUNet(replace(config, **changes))

    return {
        PLAIN: of(convolution="plain", decoder="concat"),
        "plain, split": of(convolution="plain", decoder="split"),
        MANY: lambda: ManyChannelUNet(config),
        "partial, concat": of(decoder="concat"),
        DEFAULT: of(decoder="split"),
        "partial, split, push-pull": of(decoder="split", base="push-pull"),
    }


def pictures(count: int, side: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return noise, (B, 3, S, S), and holes of random walks as the seed project's, (B, 1, S, S).

    What the pictures show changes no time; where the holes are could.
    """
    image = torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed))
    rngs = [rng_for(seed, "benchmark", number) for number in range(count)]
    valid = random_walks((side, side), 50_000 * side**2 // 256**2, rngs)
    return image, torch.from_numpy(valid)[:, None].float()
