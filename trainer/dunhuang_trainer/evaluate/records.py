"""The scores of a method on a sample, and all of them as one array in an order of their own."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dunhuang_data.errors import DataProblem, UsageProblem
from dunhuang_trainer.buckets import Bools, Floats
from dunhuang_trainer.metrics import columns

BASELINE_ORDER = (
    "white",
    "mean colour",
    "push-pull",
    "push-pull, smooth",
    "Telea",
    "Navier-Stokes",
    "biharmonic",
)
"""Fills without training, in the order of every table; all other methods stand before them."""

HIGHER_IS_BETTER = ("psnr", "ssim")
"""What the names of such scores begin with. Of all others, less is better."""


@dataclass(frozen=True, slots=True)
class SampleScore:
    """The scores of one method on one sample.

    Attributes
    ----------
    method : str
        ``"network"``, the name of a folder of predictions, or of a baseline.
    key : str
        What a sample's target, mask and predictions are paired by.
    picture : str
        Where the sample is cut from. Samples of one picture are alike: bootstraps draw pictures.
    hole_ratio : float
        In [0, 1].
    depth_px : float
        Mean distance of the hole pixels to the nearest known one; 0 without holes, infinite without
        known pixels.
    touches_border : bool
        Whether a hole pixel lies on the border of the sample.
    values : mapping of str to float
        By the names of `dunhuang_trainer.metrics`. NaN = the sample has no such score.
    """

    method: str
    key: str
    picture: str
    hole_ratio: float
    depth_px: float
    touches_border: bool
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class ScoreArray:
    """All scores, samples sorted by key: the order in which they came changes nothing.

    Attributes
    ----------
    methods, keys, names : tuple of str
        M methods in the order of tables, N keys sorted, S names of scores.
    pictures : tuple of N str
    hole_ratio, depth_px : (N,) float64
    touches_border : (N,) bool
    values : (M, N, S) float64
        NaN where a method has no such sample, or a sample no such score.
    there : (M, N) bool
        Whether a method has a sample.
    """

    methods: tuple[str, ...]
    keys: tuple[str, ...]
    names: tuple[str, ...]
    pictures: tuple[str, ...]
    hole_ratio: Floats
    depth_px: Floats
    touches_border: Bools
    values: Floats
    there: Bools

    def row(self, method: str) -> int:
        """Return the place of a method.

        Raises
        ------
        UsageProblem
            If it was not scored.
        """
        if method not in self.methods:
            raise UsageProblem(
                f"There are no scores of {method}, but of {', '.join(self.methods)}. Choose among "
                "them."
            )
        return self.methods.index(method)

    def of(self, method: str, name: str) -> Floats:
        """Return one score of one method on all samples, (N,) float64; NaN if there is none."""
        row = self.row(method)
        if name not in self.names:
            return np.full(len(self.keys), np.nan)
        found: Floats = self.values[row, :, self.names.index(name)]
        return found

    def missing(self) -> dict[str, list[str]]:
        """Return, of each method that lacks any, the keys that others have and it has not."""
        lacks = {
            method: [key for key, there in zip(self.keys, row, strict=True) if not there]
            for method, row in zip(self.methods, self.there, strict=True)
        }
        return {method: keys for method, keys in lacks.items() if keys}


def score_array(scores: Iterable[SampleScore], methods: Sequence[str] = ()) -> ScoreArray:
    """Put scores into one array.

    Parameters
    ----------
    scores : iterable of SampleScore
        In any order.
    methods : sequence of str, optional
        Which methods come first, and in what order. The others follow by name, baselines last and
        in their own order.

    Raises
    ------
    DataProblem
        If there are no scores; if a method has two of one key; or if one key has two pictures or
        two masks, so that its methods did not do the same.
    """
    rows = sorted(scores, key=lambda one: one.key)
    if not rows:
        raise DataProblem("There is no score to make a table of: not one sample was compared.")
    of_key: dict[str, SampleScore] = {}
    taken: set[tuple[str, str]] = set()
    for one in rows:
        first = of_key.setdefault(one.key, one)
        _refuse_mixed(first, one)
        if (one.method, one.key) in taken:
            raise DataProblem(
                f"{one.method} has two scores of {one.key}; expected one. Give each sample its own "
                "key."
            )
        taken.add((one.method, one.key))
    keys = tuple(of_key)
    order = in_order({one.method for one in rows}, methods)
    names = _in_order_of_names({name for one in rows for name in one.values})
    values = np.full((len(order), len(keys), len(names)), np.nan)
    there = np.zeros(values.shape[:2], dtype=bool)
    place_m, place_k = ({name: n for n, name in enumerate(some)} for some in (order, keys))
    for one in rows:
        at = place_m[one.method], place_k[one.key]
        there[at] = True
        values[at] = [one.values.get(name, np.nan) for name in names]
    firsts = of_key.values()
    return ScoreArray(
        methods=order,
        keys=keys,
        names=names,
        pictures=tuple(one.picture for one in firsts),
        hole_ratio=np.array([one.hole_ratio for one in firsts], dtype=np.float64),
        depth_px=np.array([one.depth_px for one in firsts], dtype=np.float64),
        touches_border=np.array([one.touches_border for one in firsts], dtype=bool),
        values=values,
        there=there,
    )


def in_order(methods: Iterable[str], first: Sequence[str] = ()) -> tuple[str, ...]:
    """Return methods in the order of tables: those named first, others by name, baselines last."""
    ranks = {name: (2, n) for n, name in enumerate(BASELINE_ORDER)}
    ranks |= {name: (0, n) for n, name in enumerate(first)}
    return tuple(sorted(methods, key=lambda name: (*ranks.get(name, (1, 0)), name)))


def is_better(name: str) -> int:
    """Return +1 if more of a score is better, −1 if less of it is."""
    return 1 if name.startswith(HIGHER_IS_BETTER) else -1


def _in_order_of_names(names: Iterable[str]) -> tuple[str, ...]:
    ranks = {name: place for place, name in enumerate(columns(course=True))}
    return tuple(sorted(names, key=lambda name: (ranks.get(name, len(ranks)), name)))


def _refuse_mixed(first: SampleScore, one: SampleScore) -> None:
    if not (0 <= one.hole_ratio <= 1 and one.depth_px >= 0):
        raise ValueError(f"{one.key}: hole ratio {one.hole_ratio}, depth {one.depth_px} px")
    if first.picture != one.picture:
        raise DataProblem(
            f"The key {one.key} is of {first.picture} for {first.method}, and of {one.picture} for "
            f"{one.method}; expected one picture. Give each sample its own key."
        )
    if _mask_of(first) != _mask_of(one):
        raise DataProblem(
            f"The key {one.key} has a hole ratio of {first.hole_ratio} for {first.method} and of "
            f"{one.hole_ratio} for {one.method}, or its holes differ otherwise; expected the same "
            "mask. Score all methods with the same masks."
        )


def _mask_of(one: SampleScore) -> tuple[float, float, bool]:
    return one.hole_ratio, one.depth_px, one.touches_border
