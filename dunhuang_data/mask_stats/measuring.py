"""Measure masks one by one; what is summed over them does not depend on their order."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import fsum

import cv2
import numpy as np
from numpy.typing import NDArray

from dunhuang_data.errors import MaskError
from dunhuang_data.mask_stats.records import RECORD
from dunhuang_data.mask_stats.summary import MaskStats
from dunhuang_data.polarity import pack
from dunhuang_data.types import UInt8Array

Row = tuple[float, float, float, int, float, int, int, float, int, float, str]
"""The values of one `RECORD`."""


def measure_mask(valid: UInt8Array) -> tuple[Row, NDArray[np.int64]]:
    """Measure one mask.

    Parameters
    ----------
    valid : (H, W) uint8
        1 = known, 0 = hole.

    Returns
    -------
    row : tuple
        The values of `RECORD`, without a grey share.
    areas_px : (holes,) int64
        Pixels of each connected hole.
    """
    digest = _digest(valid)
    count = valid.size - cv2.countNonZero(valid)
    ratio = count / valid.size
    if count == 0:
        return (0.0, 0.0, 0.0, 0, np.nan, 0, 0, np.nan, 0, 0.0, digest), np.zeros(0, np.int64)
    hole = _around_holes(1 - valid)
    sides = sum(
        bool((edge == 0).any()) for edge in (valid[0], valid[-1], valid[:, 0], valid[:, -1])
    )
    if count == valid.size:
        areas = np.array([count], dtype=np.int64)
        return (1.0, np.inf, np.inf, 1, 1.0, 0, 0, 0.0, sides, 0.0, digest), areas
    depth, radius = depth_and_radius(1 - hole)
    holes, labels = cv2.connectedComponents(hole, connectivity=8)
    areas = np.bincount(labels.ravel())[1:].astype(np.int64)
    edges = cv2.countNonZero(hole[1:] ^ hole[:-1]) + cv2.countNonZero(hole[:, 1:] ^ hole[:, :-1])
    islands = holes - 1 - euler_number(hole)
    row = (
        ratio, depth, radius, holes - 1, int(areas.max()) / count, islands, edges, edges / count,
        sides, 0.0, digest,
    )  # fmt: skip
    return row, areas


def _around_holes(hole: UInt8Array) -> UInt8Array:
    """Cut to the holes and one pixel around them: no distance, edge or component is lost by it.

    The nearest known pixel of a hole pixel is never farther than that frame; most masks leave much
    of the picture alone, so this saves about half of the time.
    """
    x, y, width, height = cv2.boundingRect(hole)
    top, left = max(0, y - 1), max(0, x - 1)
    return np.ascontiguousarray(hole[top : y + height + 1, left : x + width + 1])


def _digest(valid: UInt8Array) -> str:
    """Return what only an equal mask has too: 128 bits of BLAKE2b, hexadecimal."""
    digest = hashlib.blake2b(str(valid.shape).encode(), digest_size=16)
    digest.update(pack(valid).tobytes())
    return digest.hexdigest()


def depth_and_radius(valid: UInt8Array) -> tuple[float, float]:
    """Return mean and maximum distance of hole pixels to the nearest known one.

    Parameters
    ----------
    valid : (H, W) uint8

    Returns
    -------
    depth_px, radius_px : float
        In pixels, Euclidean; 0 without holes, infinite without known pixels.

    Notes
    -----
    The last bits of OpenCV's distances depend on how many threads it runs (seen with 5.0). The
    squares of all distances are whole numbers, so rounding those makes them exact, for float32
    distances up to some 1,000 px; and their roots are added without rounding in between.
    """
    hole = 1 - valid
    count = cv2.countNonZero(hole)
    if count == 0:
        return 0.0, 0.0
    if count == hole.size:
        return np.inf, np.inf
    distance = cv2.distanceTransform(hole, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    squares = np.rint(np.square(distance[hole == 1], dtype=np.float64)).astype(np.int64)
    if squares.max() < 4 * squares.size:  # as many bins as that are quickly gone through
        times = np.bincount(squares)
        found = np.flatnonzero(times)
        times = times[found]
    else:
        found, times = np.unique(squares, return_counts=True)
    return fsum(times * np.sqrt(found)) / count, float(np.sqrt(found[-1]))


def euler_number(hole: UInt8Array) -> int:
    """Return 8-connected components minus the 4-connected islands they enclose.

    Counted from the 2 x 2 windows of the padded picture (Gray 1971, IEEE Trans. Computers 20,
    "Local properties of binary images in two dimensions"): a quarter of those with one pixel,
    less those with three, less twice those with two in a diagonal. Labelling the known pixels
    would give the same, several times slower.
    """
    padded = np.pad(hole, 1)
    pairs = padded[:-1] | padded[1:] << 1
    windows = np.bincount((pairs[:, :-1] | pairs[:, 1:] << 2).ravel(), minlength=16)
    one, three = windows[[1, 2, 4, 8]].sum(), windows[[7, 11, 13, 14]].sum()
    return int(one - three - 2 * windows[[6, 9]].sum()) // 4


@dataclass(slots=True)
class Tally:
    """Masks of one set, measured; of the masks themselves only sums are kept.

    Attributes
    ----------
    places : list of int
        Where in its source each mask of ``rows`` stands.
    rows : list of tuple
        The values of `RECORD` that are not in a table yet: as Python's numbers they take several
        times the memory.
    tables : list of (places, table)
        Those that are.
    areas : Counter of int
        How many connected holes have so many pixels.
    holes_at : (H, W) int64, optional
        How many masks have a hole at each pixel; None if that is not asked for.
    shapes : set of tuple of int
        The masks'.
    """

    places: list[int] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    tables: list[tuple[NDArray[np.int64], NDArray[np.void]]] = field(default_factory=list)
    areas: Counter[int] = field(default_factory=Counter)
    holes_at: NDArray[np.int64] | None = None
    shapes: set[tuple[int, ...]] = field(default_factory=set)

    def add(
        self, place: int, shape: tuple[int, ...], row: Row, areas_px: NDArray[np.int64]
    ) -> None:
        """Take in a measured mask."""
        self.places.append(place)
        self.shapes.add(shape)
        self.rows.append(row)
        self.areas.update(areas_px.tolist())

    def add_holes(self, valid: UInt8Array) -> None:
        """Count a mask's holes, pixel by pixel."""
        if self.holes_at is None:
            self.holes_at = np.zeros(valid.shape, dtype=np.int64)
        self.holes_at += valid == 0

    def pack(self) -> None:
        """Put what was measured since the last time into a table."""
        if self.rows:
            places = np.array(self.places, dtype=np.int64)
            self.tables.append((places, np.array(self.rows, dtype=RECORD)))
            self.places, self.rows = [], []

    def merge(self, other: "Tally") -> None:
        """Take in what another part of the set gave, packed."""
        self.tables += other.tables
        self.shapes |= other.shapes
        self.areas.update(other.areas)
        if other.holes_at is not None:
            before = self.holes_at
            self.holes_at = other.holes_at if before is None else before + other.holes_at

    def stats(self) -> tuple[NDArray[np.int64], MaskStats]:
        """Return places and statistics, in order: who measured when leaves no trace."""
        self.pack()
        places, table = (np.concatenate(parts) for parts in zip(*self.tables, strict=True))
        order = np.argsort(places, kind="stable")
        areas = sorted(self.areas)
        stats = MaskStats(
            table=table[order],
            shape_hw=next(iter(self.shapes)) if len(self.shapes) == 1 else None,
            areas_px=np.array(areas, dtype=np.int64),
            area_counts=np.array([self.areas[area] for area in areas], dtype=np.int64),
            hole_frequency=None if self.holes_at is None else self.holes_at / len(table),
        )
        return places[order], stats


def check_mask(valid: UInt8Array, what: str) -> None:
    """Refuse what is no mask.

    Raises
    ------
    MaskError
        If it is not (H, W) uint8 with pixels, or holds anything but 0 and 1.
    """
    if valid.ndim != 2 or valid.dtype != np.uint8 or valid.size == 0:
        raise MaskError(f"{what} is {valid.dtype} {valid.shape}; expected (H, W) uint8.")
    if valid.max() > 1:
        raise MaskError(
            f"{what} holds {int((valid > 1).sum())} values other than 0 and 1 (up to "
            f"{valid.max()}); expected 1 = known, 0 = hole."
        )


def measure_masks(masks: Iterable[UInt8Array]) -> MaskStats:
    """Measure masks one by one.

    Parameters
    ----------
    masks : iterable of (H, W) uint8
        1 = known, 0 = hole; all of one shape.

    Raises
    ------
    MaskError
        If there is none, the shapes differ, or a mask holds anything but 0 and 1.
    """
    tally = Tally()
    for place, valid in enumerate(masks):
        check_mask(valid, f"Mask {place}")
        if tally.holes_at is not None and valid.shape != tally.holes_at.shape:
            before = tally.holes_at.shape
            raise MaskError(f"Mask {place} is {valid.shape}, those before it {before}.")
        tally.add(place, valid.shape, *measure_mask(valid))
        tally.add_holes(valid)
    if not tally.rows:
        raise MaskError("There is no mask to measure.")
    return tally.stats()[1]
