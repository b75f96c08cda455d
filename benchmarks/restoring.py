"""Time and memory of restoring one large picture, with scattered holes and a small network.

    python benchmarks/restoring.py --side 10000

makes a picture of noise and stripes and its mask in a temporary folder, restores it with
``dunhuang-train restore`` in a process of its own, and prints seconds, the most memory that the
process held, and what of it was there before the picture was opened.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pyvips

from dunhuang_data.rng import raw_words, rng_for
from dunhuang_trainer.checkpoint import CheckpointInfo, save_weights
from dunhuang_trainer.config import ModelConfig, TrainConfig
from dunhuang_trainer.model import PartialConvUNet

COMMAND = "from dunhuang_cli.train import main; main()"


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=10_000)
    parser.add_argument("--sixteen-bits", action="store_true")
    parser.add_argument("--format", choices=["png", "tif"], default="png")
    arguments, others = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        picture, mask = _files(folder, arguments.side, arguments.sixteen_bits, arguments.format)
        checkpoint = folder / "net.safetensors"
        model = PartialConvUNet(ModelConfig(width=8, levels=3))
        info = CheckpointInfo(model.config, TrainConfig(steps=1), 0, "", 256, {})
        save_weights(checkpoint, model, info)
        _run("--help")
        print(f"{_most_memory():.0f} MB before a picture is opened")
        start = time.monotonic()
        _run(
            checkpoint, picture, "--mask", mask, "--white-is", "hole", "-o", folder / "out",
            "--device", "cpu", *others,
        )  # fmt: skip
        print(f"{time.monotonic() - start:.0f} s, {_most_memory():.0f} MB at most")


def _run(*arguments: object) -> None:
    line = [sys.executable, "-c", COMMAND, "restore", *map(str, arguments)]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)


def _most_memory() -> float:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000


def _files(folder: Path, side: int, sixteen_bits: bool, suffix: str) -> tuple[Path, Path]:
    """Draw a picture with a grain, and a mask of scattered blots and lines."""
    grain = raw_words(rng_for(0, "benchmark", "restoring"), 1 << 20).view(np.uint8)
    y, x = np.ogrid[0:side, 0:side]
    waves = (100 + 60 * np.sin(x / 130) + 50 * np.sin(y / 170)).astype(np.uint8)
    pixels = np.repeat(waves[..., None], 3, axis=-1)
    pixels += np.resize(grain >> np.uint8(4), pixels.shape)
    if sixteen_bits:
        pixels = pixels.astype(np.uint16) * 257
    tiles = {"tile": True, "tile_width": 256, "tile_height": 256} if suffix == "tif" else {}
    picture, mask = folder / f"wall.{suffix}", folder / "mask.png"
    pyvips.Image.new_from_array(pixels).write_to_file(str(picture), **tiles)
    holes = np.zeros((side, side), dtype=np.uint8)
    places = raw_words(rng_for(1, "benchmark", "restoring"), 4000).reshape(-1, 4) % side
    for left, top, across, down in places.tolist():
        radius = 5 + across % 40
        cv2.circle(holes, (left, top), radius, 255, -1)
        cv2.line(holes, (left, top), (left + across % 200, top + down % 200), 255, 9)
    pyvips.Image.new_from_array(holes).write_to_file(str(mask))
    return picture, mask


if __name__ == "__main__":
    main()
