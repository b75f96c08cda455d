"""Operations and memory of a network, against counts made by hand."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from benchmarks.many_channel import ManyChannelUNet
from dunhuang_trainer.config import ModelConfig
from dunhuang_trainer.cost import module_cost, network_cost, saved_bytes
from dunhuang_trainer.model import PartialConvUNet

SEED = ModelConfig(base="none")
PLAIN = ModelConfig(4, 2, "plain", base="none", decoder="concat")
# in, out, kernel, side of the output: of the plain network for patches of 32 px
LAYERS = [(3, 4, 7, 16), (4, 8, 5, 8), (8 + 4, 4, 3, 16), (4 + 3, 3, 3, 32)]


def test_operations_are_those_of_the_convolutions() -> None:
    by_hand = [2 * c_in * k * k * c_out * side**2 for c_in, c_out, k, side in LAYERS]
    cost = network_cost(PLAIN, 32)
    assert cost.picture.forward_flops == sum(by_hand)
    # backwards, every layer has two more of its kind; the first needs none for its input
    assert cost.picture.training_flops == 3 * sum(by_hand) - by_hand[0]
    assert cost.step.forward_flops == cost.step.training_flops == 0


def test_the_seeds_network_is_a_quarter_below_plain_convolution() -> None:
    split, plain = (
        network_cost(config, 256).picture
        for config in (SEED, replace(SEED, convolution="plain", decoder="concat"))
    )
    assert split.forward_flops / 1e9 == pytest.approx(14.17, abs=0.01)
    assert plain.forward_flops / 1e9 == pytest.approx(18.99, abs=0.01)
    assert split.training_flops < 0.75 * plain.training_flops


def test_it_keeps_less_than_half_of_what_the_textbook_form_keeps() -> None:
    ours = network_cost(SEED, 256)
    textbook = module_cost(lambda: ManyChannelUNet(SEED), 256)
    assert ours.parameters == textbook.parameters
    assert ours.picture.saved_bytes + ours.step.saved_bytes / 2 < textbook.picture.saved_bytes / 2


def test_shared_memory_counts_once_and_weights_do_not() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3, 1, 1))

        def forward(self, image: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
            known = image * valid
            return known * self.weight + known.flatten(1).view_as(known) * self.weight

    image, valid = torch.rand(2, 3, 5, 7), torch.ones(2, 1, 5, 7)
    size, predicted = saved_bytes(Twice(), image, valid)
    assert predicted.shape == image.shape
    assert size == 4 * image.numel()


def test_the_count_is_that_of_the_real_network() -> None:
    config = ModelConfig(width=8, levels=5, base="none")
    model, cost = PartialConvUNet(config), network_cost(config, 64)
    image, valid = torch.rand(4, 3, 64, 64), torch.ones(4, 1, 64, 64)
    size, _ = saved_bytes(model, image, valid)
    assert size == 4 * cost.picture.saved_bytes + cost.step.saved_bytes
    assert cost.parameters == model.parameter_count()
