"""What the codecs of a sample cost, beside PNG and WebP: bytes, and µs of processor time.

    python benchmarks/codecs.py [--folder DIR] [--size 256] [--rounds 7] [--each 4]

Patches are cut from the photographs in a folder and below it, at most so many of each. In every
round each codec encodes one patch in turn, then decodes all of them; a figure is the median over
patches and rounds. Decoding goes into an array that is there already, where the codec can do that.
"""

import argparse
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from dunhuang_data.codecs import decode_into, encode
from dunhuang_data.polarity import pack
from dunhuang_data.recipe import CODECS
from dunhuang_data.rng import draw_below, rng_for
from dunhuang_data.types import UInt8Array
from dunhuang_data.walks import walk_to_order

MASKS = 48


class Codec(NamedTuple):
    """How a patch becomes bytes, and how they come back."""

    encode: Callable[[UInt8Array], bytes]
    decode: Callable[[bytes, UInt8Array], object]


def ours(codec: str, name: str) -> Codec:
    """Return one of the project's."""
    return Codec(
        lambda row: encode(codec, name, row), lambda data, out: decode_into(codec, name, data, out)
    )


def opencv(suffix: str, *flags: int) -> Codec:
    """Return one of OpenCV's; blue and red stay swapped, which is in its favour."""
    return Codec(
        lambda row: cv2.imencode(suffix, row[..., ::-1], flags)[1].tobytes(),
        lambda data, _: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR),
    )


def pillow(kind: str, **options: object) -> Codec:
    """Return one of Pillow's."""

    def encoded(row: UInt8Array) -> bytes:
        file = BytesIO()
        Image.fromarray(row).save(file, kind, **options)
        return file.getvalue()

    return Codec(encoded, lambda data, _: np.asarray(Image.open(BytesIO(data))))


def photographs(folder: Path, size: int, each: int) -> dict[str, list[UInt8Array]]:
    """Cut patches from every picture in colour; by the folder that the pictures lie in."""
    patches: dict[str, list[UInt8Array]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".png", ".jpg")):
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if picture is None or picture.dtype != np.uint8 or picture.ndim != 3:
            continue
        pixels = np.asarray(picture, dtype=np.uint8)[..., 2::-1]
        room = pixels.shape[0] - size, pixels.shape[1] - size
        if min(room) < 0 or (pixels[..., 0] == pixels[..., 2]).all():
            continue
        rng = rng_for(0, "benchmark of codecs", path.name)
        for _ in range(each if max(room) else 1):
            top, left = (draw_below(rng, length + 1) for length in room)
            patch = np.ascontiguousarray(pixels[top : top + size, left : left + size])
            patches.setdefault(path.parent.name, []).append(patch)
    return patches


def masks(size: int) -> list[UInt8Array]:
    """Draw packed masks, a tenth to six tenths of their pixels holes."""
    holes = np.linspace(0.1, 0.6, MASKS) * size * size
    return [
        pack(walk_to_order((size, size), int(count), rng_for(0, "benchmark of codecs", k)))
        for k, count in enumerate(holes)
    ]


def measure(
    codecs: dict[str, Codec], rows: list[UInt8Array], rounds: int
) -> dict[str, tuple[float, float, float]]:
    """Return for each codec mean bytes, and median µs to encode and to decode."""
    out = np.empty_like(rows[0])
    chunks: dict[str, list[bytes]] = {}
    encode_us: dict[str, list[float]] = {name: [] for name in codecs}
    decode_us: dict[str, list[float]] = {name: [] for name in codecs}
    for name, codec in codecs.items():
        chunks[name] = [codec.encode(row) for row in rows]
        codec.decode(chunks[name][0], out)
    for turn in range(rounds):
        for name, codec in codecs.items():
            for row in rows[turn::rounds]:
                encode_us[name].append(_cpu_us(lambda c=codec, r=row: c.encode(r)))  # type: ignore[misc]
            for data in chunks[name]:
                decode_us[name].append(_cpu_us(lambda c=codec, d=data: c.decode(d, out)))  # type: ignore[misc]
    return {
        name: (mean(map(len, chunks[name])), median(encode_us[name]), median(decode_us[name]))
        for name in codecs
    }


def _cpu_us(call: Callable[[], object]) -> float:
    start = time.process_time_ns()
    call()
    return (time.process_time_ns() - start) / 1000


def report(title: str, found: dict[str, tuple[float, float, float]], beside: str) -> None:
    """Print a table; ratios against one of its rows."""
    print(f"\n{title}\n")
    print(f"| codec | bytes | of none | of {beside} | encode µs | decode µs | × as fast |")
    print("|---|---|---|---|---|---|---|")
    base = found[beside]
    for name, (size, encode_us, decode_us) in found.items():
        print(
            f"| {name} | {size:,.0f} | {size / found['none'][0]:.3f} | {size / base[0]:.2f} | "
            f"{encode_us:,.0f} | {decode_us:,.0f} | {base[2] / decode_us:.1f} |"
        )


def default_folder() -> Path:
    """Return the pictures beside the checkout, or those of scikit-image."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    if beside.is_dir():
        return beside
    import skimage

    return Path(str(skimage.__file__)).parent / "data"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--each", type=int, default=4)
    options = parser.parse_args()
    patches = photographs(options.folder or default_folder(), options.size, options.each)
    images = {
        **{name: ours(name, "image") for name in CODECS},
        "PNG, OpenCV": opencv(".png"),
        "PNG, OpenCV, level 9": opencv(".png", cv2.IMWRITE_PNG_COMPRESSION, 9),
        "PNG, Pillow, level 6": pillow("png", compress_level=6),
        "PNG, Pillow, level 9": pillow("png", compress_level=9),
        "WebP lossless, Pillow, method 0": pillow("webp", lossless=True, method=0, quality=0),
    }
    every = [patch for rows in patches.values() for patch in rows]
    report(f"{len(every)} patches", measure(images, every, options.rounds), "PNG, OpenCV")
    print("\nBytes, by folder\n\n| folder | patches | lossless | least PNG | lossless of it |")
    print("|---|---|---|---|---|")
    for folder, rows in patches.items():
        sizes = {
            name: mean(len(codec.encode(row)) for row in rows) for name, codec in images.items()
        }
        png = min(size for name, size in sizes.items() if name.startswith("PNG"))
        ratio = sizes["lossless"] / png
        print(f"| {folder} | {len(rows)} | {sizes['lossless']:,.0f} | {png:,.0f} | {ratio:.2f} |")
    packed = {name: ours(name, "valid") for name in CODECS}
    report(f"{MASKS} masks of walks, packed", measure(packed, masks(options.size), 25), "none")


if __name__ == "__main__":
    main()
