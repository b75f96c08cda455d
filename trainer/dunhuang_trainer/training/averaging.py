"""A moving average of the weights: steadier than the last ones, and as easy to use."""

from copy import deepcopy

import torch

from dunhuang_trainer.model import PartialConvUNet


class WeightAverage:
    """An exponential moving average of a network's weights, itself a network.

    Source: Polyak and Juditsky 1992, SIAM Journal on Control and Optimization 30:838, in the form
    with exponential weights.

    Parameters
    ----------
    model : PartialConvUNet
        Whose weights are averaged. Statistics of batch norm are not averaged but taken over: they
        are moving averages themselves.
    decay : float
        What the past weighs at each step. In the first steps it weighs less, (1 + n) / (10 + n)
        after n of them, so that the start is soon forgotten.
    """

    def __init__(self, model: PartialConvUNet, decay: float) -> None:
        self.decay = decay
        self.model = deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: PartialConvUNet, step: int) -> None:
        """Take in the weights after a step (1, 2 …)."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.model.parameters()), list(model.parameters()), weight)
        for average, current in zip(self.model.buffers(), model.buffers(), strict=True):
            average.copy_(current)
