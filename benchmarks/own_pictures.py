"""What a large picture costs that is changed in place: seconds, memory, and size written.

    python benchmarks/own_pictures.py [--side PX] [--folder DIR]

A picture of grain on gradients (10,000 x 10,000 px) is made in DIR with 8 and 16 bits, as PNG and
as tiled TIFF, upright and lying on its side (orientation 6). It is read through by windows of 1024
px, converted to sRGB and back, into an array on the disk, and written like the input. Each in a
fresh process. Memory is what the process holds beside mapped files, which the system takes back at
will.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

WINDOW = 1024  # px
ORIENTATIONS = (1, 6)


def make_picture(path: Path, side: int, bits: int, orientation: int) -> None:
    """Write a picture of grain on a gradient."""
    import pyvips

    across = pyvips.Image.xyz(side, side)
    noise = pyvips.Image.gaussnoise(side, side, sigma=6, mean=0, seed=1)
    bands = [across[band % 2] * (150 / side) + noise + 30 + 20 * band for band in range(3)]
    image = bands[0].bandjoin(bands[1:])
    if bits == 16:
        image = (image * 257).cast("ushort").copy(interpretation="rgb16")
    else:
        image = image.cast("uchar").copy(interpretation="srgb")
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    tiled = {"tile": True, "tile_width": 256, "tile_height": 256, "compression": "deflate"}
    image.write_to_file(str(path), **(tiled if path.suffix == ".tif" else {"compression": 1}))


class Memory(threading.Thread):
    """Watch how much this process holds beside mapped files."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_MB = 0
        self.start()

    def run(self) -> None:
        """Keep the most that was seen."""
        while True:
            status = Path("/proc/self/status").read_text()
            kilobytes = int(re.findall(r"RssAnon:\s+(\d+) kB", status)[0])
            self.peak_MB = max(self.peak_MB, round(kilobytes * 1.024e-3))
            time.sleep(0.02)


def work(path: Path) -> None:
    """Read all windows, change nothing, write it; print what it took, as JSON."""
    import numpy as np

    from dunhuang_data.pictures import open_own, write_like

    memory = Memory()
    own = open_own(path)
    height, width = own.shape_hw
    rows = np.memmap(
        path.with_suffix(".rows"), own.dtype, "w+", shape=(height, width, own.channels)
    )
    start = time.perf_counter()
    for top in range(0, height, WINDOW):
        for left in range(0, width, WINDOW):
            h, w = min(WINDOW, height - top), min(WINDOW, width - left)
            window = own.window(top, left, h, w)
            rows[top : top + h, left : left + w] = own.from_srgb(window.srgb)
    read, read_MB = time.perf_counter() - start, memory.peak_MB
    memory.peak_MB = 0
    out = path.with_suffix(f".out{own.suffix}")
    start = time.perf_counter()
    write_like(own, out, rows)
    written = time.perf_counter() - start
    print(
        json.dumps(
            {
                "windows_s": round(read, 1),
                "windows_MB": read_MB,
                "write_s": round(written, 1),
                "write_MB": memory.peak_MB,
                "file_MB": round(out.stat().st_size / 1e6),
            }
        )
    )


def main() -> None:
    """Make the pictures and measure each in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="where to make pictures")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work)
        return
    for suffix in (".png", ".tif"):
        for bits in (8, 16):
            for orientation in ORIENTATIONS:
                with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
                    path = Path(folder) / f"picture{suffix}"
                    make_picture(path, arguments.side, bits, orientation)
                    command = [sys.executable, __file__, "--work", str(path)]
                    done = subprocess.run(command, capture_output=True, text=True, check=True)
                    name = f"{suffix} {bits} bit, orientation {orientation}"
                    print(f"{name}: {done.stdout.strip()}", flush=True)


if __name__ == "__main__":
    main()
