"""How often a mask's rim is warned of: where it should be, and where not.

    python -m benchmarks.rims PICTURE... [--crops 80]

cuts squares out of pictures, draws strokes on them, and looks at their rims as ``restore`` does: of
holes that nobody painted, of painted ones that the mask covers, of masks that are 2 px too small,
and of painted pictures that were saved as JPEG of quality 75.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from benchmarks.machine import print_machine
from benchmarks.strokes import draw_strokes
from dunhuang_data.pictures import read_picture
from dunhuang_data.rng import raw_words, rng_for
from dunhuang_data.types import UInt8Array
from dunhuang_trainer.restore.glimpses import glimpses
from dunhuang_trainer.restore.rim import look_at_rim
from dunhuang_trainer.restore.sources import PictureInMemory

COLOURS = {
    "magenta": (255, 0, 255),
    "grey": (128, 128, 128),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
}
SIDES = (64, 128, 256, 512)
PAINTED_SIDE = 256


def main() -> None:
    """Count, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--crops", type=int, default=80)
    arguments = parser.parse_args()
    print_machine()
    pictures = [read_picture(path) for path in arguments.pictures]
    for side in SIDES:
        for strokes in (1, 4):
            warned = sum(
                _is_warned(crop, valid)
                for crop, valid in _crops(pictures, side, strokes, arguments.crops)
            )
            print(f"not painted, {side} px, {strokes} strokes: {warned} of {arguments.crops}")
    for name, colour in COLOURS.items():
        for strokes in (4, 30):
            counts = dict.fromkeys(("covers", "2 px too small", "JPEG"), 0)
            for crop, valid in _crops(pictures, PAINTED_SIDE, strokes, arguments.crops):
                painted = np.where(valid[..., None] == 1, crop, np.array(colour, np.uint8))
                disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
                small = np.asarray(1 - cv2.erode(1 - valid, disc), dtype=np.uint8)
                counts["covers"] += _is_warned(painted, valid)
                counts["2 px too small"] += _is_warned(painted, small)
                counts["JPEG"] += _is_warned(_as_jpeg(painted), valid)
            said = ", ".join(f"{what} {count}" for what, count in counts.items())
            print(f"painted {name}, {strokes} strokes, of {arguments.crops}: {said}", flush=True)


def _crops(
    pictures: list[UInt8Array], side: int, strokes: int, count: int
) -> Iterator[tuple[UInt8Array, UInt8Array]]:
    """Yield squares of pictures that are large enough, each with a mask."""
    large = [one for one in pictures if min(one.shape[:2]) >= side]
    words = raw_words(rng_for(0, "rims", side, strokes), 3 * count).reshape(count, 3)
    for number, (which, y, x) in enumerate((words >> np.uint64(33)).astype(int).tolist()):
        picture = large[which % len(large)]
        top, left = y % (picture.shape[0] - side + 1), x % (picture.shape[1] - side + 1)
        crop = np.ascontiguousarray(picture[top : top + side, left : left + side])
        yield crop, draw_strokes(side, side, strokes, number, "rims", strokes)


def _is_warned(picture: UInt8Array, valid: UInt8Array) -> bool:
    rim = look_at_rim(list(glimpses(PictureInMemory(picture), valid)))
    return rim is not None and rim.width_px > 0


def _as_jpeg(picture: UInt8Array) -> UInt8Array:
    """Return what a JPEG of quality 75 leaves of a picture."""
    _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 75])
    back = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert back is not None
    return np.ascontiguousarray(back[..., ::-1], dtype=np.uint8)


if __name__ == "__main__":
    main()
