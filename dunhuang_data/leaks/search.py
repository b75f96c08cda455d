"""The search for leaks: tables first, then every picture against those of the other splits.

The smaller splits are held, their points in an index; all pictures pass by, one at a time. So the
memory needed grows with neither the number of pictures nor their size.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dunhuang_data.atomic import Progress, no_progress
from dunhuang_data.leaks.alignment import Placement, common_box
from dunhuang_data.leaks.hashes import BITS, NEAR, hash_distances, is_plain, perceptual_hashes
from dunhuang_data.leaks.keypoints import KeyPoints, find_key_points
from dunhuang_data.leaks.matching import KnownViews, Match
from dunhuang_data.leaks.report import Leak, LeakReport
from dunhuang_data.leaks.tables import (
    SplitsOf,
    equal_inside,
    in_order,
    leaks_in_tables,
    splits_of,
)
from dunhuang_data.leaks.views import View, Views
from dunhuang_data.plan import PatchPlan
from dunhuang_data.types import SPLITS, UInt8Array

POINTS_AT_ONCE = 1 << 21
"""Points held at once, about 500 MB with the views they are on; more are done in several rounds."""

COPY, CROP = "near-duplicate", "crop"


def find_leaks(plan: PatchPlan, views: Views, progress: Progress = no_progress) -> LeakReport:
    """Find what the splits of a plan share.

    Parameters
    ----------
    plan : PatchPlan
        Its patches are gone through at most three times, never held.
    views : callable
        Yields what is to be looked at of a picture: `dunhuang_data.leaks.views.whole_pictures` or
        `dunhuang_data.leaks.views.stored_patches`.
    progress : callable
        Called once per picture of the largest split, twice per other picture.

    Returns
    -------
    LeakReport
        A pair of pictures is listed once as copy or crop; the same arguments give the same report.

    Raises
    ------
    PictureError
        If a picture is gone, changed or unreadable.
    """
    splits = splits_of(plan)
    leaks = leaks_in_tables(plan, splits)
    search = _Search(plan, splits, views)
    leaks += search.run(progress)
    counts = Counter(found[0] for found in splits.values() if found)
    pictures = {split: counts[split] for split in SPLITS}
    total = sum(counts.values())
    pairs = (total**2 - sum(count**2 for count in counts.values())) // 2
    return LeakReport(
        tuple(leaks), pictures, search.looked_at, pairs, equal_inside(plan, splits), search.plain
    )


@dataclass(frozen=True, slots=True)
class _Held:
    """A view of the smaller splits, and what it is known by."""

    number: int
    view: View
    points: KeyPoints
    hashes: UInt8Array
    plain: bool


@dataclass(frozen=True, slots=True)
class _Likeness:
    """Why two pictures are thought to show the same; the greater strength is told."""

    strength: float
    kind: str
    evidence: str


class _Search:
    def __init__(self, plan: PatchPlan, splits: SplitsOf, views: Views) -> None:
        self._pictures = [picture for picture in plan.pictures if splits[picture.id]]
        self._split = [splits[picture.id][0] for picture in self._pictures]
        self._views = views
        self._found: dict[tuple[int, int], _Likeness] = {}
        self.looked_at = 0
        self.plain = 0
        counts = Counter(self._split)
        self._largest = max(SPLITS, key=lambda split: counts[split])

    def run(self, progress: Progress) -> list[Leak]:
        for turn, held in enumerate(self._rounds(progress)):
            known = KnownViews([one.view.grey for one in held], [one.points for one in held])
            hashes = np.stack([one.hashes for one in held])
            for number, picture in enumerate(self._pictures):
                among = [n for n, one in enumerate(held) if self._may_leak(number, one.number)]
                for view in self._views(picture) if among else ():
                    plain = is_plain(view.grey)
                    hashed = [] if plain else [n for n in among if not held[n].plain]
                    self._compare_hashes(number, view, held, hashes, hashed)
                    self._compare_points(number, view, held, known, among)
                    if turn == 0 and self._split[number] == self._largest:
                        self.looked_at += 1
                        self.plain += plain
                progress(int(turn == 0))
        return [self._leak(pair) for pair in sorted(self._found)]

    def _rounds(self, progress: Progress) -> Iterator[list[_Held]]:
        """Yield the views of the smaller splits, as many at once as may be held."""
        held: list[_Held] = []
        count = 0
        for number, picture in enumerate(self._pictures):
            if self._split[number] == self._largest:
                continue
            for view in self._views(picture):
                points = find_key_points(view.grey)
                hashes, plain = perceptual_hashes(view.grey), is_plain(view.grey)
                self.plain += plain
                held.append(_Held(number, view, points, hashes, plain))
                self.looked_at += 1
                count += 2 * len(points.at)  # mirrored ones too
                if count >= POINTS_AT_ONCE:
                    yield held
                    held, count = [], 0
            progress(1)
        if held:
            yield held

    def _may_leak(self, passing: int, held: int) -> bool:
        """Whether a pair is to be compared; of two that are both held, the later one passes."""
        one, other = self._pictures[passing], self._pictures[held]
        both_held = self._split[passing] != self._largest
        return (
            self._split[passing] != self._split[held]
            and one.sha256 != other.sha256  # that is in the tables already
            and not (both_held and passing < held)
        )

    def _compare_hashes(
        self, number: int, view: View, held: list[_Held], hashes: UInt8Array, among: list[int]
    ) -> None:
        if not among:
            return
        distances = hash_distances(perceptual_hashes(view.grey), hashes[among])
        for n, distance in zip(among, distances.tolist(), strict=True):
            if distance <= NEAR:
                text = f"their hashes differ in {distance} of {BITS} bits"
                text += _named(held[n].view, view)
                self._keep(held[n].number, number, _Likeness(2 - distance / BITS, COPY, text))

    def _compare_points(
        self, number: int, view: View, held: list[_Held], known: KnownViews, among: list[int]
    ) -> None:
        for match in known.matches(view.grey, among):
            one = held[match.number]
            ids = self._pictures[one.number].id, self._pictures[number].id
            boxes = _boxes(match, one.view, view)
            if SPLITS.index(self._split[number]) < SPLITS.index(self._split[one.number]):
                ids, boxes = ids[::-1], boxes[::-1]
            text = (
                f"{match.placement.points} matched points, {match.agreement:.0%} of the common "
                f"area agrees: {boxes[0]} of {ids[0]}, {boxes[1]} of {ids[1]}"
            ) + (", mirrored" if match.mirrored else "")
            strength = 1 - 1 / match.placement.points
            self._keep(one.number, number, _Likeness(strength, CROP, text))

    def _keep(self, one: int, other: int, likeness: _Likeness) -> None:
        pair = min(one, other), max(one, other)
        if pair not in self._found or self._found[pair].strength < likeness.strength:
            self._found[pair] = likeness

    def _leak(self, pair: tuple[int, int]) -> Leak:
        one, other = pair
        ids = self._pictures[one].id, self._pictures[other].id
        likeness = self._found[pair]
        splits = self._split[one], self._split[other]
        return in_order(likeness.kind, ids, splits, likeness.evidence)


def _named(one: View, other: View) -> str:
    return f" ({one.name}, {other.name})" if one.name else ""


def _boxes(match: Match, known: View, new: View) -> tuple[str, str]:
    """Say which part of either view is the other, in pixels of what they show."""
    placement = match.placement
    back = Placement(1 / placement.turn, -placement.shift / placement.turn, placement.points)
    x0, y0, x1, y1 = common_box(new.grey.shape, known.grey.shape, placement)
    if match.mirrored:
        x0, x1 = known.grey.shape[1] - x1, known.grey.shape[1] - x0
    there = common_box(known.grey.shape, new.grey.shape, back)
    return _box(known, (x0, y0, x1, y1)), _box(new, there)


def _box(view: View, box: tuple[float, float, float, float]) -> str:
    left, top, right, bottom = (round(side / view.scale) for side in box)
    part = f"rows {top} to {bottom}, columns {left} to {right}"
    return f"{part} of {view.name}" if view.name else part
