"""How long a picture of 512 px takes in an exported network, beside torch itself.

    python -m benchmarks.network_export [--side 512] [--turns 7] [--threads 1] [--base push-pull]

The runs take turns; medians and their ratio to torch's are printed. The threads are those of each.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

from dunhuang_trainer.checkpoint import CheckpointInfo, save_weights
from dunhuang_trainer.config import ModelConfig, TrainConfig
from dunhuang_trainer.model import PartialConvUNet
from dunhuang_trainer.netexport import KINDS, export_network
from dunhuang_trainer.netexport.checking import expected_of
from dunhuang_trainer.netexport.graphs import Run


def main() -> None:
    """Export a network of the default size, and time it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--base", default="push-pull")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    config = ModelConfig(base=given.base)
    model = PartialConvUNet(config).eval()
    image = torch.rand(1, 3, given.side, given.side)
    valid = torch.ones(1, 1, given.side, given.side)
    valid[..., given.side // 4 : given.side // 2, given.side // 8 : -given.side // 8] = 0
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "a.safetensors"
        info = CheckpointInfo(config, TrainConfig(1), 0, "0" * 64, 256, {})
        save_weights(checkpoint, model, info)
        runs: dict[str, Run] = {"torch": lambda image, valid: expected_of(model, image, valid)}
        for to in ("onnx", "torchscript"):
            start = time.perf_counter()
            path = export_network(checkpoint, to, Path(folder) / f"a{KINDS[to].ending}").path
            wrote = time.perf_counter() - start
            start = time.perf_counter()
            runs[to] = KINDS[to].load(path)
            loaded = time.perf_counter() - start
            size = path.stat().st_size / 1e6
            print(f"{to}: written in {wrote:.1f} s, loaded in {loaded:.1f} s, {size:.1f} MB")
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(given.turns + 1):
            for name, run in runs.items():
                start = time.perf_counter()
                run(image, valid)
                seconds[name].append(time.perf_counter() - start)
    torchs = statistics.median(seconds["torch"][1:])
    for name, taken in seconds.items():
        median = statistics.median(taken[1:])  # the first is a warm-up
        print(f"{name}: {median:.2f} s, {median / torchs:.2f} of torch")


if __name__ == "__main__":
    main()
