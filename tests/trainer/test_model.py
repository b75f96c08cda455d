"""The network has the seed project's shape and fills any hole it is given."""

import pytest
import torch

from dunhuang_trainer.config import ModelConfig
from dunhuang_trainer.model import PartialConvUNet, encoder_channels

SMALL = ModelConfig(width=4, levels=3)


def test_the_default_is_the_seeds_network() -> None:
    with torch.device("meta"):  # shapes only
        model = PartialConvUNet(ModelConfig())
    weights = {name: tuple(value.shape) for name, value in model.named_parameters()}
    convolutions = sum(
        value.numel() for name, value in model.named_parameters() if name.endswith("conv.weight")
    )
    assert convolutions == 32_848_849  # the seed's
    assert model.parameter_count() == 32_859_857 + 3  # and the last layer's bias
    assert encoder_channels(ModelConfig()) == [64, 128, 256, 512, 512, 512, 512, 512]
    kernels = [weights[f"encoder.{level}.conv.conv.weight"][-1] for level in range(8)]
    assert kernels == [7, 5, 5, 3, 3, 3, 3, 3]
    assert weights["decoder.7.conv.conv.weight"] == (3, 64 + 3, 3, 3)


@pytest.mark.parametrize("levels", [1, 3, 5])
def test_any_multiple_of_its_step_goes_through(levels: int) -> None:
    config = ModelConfig(width=4, levels=levels)
    model = PartialConvUNet(config).eval()
    shape = (2 * config.multiple, 3 * config.multiple)
    valid = (torch.rand(2, 1, *shape) < 0.7).float()
    assert model(torch.rand(2, 3, *shape), valid).shape == (2, 3, *shape)


def test_other_sizes_are_refused_with_the_number() -> None:
    with pytest.raises(ValueError, match="16 x 20 px; a network of 3 levels takes multiples of 8"):
        PartialConvUNet(SMALL)(torch.rand(1, 3, 16, 20), torch.ones(1, 1, 16, 20))


def test_what_lies_in_the_holes_changes_no_prediction() -> None:
    torch.manual_seed(0)
    model = PartialConvUNet(SMALL).eval()
    image = torch.rand(1, 3, 16, 24)
    valid = (torch.rand(1, 1, 16, 24) < 0.6).float()
    other = torch.where(valid > 0, image, 1 - image)
    assert torch.equal(model(image, valid), model(other, valid))


def test_it_starts_near_mid_grey() -> None:
    torch.manual_seed(0)
    model = PartialConvUNet(ModelConfig(width=16, levels=5))
    predicted = model(torch.rand(4, 3, 64, 96), torch.ones(4, 1, 64, 96)).detach()
    assert abs(float(predicted.mean()) - 0.5) < 0.3
    assert float(predicted.std()) < 0.5


def test_every_parameter_gets_a_gradient() -> None:
    torch.manual_seed(0)
    model = PartialConvUNet(SMALL)
    valid = (torch.rand(2, 1, 16, 24) < 0.7).float()
    model(torch.rand(2, 3, 16, 24), valid).square().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
