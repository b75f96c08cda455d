"""Measure a source set by set, in this process or in several, with the same result bit for bit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dunhuang_data.atomic import Progress, no_progress
from dunhuang_data.errors import MaskError, PictureError, UsageProblem
from dunhuang_data.executors import run_jobs
from dunhuang_data.mask_stats.measuring import Row, Tally, check_mask, measure_mask
from dunhuang_data.mask_stats.records import BUCKETS, RowLabel, bucket_of
from dunhuang_data.mask_stats.sources import MaskPart, MaskSource
from dunhuang_data.mask_stats.summary import MaskStats
from dunhuang_data.types import SPLITS

By = Literal["all", "split", "picture", "bucket"]
ALL = "masks"  # the set's name where there is only one
ROWS_PER_JOB = 250
MOST_MAPS = 64
"""Sets that get a heat map each; with more, none does: a map takes eight bytes a pixel."""
MOST_PROBLEMS = 5  # that a message lists


@dataclass(frozen=True, slots=True)
class MaskSet:
    """Masks that are looked at together.

    Attributes
    ----------
    name : str
        ``masks``, or a split, a bucket or a picture's id.
    stats : MaskStats
    labels : tuple of RowLabel
        One a mask, in the order of the table.
    """

    name: str
    stats: MaskStats
    labels: tuple[RowLabel, ...]


@dataclass(frozen=True, slots=True)
class _Job:
    """Some masks of a source, and the set each belongs to (None: the bucket of its ratio)."""

    part: MaskPart
    first: int
    sets: tuple[str, ...] | None
    maps: bool


@dataclass(frozen=True, slots=True)
class _Done:
    """What a job gave: a tally a set, the shape of every mask, and what was wrong."""

    tallies: dict[str, Tally]
    shapes: tuple[tuple[int, ...], ...]
    first: int
    problems: tuple[tuple[int, str], ...]


def _measure_part(job: _Job) -> _Done:
    """Measure the masks of a job. It goes on where one cannot be read, to name them together."""
    tallies: dict[str, Tally] = {}
    shapes: list[tuple[int, ...]] = []
    problems: list[tuple[int, str]] = []
    for offset, (valid, grey_share) in enumerate(job.part.masks()):
        place = job.first + offset
        if isinstance(valid, PictureError):
            problems.append((place, str(valid)))
            shapes.append(())
            continue
        try:
            check_mask(valid, "The mask")
        except MaskError as error:
            problems.append((place, str(error)))
        shapes.append(valid.shape)
        if problems:
            continue
        row, areas = measure_mask(valid)
        measured: Row = (*row[:9], grey_share, row[10])
        name = BUCKETS[bucket_of(np.array([row[0]]))[0]] if job.sets is None else job.sets[offset]
        tally = tallies.setdefault(name, Tally())
        tally.add(place, valid.shape, measured, areas)
        if job.maps and (tally.holes_at is None or tally.holes_at.shape == valid.shape):
            tally.add_holes(valid)
    for tally in tallies.values():
        tally.pack()
    return _Done(tallies, tuple(shapes), job.first, tuple(problems))


def set_names(source: MaskSource, by: By) -> list[str]:
    """Return the names of the sets that a source falls into, empty buckets and splits included.

    A split that the source leaves out is none of them.

    Raises
    ------
    UsageProblem
        If the source has no such sets.
    """
    if by in ("split", "picture") and source.kind != "dataset":
        raise UsageProblem(
            f"--by {by} is for datasets; {source.root} is none. Use --by bucket or leave it out."
        )
    if by == "all":
        return [ALL]
    if by == "bucket":
        return list(BUCKETS)
    if by == "split":
        return list(SPLITS) if source.only is None else [source.only]
    return list(dict.fromkeys(label.picture for label in source.labels))


def measure_source(
    source: MaskSource,
    by: By = "all",
    workers: int = 1,
    any_size: bool = False,
    progress: Progress = no_progress,
) -> list[MaskSet]:
    """Measure every mask of a source.

    Parameters
    ----------
    source : MaskSource
    by : {"all", "split", "picture", "bucket"}
        What the sets are.
    workers : int
        Processes. The result does not depend on it.
    any_size : bool
        Measure masks of several sizes, each in its own; there is then no heat map.
    progress : callable
        Called with the number of masks measured.

    Returns
    -------
    list of MaskSet
        Those that have masks: splits and buckets in their order, pictures in that of the plan.

    Raises
    ------
    MaskError
        Naming file and row, if a mask cannot be read or has another size than the first.
    UsageProblem
        If the source has no such sets.
    """
    names = set_names(source, by)
    maps = not any_size and len(names) <= MOST_MAPS
    name_of = _names_of(source, by)
    jobs = (
        _Job(part, first, None if by == "bucket" else name_of(first, last), maps)
        for first, last, part in source.parts(ROWS_PER_JOB)
    )
    tallies: dict[str, Tally] = {}
    shapes: dict[int, tuple[int, ...]] = {}
    problems: list[tuple[int, str]] = []
    expected: tuple[int, tuple[int, ...]] | None = None
    for done in run_jobs(_measure_part, jobs, workers):
        problems += done.problems
        kinds = {shape: done.first + place for place, shape in
                 reversed(list(enumerate(done.shapes)))}  # fmt: skip
        shapes |= {place: shape for shape, place in kinds.items() if shape}
        expected = min(((p, s) for p, s in shapes.items()), default=None)
        progress(len(done.shapes))
        if problems or (not any_size and len(set(shapes.values())) > 1):
            continue  # nothing is kept any more, but what else is wrong is still found
        for name, tally in done.tallies.items():
            tallies.setdefault(name, Tally()).merge(tally)
    _raise(source, problems)
    if not any_size and expected is not None:
        _refuse_other_sizes(source, shapes, *expected)
    return [_mask_set(source, name, tallies[name]) for name in names if name in tallies]


def _names_of(source: MaskSource, by: By) -> Callable[[int, int], tuple[str, ...]]:
    def names(first: int, last: int) -> tuple[str, ...]:
        labels = source.labels[first:last]
        if by == "split":
            return tuple(label.split for label in labels)
        if by == "picture":
            return tuple(label.picture for label in labels)
        return (ALL,) * len(labels)

    return names


def _mask_set(source: MaskSource, name: str, tally: Tally) -> MaskSet:
    places, stats = tally.stats()
    return MaskSet(name, stats, tuple(source.labels[place] for place in places))


def _raise(source: MaskSource, problems: Sequence[tuple[int, str]]) -> None:
    """Raise one error that names every mask that cannot be measured, the first ones in full."""
    if not problems:
        return
    ordered = sorted(problems)
    lines = [f"  - {source.labels[place]}: {text}" for place, text in ordered[:MOST_PROBLEMS]]
    if len(ordered) > MOST_PROBLEMS:
        lines.append(f"  - and {len(ordered) - MOST_PROBLEMS} more")
    what = "mask" if len(ordered) == 1 else "masks"
    raise MaskError("\n".join([
        f"Measuring the masks of {source.root}: {len(ordered)} {what} cannot be used:", *lines,
    ]))  # fmt: skip


def _refuse_other_sizes(
    source: MaskSource, shapes: dict[int, tuple[int, ...]], place: int, shape: tuple[int, ...]
) -> None:
    """Refuse masks of several sizes; ``shapes`` has each size's first place of every part."""
    others = sorted(one for one, other in shapes.items() if other != shape)
    if not others:
        return
    (height, width), (other_height, other_width) = shape, shapes[others[0]]
    raise MaskError(
        f"Measuring the masks of {source.root}: {source.labels[others[0]]} is {other_height} x "
        f"{other_width} px (height x width), {source.labels[place]} {height} x {width} px. How "
        "often each pixel is a hole can only be counted over masks of one size. Give --any-size "
        "to measure each in its own size, without that map."
    )


def pooled(sets: Sequence[MaskSet], name: str) -> MaskSet:
    """Return several sets as one; its heat map is left out."""
    areas = np.concatenate([one.stats.areas_px for one in sets])
    counts = np.concatenate([one.stats.area_counts for one in sets])
    values, place = np.unique(areas, return_inverse=True)
    summed = np.zeros(len(values), dtype=np.int64)
    np.add.at(summed, place, counts)
    table = np.concatenate([one.stats.table for one in sets])
    labels = tuple(label for one in sets for label in one.labels)
    shapes = {one.stats.shape_hw for one in sets}
    shape = shapes.pop() if len(shapes) == 1 else None
    return MaskSet(name, MaskStats(table, values, summed, shape, None), labels)


def duplicates(sets: Sequence[MaskSet]) -> list[list[RowLabel]]:
    """Return the groups of masks that are equal pixel for pixel, in order of their first row."""
    groups: dict[bytes, list[RowLabel]] = {}
    for one in sets:
        for label, digest in zip(one.labels, one.stats.table["hash"].tolist(), strict=True):
            groups.setdefault(digest, []).append(label)
    return [group for group in groups.values() if len(group) > 1]
