"""Points that are found again in a crop, however it was turned and resized, and their index.

A point is a SIFT key point (Lowe 2004, International Journal of Computer Vision 60:91); its
description is kept as 128 signs. The index finds descriptions that differ in few signs without
comparing all with all: eight tables of 16 signs each, of which one at least agrees entirely
(Norouzi, Punjani and Fleet 2012, *Fast search in Hamming space with multi-index hashing*).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from dunhuang_data.rng import raw_words, rng_for
from dunhuang_data.types import UInt8Array

POINTS = 5000
"""Points kept of a view, spread over it."""

ALIKE = 18
"""Signs of 128 in which two descriptions of one point may differ; see docs/leaks.md."""

_CELLS = 16  # a side; each gives its strongest points first
_CROWDED = 1000  # entries of one table that agree: an ornament's point, which tells nothing
_BLOCK = 1024  # points looked up at once
_TABLES = 8

# A mirrored picture's descriptor: rows of the 4 x 4 cells upside down, its 8 directions backwards
_MIRRORED = np.array(
    [((3 - row) * 4 + column) * 8 + (8 - direction) % 8
     for row in range(4) for column in range(4) for direction in range(8)]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class KeyPoints:
    """The points of one view.

    Attributes
    ----------
    at : (N,) complex128
        Column + i · row, in pixels of the view.
    pull : (N,) complex128
        Size in pixels times e^(i · direction): the quotient of two points' is the turn and the
        enlargement from one to the other.
    descriptors : (N, 128) uint8
    """

    at: NDArray[np.complex128]
    pull: NDArray[np.complex128]
    descriptors: UInt8Array

    def mirrored(self, width: int) -> "KeyPoints":
        """Return the points of the view mirrored left to right, without looking at it again."""
        at = (width - 1 - self.at.real) + 1j * self.at.imag
        return KeyPoints(at, -np.conj(self.pull), self.descriptors[:, _MIRRORED])


def find_key_points(grey: UInt8Array) -> KeyPoints:
    """Find the points of a view.

    Parameters
    ----------
    grey : (H, W) uint8

    Returns
    -------
    KeyPoints
        At most `POINTS`, the strongest of each sixteenth of both sides before the second strongest
        of any: a crop from a quiet corner must find its points too.
    """
    found = _sift().detect(grey, None)
    at = np.array([point.pt[0] + 1j * point.pt[1] for point in found], dtype=complex)
    strength = np.array([point.response for point in found])
    kept = _spread_out(at, strength, grey.shape[0], grey.shape[1])
    if not len(kept):
        return KeyPoints(at, at, np.zeros((0, 128), np.uint8))
    # described only when chosen: a picture full of brush strokes has ten times as many
    points, descriptors = _sift().compute(grey, [found[n] for n in kept])
    angle = np.radians([point.angle for point in points])
    return KeyPoints(
        at=np.array([point.pt[0] + 1j * point.pt[1] for point in points]),
        pull=np.array([point.size for point in points]) * np.exp(1j * angle),
        descriptors=np.asarray(descriptors, dtype=np.uint8),
    )


@cache
def _sift() -> cv2.SIFT:
    # half the usual contrast: faded paint; precise: else points lie 1/4 px off, and mirrored twice
    return cv2.SIFT.create(0, 3, 0.02, 10, 1.6, cv2.CV_32F, enable_precise_upscale=True)


def _spread_out(
    at: NDArray[np.complex128], strength: NDArray[np.float64], height: int, width: int
) -> NDArray[np.intp]:
    if not len(at):
        return np.zeros(0, dtype=np.intp)
    row = (at.imag * _CELLS / height).astype(int).clip(0, _CELLS - 1)
    column = (at.real * _CELLS / width).astype(int).clip(0, _CELLS - 1)
    cell = row * _CELLS + column
    by_cell = np.lexsort((-strength, cell))
    ordered = cell[by_cell]
    starts = np.r_[0, np.flatnonzero(np.diff(ordered)) + 1]
    rank = np.arange(len(at)) - np.repeat(starts, np.diff(np.r_[starts, len(at)]))
    return by_cell[np.lexsort((-strength[by_cell], rank))][:POINTS]


class PointIndex:
    """The points of many views, to be asked which of them look like a given one.

    Parameters
    ----------
    views : sequence of KeyPoints

    Attributes
    ----------
    view : (N,) int32
        The view each entry belongs to.
    at, pull : (N,) complex128
        See `KeyPoints`.
    """

    def __init__(self, views: Sequence[KeyPoints]) -> None:
        counts = [len(one.at) for one in views]
        self.view = np.repeat(np.arange(len(views), dtype=np.int32), counts)
        self.at = np.concatenate([np.zeros(0, complex), *(one.at for one in views)])
        self.pull = np.concatenate([np.zeros(0, complex), *(one.pull for one in views)])
        total = sum((_roots(one.descriptors).sum(axis=0) for one in views), np.zeros(128))
        self._mean = total / max(1, sum(counts))
        codes = [self._codes(one.descriptors) for one in views]
        self._entries = np.concatenate([np.zeros((0, 2), np.uint64), *codes])
        keys = self._entries.view(np.uint16)
        self._order = [
            np.argsort(keys[:, t], kind="stable").astype(np.int32) for t in range(_TABLES)
        ]
        self._keys = [keys[order, t] for t, order in enumerate(self._order)]

    def lookup(
        self, points: KeyPoints
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint8]]:
        """Find the entries that look like some points.

        Returns
        -------
        point, entry : (K,) int
            Pairs whose descriptions differ in at most `ALIKE` signs, each once. (Not quite all:
            up to one such pair in six agrees in no table.)
        differing : (K,) uint8
        """
        codes = self._codes(points.descriptors)
        found = [self._near(codes, first) for first in range(0, len(codes), _BLOCK)]
        if not found:
            none = np.zeros(0, dtype=np.intp)
            return none, none, none.astype(np.uint8)
        point, entry, differing = (np.concatenate(part) for part in zip(*found, strict=True))
        return point, entry, differing

    def _near(
        self, codes: NDArray[np.uint64], first: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint8]]:
        block = codes[first : first + _BLOCK]
        pairs = np.unique(np.concatenate(list(self._alike(block))))
        point, entry = np.divmod(pairs, max(1, len(self._entries)))
        return point + first, entry, _differing(block[point], self._entries[entry])

    def _alike(self, block: NDArray[np.uint64]) -> Iterator[NDArray[np.intp]]:
        """Yield the near pairs of each table, each as one number: point · entries + entry."""
        keys = block.view(np.uint16)
        for table in range(_TABLES):
            left = np.searchsorted(self._keys[table], keys[:, table], side="left")
            right = np.searchsorted(self._keys[table], keys[:, table], side="right")
            count = np.where(right - left > _CROWDED, 0, right - left)
            point = np.repeat(np.arange(len(block)), count)
            within = np.arange(len(point)) - np.repeat(np.cumsum(count) - count, count)
            entry = self._order[table][np.repeat(left, count) + within].astype(np.intp)
            near = _differing(block[point], self._entries[entry]) <= ALIKE
            yield point[near] * len(self._entries) + entry[near]

    def _codes(self, descriptors: UInt8Array) -> NDArray[np.uint64]:
        """Return the 128 signs of each descriptor, (N, 2) uint64."""
        signs = (_roots(descriptors) - self._mean) @ _rotation() > 0
        return np.packbits(signs, axis=1).view(np.uint64)


def _roots(descriptors: UInt8Array) -> NDArray[np.float64]:
    """Make Euclidean distances those of Hellinger (Arandjelović and Zisserman 2012)."""
    total = descriptors.sum(axis=1, keepdims=True, dtype=np.float64)
    return np.asarray(np.sqrt(descriptors / np.maximum(total, 1.0)))


@cache
def _rotation() -> NDArray[np.float64]:
    """Return 128 directions drawn once and for all, perpendicular to each other."""
    words = raw_words(rng_for(0, "signs"), 12 * 128 * 128).reshape(12, 128, 128)
    normal = (words >> np.uint64(11)).astype(np.float64).sum(axis=0) * 2.0**-53 - 6.0
    return np.asarray(np.linalg.qr(normal)[0], dtype=np.float64)


def _differing(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.uint8]:
    return np.asarray(np.bitwise_count(one ^ other).sum(axis=-1, dtype=np.uint8))
