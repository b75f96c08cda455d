"""Time and memory of restoring one large picture, with scattered holes and a small network.

    python benchmarks/restoring.py --side 10000

makes a picture and its mask in a temporary folder, restores it with ``dunhuang-train restore`` in
a process of its own, and prints seconds and the most memory that the process held. Other options
are those of ``restore``.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
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
    parser.add_argument("--draw", type=Path, help=argparse.SUPPRESS)
    arguments, others = parser.parse_known_args()
    if arguments.draw:  # in a process of its own: a child's memory begins with its parent's
        _draw(arguments.draw, arguments.side, arguments.sixteen_bits, arguments.format)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--draw", name], check=True)
        start = time.monotonic()
        most = _run(
            folder / "net.safetensors", folder / f"wall.{arguments.format}", "--mask",
            folder / "mask.png", "--white-is", "hole", "-o", folder / "out", "--device", "cpu",
            *others,
        )  # fmt: skip
        print(f"{time.monotonic() - start:.0f} s")
        print(", ".join(f"{name} {value / 1024:.0f} MiB" for name, value in most.items()))


def _run(*arguments: object) -> dict[str, int]:
    """Restore; return the most memory that the process held, in KiB.

    ``all`` counts pages of files that are mapped into memory, which the system takes back when it
    needs them; ``own`` does not.
    """
    line = [sys.executable, "-c", COMMAND, "restore", *map(str, arguments)]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL)
    most = {"own": 0, "all": 0}
    while process.poll() is None:
        with suppress(OSError):
            status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            found = dict(line.split(":", 1) for line in status)
            for name, key in (("own", "RssAnon"), ("all", "VmRSS")):
                most[name] = max(most[name], int(found.get(key, "0 kB").split()[0]))
        time.sleep(0.02)
    if process.returncode:
        raise SystemExit(process.returncode)
    return most


def _draw(folder: Path, side: int, sixteen_bits: bool, suffix: str) -> None:
    """Draw a picture with a grain, and a mask of scattered blots and lines; make a network."""
    model = PartialConvUNet(ModelConfig(width=8, levels=3))
    info = CheckpointInfo(model.config, TrainConfig(steps=1), 0, "", 256, {})
    save_weights(folder / "net.safetensors", model, info)
    grain = raw_words(rng_for(0, "benchmark", "restoring"), 1 << 20).view(np.uint8)
    y, x = np.ogrid[0:side, 0:side]
    waves = (100 + 60 * np.sin(x / 130) + 50 * np.sin(y / 170)).astype(np.uint8)
    pixels = np.repeat(waves[..., None], 3, axis=-1)
    pixels += np.resize(grain >> np.uint8(4), pixels.shape)
    if sixteen_bits:
        pixels = pixels.astype(np.uint16) * 257
    tiles = {"tile": True, "tile_width": 256, "tile_height": 256} if suffix == "tif" else {}
    pyvips.Image.new_from_array(pixels).write_to_file(str(folder / f"wall.{suffix}"), **tiles)
    holes = np.zeros((side, side), dtype=np.uint8)
    places = raw_words(rng_for(1, "benchmark", "restoring"), 4000).reshape(-1, 4) % side
    for left, top, across, down in places.tolist():
        radius = 5 + across % 40
        cv2.circle(holes, (left, top), radius, 255, -1)
        cv2.line(holes, (left, top), (left + across % 200, top + down % 200), 255, 9)
    pyvips.Image.new_from_array(holes).write_to_file(str(folder / "mask.png"))


if __name__ == "__main__":
    main()
