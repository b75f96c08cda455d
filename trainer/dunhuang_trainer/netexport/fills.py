"""The base, `dunhuang_trainer.push_pull`, in forms that can be exported: its loop depends on sizes.

For TorchScript it is compiled as a loop. ONNX gets it written out for a fixed number of halvings:
those beyond a single pixel change nothing, because that pixel is known in full if anything is. A
test holds both forms to the original.
"""

import contextlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from dunhuang_trainer.push_pull import (
    LEAST_WEIGHT,
    STEPS,
    STEPS_AT_FULL_SIZE,
    TRUSTED,
    damping_of,
    halved,
    known_range,
    neighbours,
    push,
    push_pull_fill,
)

HALVINGS = 16  # written out in ONNX
MOST_PX = 1 << HALVINGS  # the longest side that they bring to a single pixel


def loop_fill(
    image: Tensor,
    valid: Tensor,
    damping: list[float],
    damping_at_full_size: list[float],
    trusted: float = TRUSTED,
    least: float = LEAST_WEIGHT,
) -> Tensor:
    """Fill holes as `push_pull_fill` does, before the clamp, in what TorchScript compiles.

    (B, C, H, W) float32, (B, 1, H, W) float32 -> (B, C, H, W) float32
    """
    knowns = [torch.where(valid > 0, image, 0.0)]
    weights = [valid]
    while max(knowns[-1].shape[-2], knowns[-1].shape[-1]) > 1:
        total = halved(weights[-1])
        knowns.append(halved(knowns[-1] * weights[-1]) / total.clamp(min=least))
        weights.append((total / trusted).clamp(max=1.0))
    filled = knowns.pop()
    weights.pop()
    while len(knowns) > 0:
        known, weight = knowns.pop(), weights.pop()
        hole = 1 - weight
        height, width = known.shape[-2], known.shape[-1]
        filled = weight * known + hole * push(filled, height, width)
        if min(height, width) > 1:
            share = 1 / neighbours(torch.ones_like(hole[:1]))
            for factor in damping if len(knowns) > 0 else damping_at_full_size:
                rough = filled - neighbours(filled) * share
                rough = rough - neighbours(rough) * share
                filled = filled - factor * rough * hole
    return filled


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep to itself what torch says of its own insides, and of TorchScript's age."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


class ScriptedFill:
    """`push_pull_fill` with its loop compiled, to be called in what is traced."""

    def __init__(self) -> None:
        with quiet():
            self._loop: Any = torch.jit.script(loop_fill)

    def __call__(self, image: Tensor, valid: Tensor) -> Tensor:
        """(B, C, H, W) and (B, 1, H, W) float32 -> (B, C, H, W) float32."""
        lowest, highest = known_range(image, valid)
        filled = self._loop(image, valid, damping_of(STEPS), damping_of(STEPS_AT_FULL_SIZE))
        return cast(Tensor, filled).clamp(lowest, highest)


@torch.library.custom_op("dunhuang::push_pull", mutates_args=())
def opaque_fill(image: Tensor, valid: Tensor) -> Tensor:
    """Stand for `push_pull_fill` in an exported program, in which it is one operator."""
    return push_pull_fill(image, valid).clone()


@opaque_fill.register_fake
def _like_the_image(image: Tensor, valid: Tensor) -> Tensor:
    return torch.empty_like(image)


def fill_by_operator(image: Tensor, valid: Tensor) -> Tensor:
    """Fill by the operator that `onnx_fill` writes out; the clamp is outside of it."""
    lowest, highest = known_range(image, valid)
    filled: Tensor = torch.ops.dunhuang.push_pull(image, valid)
    return filled.clamp(lowest, highest)


def onnx_fill(image: Any, valid: Any) -> Any:
    """Write `push_pull_fill` in ONNX operators, before the clamp; values of its graph in and out.

    Every size is asked of the tensors when the file runs, so the file takes any.
    """
    from onnxscript import opset20 as op

    taps = np.array([1, 3, 3, 1], dtype=np.float32) / 8
    cross = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], dtype=np.float32)
    one, nothing = _constant(1.0), _constant(0.0)

    def convolved(x: Any, kernel: np.ndarray[Any, Any], channels: int, **how: Any) -> Any:
        weight = np.broadcast_to(kernel, (channels, 1, *kernel.shape))
        return op.Conv(x, _constant(weight), group=channels, **how)

    def pulled(known: Any, weight: Any) -> tuple[Any, Any]:
        window = np.outer(taps, taps)
        how = {"strides": [2, 2], "pads": [1, 1, 2, 2]}  # for an even side one pad is never read
        total = convolved(weight, window, 1, **how)
        colours = convolved(op.Mul(known, weight), window, 3, **how)
        mean = op.Div(colours, op.Max(total, _constant(LEAST_WEIGHT)))
        return mean, op.Min(op.Div(total, _constant(TRUSTED)), one)

    def around(x: Any, channels: int) -> Any:
        return convolved(x, cross, channels, pads=[1, 1, 1, 1])

    def smoothed(filled: Any, hole: Any, sides: Any, damping: Sequence[float]) -> Any:
        wide = op.Greater(op.ReduceMin(sides, keepdims=0), _constant(1))  # a line stays as it is
        hole = op.Mul(hole, op.Cast(wide, to=1))
        ones = op.Expand(_constant(np.ones((1, 1, 1, 1), np.float32)), sides)
        share = op.Div(one, op.Max(around(ones, 1), one))
        for factor in damping:
            rough = op.Sub(filled, op.Mul(around(filled, 3), share))
            rough = op.Sub(rough, op.Mul(around(rough, 3), share))
            filled = op.Sub(filled, op.Mul(op.Mul(rough, _constant(factor)), hole))
        return filled

    sizes = [(op.Where(op.Greater(valid, nothing), image, nothing), valid)]
    for _ in range(HALVINGS):
        sizes.append(pulled(*sizes[-1]))
    filled, _ = sizes.pop()
    twice = _constant(np.array([1, 1, 2, 2], np.float32))
    start, axes = _constant(np.array([0, 0])), _constant(np.array([2, 3]))
    while sizes:
        known, weight = sizes.pop()
        sides, hole = op.Shape(weight, start=2, end=4), op.Sub(one, weight)
        doubled = op.Resize(filled, None, twice, mode="linear")  # half_pixel, as torch does it
        pushed = op.Slice(doubled, start, sides, axes)
        filled = op.Add(op.Mul(weight, known), op.Mul(hole, pushed))
        steps = STEPS if sizes else STEPS_AT_FULL_SIZE
        filled = smoothed(filled, hole, sides, damping_of(steps))
    return filled


def _constant(value: Any) -> Any:
    """Return a constant of the graph: float32, or int64 of whole numbers."""
    import onnx_ir
    from onnxscript import opset20 as op

    array = np.ascontiguousarray(value)
    kind = np.int64 if array.dtype.kind == "i" else np.float32
    return op.Constant(value=onnx_ir.tensor(array.astype(kind).reshape(np.shape(value))))
