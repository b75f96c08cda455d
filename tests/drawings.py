"""Small pictures, never square, drawn by arithmetic; and the plan the tests make of them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyvips

from dunhuang_data.recipe import PlanRecipe
from dunhuang_data.rng import raw_words, rng_for
from dunhuang_data.types import UInt8Array

SIZE = 32  # px, of the patches in tests
TINY_PLAN = PlanRecipe(patch_size=SIZE, per_picture=6, split=(0.5, 0.25, 0.25), seed=1)
SHAPES = {
    "cave/wall-1.jpg": (70, 91),
    "cave/wall-2.png": (53, 40),
    "niche-3.tif": (48, 77),
    "niche-4.png": (61, 47),
    "niche-5.jpg": (39, 120),
    "niche-6.webp": (83, 59),
    "niche-7.png": (45, 64),
    "niche-8.png": (64, 45),
}


def draw_picture(height: int, width: int, name: str) -> UInt8Array:
    """Return stripes, a gradient and a little noise, (H, W, 3) uint8, a function of the name."""
    y, x = np.mgrid[0:height, 0:width]
    noise = raw_words(rng_for(0, "picture", name), height * width * 3) >> np.uint64(60)
    stripes = np.stack([x * 3 + y, y * 4, 255 - x - y], axis=-1) % 200
    return np.asarray(stripes + noise.reshape(height, width, 3).astype(np.int64) + 20, np.uint8)


def save_picture(path: Path, pixels: UInt8Array, **options: object) -> Path:
    """Write a picture in the format of its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pyvips.Image.new_from_array(pixels).write_to_file(str(path), **options)
    return path


def write_pictures(folder: Path, shapes: dict[str, tuple[int, int]] = SHAPES) -> Path:
    """Fill a folder with drawn pictures."""
    for name, (height, width) in shapes.items():
        save_picture(folder / name, draw_picture(height, width, name))
    return folder


@dataclass(frozen=True)
class HoledPicture:
    """A picture in memory, some of which is not there: a source of windows."""

    pixels: UInt8Array
    there: UInt8Array

    @property
    def shape_hw(self) -> tuple[int, int]:
        return self.there.shape[0], self.there.shape[1]

    def window(self, top: int, left: int, height: int, width: int) -> tuple[UInt8Array, UInt8Array]:
        part = slice(top, top + height), slice(left, left + width)
        return self.pixels[part], self.there[part]
