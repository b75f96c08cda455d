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
        self.deviation = np.zeros((height, width), dtype=np.float32)

    def add(self, across: Span, down: Span, answer: Answer) -> None:
        place = slice(across.start, across.stop)
        weight = down.weight[:, None, None] * across.weight[None, :, None] * answer.reached
        self.predicted[:, place] += weight * answer.predicted
        self.weight[:, place] += weight
        if answer.deviation is not None:
            self.deviation[:, place] += weight[..., 0] * answer.deviation

    def begin_next(self, finished: int, height: int) -> "_Sums":
        """Return the sums of the next band, which begins ``finished`` rows below this one."""
        following = _Sums(height, self.weight.shape[1])
        left = self.weight.shape[0] - finished
        for name in ("predicted", "weight", "deviation"):
            getattr(following, name)[:left] = getattr(self, name)[finished:]
        return following


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
    height, width = job.known.shape
    rows, columns = spans(height, job.tile, job.overlap), spans(width, job.tile, job.overlap)
    sums = _Sums(rows[0].stop, width)
    for number, down in enumerate(rows):
        window = job.source.window(down.start, 0, down.stop - down.start, width)
        stored, srgb, there = window.stored, window.srgb, window.there
        part = slice(down.start, down.stop)
        seen = job.known[part] & there
        for across in columns:
            place = (slice(None), slice(across.start, across.stop))
            if job.kept[part][place].all():
                continue  # nothing to fill here
            sums.add(across, down, job.predict(srgb[place], seen[place]))
        last = number + 1 == len(rows)
        finished = (down.stop if last else rows[number + 1].start) - down.start
        yield _finish(job, sums, stored[:finished], down.start)
        if not last:
            following = rows[number + 1]
            sums = sums.begin_next(finished, following.stop - following.start)


def _finish(job: Job, sums: _Sums, stored: Stored, top: int) -> _Band:
    """Lay the prediction over the rows that no later tile covers."""
    rows = slice(0, len(stored))
    replaced = job.kept[top : top + len(stored)] == 0
    weight = sums.weight[rows, :, 0]
    reached = replaced & (weight > 0)
    result = np.array(stored)
    if reached.any():
        predicted = sums.predicted[rows][reached] / weight[reached][:, None]
        result[reached] = job.source.from_srgb(predicted[None], stored[reached][None])[0]
    deviation = np.zeros(replaced.shape, dtype=np.float32)
    deviation[reached] = sums.deviation[rows][reached] / weight[reached]
    return _Band(top, result, replaced & ~reached, deviation)


def _fill_the_rest(job: Job, restored: Stored, beyond: UInt8Array) -> None:
    """Fill what is out of reach, some rows at a time."""
    fill = coarse_fill(job.source, job.known)
    width = job.known.shape[1]
    for top in range(0, len(beyond), 256):
        ys, xs = np.nonzero(unpack(beyond[top : top + 256], width))
        if len(ys):
            place = (top + ys, xs)
            restored[place] = job.source.from_srgb(fill(*place)[None], restored[place][None])[0]
