"""Structural similarity of all windows of two pictures, fast: a band of rows at a time.

Source of the formula: Wang et al. 2004, IEEE Transactions on Image Processing 13:600. With means,
variances and the covariance taken over a window of the pictures x and y, it is ::

    (2 mean(x) mean(y) + C₁) (2 cov(x, y) + C₂)
    ───────────────────────────────────────────────────────────
    (mean(x)² + mean(y)² + C₁) (var(x) + var(y) + C₂)

Here it is taken from the sum s = x + y and the difference d = x − y. With a = mean(s)²,
b = mean(d)², u = mean(s²) − a and v = mean(d²) − b, twice its four factors are ::

    a − b + 2 C₁        u − v + 2 C₂        a + b + 2 C₁        u + v + 2 C₂

which is less to compute, and exactly 1 where the pictures are equal. Sums over a uniform window are
whole numbers below 2³¹, as are all products in the factors: there only the quotient is rounded.
"""

import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dunhuang_data.types import UInt8Array
from dunhuang_trainer.metrics.pairs import FloatArray

C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
SIGMA_PX = 1.5
Numbers = NDArray[Any]
BAND_PIXELS = 16384
"""Pixels done at a time: so many that calls cost little, so few that they stay in the cache."""


@dataclass(frozen=True, slots=True)
class Convention:
    """How the windows of a structural similarity are weighted.

    Attributes
    ----------
    window : int
        Its side, px, odd.
    uniform : bool
        Every pixel alike, with the sample covariance; else a Gaussian of `SIGMA_PX` and the
        covariance of the population.
    """

    window: int
    uniform: bool

    @property
    def margin(self) -> int:
        """Rows or columns on each side in which no window is centred."""
        return self.window // 2


CONVENTIONS = {
    "ssim_uniform7": Convention(7, uniform=True),
    "ssim_gauss11": Convention(11, uniform=False),
}


_kept = threading.local()


def gaussian_weights(window: int) -> FloatArray:
    """Return the weights of a Gaussian of `SIGMA_PX`, cut off at the window: (window,), sum 1."""
    distance = np.arange(window) - window // 2
    weights: FloatArray = np.exp(-0.5 * np.square(distance / SIGMA_PX))
    weights /= weights.sum()
    return weights


def similarity_bands(
    picture: UInt8Array, target: UInt8Array, way: Convention
) -> Iterator[tuple[int, FloatArray]]:
    """Yield the similarity of all windows that fit, mean over channels, some rows at a time.

    Parameters
    ----------
    picture, target : (H, W, C) uint8
    way : Convention

    Yields
    ------
    int, (rows, W − window + 1) float64
        The row in which the first of these windows are centred, and their values.
    """
    height, width, channels = picture.shape
    if min(height, width) < way.window:
        return
    rows = min(max(BAND_PIXELS // width, 2 * way.window), height - 2 * way.margin)
    room = _room(rows, width, channels, way)
    mean = np.full(channels, 1 / channels)
    for top in range(way.margin, height - way.margin, rows):
        end = min(top + rows, height - way.margin)
        seen = slice(top - way.margin, end + way.margin)
        x, y = picture[seen], target[seen]
        result = np.ones((end - top, width - 2 * way.margin))
        first, last = _differing(x, y, way)
        if first < last:
            columns = slice(first, last + 2 * way.margin)
            values = room.similarity(x[:, columns], y[:, columns])
            result[:, first:last] = values.reshape(end - top, -1, channels) @ mean
        yield top, result


def _differing(x: UInt8Array, y: UInt8Array, way: Convention) -> tuple[int, int]:
    """Return the first and one past the last column of windows in which the pictures differ.

    A composite has the target's own known pixels, and away from its holes there is nothing to
    compute: where all is equal, the similarity is exactly 1.
    """
    height, width, channels = x.shape
    largest = cv2.absdiff(x, y).reshape(height, -1).max(axis=0)
    columns = np.flatnonzero(largest) // channels
    if not len(columns):
        return 0, 0
    reach = 2 * way.margin
    return max(int(columns[0]) - reach, 0), min(int(columns[-1]) + 1, width - reach)


def _room(rows: int, width: int, channels: int, way: Convention) -> "_Room":
    """Return the room of this thread; the pictures of a batch have one size, and share it."""
    rooms: dict[Convention, _Room] = _kept.__dict__.setdefault("rooms", {})
    wanted = (rows, width, channels)
    if way not in rooms or rooms[way].size != wanted:
        rooms[way] = _Room(*wanted, way)
    return rooms[way]


class _Room:
    """Memory for one band, used again for the next: fresh memory would cost more than the sums.

    Parameters
    ----------
    rows : int
        Of windows, at most, in a band.
    width, channels : int
        Of the pictures, at most.
    way : Convention
    """

    def __init__(self, rows: int, width: int, channels: int, way: Convention) -> None:
        shape = (rows + 2 * way.margin, width, channels)
        self.way, self.size, self.channels = way, (rows, width, channels), channels
        # OpenCV filters s² as int32 to int32, and as float32 to float64; it fits both
        square, filtered = ("i4", "i4") if way.uniform else ("f4", "f8")
        self.sources = [np.empty(shape, kind) for kind in ("u2", "i2", square, "u2")]
        self.filtered = [np.empty(shape, filtered) for _ in range(4)]
        windows = (rows, (width - 2 * way.margin) * channels)
        self.spare = np.empty(windows, filtered)
        self.factors = np.empty(windows), np.empty(windows)
        self.weights = gaussian_weights(way.window)

    def similarity(self, x: UInt8Array, y: UInt8Array) -> FloatArray:
        """Return that of every window and channel: (h, W, C) → (h − …, (W − …) · C)."""
        s, d, s_square, d_square = (_part(plane, x.shape) for plane in self.sources)
        np.add(x, y, out=s, dtype=np.uint16)
        np.subtract(x, y, out=d, dtype=np.int16)
        np.square(s, out=s_square, dtype=s_square.dtype)
        unsigned = d.view(np.uint16)  # modulo 2¹⁶ its square is that of the signed number
        np.multiply(unsigned, unsigned, out=d_square)
        constants = (0.0, 0.0, 0.0 if self.way.uniform else 2 * (C1 + C2), 0.0)
        planes = [
            self._filter(source, _part(result, x.shape), constant)
            for source, result, constant in zip(
                (s, d, s_square, d_square), self.filtered, constants, strict=True
            )
        ]
        return self._of_sums(*planes) if self.way.uniform else self._of_means(*planes)

    def _filter(self, source: Numbers, result: Numbers, constant: float) -> Numbers:
        """Return the sums (int32), or weighted means plus a constant, of all windows that fit."""
        margin, columns = self.way.margin, self.way.margin * self.channels
        if self.way.uniform:
            size = (self.way.window, self.way.window)
            cv2.boxFilter(source, cv2.CV_32S, size, dst=result, normalize=False)
        else:
            weights = self.weights
            cv2.sepFilter2D(source, cv2.CV_64F, weights, weights, dst=result, delta=constant)
        return result.reshape(len(result), -1)[margin:-margin, columns:-columns]

    def _of_sums(self, a: Numbers, b: Numbers, u: Numbers, v: Numbers) -> FloatArray:
        pixels = self.way.window**2
        c1, c2 = 2 * pixels**2 * C1, 2 * pixels * (pixels - 1) * C2
        whole, above, below = (_part(one, a.shape) for one in (self.spare, *self.factors))
        np.square(a, out=a)
        np.square(b, out=b)
        u *= pixels
        v *= pixels
        u -= a
        v -= b
        np.add(np.subtract(a, b, out=whole), c1, out=above)
        np.add(np.add(a, b, out=whole), c1, out=below)
        factor: FloatArray = np.add(np.subtract(u, v, out=whole), c2)
        above *= factor
        below *= np.add(np.add(u, v, out=whole), c2, out=factor)
        above /= below
        return above

    def _of_means(self, a: Numbers, b: Numbers, u: Numbers, v: Numbers) -> FloatArray:
        spare, above, below = (_part(one, a.shape) for one in (self.spare, *self.factors))
        np.square(a, out=a)
        a += 2 * C1
        np.square(b, out=b)
        u -= a  # u came with both constants
        v -= b
        np.subtract(a, b, out=above)
        np.add(a, b, out=below)
        above *= np.subtract(u, v, out=spare)
        u += v
        below *= u
        above /= below
        return above


def _part(room: Numbers, shape: tuple[int, ...]) -> Numbers:
    """Return the beginning of some memory as an array of a smaller shape."""
    return room.reshape(-1)[: math.prod(shape)].reshape(shape)
