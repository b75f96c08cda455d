"""What a network costs: numbers, operations and memory, counted on shapes alone.

Nothing is computed: tensors on torch's "meta" device have a shape and no content. Operations are
counted by ``torch.utils.flop_counter``: those of convolutions and matrix products, a multiplication
and an addition as two. Element by element there is more to do, but little.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from dunhuang_trainer.config import ModelConfig
from dunhuang_trainer.model import PartialConvUNet


@dataclass(frozen=True, slots=True)
class StepCost:
    """Operations, and bytes kept for the backward pass, of one pass over a batch.

    Attributes
    ----------
    forward_flops, training_flops : int
        Of the forward pass, and of forward and backward pass together.
    saved_bytes : int
        Of what is kept from the forward to the backward pass, weights left out.
    """

    forward_flops: int
    training_flops: int
    saved_bytes: int


@dataclass(frozen=True, slots=True)
class NetworkCost:
    """What a network costs in float32.

    Attributes
    ----------
    parameters : int
        Trained numbers.
    picture : StepCost
        Of every picture of a batch.
    step : StepCost
        Of every batch, however large: the rewritten weights of a split decoder.
    """

    parameters: int
    picture: StepCost
    step: StepCost


def network_cost(config: ModelConfig, patch_size: int) -> NetworkCost:
    """Count what a network costs for square patches, in training mode.

    Parameters
    ----------
    config : ModelConfig
    patch_size : int
        In pixels; a multiple of ``config.multiple``.

    Raises
    ------
    ValueError
        If it is no such multiple.
    """
    return module_cost(lambda: PartialConvUNet(config), patch_size)


def module_cost(make: Callable[[], nn.Module], patch_size: int) -> NetworkCost:
    """Count what any network costs that takes a picture and its mask; see `network_cost`.

    Two batches are counted, because a batch has costs of its own beside those of its pictures.
    """
    with torch.device("meta"):
        model = make().train()
    two, three = (_batch_cost(model, count, patch_size) for count in (2, 3))

    def split(name: str) -> tuple[int, int]:
        picture = getattr(three, name) - getattr(two, name)
        return picture, getattr(two, name) - 2 * picture

    forward, training, saved = map(split, ("forward_flops", "training_flops", "saved_bytes"))
    return NetworkCost(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        picture=StepCost(forward[0], training[0], saved[0]),
        step=StepCost(forward[1], training[1], saved[1]),
    )


def _batch_cost(model: nn.Module, count: int, patch_size: int) -> StepCost:
    image = torch.empty(count, 3, patch_size, patch_size, device="meta")
    valid = torch.empty(count, 1, patch_size, patch_size, device="meta")
    with FlopCounterMode(display=False) as counter:
        saved, predicted = saved_bytes(model, image, valid)
        forward = counter.get_total_flops()
        predicted.sum().backward()  # type: ignore[no-untyped-call]
        return StepCost(forward, counter.get_total_flops(), saved)


def saved_bytes(model: nn.Module, image: Tensor, valid: Tensor) -> tuple[int, Tensor]:
    """Run the forward pass; return the bytes it keeps for the backward pass, and its result.

    Memory that several tensors share counts once, and that of the weights not at all.
    """
    weights = {parameter.untyped_storage()._cdata for parameter in model.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage()._cdata
        if place not in weights:
            kept[place] = tensor  # held, so that its memory is not given to another
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        predicted = model(image, valid)
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values()), predicted
