"""An evaluation: every method's means, over all samples and by bucket, with intervals."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dunhuang_trainer.buckets import DRAWS, Bools, Cell, Interval, cells, drawn_means
from dunhuang_trainer.evaluate.cell_texts import counted
from dunhuang_trainer.evaluate.comparison import has_psnr, psnr_name
from dunhuang_trainer.evaluate.records import (
    BASELINE_ORDER,
    SampleScore,
    ScoreArray,
    score_array,
)
from dunhuang_trainer.metrics import psnr_from_mse

REFERENCE = "Telea"
"""What a model must beat in the holes."""
CELL_SCORES = ("mse_hole", "psnr_hole", "ssim_uniform7_hole", "ssim_gauss11_hole")
"""What is shown by bucket."""

ALL = Cell("hole ratio", "all", "all")
"""The cell of all samples."""

Means = dict[str, dict[str, Interval]]
"""Method → score → its mean."""


@dataclass(frozen=True, slots=True)
class CellMeans:
    """The means of all methods over a part of the samples, also where it is empty.

    Attributes
    ----------
    cell : Cell
    samples, pictures : int
        In it, whether they have scores or not.
    means : dict of method to dict of score to Interval
    """

    cell: Cell
    samples: int
    pictures: int
    means: Means


@dataclass(frozen=True, slots=True)
class Standing:
    """How a method stands against the reference, by the mean squared error in the holes.

    Attributes
    ----------
    method, reference : str
    cell : Cell
        Where.
    ours, theirs : float
        The means over the samples that both have; NaN if there is none.
    difference : Interval
        Of ours − theirs.
    """

    method: str
    reference: str
    cell: Cell
    ours: float
    theirs: float
    difference: Interval

    @property
    def is_behind(self) -> bool:
        """Whether the method has the larger error; equal is not behind."""
        return self.difference.mean > 0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was found, of all methods.

    Attributes
    ----------
    array : ScoreArray
        What it was made from.
    methods : tuple of str
        In the order of tables.
    samples, pictures : int
        That any method has.
    means : dict of method to dict of score to Interval
        Over all samples that have the score. ``psnr_…`` is the mean of each sample's PSNR, infinite
        ones left out and counted; ``psnr_of_mean_mse_…`` is the PSNR of the mean MSE.
    cells : list of CellMeans
        Of `CELL_SCORES`, as far as there are any, and of the PSNR of their mean MSE.
    standings : list of Standing
        Of every method that is no baseline, over all samples first, then by cell.
    missing : dict of method to list of keys
        That others have and it has not.
    seed, draws : int
        Of the bootstrap.
    """

    array: ScoreArray
    methods: tuple[str, ...]
    samples: int
    pictures: int
    means: Means
    cells: list[CellMeans]
    standings: list[Standing]
    missing: dict[str, list[str]]
    seed: int
    draws: int

    @property
    def behind(self) -> list[Standing]:
        """Where methods are behind the reference: over all samples first, then by cell."""
        return [one for one in self.standings if one.is_behind]


def evaluation_of(
    scores: Iterable[SampleScore] | ScoreArray,
    methods: Sequence[str] = (),
    *,
    seed: int = 0,
    draws: int = DRAWS,
    reference: str = REFERENCE,
) -> Evaluation:
    """Make the tables of an evaluation.

    Parameters
    ----------
    scores : iterable of SampleScore, or ScoreArray
        Their order changes nothing.
    methods : sequence of str, optional
        Those to stand first, in this order; see `dunhuang_trainer.evaluate.records.score_array`.
    seed, draws : int
        Of the bootstrap.
    reference : str
        Every method that is no baseline is compared with it, if it is there.

    Raises
    ------
    DataProblem
        If there are no scores, or they do not belong together.
    """
    array = scores if isinstance(scores, ScoreArray) else score_array(scores, methods)
    judged = tuple(
        name
        for name in array.methods
        if reference in array.methods and name not in (*BASELINE_ORDER, reference)
    )
    every = np.ones(len(array.keys), dtype=bool)
    means, _ = _means(array, array.names, (), reference, every, seed, draws)
    shown = tuple(name for name in CELL_SCORES if name in array.names)
    found, standings = [], []
    for cell, where in cells(array.hole_ratio, array.depth_px, array.touches_border):
        owners = {name for name, there in zip(array.pictures, where, strict=True) if there}
        part, paired = _means(array, shown, judged, reference, where, seed, draws)
        found.append(CellMeans(cell, int(where.sum()), len(owners), part))
        standings += [
            _standing(array, method, reference, cell, where, difference)
            for method, difference in zip(judged, paired, strict=True)
        ]
    return Evaluation(
        array=array,
        methods=array.methods,
        samples=len(array.keys),
        pictures=len(set(array.pictures)),
        means=means,
        cells=found,
        standings=standings,
        missing=array.missing(),
        seed=seed,
        draws=draws,
    )


def _means(
    array: ScoreArray,
    names: Sequence[str],
    judged: Sequence[str],
    reference: str,
    where: Bools,
    seed: int,
    draws: int,
) -> tuple[Means, list[Interval]]:
    """Return the means of some scores over some samples, (N,) bool; and how far others are apart.

    The differences are those in mean squared error in the holes, of each method that is judged and
    the reference. All of it is one bootstrap, so that draws are made once.
    """
    columns = [array.of(method, name)[where] for method in array.methods for name in names]
    columns += [
        (array.of(method, "mse_hole") - array.of(reference, "mse_hole"))[where] for method in judged
    ]
    values = np.stack(columns, axis=1) if columns else np.empty((int(where.sum()), 0))
    pictures = [name for name, there in zip(array.pictures, where, strict=True) if there]
    intervals, _ = drawn_means(values, pictures, seed, draws)
    found: Means = {}
    for place, method in enumerate(array.methods):
        first = place * len(names)
        own = dict(zip(names, intervals[first : first + len(names)], strict=True))
        of_mean = {psnr_name(name): _psnr(one) for name, one in own.items() if has_psnr(name)}
        found[method] = own | of_mean
    return found, intervals[len(array.methods) * len(names) :]


def _psnr(mse: Interval) -> Interval:
    """Return the PSNR of a mean squared error; the larger error has the lower PSNR."""
    low, high = psnr_from_mse(mse.high), psnr_from_mse(mse.low)
    return Interval(psnr_from_mse(mse.mean), low, high, mse.samples, mse.pictures, mse.infinite)


def _standing(
    array: ScoreArray,
    method: str,
    reference: str,
    cell: Cell,
    where: Bools,
    difference: Interval,
) -> Standing:
    ours, theirs = (array.of(one, "mse_hole")[where] for one in (method, reference))
    both = np.isfinite(ours - theirs)
    if not both.any():
        return Standing(method, reference, cell, float("nan"), float("nan"), difference)
    means = float(ours[both].mean()), float(theirs[both].mean())
    return Standing(method, reference, cell, *means, difference)


def sentences(evaluation: Evaluation) -> list[str]:
    """Return what is to be said: what is missing, and how methods stand against the reference."""
    said = [
        f"{method} lacks {len(keys)} of {evaluation.samples} samples. Its means are over the "
        "others, and cannot be compared with those of methods that have all."
        for method, keys in evaluation.missing.items()
    ]
    for method in dict.fromkeys(one.method for one in evaluation.standings):
        own = [one for one in evaluation.standings if one.method == method]
        said += _judgement(next(one for one in own if one.cell == ALL), own)
    return said


def _judgement(over_all: Standing, standings: Sequence[Standing]) -> list[str]:
    """Return a sentence on all samples, and one on the buckets if a method is behind in some."""
    method, reference, difference = over_all.method, over_all.reference, over_all.difference
    if difference.samples == 0:
        return [
            f"{method} and {reference} share no sample with a counted hole: {method} is not judged."
        ]
    place = "level with" if difference.mean == 0 else "ahead of"
    place = "behind" if over_all.is_behind else place
    parts = _without_repetition([one for one in standings if one.is_behind and one.cell != ALL])
    also = "" if parts or over_all.is_behind else " It is behind in no bucket that has samples."
    said = [
        f"{method} is {place} {reference} in the holes: its mean squared error is "
        f"{over_all.ours:.1f}, that of {reference} {over_all.theirs:.1f} "
        f"({apart(difference)}).{also}"
    ]
    if parts:
        listed = "; ".join(f"{one.cell.words()} ({apart(one.difference)})" for one in parts)
        said.append(f"{method} is behind {reference} in: {listed}.")
    return said


def _without_repetition(behind: Sequence[Standing]) -> list[Standing]:
    """Leave out halves by border contact of what is listed as a whole."""
    whole = {(one.cell.measure, one.cell.bucket) for one in behind if one.cell.border == "all"}
    return [
        one
        for one in behind
        if one.cell.border == "all" or (one.cell.measure, one.cell.bucket) not in whole
    ]


def apart(difference: Interval) -> str:
    """Return a difference in words, with its interval and what it is made of."""
    samples = counted(difference.samples, "sample")
    if difference.pictures == 1:
        return f"{difference.mean:+.1f}; {samples} of one picture, so no interval"
    chance = ", could be chance" if difference.low <= 0 <= difference.high else ""
    return (
        f"{difference.mean:+.1f}, 95 % interval {difference.low:+.1f} to {difference.high:+.1f}"
        f"{chance}; {samples} of {difference.pictures} pictures"
    )
