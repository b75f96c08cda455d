"""The leaks that a plan's tables show: one picture in two splits, equal files, shared pixels."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from math import cos, radians, sin

import cv2
import numpy as np
from numpy.typing import NDArray

from dunhuang_data.leaks.report import Leak
from dunhuang_data.plan import PatchPlan
from dunhuang_data.types import SPLITS, PatchSpec, Picture, Split

_STRIP_PX = 1024  # rows counted at once: a wall of 20,000 x 30,000 px does not fit in memory thrice

SplitsOf = dict[str, tuple[Split, ...]]
Corners = NDArray[np.int32]


def splits_of(plan: PatchPlan) -> SplitsOf:
    """Return the splits that each picture's patches are in, in the order of `SPLITS`."""
    found: dict[str, set[Split]] = {picture.id: set() for picture in plan.pictures}
    for patch in plan.patches:
        found[patch.picture_id].add(patch.split)
    return {key: tuple(split for split in SPLITS if split in one) for key, one in found.items()}


def leaks_in_tables(plan: PatchPlan, splits: SplitsOf) -> list[Leak]:
    """Find the leaks that need no look at a picture.

    Parameters
    ----------
    plan : PatchPlan
    splits : dict
        From `splits_of`.
    """
    return [
        *_parted(splits),
        *_parted_groups(plan, splits),
        *_equal_files(plan, splits),
        *_shared_pixels(plan, splits),
    ]


def _parted(splits: SplitsOf) -> Iterator[Leak]:
    for picture_id, found in splits.items():
        for pair in combinations(found, 2):
            yield Leak("one picture", (picture_id, picture_id), pair, "it has patches in both")


def _parted_groups(plan: PatchPlan, splits: SplitsOf) -> Iterator[Leak]:
    """Find groups in two splits, where the plan says that groups stay together."""
    first: dict[tuple[str, Split], str] = {}
    for picture in plan.pictures if plan.recipe.split_by == "group" else ():
        for split in splits[picture.id]:
            first.setdefault((picture.group, split), picture.id)
    for group in dict.fromkeys(group for group, _ in first):
        found = [(split, first[group, split]) for split in SPLITS if (group, split) in first]
        for (here, one), (there, other) in combinations(found, 2):
            yield Leak("one group", (one, other), (here, there), f"both are in the group {group!r}")


def _equal_files(plan: PatchPlan, splits: SplitsOf) -> Iterator[Leak]:
    for sha256, twins in _by_file(plan).items():
        for one, other in combinations(twins, 2):
            for here in splits[one.id]:
                for there in splits[other.id]:
                    if here != there:
                        yield in_order(
                            "equal files", (one.id, other.id), (here, there),
                            f"both files have the SHA-256 {sha256[:12]}…",
                        )  # fmt: skip


def equal_inside(plan: PatchPlan, splits: SplitsOf) -> int:
    """Count the files that equal another one of their own split."""
    seen = [
        (picture.sha256, split) for picture in plan.pictures for split in splits[picture.id]
    ]  # fmt: skip
    return len(seen) - len(set(seen))


def in_order(kind: str, ids: tuple[str, str], splits: tuple[Split, Split], evidence: str) -> Leak:
    """Return a leak whose training side, or else validation side, comes first."""
    if SPLITS.index(splits[0]) > SPLITS.index(splits[1]):
        ids, splits = (ids[1], ids[0]), (splits[1], splits[0])
    return Leak(kind, ids, splits, evidence)


def _by_file(plan: PatchPlan) -> dict[str, list[Picture]]:
    grouped: dict[str, list[Picture]] = defaultdict(list)
    for picture in plan.pictures:
        grouped[picture.sha256].append(picture)
    return grouped


def _shared_pixels(plan: PatchPlan, splits: SplitsOf) -> Iterator[Leak]:
    """Count the pixels of one file that patches of two splits cover."""
    suspects = {}
    for sha256, twins in _by_file(plan).items():
        if len({split for twin in twins for split in splits[twin.id]}) > 1:
            suspects.update({twin.id: sha256 for twin in twins})
    squares: dict[str, dict[tuple[str, Split], list[Corners]]]
    squares = defaultdict(lambda: defaultdict(list))
    for patch in plan.patches if suspects else ():
        if patch.picture_id in suspects:
            owner = (patch.picture_id, patch.split)
            corners = _corners(patch, plan.recipe.patch_size)
            squares[suspects[patch.picture_id]][owner].append(corners)
    shapes = {picture.id: (picture.height, picture.width) for picture in plan.pictures}
    for owners in squares.values():
        for (one, here), (other, there) in combinations(owners, 2):
            if here == there:
                continue
            count = _pixels_in_both(shapes[one], owners[one, here], owners[other, there])
            if count:
                evidence = f"{count:,} pixels lie in patches of both"
                yield in_order("shared pixels", (one, other), (here, there), evidence)


def _corners(patch: PatchSpec, size: int) -> Corners:
    """Return the corner pixels of a patch in its picture, (4, 2) int32, columns first, turned."""
    y, x = patch.center_yx
    half = (size - 1) / 2
    middle = np.array([x - size // 2 + half, y - size // 2 + half])
    angle = radians(patch.augmentation.angle_deg)
    across, down = np.array([cos(angle), sin(angle)]), np.array([-sin(angle), cos(angle)])
    turns = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    corners = [middle + half * (right * across + low * down) for right, low in turns]
    return np.rint((np.array(corners) + 0.5) / patch.scale - 0.5).astype(np.int32)


def _pixels_in_both(shape_hw: tuple[int, int], some: list[Corners], others: list[Corners]) -> int:
    height, width = shape_hw
    return sum(
        int(
            np.count_nonzero(
                _covered(top, min(height, top + _STRIP_PX), width, some)
                & _covered(top, min(height, top + _STRIP_PX), width, others)
            )
        )
        for top in range(0, height, _STRIP_PX)
    )


def _covered(top: int, bottom: int, width: int, squares: list[Corners]) -> NDArray[np.uint8]:
    strip = np.zeros((bottom - top, width), dtype=np.uint8)
    for corners in squares:
        if corners[:, 1].max() >= top and corners[:, 1].min() < bottom:
            cv2.fillConvexPoly(strip, corners - np.array([0, top], dtype=np.int32), 1)
    return strip
