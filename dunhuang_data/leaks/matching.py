"""One view against many: which of them show the same surface, wholly or in part."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.leaks.alignment import (
    AGREEMENT,
    Placement,
    agreement,
    find_placement,
)
from dunhuang_data.leaks.keypoints import KeyPoints, PointIndex, find_key_points
from dunhuang_data.types import UInt8Array


@dataclass(frozen=True, slots=True)
class Match:
    """One view shows what another shows.

    Attributes
    ----------
    number : int
        Of the known view.
    mirrored : bool
        The known view has to be mirrored left to right.
    placement : Placement
        Of the new view in the known one, mirrored if it has to be.
    agreement : float
        Share of the common area whose pixels agree.
    """

    number: int
    mirrored: bool
    placement: Placement
    agreement: float


class KnownViews:
    """Views that others are compared with.

    Parameters
    ----------
    greys : sequence of (H, W) uint8
    points : sequence of KeyPoints
        Theirs.
    """

    def __init__(self, greys: Sequence[UInt8Array], points: Sequence[KeyPoints]) -> None:
        self._greys = list(greys)
        mirrored = [
            one.mirrored(grey.shape[1]) for one, grey in zip(points, self._greys, strict=True)
        ]
        self._index = PointIndex([*points, *mirrored])

    def matches(self, grey: UInt8Array, among: Sequence[int]) -> list[Match]:
        """Return which known views, of those numbered ``among``, show what a new one shows.

        Each at most once, in order.
        """
        points = find_key_points(grey)
        point, entry = self._alike(points, among)
        view = self._index.view[entry]
        best: dict[int, Match] = {}
        starts = np.unique(view, return_index=True)[1]
        for rows in np.split(np.arange(len(view)), starts[1:]):
            p, e = point[rows], entry[rows]
            turns = self._index.pull[e] / points.pull[p]
            placement = find_placement(points.at[p], self._index.at[e], turns)
            if placement is None:
                continue
            match = self._judged(grey, int(view[rows[0]]), placement)
            other = best.get(match.number)
            if match.agreement >= AGREEMENT and (
                other is None or match.placement.points > other.placement.points
            ):
                best[match.number] = match
        return [best[number] for number in sorted(best)]

    def _alike(
        self, points: KeyPoints, among: Sequence[int]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return points and the entries they resemble, ordered by view, the likest first."""
        count = len(self._greys)
        allowed = np.zeros(2 * count, dtype=bool)
        allowed[[*among, *(number + count for number in among)]] = True
        point, entry, differing = self._index.lookup(points)
        kept = allowed[self._index.view[entry]]
        point, entry, differing = point[kept], entry[kept], differing[kept]
        order = np.lexsort((entry, point, differing, self._index.view[entry]))
        return point[order], entry[order]

    def _judged(self, grey: UInt8Array, view: int, placement: Placement) -> Match:
        mirrored, number = divmod(view, len(self._greys))
        known = self._greys[number]
        if mirrored:
            known = np.ascontiguousarray(known[:, ::-1])
        return Match(number, bool(mirrored), placement, agreement(grey, known, placement))
