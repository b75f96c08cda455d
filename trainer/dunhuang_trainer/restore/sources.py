"""What is restored: anything that gives windows of pixels as stored and as sRGB."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.types import UInt8Array

Stored = NDArray[Any]
"""Pixels as a file holds them, uint8 or uint16, with all their channels."""


class Window(Protocol):
    """A rectangle of a picture, as `dunhuang_data.pictures.own_samples` gives it."""

    @property
    def stored(self) -> Stored:
        """(h, w, C), upright."""

    @property
    def srgb(self) -> NDArray[np.float32]:
        """(h, w, 3) in [0, 1]."""

    @property
    def there(self) -> UInt8Array:
        """(h, w): 1 = there, 0 = its alpha says that it is not."""


class Source(Protocol):
    """A picture, read in windows."""

    @property
    def shape_hw(self) -> tuple[int, int]:
        """Height and width, upright."""

    def window(self, top: int, left: int, height: int, width: int) -> Window:
        """Read a rectangle inside the picture."""

    def from_srgb(self, srgb: NDArray[np.float32], stored: Stored | None = None) -> Stored:
        """Turn (h, w, 3) float32 in [0, 1] into (h, w, C) as stored: clipped, never wrapped.

        Channels that are no colours are those of ``stored``, (h, w, C).
        """


@dataclass(frozen=True, slots=True)
class Pixels:
    """A window in memory; see `Window`."""

    stored: UInt8Array
    srgb: NDArray[np.float32]
    there: UInt8Array


@dataclass(frozen=True, slots=True)
class PictureInMemory:
    """A source of 8-bit sRGB, (H, W, 3) uint8, all of it there."""

    picture: UInt8Array

    @property
    def shape_hw(self) -> tuple[int, int]:
        """Height and width."""
        return self.picture.shape[0], self.picture.shape[1]

    def window(self, top: int, left: int, height: int, width: int) -> Pixels:
        """Cut a rectangle."""
        stored = self.picture[top : top + height, left : left + width]
        there = np.ones((height, width), dtype=np.uint8)
        return Pixels(stored, stored.astype(np.float32) / np.float32(255), there)

    def from_srgb(self, srgb: NDArray[np.float32], stored: Stored | None = None) -> UInt8Array:
        """Round to 8 bits."""
        levels = np.clip(np.rint(srgb * np.float32(255)), 0, 255)
        return np.asarray(levels, dtype=np.uint8)
