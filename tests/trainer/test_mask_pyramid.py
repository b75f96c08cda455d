"""One plane per tensor, against the form with a mask channel for every feature channel."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from benchmarks.many_channel import ManyChannelUNet
from dunhuang_trainer.config import ModelConfig
from dunhuang_trainer.mask_pyramid import MaskPyramid, mask_pyramid
from dunhuang_trainer.model import PartialConvUNet
from dunhuang_trainer.partial_conv import PartialConv2d

CONFIG = ModelConfig(width=4, levels=4, base="none")


def batch(height: int, width: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Two pictures; of the first little is known, so that masks stay holed to the bottom."""
    torch.manual_seed(0)
    image = torch.rand(2, 3, height, width, dtype=dtype)
    valid = (torch.rand(2, 1, height, width) < 0.7).to(dtype)
    valid[0] = 0
    valid[0, :, : height // 3, : width // 4] = 1
    return image, valid


def trained(model: torch.nn.Module) -> None:
    """Weights as they could be after training: no norm is the identity."""
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if ".norm." in name:
            torch.nn.init.normal_(parameter, mean=0.5)


def results(model: torch.nn.Module, image: Tensor, valid: Tensor) -> dict[str, Tensor]:
    predicted, reached = model.predict(image, valid)  # type: ignore[operator]
    (predicted * torch.linspace(-1, 1, predicted.numel()).view_as(predicted)).sum().backward()
    found = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
    statistics = {name: one for name, one in model.named_buffers() if "running" in name}
    return {"predicted": predicted, "reached": reached[:, :1], **found, **statistics}


def assert_near(found: dict[str, Tensor], expected: dict[str, Tensor], share: float) -> None:
    """Compare to a share of the largest number of each tensor."""
    assert set(found) == set(expected)
    for name, value in expected.items():
        error = (found[name] - value).abs().max() / value.abs().max().clamp(min=1e-30)
        assert error <= share, f"{name}: {float(error):.2e}"


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("decoder", ["split", "concat"])
@pytest.mark.parametrize(
    ("side", "levels"), [((144, 112), 4), ((16, 16), 4), ((320, 192), 6)], ids=str
)
def test_the_network_is_the_textbook_network(
    side: tuple[int, int], levels: int, decoder: str, training: bool
) -> None:
    """Outputs, masks, statistics and gradients; also where the encoder ends in one pixel."""
    config = replace(CONFIG, levels=levels, decoder=decoder)
    ours, textbook = PartialConvUNet(config), ManyChannelUNet(config)
    trained(ours)
    textbook.load_state_dict(ours.state_dict())
    image, valid = batch(*side, torch.float64)
    found = results(ours.double().train(training), image, valid)
    # 1e-8 in the textbook's ratio is all that is left
    assert_near(found, results(textbook.double().train(training), image, valid), 2e-7)
    single, many = PartialConvUNet(config), ManyChannelUNet(config)
    single.load_state_dict(ours.float().state_dict())
    many.load_state_dict(ours.state_dict())
    image, valid = image.float(), valid.float()
    mine = single.train(training).predict(image, valid)
    theirs = many.train(training).predict(image, valid)
    assert_near({"predicted": mine[0]}, {"predicted": theirs[0]}, 1e-5)
    assert torch.equal(mine[1], theirs[1][:, :1])


def test_a_picture_of_which_nothing_is_known_is_like_the_textbooks_too() -> None:
    """Where the encoder ends in one pixel, decoder levels leave such a picture to the ratios."""
    ours, textbook = PartialConvUNet(CONFIG), ManyChannelUNet(CONFIG)
    trained(ours)
    textbook.load_state_dict(ours.state_dict())
    image, valid = batch(16, 16, torch.float64)
    valid[0] = 0
    found = results(ours.double(), image, valid)
    assert not found["predicted"][0].any()
    assert_near(found, results(textbook.double(), image, valid), 2e-7)


def pyramid(model: PartialConvUNet, *planes: Tensor) -> MaskPyramid:
    encoder, decoder = (
        [layer for layer in part.modules() if isinstance(layer, PartialConv2d)]
        for part in (model.encoder, model.decoder)
    )
    return mask_pyramid(planes, encoder, decoder)


def test_masks_of_every_layer_are_the_textbooks() -> None:
    model, textbook = PartialConvUNet(CONFIG), ManyChannelUNet(CONFIG)
    image, valid = batch(144, 112, torch.float32)
    seen: list[Tensor] = []
    for level in (*textbook.encoder, *textbook.decoder):
        level.register_forward_hook(lambda module, inputs, output: seen.append(output[1]))
    textbook.predict(image, valid)
    found = pyramid(model, valid)
    masks = [*found.encoder, *found.decoder]
    assert len(masks) == len(seen) == 8
    assert any((mask.valid == 0).any() for mask in found.decoder)
    for mask, many in zip(masks, seen, strict=True):
        assert mask.valid.shape[1] == 1
        assert torch.equal(mask.valid.expand_as(many), many)
        assert not mask.ratio.requires_grad


def test_with_a_fill_beside_it_a_mask_ends_at_the_first_layer() -> None:
    """A picture of which something is known is known all over from there on; another is not."""
    model = PartialConvUNet(replace(CONFIG, base="push-pull"))
    _, valid = batch(160, 128, torch.float32)
    valid[1] = 0
    some = torch.tensor([1.0, 0.0]).view(2, 1, 1, 1).expand_as(valid)
    found = pyramid(model, valid, some)
    for mask in (*found.encoder, *found.decoder):
        assert (mask.valid[0] == 1).all()
        assert not mask.ratio[1].any()
    first = found.encoder[0].ratio[0, 0]
    assert float(first[4, 4]) == 1  # all known
    assert float(first[60, 50]) == 7 / 4  # the fill and the mask alone
    last = found.decoder[-1].ratio[0, 0, 1:-1, 1:-1]  # the skip is the fill
    torch.testing.assert_close(last, torch.ones_like(last))
