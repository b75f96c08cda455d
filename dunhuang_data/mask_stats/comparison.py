"""Two sets of masks beside each other: whether the holes of one are like those of the other.

The distance is Kolmogorov's: the largest difference between the two empirical distribution
functions, in [0, 1]. Chance alone keeps two samples of one distribution of sizes n and m apart by
no more than c(α) √((n + m) / (n m)), c(α) = √(−ln(α / 2) / 2), but for a share α of the cases
(Smirnov 1948, "Table for estimating the goodness of fit of empirical distributions", Annals of
Mathematical Statistics 19(2), 279-281; the large-sample form). With ties, as in counts, and in
small samples it holds all the more. Several statistics are compared at once, so each gets its part
of the risk (Bonferroni): in RISK of the cases two sets of one kind are told apart by mistake.
"""

from dataclasses import asdict, dataclass
from math import log, sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.mask_stats.records import BY_NAME
from dunhuang_data.mask_stats.sets import MaskSet

COMPARED = ("hole_ratio", "depth_px", "radius_px", "holes", "perimeter_per_px", "sides")
RISK = 0.01
SMALL, LARGE = 0.1, 0.3
"""Distances up to which a real difference is called small, and beyond which it is called large."""

Verdict = Literal["within chance", "too few to tell", "small", "clear", "large"]
ALIKE: tuple[Verdict, ...] = ("within chance", "too few to tell", "small")


@dataclass(frozen=True, slots=True)
class Distance:
    """One statistic of two sets.

    Attributes
    ----------
    statistic : str
    distance : float, optional
        Kolmogorov's, in [0, 1]; None if a set has no value.
    chance : float
        What chance alone stays below; see the module.
    verdict : str
        ``within chance``; ``too few to tell`` (not beyond chance, but chance reaches above
        `LARGE`); beyond chance and ``small``, ``clear`` or ``large``.
    median, against_median : float, optional
        None if a set has no value, or an infinite one.
    counts : tuple of int
        Masks of either set that have a value.
    """

    statistic: str
    distance: float | None
    chance: float
    verdict: Verdict
    median: float | None
    against_median: float | None
    counts: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sets of masks, compared.

    Attributes
    ----------
    name : str
        The first set's.
    titles : tuple of str
        What sentences call the two sets.
    distances : tuple of Distance
        One for each of `COMPARED`.
    shared : int
        Masks of the first set that the other has too, pixel for pixel.
    means : tuple of float
        Mean hole ratio of either.
    same : bool
        Whether both hold the same masks, in whatever order.
    """

    name: str
    titles: tuple[str, str]
    distances: tuple[Distance, ...]
    shared: int
    means: tuple[float, float]
    same: bool

    @property
    def heading(self) -> str:
        """What is compared with what."""
        return " against ".join(self.titles)

    @property
    def alike(self) -> bool:
        """Whether no statistic differs clearly."""
        return all(one.verdict in ALIKE for one in self.distances)

    def document(self) -> dict[str, Any]:
        """Return it as one JSON document."""
        return {
            "set": self.name,
            "titles": list(self.titles),
            "alike": self.alike,
            "verdict": self.sentences(),
            "mean_hole_ratio": list(self.means),
            "shared_masks": self.shared,
            "distances": {one.statistic: asdict(one) for one in self.distances},
        }

    def sentences(self) -> list[str]:
        """Return the verdict in words, the most important one first."""
        return [self._headline(), *self._details()]

    def _headline(self) -> str:
        one, other = self.titles
        ratio = f"mean hole ratio {self.means[0]:.1%} against {self.means[1]:.1%}"
        if self.same:
            return f"{one} and {other} match ({ratio}): they hold the same masks, pixel for pixel."
        different = [each for each in self.distances if each.verdict not in ALIKE]
        if different:
            worst = max(different, key=lambda each: each.distance or 0.0)
            names = ", ".join(BY_NAME[each.statistic].short for each in different)
            return (
                f"{one} and {other} do not match ({ratio}). They differ in {names}; "
                f"most in {BY_NAME[worst.statistic].short}. What is learnt on the holes of the "
                "one is judged on other holes."
            )
        small = [each for each in self.distances if each.verdict == "small"]
        if small:
            names = ", ".join(BY_NAME[each.statistic].short for each in small)
            return (
                f"{one} and {other} nearly match ({ratio}): {names} differ by more "
                f"than chance, but by no more than {SMALL:g}."
            )
        if any(each.verdict == "too few to tell" for each in self.distances):
            return (
                f"Whether {one} and {other} match cannot be told ({ratio}): with so "
                "few masks chance alone could bring such distances. Measure more."
            )
        return (
            f"{one} and {other} match ({ratio}): every distance is within what "
            "chance alone brings at these numbers of masks."
        )

    def _details(self) -> list[str]:
        lines = []
        for one in self.distances:
            if one.verdict in ALIKE or one.median is None or one.against_median is None:
                continue
            statistic = BY_NAME[one.statistic]
            if one.median == one.against_median:
                middle = "the same median"
            else:
                more = "higher" if one.median > one.against_median else "lower"
                middle = (
                    f"{more} in {self.titles[0]}: median {statistic.shown(one.median)} against "
                    f"{statistic.shown(one.against_median)}"
                )
            lines.append(
                f"{statistic.short[0].upper()}{statistic.short[1:]}: {one.verdict} difference, "
                f"{middle} (distance {one.distance:.2f}; chance alone stays below "
                f"{one.chance:.2f})."
            )
        if self.shared and not self.same:
            masks = "1 mask" if self.shared == 1 else f"{self.shared} masks"
            lines.append(f"{self.titles[1]} has {masks} of {self.titles[0]} too, pixel for pixel.")
        return lines


def kolmogorov_distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the largest difference of two empirical distribution functions, in [0, 1].

    Parameters
    ----------
    first, second : (N,), (M,) float64
        Without NaN; infinite values are the largest.
    """
    return float(distribution_gaps(first, second).max())


def distribution_gaps(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far two empirical distribution functions are apart at each value, (N + M,)."""
    first, second = np.sort(first), np.sort(second)
    values = np.concatenate([first, second])
    below = np.searchsorted(first, values, side="right") / len(first)
    other = np.searchsorted(second, values, side="right") / len(second)
    gaps: NDArray[np.float64] = np.abs(below - other)
    return gaps


def chance_distance(first: int, second: int, statistics: int = len(COMPARED)) -> float:
    """Return what chance alone stays below, for sets of such sizes; see the module."""
    part = RISK / statistics
    return sqrt(-log(part / 2) / 2) * sqrt((first + second) / (first * second))


def compare(one: MaskSet, other: MaskSet, titles: tuple[str, str] | None = None) -> Comparison:
    """Compare two sets of masks, statistic by statistic; titles are what sentences call them."""
    digests, known = (sorted(each.stats.table["hash"].tolist()) for each in (one, other))
    same, either = digests == known, set(known)
    return Comparison(
        name=one.name,
        titles=titles or (one.name, other.name),
        distances=tuple(_distance(name, one, other, same) for name in COMPARED),
        shared=sum(digest in either for digest in digests),
        means=(float(one.stats.hole_ratio.mean()), float(other.stats.hole_ratio.mean())),
        same=same,
    )


def _distance(name: str, one: MaskSet, other: MaskSet, same: bool) -> Distance:
    first, second = (
        column[~np.isnan(column)] for column in (one.stats.column(name), other.stats.column(name))
    )
    sizes = len(first), len(second)
    if 0 in sizes:
        return Distance(name, None, 1.0, "too few to tell", None, None, sizes)
    distance, chance = kolmogorov_distance(first, second), min(1.0, chance_distance(*sizes))
    verdict: Verdict = "within chance" if same else verdict_of(distance, chance)
    return Distance(name, distance, chance, verdict, _median(first), _median(second), sizes)


def _median(values: NDArray[np.float64]) -> float | None:
    """Return the median; None where it is infinite, that is where most masks are all hole."""
    middle = float(np.median(values))
    return middle if np.isfinite(middle) else None


def verdict_of(distance: float, chance: float) -> Verdict:
    """Return the word for a distance, where chance alone stays below ``chance``."""
    if distance <= chance:
        return "too few to tell" if chance > LARGE else "within chance"
    if distance <= SMALL:
        return "small"
    return "clear" if distance <= LARGE else "large"
