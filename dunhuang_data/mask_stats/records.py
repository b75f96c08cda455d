"""What is measured of a mask, under which names: one row of a table for each mask.

Conventions: holes are 8-connected, known pixels 4-connected; the picture's border is not known.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.mask_recipe import BUCKET_EDGES

BUCKETS = (
    f"up to {BUCKET_EDGES[0]:g}",
    *(f"{low:g}-{high:g}" for low, high in pairwise(BUCKET_EDGES)),
    f"above {BUCKET_EDGES[-1]:g}",
)
"""Their names, with both outsides, so that every mask is in one."""


@dataclass(frozen=True, slots=True)
class Statistic:
    """One number that is measured of every mask.

    Attributes
    ----------
    name : str
        Of its column.
    title : str
        Of a table, with the unit.
    short : str
        In a sentence.
    digits : int
        Decimals worth showing.
    meaning : str
    """

    name: str
    title: str
    short: str
    digits: int
    meaning: str

    def shown(self, value: float) -> str:
        """Return a value as a sentence names it."""
        return f"{value:.{self.digits}f}" + (" px" if "(px)" in self.title else "")


STATISTICS = (
    Statistic(
        "hole_ratio",
        "Hole ratio (share of the pixels)",
        "hole ratio",
        3,
        "share of the pixels that are holes",
    ),
    Statistic(
        "depth_px",
        "Depth (px)",
        "depth",
        1,
        "mean distance, over the hole pixels, to the nearest known pixel (Euclidean)",
    ),
    Statistic(
        "radius_px",
        "Largest inscribed radius (px)",
        "largest radius",
        1,
        "the largest of those distances: how far a hole pixel lies from every known one",
    ),
    Statistic(
        "holes",
        "Connected holes per mask",
        "number of holes",
        1,
        "connected holes; pixels that touch at a corner are connected",
    ),
    Statistic(
        "largest_share",
        "Share of the largest hole",
        "share of the largest hole",
        3,
        "pixels of the largest connected hole, divided by all hole pixels",
    ),
    Statistic(
        "islands",
        "Islands per mask",
        "number of islands",
        1,
        "specks of known pixels that holes enclose; here a corner does not connect",
    ),
    Statistic(
        "perimeter_px",
        "Perimeter (px)",
        "perimeter",
        0,
        "pixel edges between a hole and a known pixel; the picture's border is no such edge",
    ),
    Statistic(
        "perimeter_per_px",
        "Perimeter per hole pixel",
        "perimeter per hole pixel",
        3,
        "the perimeter divided by the hole pixels: high for lace, low for stains",
    ),
    Statistic(
        "sides",
        "Sides of the border touched",
        "border contact",
        2,
        "sides of the picture that holes touch, 0 to 4",
    ),
)
BY_NAME = {one.name: one for one in STATISTICS}

RECORD = np.dtype(
    [
        ("hole_ratio", "f8"),
        ("depth_px", "f8"),
        ("radius_px", "f8"),
        ("holes", "i8"),
        ("largest_share", "f8"),
        ("islands", "i8"),
        ("perimeter_px", "i8"),
        ("perimeter_per_px", "f8"),
        ("sides", "i8"),
        ("grey_share", "f8"),  # of the file it was read from; 0 if it came from none
        ("hash", "S32"),  # BLAKE2b of shape and packed bits, 128 bits, hexadecimal
    ]
)
"""One row of the table of measured masks."""


class RowLabel(NamedTuple):
    """Which mask it is.

    Attributes
    ----------
    row : int
        In its bank, its split of a dataset, or its folder sorted by name, from 0.
    name : str
        The file's id, or ``patch 12``, row 12 of the plan; empty for masks of a bank.
    split, picture : str
        Empty outside datasets.
    """

    row: int
    name: str = ""
    split: str = ""
    picture: str = ""

    def __str__(self) -> str:
        split = f" of {self.split}" if self.split else ""
        name = f" ({self.name})" if self.name else ""
        return f"row {self.row}{split}{name}"


def bucket_of(hole_ratio: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return each ratio's place in `BUCKETS`, (N,) float64 → (N,) int64."""
    return np.searchsorted(BUCKET_EDGES, hole_ratio, side="left").astype(np.int64)
