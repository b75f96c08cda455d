"""What the network costs, beside plain convolution and beside a mask channel for every feature.

    python -m benchmarks.network [--batch 2] [--rounds 12]
    python -m benchmarks.network --device cuda [--batches 16,64,256]

On the CPU: forward and backward pass, one thread, CPU time and not the clock, all networks in one
process and in turns, another order in every round. Printed are medians over the rounds of the ratio
to the plain network of the same round, with their quartiles. On a GPU: see `network_gpu`.
"""

import argparse
import time

import numpy as np
import torch
from torch import nn

from benchmarks import network_gpu
from benchmarks.machine import print_machine, verdict
from benchmarks.network_variants import DEFAULT, MANY, PLAIN, pictures, variants
from dunhuang_data.rng import permutation, rng_for
from dunhuang_trainer.config import ModelConfig
from dunhuang_trainer.cost import NetworkCost, module_cost, saved_bytes

Times = dict[str, list[tuple[float, float]]]  # name: (forward, backward) in CPU seconds, by round


def time_networks(networks: dict[str, nn.Module], batch: int, side: int, rounds: int) -> Times:
    """Time forward and backward passes in turns; the first round warms and is left out."""
    image, valid = pictures(batch, side)
    times: Times = {name: [] for name in networks}
    names = list(networks)
    for turn in range(rounds + 1):
        for place in permutation(rng_for(0, "turns", turn), len(names)):
            name = names[place]
            started = time.process_time()
            loss = networks[name](image, valid).square().mean()
            forward = time.process_time()
            loss.backward()
            ended = time.process_time()
            networks[name].zero_grad(set_to_none=True)
            if turn:
                times[name].append((forward - started, ended - forward))
    return times


def ratios(times: Times, name: str, part: int | None = None) -> tuple[float, float, float]:
    """Return quartiles and median of the paired ratio to plain: (lower, median, upper).

    ``part`` is 0 for the forward pass, 1 for the backward pass, None for both.
    """
    own, plain = (np.array(times[which]) for which in (name, PLAIN))
    parts = [0, 1] if part is None else [part]
    paired = own[:, parts].sum(axis=1) / plain[:, parts].sum(axis=1)
    lower, median, upper = np.percentile(paired, (25, 50, 75))
    return float(lower), float(median), float(upper)


def print_cpu(config: ModelConfig, batch: int, side: int, rounds: int) -> None:
    """Measure on the CPU and print the table and the bars."""
    torch.set_num_threads(1)
    makers = variants(config)
    networks = {name: make().train() for name, make in makers.items()}
    costs = {name: module_cost(make, side) for name, make in makers.items()}
    kept = _kept(networks, batch, side)
    times = time_networks(networks, batch, side, rounds)
    print(f"\nforward and backward, batch {batch}, {side} px, float32, {rounds} rounds; x plain")
    print(
        f"{'':28}{'total (quartiles)':>22}{'forward':>9}{'backward':>9}{'images/s':>10}"
        f"{'GFLOP':>8}{'kept MB':>9}"
    )
    for name in networks:
        lower, median, upper = ratios(times, name)
        seconds = float(np.median(np.array(times[name]).sum(axis=1)))
        print(
            f"{name:28}{median:8.3f} ({lower:.3f}-{upper:.3f}){ratios(times, name, 0)[1]:9.2f}"
            f"{ratios(times, name, 1)[1]:9.2f}{batch / seconds:10.2f}"
            f"{costs[name].picture.training_flops / 1e9:8.2f}{kept[name] / 1e6:9.1f}"
        )
    print("\nkept MB: for the backward pass, an image of this batch, weights left out")
    _print_bars(times, kept, costs)


def _kept(networks: dict[str, nn.Module], batch: int, side: int) -> dict[str, float]:
    image, valid = pictures(batch, side)
    return {name: saved_bytes(one, image, valid)[0] / batch for name, one in networks.items()}


def _print_bars(times: Times, kept: dict[str, float], costs: dict[str, NetworkCost]) -> None:
    for name in (PLAIN, MANY, DEFAULT):
        once, each = costs[name].step.saved_bytes, costs[name].picture.saved_bytes
        print(f"{name}: {each / 1e6:.1f} MB an image and {once / 1e6:.1f} MB a batch")
    ours = np.array(times[DEFAULT]).sum(axis=1)
    many = float(np.median(np.array(times[MANY]).sum(axis=1) / ours))
    verdict(
        "the time of plain convolution, the default network", ratios(times, DEFAULT)[1], most=0.85
    )
    verdict("the default's time, the many-channel form", many, least=1.6)
    verdict("what the many-channel form keeps, the default", kept[DEFAULT] / kept[MANY], most=0.5)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--device", default="", help="cuda, or cpu to try the GPU's benchmark out")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--levels", type=int, default=8)
    network_gpu.add_arguments(parser)
    arguments = parser.parse_args()
    config = ModelConfig(arguments.width, arguments.levels, base="none")
    print_machine()
    if arguments.device:
        network_gpu.print_device(config, arguments)
    else:
        print_cpu(config, arguments.batch, arguments.side, arguments.rounds)


if __name__ == "__main__":
    main()
