"""The weights alone, for those who write the network anew: a convolution and a bias for each layer.

Batch norm in evaluation is a factor and a summand for every channel. The factor is multiplied into
the convolution's weights, and the summand is the bias. The ratio of a partial convolution lies
between the two, and commutes with the factor.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from dunhuang_trainer.config import ModelConfig, settings_of
from dunhuang_trainer.model import CONTRAST, CORRECTION, DecoderLevel, EncoderLevel, PartialConvUNet
from dunhuang_trainer.netexport.documents import KEY, as_text

FORMAT = {"name": "dunhuang-network-weights", "version": 1}
Level = EncoderLevel | DecoderLevel


def weights_bytes(model: PartialConvUNet, document: dict[str, Any]) -> bytes:
    """Return a network's weights as a safetensors file, with what each layer is in its header."""
    tensors: dict[str, Tensor] = {}
    layers = []
    for name, level in _levels(model):
        weight, bias = _folded(level)
        tensors |= {f"{name}.weight": weight, f"{name}.bias": bias}
        layers.append(_layer(name, level, model.config))
    told = {**document, "format": FORMAT, "layers": layers}
    if model.config.base == "push-pull":
        told |= {"contrast": CONTRAST, "correction": CORRECTION}
    return save(tensors, metadata={KEY: as_text(told)})


def network_of(path: Path) -> PartialConvUNet:
    """Rebuild a network from the weights that `weights_bytes` wrote, in evaluation mode."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        document = json.loads(file.metadata()[KEY])
    model = PartialConvUNet(settings_of(ModelConfig, document["model"])).eval()
    with torch.no_grad():
        for name, level in _levels(model):
            level.conv.conv.weight.copy_(tensors[f"{name}.weight"])
            bias = level.conv.bias if level.norm is None else _plain(level.norm)
            cast(Tensor, bias).copy_(tensors[f"{name}.bias"])
    return model


def _levels(model: PartialConvUNet) -> Iterator[tuple[str, Level]]:
    for part in ("encoder", "decoder"):
        for number, level in enumerate(getattr(model, part)):
            yield f"{part}.{number}", level


def _folded(level: Level) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a layer, its batch norm multiplied in."""
    weight = level.conv.conv.weight.detach()
    if level.norm is None:
        return weight.contiguous(), cast(Tensor, level.conv.bias).detach().contiguous()
    norm = level.norm
    deviation = (cast(Tensor, norm.running_var).double() + norm.eps).sqrt()
    factor = norm.weight.detach().double() / deviation
    bias = norm.bias.detach().double() - cast(Tensor, norm.running_mean).double() * factor
    return (weight * factor.view(-1, 1, 1, 1)).float().contiguous(), bias.float()


def _plain(norm: nn.BatchNorm2d) -> Tensor:
    """Make a batch norm that only adds, and return what it adds."""
    norm.weight.fill_(1.0)
    cast(Tensor, norm.running_mean).zero_()
    cast(Tensor, norm.running_var).fill_(1.0 - norm.eps)
    return norm.bias


def _layer(name: str, level: Level, config: ModelConfig) -> dict[str, Any]:
    """Say what a layer is; planes are how many channels each mask speaks for."""
    decodes = isinstance(level, DecoderLevel)
    return {
        "name": name,
        "kernel": level.conv.kernel_size,
        "stride": level.conv.stride,
        "padding": level.conv.padding,
        "convolution": config.convolution,
        "planes": list(level.conv.plane_channels),
        "joins": "the layer before, doubled by nearest neighbour, and the skip" if decodes else "",
        "activation": "none" if level.norm is None else "leaky ReLU 0.2" if decodes else "ReLU",
    }
