"""What windows cost: seconds and memory of 25 windows of a 384-megapixel picture.

    python benchmarks/windows.py [PICTURE ...] [--folder DIR]

Without a picture, three are made in DIR (1.4 GB, deleted at the end): a tiled pyramid, strips and a
baseline JPEG. Each is identified (one streaming pass), read by windows and shrunk, in fresh
processes.
"""

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HEIGHT, WIDTH = 16_000, 24_000
SIZE, MARGIN, COUNT = 256, 363, 25  # a patch; what may be read around it for a turn; patches


def make_pictures(folder: Path) -> list[Path]:
    """Write one picture, smooth with grain like a scan, in three ways."""
    import pyvips

    smooth = pyvips.Image.perlin(WIDTH // 8, HEIGHT // 8, cell_size=64, seed=1).resize(8)
    bands = [
        smooth * gain + level + pyvips.Image.gaussnoise(WIDTH, HEIGHT, sigma=6, mean=0, seed=level)
        for gain, level in ((50, 150), (60, 120), (40, 90))
    ]
    image = bands[0].bandjoin(bands[1:]).cast("uchar").copy(interpretation="srgb")
    image = image.icc_transform("p3", input_profile="srgb", depth=8)
    tiled, strips, jpeg = (folder / name for name in ("tiled.tif", "strips.tif", "baseline.jpg"))
    image.write_to_file(
        str(tiled), tile=True, pyramid=True, bigtiff=True, compression="jpeg", Q=90,
        tile_width=256, tile_height=256,
    )  # fmt: skip
    stored = pyvips.Image.new_from_file(str(tiled), access="sequential")
    stored.write_to_file(str(strips), compression="lzw", predictor="horizontal", bigtiff=True)
    stored = pyvips.Image.new_from_file(str(tiled), access="sequential")
    stored.write_to_file(str(jpeg), Q=90)
    return [tiled, strips, jpeg]


def identify(path: Path) -> None:
    """Make the pass that sample-patches makes."""
    from dunhuang_data.pictures import FoundPicture, identify_pictures

    pictures, problems = identify_pictures([FoundPicture("a", path)], path.parent.resolve())
    assert pictures, problems


def read_windows(path: Path) -> object:
    """Read the windows that build would read; return the open picture."""
    from dunhuang_data.pictures import open_picture

    picture = open_picture(path)
    height, width = picture.shape_hw
    side = SIZE + 2 * MARGIN
    for number in range(COUNT):
        top = (height - side) * (number * 7 % COUNT) // COUNT
        left = (width - side) * (number * 11 % COUNT) // COUNT
        picture.window(top, left, side, side)
    return picture


def shrink(path: Path) -> None:
    """Make the thumbnail that an overlay is drawn on."""
    from dunhuang_data.pictures import open_picture

    open_picture(path).thumbnail(1024)


WORK = {"identify": identify, "windows": read_windows, "thumbnail": shrink}


def measure(work: str, path: Path) -> None:
    """Do one thing and print what it took, as JSON."""
    start = time.perf_counter()
    kept = WORK[work](path)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": round(seconds, 2), **memory()}))
    del kept  # until here its mapped file is counted


def memory() -> dict[str, int]:
    """Return this process's peak, and how much of what it holds now is a mapped file, in MB."""
    status = Path("/proc/self/status")
    if not status.exists():  # macOS, where a process also counts what its parent had
        return {"peak_MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1_000_000}
    kilobytes = dict(re.findall(r"(VmHWM|RssFile):\s+(\d+) kB", status.read_text()))
    return {
        "peak_MB": round(int(kilobytes["VmHWM"]) * 1.024e-3),
        "mapped_file_MB": round(int(kilobytes["RssFile"]) * 1.024e-3),
    }


def main() -> None:
    """Make pictures if none are given, and measure each in fresh processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", nargs="*", type=Path)
    parser.add_argument("--folder", type=Path, help="where to make pictures")
    parser.add_argument("--work", choices=WORK, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        measure(arguments.work, arguments.pictures[0])
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for path in arguments.pictures or make_pictures(Path(folder)):
            for work in WORK:
                command = [sys.executable, __file__, "--work", work, str(path)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                size = path.stat().st_size / 1e6
                print(f"{path.name} ({size:.0f} MB), {work}: {done.stdout.strip()}")


if __name__ == "__main__":
    main()
