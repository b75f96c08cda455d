"""The moving average of weights, against the formula."""

import torch

from dunhuang_trainer.config import ModelConfig
from dunhuang_trainer.model import PartialConvUNet
from dunhuang_trainer.training.averaging import WeightAverage


def test_it_is_the_formula_for_every_parameter() -> None:
    model = PartialConvUNet(ModelConfig(width=4, levels=2))
    average = WeightAverage(model, 0.5)
    expected: dict[str, torch.Tensor] = {
        name: value.detach().double() for name, value in model.named_parameters()
    }
    for step in range(1, 21):
        with torch.no_grad():
            for value in model.parameters():
                value.add_(torch.randn(value.shape, generator=torch.Generator().manual_seed(step)))
        average.update(model, step)
        decay = min(0.5, (1 + step) / (10 + step))
        for name, value in model.named_parameters():
            now = value.detach().double()
            expected[name] = torch.lerp(now, expected[name], decay)
    for name, value in average.model.named_parameters():
        assert torch.allclose(value.double(), expected[name], atol=1e-4), name
        assert not torch.equal(value, dict(model.named_parameters())[name])


def test_statistics_of_batch_norm_are_those_of_the_last_step() -> None:
    model = PartialConvUNet(ModelConfig(width=4, levels=2))
    average = WeightAverage(model, 0.9)
    model.train()
    model(torch.rand(2, 3, 8, 12), torch.ones(2, 1, 8, 12))
    average.update(model, 1)
    for (name, one), other in zip(average.model.named_buffers(), model.buffers(), strict=True):
        assert torch.equal(one, other), name
    assert average.model.state_dict()["encoder.0.norm.num_batches_tracked"] == 1


def test_it_is_not_trained() -> None:
    average = WeightAverage(PartialConvUNet(ModelConfig(width=4, levels=2)), 0.9)
    assert not any(value.requires_grad for value in average.model.parameters())
    assert not average.model.training
