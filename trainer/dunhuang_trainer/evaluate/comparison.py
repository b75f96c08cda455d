"""Two methods on the same samples, and several runs of one thing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dunhuang_data.errors import DataProblem, UsageProblem
from dunhuang_trainer.buckets import DRAWS, Bools, Cell, Floats, Interval, cells, drawn_means
from dunhuang_trainer.evaluate.records import SampleScore, ScoreArray, is_better, score_array
from dunhuang_trainer.metrics import psnr_from_mse


@dataclass(frozen=True, slots=True)
class Paired:
    """One score of two methods, over the samples for which both have it.

    Attributes
    ----------
    a, b : float
        Their means.
    difference : Interval
        Of the mean of A − B. ``infinite`` counts pairs of which a value is infinite.
    a_better, b_better : float
        The share of the draws in which the mean of one is better; draws of equal means are in
        neither. NaN where there is no interval.
    """

    a: float
    b: float
    difference: Interval
    a_better: float
    b_better: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A paired comparison of two methods.

    Attributes
    ----------
    a, b : str
        The methods.
    keys : int
        That both have.
    only_a, only_b : list of str
        Keys that only one of them has; they are not compared.
    scores : dict of str to Paired
        Over all samples.
    cells : list of (Cell, dict of str to Paired)
        By bucket and border contact; see `dunhuang_trainer.buckets.cells`.
    seed, draws : int
        Of the bootstrap.
    """

    a: str
    b: str
    keys: int
    only_a: list[str]
    only_b: list[str]
    scores: dict[str, Paired]
    cells: list[tuple[Cell, dict[str, Paired]]]
    seed: int
    draws: int


@dataclass(frozen=True, slots=True)
class OverRuns:
    """One score over several runs.

    Attributes
    ----------
    mean, sd : float
        Over the runs; the standard deviation is that of a sample of runs (n − 1).
    runs : tuple of float
        The mean over samples of each run.
    samples, left_out : int
        That each of these is a mean over: the samples that have the score in every run; and those
        that have it in some only, or infinite.
    """

    mean: float
    sd: float
    runs: tuple[float, ...]
    samples: int
    left_out: int


@dataclass(frozen=True, slots=True)
class Runs:
    """Several runs of one thing.

    Attributes
    ----------
    name : str
    methods : tuple of str
        The runs.
    keys : int
        That all of them have.
    not_in_all : list of str
        Keys that only some have; they are not counted.
    scores : dict of str to OverRuns
    """

    name: str
    methods: tuple[str, ...]
    keys: int
    not_in_all: list[str]
    scores: dict[str, OverRuns]


def compare(
    scores: Iterable[SampleScore] | ScoreArray,
    a: str,
    b: str,
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> Comparison:
    """Compare two methods in pairs, by key.

    Notes
    -----
    The paired bootstrap: what is drawn, by whole pictures, is the differences of A and B on the
    same samples, so that what makes a sample hard for both cancels.

    Raises
    ------
    UsageProblem
        If a method is not there, or both are the same.
    DataProblem
        If they have no key in common.
    """
    array = scores if isinstance(scores, ScoreArray) else score_array(scores)
    if a == b:
        raise UsageProblem(f"{a} was to be compared with itself. Name two methods.")
    there = array.there[[array.row(name) for name in (a, b)]]
    both: Bools = np.all(there, axis=0)
    if not both.any():
        raise DataProblem(
            f"{a} and {b} have no key in common: {there[0].sum()} keys here, {there[1].sum()} "
            "there. Pairs are made by key; name the files alike."
        )
    parts = cells(array.hole_ratio, array.depth_px, array.touches_border)
    return Comparison(
        a=a,
        b=b,
        keys=int(both.sum()),
        only_a=_keys(array, there[0] & ~there[1]),
        only_b=_keys(array, there[1] & ~there[0]),
        scores=_paired(array, a, b, both, seed, draws),
        cells=[(cell, _paired(array, a, b, both & where, seed, draws)) for cell, where in parts],
        seed=seed,
        draws=draws,
    )


def over_runs(
    scores: Iterable[SampleScore] | ScoreArray, runs: Mapping[str, Sequence[str]]
) -> list[Runs]:
    """Return mean and standard deviation over runs.

    Parameters
    ----------
    scores : iterable of SampleScore, or ScoreArray
    runs : mapping of str to sequences of str
        Name of the thing → the methods that are its runs.

    Raises
    ------
    UsageProblem
        If a thing has one run only, or a method is not there or named twice.
    DataProblem
        If its runs have no key in common.
    """
    array = scores if isinstance(scores, ScoreArray) else score_array(scores)
    return [_runs(array, name, tuple(methods)) for name, methods in runs.items()]


def _runs(array: ScoreArray, name: str, methods: tuple[str, ...]) -> Runs:
    if len(methods) < 2:
        found = ", ".join(methods) or "none"
        raise UsageProblem(
            f"The spread over runs was asked for of {name}, with {len(methods)} run ({found}). One "
            "run has no spread: name two or more, trained with different seeds."
        )
    if len(set(methods)) < len(methods):
        raise UsageProblem(
            f"The runs of {name} are {', '.join(methods)}: one is named twice. Name each once."
        )
    there = array.there[[array.row(one) for one in methods]]
    every: Bools = np.all(there, axis=0)
    if not every.any():
        raise DataProblem(
            f"The runs of {name} ({', '.join(methods)}) have no key in common. Score all of them "
            "on the same samples."
        )
    spread: dict[str, OverRuns] = {}
    for score in array.names:
        values = np.stack([array.of(one, score)[every] for one in methods])  # (runs, N)
        spread[score] = _spread(values)
        if has_psnr(score):
            spread[psnr_name(score)] = _spread(values, of_mean=True)
    not_in_all = _keys(array, np.any(there, axis=0) & ~every)
    return Runs(name, methods, int(every.sum()), not_in_all, spread)


def psnr_name(mse: str) -> str:
    """Return what the PSNR of the mean of some MSE is called: ``psnr_of_mean_mse_hole``."""
    return f"psnr_of_mean_{mse}"


def has_psnr(name: str) -> bool:
    """Return whether a score is a true mean squared error; the course's figure is none."""
    return name.startswith("mse_") and name != "mse_course_wrapped"


def _spread(values: Floats, of_mean: bool = False) -> OverRuns:
    """Return mean and standard deviation over runs, (runs, N); of the PSNR of the mean if asked."""
    counted = np.isfinite(values).all(axis=0)
    left_out = int((~np.isnan(values)).any(axis=0).sum() - counted.sum())
    if not counted.any():
        nan = float("nan")
        return OverRuns(nan, nan, (nan,) * len(values), 0, left_out)
    means = [float(one) for one in values[:, counted].mean(axis=1)]
    if of_mean:
        means = [psnr_from_mse(one) for one in means]
    samples = int(counted.sum())
    with np.errstate(invalid="ignore"):  # a perfect run has an infinite PSNR, and no spread
        mean, sd = float(np.mean(means)), float(np.std(means, ddof=1))
    return OverRuns(mean, sd, tuple(means), samples, left_out)


def _paired(
    array: ScoreArray, a: str, b: str, where: Bools, seed: int, draws: int
) -> dict[str, Paired]:
    """Return every score of two methods on some of the samples, (N,) bool."""
    ours, theirs = (array.values[array.row(one)][where] for one in (a, b))  # (n, S)
    with np.errstate(invalid="ignore"):  # infinite PSNRs of both: no difference can be told
        differences = ours - theirs
    lost = np.isinf(ours) & np.isinf(theirs)
    differences[lost] = np.inf  # counted as infinite, not as missing
    pictures = [name for name, there in zip(array.pictures, where, strict=True) if there]
    intervals, means = drawn_means(differences, pictures, seed, draws)
    found = {}
    for place, name in enumerate(array.names):
        counted = np.isfinite(differences[:, place])
        drawn = is_better(name) * means[:, place]
        single = intervals[place].pictures < 2
        found[name] = Paired(
            a=_mean(ours[counted, place]),
            b=_mean(theirs[counted, place]),
            difference=intervals[place],
            a_better=float("nan") if single else float((drawn > 0).mean()),
            b_better=float("nan") if single else float((drawn < 0).mean()),
        )
    return found


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _keys(array: ScoreArray, where: Bools) -> list[str]:
    return [key for key, there in zip(array.keys, where, strict=True) if there]
