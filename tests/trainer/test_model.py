"""The network has the seed project's shape and fills any hole it is given."""

from dataclasses import replace
from typing import cast

import pytest
import torch

from dunhuang_trainer.config import ModelConfig
from dunhuang_trainer.model import CONTRAST, PartialConvUNet, encoder_channels
from dunhuang_trainer.partial_conv import PartialConv2d
from dunhuang_trainer.push_pull import push_pull_fill

SMALL = ModelConfig(width=4, levels=3, base="none")


def test_without_a_base_it_is_the_seeds_network() -> None:
    with torch.device("meta"):  # shapes only
        model = PartialConvUNet(ModelConfig(base="none"))
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
    config = ModelConfig(width=4, levels=levels, base="none")
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
    model = PartialConvUNet(ModelConfig(width=16, levels=5, base="none"))
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


@pytest.mark.parametrize("base", ["none", "push-pull"])
def test_all_forms_have_the_same_names_and_shapes(base: str) -> None:
    config = replace(SMALL, base=base)
    other = PartialConvUNet(replace(config, convolution="plain", decoder="concat"))
    expected = {name: value.shape for name, value in PartialConvUNet(config).state_dict().items()}
    assert {name: value.shape for name, value in other.state_dict().items()} == expected


def test_with_a_base_only_the_first_layer_has_another_shape() -> None:
    plain, based = (
        {name: value.shape for name, value in PartialConvUNet(config).state_dict().items()}
        for config in (SMALL, replace(SMALL, base="push-pull"))
    )
    assert {name for name in plain if plain[name] != based[name]} == {"encoder.0.conv.conv.weight"}
    assert based["encoder.0.conv.conv.weight"] == (4, 7, 7, 7)


def test_plain_convolution_is_the_same_network_without_masks() -> None:
    """Holes are zeros like any others; all known, the two differ only by what a border counts."""
    torch.manual_seed(0)
    partial = PartialConvUNet(SMALL).eval()
    plain = PartialConvUNet(replace(SMALL, convolution="plain")).eval()
    plain.load_state_dict(partial.state_dict())
    image, valid = torch.rand(1, 3, 64, 96), torch.ones(1, 1, 64, 96)
    inner = (..., slice(24, 40), slice(24, 72))
    torch.testing.assert_close(plain(image, valid)[inner], partial(image, valid)[inner])
    assert not torch.allclose(plain(image, valid)[..., :8, :], partial(image, valid)[..., :8, :])
    valid[..., 20:40, 30:60] = 0
    predicted, reached = plain.predict(image, valid)
    blackened = plain(image * valid, torch.ones_like(valid))
    assert torch.equal(predicted, blackened)
    assert (reached == 1).all()
    assert not torch.allclose(predicted, partial(image, valid))


def test_a_base_is_what_it_predicts_at_first() -> None:
    model = PartialConvUNet(replace(SMALL, base="push-pull"))
    image, valid = torch.rand(2, 3, 16, 24), (torch.rand(2, 1, 16, 24) < 0.6).float()
    assert torch.equal(model(image, valid), push_pull_fill(image, valid))
    model(image, valid).square().mean().backward()
    last = model.get_parameter("decoder.2.conv.conv.weight")
    assert last.grad is not None
    assert last.grad.abs().sum() > 0  # and so it can begin to learn


@pytest.mark.parametrize("side", [(16, 24), (8, 8)])
def test_its_correction_is_zero_where_nothing_is_known(side: tuple[int, int]) -> None:
    torch.manual_seed(0)
    model = PartialConvUNet(replace(SMALL, base="push-pull"))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    image, valid = torch.rand(2, 3, *side), torch.zeros(2, 1, *side)
    valid[0, :, :, :2] = 1  # nothing is known of the second picture
    predicted, reached = model.predict(image, valid)
    correction = predicted - push_pull_fill(image, valid)
    assert correction[0].abs().min() > 0
    assert not correction[1].any()
    assert (reached[0] == 1).all()
    assert (reached[1] == 0).all()


def test_a_based_network_sees_the_masked_image_the_fill_and_the_mask() -> None:
    """The first layer gets them, with two planes; the last level's skip is the fill."""
    torch.manual_seed(0)
    model = PartialConvUNet(replace(SMALL, base="push-pull")).eval()
    image, valid = torch.rand(2, 3, 16, 24), (torch.rand(2, 1, 16, 24) < 0.6).float()
    given: list[torch.Tensor] = []
    first, last = model.get_submodule("encoder.0.norm"), model.get_submodule("decoder.2")
    first.register_forward_pre_hook(lambda module, arguments: given.append(arguments[0].clone()))
    last.register_forward_pre_hook(lambda module, arguments: given.append(arguments[1]))
    model(image, valid)
    filled = push_pull_fill(image, valid)
    seen = CONTRAST * (filled - filled.mean(dim=3, keepdim=True).mean(dim=2, keepdim=True))
    layer = cast(PartialConv2d, model.get_submodule("encoder.0.conv"))
    planes = torch.cat([valid, torch.ones_like(valid)], dim=1)
    expected, _ = layer(torch.cat([seen, seen, valid], dim=1), planes)
    torch.testing.assert_close(given[0], expected)
    assert torch.equal(given[1], seen)


def test_reached_is_where_known_pixels_are_in_sight() -> None:
    model = PartialConvUNet(replace(SMALL, levels=2)).eval()
    valid = torch.zeros(1, 1, 32, 64)
    valid[..., :16] = 1
    predicted, reached = model.predict(torch.rand(1, 3, 32, 64), valid)
    assert (reached[..., : 16 + 3 * 4 - 1] == 1).all()  # 3 * 2**levels - 1, as docs/judging.md says
    assert (reached[..., 16 + 3 * 4 - 1 :] == 0).all()
    assert not predicted[..., 16 + 3 * 4 - 1 :].any()


def test_a_frozen_norm_stays_frozen_through_train() -> None:
    torch.manual_seed(0)
    model = PartialConvUNet(SMALL)
    model.freeze_norm("encoder")
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.Adam([one for one in model.parameters() if one.requires_grad], lr=0.1)
    valid = (torch.rand(2, 1, 16, 24) < 0.7).float()
    model(torch.rand(2, 3, 16, 24), valid).square().mean().backward()
    optimizer.step()
    for name, value in model.state_dict().items():
        frozen = name.startswith("encoder") and ".norm." in name
        assert torch.equal(before[name], value) == frozen, name


def test_freezing_can_be_undone_and_taken_further() -> None:
    model = PartialConvUNet(SMALL)
    model.freeze_norm("all")
    norms = [one for one in model.modules() if isinstance(one, torch.nn.BatchNorm2d)]
    assert len(norms) == 3 + 2
    assert not any(norm.training or norm.weight.requires_grad for norm in norms)
    model.freeze_norm("none")
    assert all(norm.training and norm.weight.requires_grad for norm in norms)
    model.eval().freeze_norm("encoder")
    assert not any(norm.training for norm in norms)
    with pytest.raises(ValueError, match="which is 'decoder', expected one of none, encoder, all"):
        model.freeze_norm("decoder")


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"valid is \(1, 3, 16, 24\), expected \(1, 1, 16, 24\)"):
        PartialConvUNet(SMALL)(torch.rand(1, 3, 16, 24), torch.ones(1, 3, 16, 24))


@pytest.mark.parametrize("base", ["none", "push-pull"])
@pytest.mark.parametrize("decoder", ["split", "concat"])
def test_autocast_in_bfloat16_stays_near_and_finite(base: str, decoder: str) -> None:
    torch.manual_seed(0)
    model = PartialConvUNet(ModelConfig(width=8, levels=4, base=base, decoder=decoder))
    torch.nn.init.normal_(model.get_parameter("decoder.3.conv.conv.weight"), std=0.05)
    image, valid = torch.rand(2, 3, 160, 128), torch.ones(2, 1, 160, 128)
    valid[0, :, 8:150, 8:120] = 0
    exact = model(image, valid).detach()
    with torch.autocast("cpu", torch.bfloat16):
        predicted = model(image, valid)
    predicted.float().square().mean().backward()
    assert (predicted - exact).abs().mean() < 0.1 * (exact - exact.mean()).abs().mean()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all(), name


def test_brightness_changes_no_correction_of_a_base() -> None:
    """A corrected fill of a brighter picture is as much brighter: what is seen is without mean."""
    torch.manual_seed(3)
    model = PartialConvUNet(replace(SMALL, base="push-pull")).eval()
    torch.nn.init.normal_(model.get_parameter("decoder.2.conv.conv.weight"))
    image, valid = 0.5 * torch.rand(2, 3, 16, 24), (torch.rand(2, 1, 16, 24) < 0.6).float()
    brighter = model(image + 0.25, valid) - 0.25
    torch.testing.assert_close(brighter, model(image, valid), atol=1e-5, rtol=0)
    assert not torch.allclose(brighter, push_pull_fill(image, valid), atol=1e-2)
