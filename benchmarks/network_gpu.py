"""What the network costs on a GPU, and how far that is from what the chip can do.

Everything in one process: first the chip's own ceilings (a large matrix product, a large copy),
then forward and backward passes of the networks in turns, not compiled and compiled, then whole
steps of training as `dunhuang_trainer.training.learner` does them, with the pixel loss and with the
loss that looks through VGG-16 (random weights: they change no time). Data lie on the device. Wall
time between synchronisations; medians over the rounds.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.machine import verdict
from benchmarks.network_variants import DEFAULT, PLAIN, pictures, variants
from dunhuang_trainer.config import ModelConfig, TrainConfig
from dunhuang_trainer.cost import module_cost
from dunhuang_trainer.data import Batch
from dunhuang_trainer.losses.vgg import CONVOLUTIONS
from dunhuang_trainer.training.learner import DTYPES, Learner

TARGETS = {"mse": 4000.0, "paper": 1300.0}  # images a second on one H200, of the issue
FASTEST = (DEFAULT, "partial, concat")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this half to the benchmark's."""

    def numbers(text: str) -> tuple[int, ...]:
        return tuple(map(int, text.split(",")))

    parser.add_argument("--batches", type=numbers, default=(16, 64, 256), help="with --device")
    parser.add_argument("--steps", type=int, default=10, help="with --device: a measurement")
    parser.add_argument("--precision", default="bf16", choices=["bf16", "fp16", "float32"])
    parser.add_argument("--no-compile", action="store_true", help="leave out the compiled runs")


def print_device(config: ModelConfig, arguments: argparse.Namespace) -> None:
    """Measure on a device and print all tables."""
    device = torch.device(arguments.device)
    large = device.type == "cuda"
    if large:
        print(f"{torch.cuda.get_device_name(device)}, {arguments.precision}, channels_last")
    flops, bytes_ = ceilings(device, DTYPES.get(arguments.precision, torch.float32), large)
    print(
        f"ceilings: {flops / 1e12:.3f} TFLOP/s of a matrix product, "
        f"{bytes_ / 1e9:.1f} GB/s of a copy"
    )
    compiles = [False] if arguments.no_compile else [False, True]
    for batch in arguments.batches:
        for compiled in compiles:
            _print_networks(config, arguments, batch, compiled, (flops, bytes_))
    for loss in TARGETS:
        for compiled in compiles:
            _print_training(config, arguments, loss, compiled)


def ceilings(device: torch.device, dtype: torch.dtype, large: bool) -> tuple[float, float]:
    """Return the FLOP/s of a matrix product and the bytes/s of a copy, read and written."""
    side, size = (8192, 1 << 30) if large else (128, 1 << 16)
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    product = min(seconds(lambda: left @ right, device, 10) for _ in range(5))
    copy = min(seconds(lambda: target.copy_(source), device, 10) for _ in range(5))
    return 2 * side**3 / product, 2 * size / copy


def seconds(work: Callable[[], Any], device: torch.device, times: int) -> float:
    """Return the wall time of one call, of several in a row; one before them warms."""
    work()
    _wait(device)
    started = time.perf_counter()
    for _ in range(times):
        work()
    _wait(device)
    return (time.perf_counter() - started) / times


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class BytesMoved(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what every operator reads and writes, once each: the traffic of a run not compiled.

    Views move nothing and are left out.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operator and count."""
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            for leaf in tree_leaves((args, kwargs, result)):
                if isinstance(leaf, Tensor):
                    self.bytes += leaf.numel() * leaf.element_size()
        return result


def _one_pass(model: nn.Module, image: Tensor, valid: Tensor, precision: str) -> Callable[[], None]:
    dtype = DTYPES.get(precision)

    def run() -> None:
        with torch.autocast(image.device.type, dtype=dtype, enabled=dtype is not None):
            predicted = model(image, valid)
        predicted.float().square().mean().backward()
        model.zero_grad(set_to_none=True)

    return run


def _print_networks(
    config: ModelConfig,
    arguments: argparse.Namespace,
    batch: int,
    compiled: bool,
    ceiling: tuple[float, float],
) -> None:
    device = torch.device(arguments.device)
    image, valid = (one.to(device) for one in pictures(batch, arguments.side))
    image = image.contiguous(memory_format=torch.channels_last)
    passes: dict[str, Callable[[], None]] = {}
    moved: dict[str, int] = {}
    for name, make in variants(config).items():
        model = make().to(device).train()
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        with BytesMoved() as counter:
            _one_pass(model, image, valid, arguments.precision)()
        moved[name] = counter.bytes
        called: Any = torch.compile(model) if compiled else model
        passes[name] = _one_pass(called, image, valid, arguments.precision)
    spent = _in_turns(passes, device, arguments.rounds, arguments.steps)
    peaks = {name: _peak(run, device) for name, run in passes.items()}
    print(f"\nforward and backward, batch {batch}, {'compiled' if compiled else 'not compiled'}")
    print(f"{'':28}{'x plain':>8}{'images/s':>10}{'of FLOPs':>10}{'of bytes':>10}{'MB peak':>9}")
    for name, make in variants(config).items():
        took = float(np.median(spent[name]))
        paired = float(np.median(np.array(spent[name]) / np.array(spent[PLAIN])))
        cost = module_cost(make, arguments.side)
        flops = batch * cost.picture.training_flops + cost.step.training_flops
        # compiled code fuses operators, and moves less than was counted
        share = "" if compiled else f"{moved[name] / took / ceiling[1]:10.1%}"
        print(
            f"{name:28}{paired:8.3f}{batch / took:10.1f}{flops / took / ceiling[0]:10.1%}"
            f"{share:>10}{peaks[name] / 1e6:9.0f}"
        )
    plain = np.array(spent[PLAIN])
    best = min(FASTEST, key=lambda name: float(np.median(spent[name])))
    verdict(
        f"the time of plain convolution, {best}",
        float(np.median(np.array(spent[best]) / plain)),
        most=1.05,
    )


def _in_turns(
    passes: dict[str, Callable[[], None]], device: torch.device, rounds: int, steps: int
) -> dict[str, list[float]]:
    for run in passes.values():
        for _ in range(3):  # compiling, choosing of kernels
            run()
    spent: dict[str, list[float]] = {name: [] for name in passes}
    for _ in range(rounds):
        for name, run in passes.items():
            spent[name].append(seconds(run, device, steps))
    return spent


def _peak(run: Callable[[], None], device: torch.device) -> float:
    """Return the most memory in use at once, beside other networks' weights; NaN on the CPU."""
    if device.type != "cuda":
        return float("nan")
    _wait(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    run()
    _wait(device)
    return float(torch.cuda.max_memory_allocated(device) - before)


def _print_training(
    config: ModelConfig, arguments: argparse.Namespace, loss: str, compiled: bool
) -> None:
    """Print images a second of whole steps, for every size of batch and both decoders."""
    device = torch.device(arguments.device)
    print(f"\nsteps of training, loss {loss}, {'compiled' if compiled else 'not compiled'}")
    best = 0.0
    for batch in arguments.batches:
        for name, decoder in (("split", "split"), ("concat", "concat")):
            model = ModelConfig(config.width, config.levels, base="none", decoder=decoder)
            train = TrainConfig(
                10**6, batch, loss=loss, precision=arguments.precision, channels_last=True,
                compiled=compiled,
            )  # fmt: skip
            rate = _rate(model, train, device, arguments)
            best = max(best, rate)
            print(f"  batch {batch:4}, {name:8}{rate:10.1f} images/s")
    verdict("times the target, images a second", best / TARGETS[loss], least=1.0)


def _rate(
    model: ModelConfig, train: TrainConfig, device: torch.device, arguments: argparse.Namespace
) -> float:
    target, valid = (one.to(device) for one in pictures(train.batch_size, arguments.side))
    samples = Batch(target, valid, torch.zeros_like(valid))
    with _features(train.loss) as features:
        learner = Learner(model, train, device, features=features)
    step = iter(range(1, 10**6))

    def work() -> None:
        learner.update(samples, next(step))

    for _ in range(3):
        work()
    rounds = [seconds(work, device, arguments.steps) for _ in range(arguments.rounds)]
    return train.batch_size / float(np.median(rounds))


@contextmanager
def _features(loss: str) -> Iterator[Path | None]:
    """Yield a file of random weights in VGG-16's shapes, for the losses that need one."""
    if loss != "paper":
        yield None
        return
    weights = {}
    for layer, (inside, outside) in CONVOLUTIONS.items():
        weights[f"features.{layer}.weight"] = torch.randn(outside, inside, 3, 3) * 0.05
        weights[f"features.{layer}.bias"] = torch.zeros(outside)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vgg16.pt"
        torch.save(weights, path)
        yield path
