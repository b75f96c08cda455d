"""Restore a picture band by band, in memory that grows with its width but not with its height.

rows of tiles   0 |======|
1      |======|       a band is what one row of tiles covers; when the next one
2           |======|  begins, the rows above it are finished and written
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.polarity import pack, unpack
from dunhuang_data.types import UInt8Array
from dunhuang_trainer.restore.coarse import coarse_fill
from dunhuang_trainer.restore.prediction import Answer
from dunhuang_trainer.restore.sources import Source, Stored
from dunhuang_trainer.restore.tiles import Span, check_tiles, spans

STRIP = 256  # rows that are finished together

Predict = Callable[[NDArray[np.float32], UInt8Array], Answer]


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done to one picture.

    Attributes
    ----------
    source : Source
    known : (H, W) uint8
        1 = the network may see it; 0 = hole. What the source says is not there, it does not see.
    kept : (H, W) uint8
        1 = stays as it is in the source, bit for bit; 0 = is replaced.
    predict : callable
        Takes (h, w, 3) float32 and what is known of it, (h, w) uint8.
    tile, overlap : int
        In pixels.
    """

    source: Source
    known: UInt8Array
    kept: UInt8Array
    predict: Predict
    tile: int
    overlap: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a picture.

    Attributes
    ----------
    out_of_reach_px : int
        Pixels that are replaced but out of the network's reach: no known pixel is in its sight.
        They have the smooth fill of the whole picture; see `coarse_fill`.
    out_of_reach : (H, ceil(W / 8)) uint8
        Which ones, packed as by `dunhuang_data.polarity.pack`.
    deviation_mean, deviation_max : float
        Over the pixels that the network replaced, in levels of 0 … 255; 0 of a single sample.
    """

    out_of_reach_px: int
    out_of_reach: UInt8Array
    deviation_mean: float
    deviation_max: float


@dataclass(frozen=True, slots=True)
class _Band:
    """Finished rows: ``top`` … ``top + h``."""

    top: int
    stored: Stored
    out_of_reach: NDArray[np.bool_]
    deviation: NDArray[np.float32]


class _Sums:
    """What the tiles of a band add up to, for the rows that are not finished yet."""

    def __init__(self, height: int, width: int) -> None:
        self.predicted = np.zeros((height, width, 3), dtype=np.float32)
        self.weight = np.zeros((height, width, 1), dtype=np.float32)
        self.deviation: NDArray[np.float32] | None = None  # takes memory only if it is asked for

    def add(self, across: Span, down: Span, answer: Answer) -> None:
        """Add a tile; the first row of the sums is the first of the tile."""
        place = (slice(down.stop - down.start), slice(across.start, across.stop))
        weight = down.weight[:, None, None] * across.weight[None, :, None] * answer.reached
        self.weight[place] += weight
        if answer.deviation is not None:
            if self.deviation is None:
                self.deviation = np.zeros(self.weight.shape[:2], dtype=np.float32)
            self.deviation[place] += weight[..., 0] * answer.deviation
        self.predicted[place] += weight * answer.predicted

    def drop(self, finished: int) -> None:
        """Forget the first rows; those below move up, in place."""
        left = len(self.weight) - finished
        for sums in (self.predicted, self.weight, self.deviation):
            if sums is not None:
                for first in range(0, left, finished):  # such parts do not overlap
                    last = min(first + finished, left)
                    sums[first:last] = sums[first + finished : last + finished]
                sums[left:] = 0


def restore_into(
    job: Job,
    restored: Stored,
    deviation: UInt8Array | None = None,
    progress: Callable[[int], None] = lambda rows: None,
) -> Outcome:
    """Restore a picture into an array, which may be a file mapped into memory.

    Parameters
    ----------
    job : Job
    restored : (H, W, C) of the source's own type
        Is written.
    deviation : (H, W) uint8, optional
        Is written: standard deviation in levels of 0 … 255, rounded; 0 where nothing is replaced,
        255 out of reach.
    progress : callable
        Called with the rows finished since the last call.

    Raises
    ------
    UsageProblem
        If tiles do not overlap sensibly.
    PictureError
        If the picture is damaged.
    """
    check_tiles(job.tile, job.overlap)
    height, width = job.known.shape
    beyond = np.zeros((height, -(-width // 8)), dtype=np.uint8)
    lost = 0
    total = highest = 0.0
    for band in _bands(job):
        rows = slice(band.top, band.top + len(band.stored))
        restored[rows] = band.stored
        if deviation is not None:
            levels = np.clip(np.rint(band.deviation), 0, 255).astype(np.uint8)
            deviation[rows] = np.where(band.out_of_reach, np.uint8(255), levels)
        beyond[rows] = pack(band.out_of_reach.view(np.uint8))
        lost += int(np.count_nonzero(band.out_of_reach))
        total += float(band.deviation.sum(dtype=np.float64))
        highest = max(highest, float(band.deviation.max(initial=0)))
        progress(len(band.stored))
    if lost:
        _fill_the_rest(job, restored, beyond)
    filled = job.kept.size - int(np.count_nonzero(job.kept)) - lost
    return Outcome(lost, beyond, total / max(1, filled), highest)


def _bands(job: Job) -> Iterator[_Band]:
    """Yield finished rows, from top to bottom, not more than `STRIP` at a time."""
    height, width = job.known.shape
    rows, columns = spans(height, job.tile, job.overlap), spans(width, job.tile, job.overlap)
    sums = _Sums(rows[0].stop, width)
    for number, down in enumerate(rows):
        for across in columns:
            place = (slice(down.start, down.stop), slice(across.start, across.stop))
            if job.kept[place].all():
                continue  # nothing to fill here
            sums.add(across, down, _ask(job, down, across))
        last = number + 1 == len(rows)
        finished = (down.stop if last else rows[number + 1].start) - down.start
        for first in range(0, finished, STRIP):
            yield _finish(job, sums, down.start, slice(first, min(first + STRIP, finished)))
        if not last:
            sums.drop(finished)


def _ask(job: Job, down: Span, across: Span) -> Answer:
    shape_hw = (down.stop - down.start, across.stop - across.start)
    window = job.source.window(down.start, across.start, *shape_hw)
    known = job.known[down.start : down.stop, across.start : across.stop]
    return job.predict(window.srgb, known & window.there)


def _finish(job: Job, sums: _Sums, top: int, rows: slice) -> _Band:
    """Lay the prediction over some rows that no later tile covers; ``rows`` are those of sums."""
    first, width = top + rows.start, job.known.shape[1]
    stored = job.source.window(first, 0, rows.stop - rows.start, width).stored
    replaced = job.kept[first : first + len(stored)] == 0
    weight = sums.weight[rows, :, 0]
    reached = replaced & (weight > 0)
    result = np.array(stored)
    deviation = np.zeros(replaced.shape, dtype=np.float32)
    if reached.any():
        predicted = sums.predicted[rows][reached] / weight[reached][:, None]
        result[reached] = job.source.from_srgb(predicted[None], stored[reached][None])[0]
        if sums.deviation is not None:
            deviation[reached] = sums.deviation[rows][reached] / weight[reached]
    return _Band(first, result, replaced & ~reached, deviation)


def _fill_the_rest(job: Job, restored: Stored, beyond: UInt8Array) -> None:
    """Fill what is out of reach, some rows at a time."""
    fill = coarse_fill(job.source, job.known)
    width = job.known.shape[1]
    for top in range(0, len(beyond), 256):
        ys, xs = np.nonzero(unpack(beyond[top : top + 256], width))
        if len(ys):
            place = (top + ys, xs)
            restored[place] = job.source.from_srgb(fill(*place)[None], restored[place][None])[0]
