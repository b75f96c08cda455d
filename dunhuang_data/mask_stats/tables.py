"""Tables for people: each with a row a set."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dunhuang_data.mask_stats.comparison import Comparison
from dunhuang_data.mask_stats.records import BUCKETS, BY_NAME, STATISTICS
from dunhuang_data.mask_stats.sets import MaskSet

SHOWN = ("mean", "sd", "p0", "p5", "p50", "p95", "p100")
IN_FULL = ("hole_ratio", "depth_px", "radius_px", "holes")
AREAS = ("mean", "p5", "p25", "p50", "p75", "p95", "p100")
BY_MEDIAN = ("largest_share", "islands", "perimeter_px", "perimeter_per_px", "sides")


@dataclass(frozen=True, slots=True)
class Table:
    """A table for people: the first column is text, the others numbers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def number(value: float | None, digits: int) -> str:
    """Return a number for a table; a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def tables_of(sets: dict[str, MaskSet], comparisons: Sequence[Comparison]) -> list[Table]:
    """Return every table: of the sets, by the titles they are given, and of the comparisons."""
    tables = [_in_full(name, sets) for name in IN_FULL]
    tables += [_medians(sets), _buckets(sets), _counts(sets), _areas(sets)]
    if any(one.stats.hole_frequency is not None for one in sets.values()):
        tables.append(_places(sets))
    return tables + [_distances(one) for one in comparisons]


def _in_full(name: str, sets: dict[str, MaskSet]) -> Table:
    """Return mean, sd and quantiles of one statistic."""
    rows = []
    for set_name, one in sets.items():
        numbers = one.stats.summary_of(name)
        shown = [number(numbers[column], BY_NAME[name].digits) for column in SHOWN]
        rows.append((set_name, f"{len(one.stats)}", *shown))
    title = BY_NAME[name].title
    if any(np.isinf(one.stats.column(name)).any() for one in sets.values()):
        title += "; masks that are all hole are left out"
    return Table(title, ("set", "masks", *SHOWN), tuple(rows))


def _medians(sets: dict[str, MaskSet]) -> Table:
    """Return the medians of the statistics that are not shown in full."""
    rows = [
        (
            name,
            *(
                number(one.stats.summary_of(column)["p50"], BY_NAME[column].digits)
                for column in BY_MEDIAN
            ),
        )
        for name, one in sets.items()
    ]
    columns = tuple(BY_NAME[name].title.removesuffix(" per mask") for name in BY_MEDIAN)
    return Table("Medians of what else is measured", ("set", *columns), tuple(rows))


def _buckets(sets: dict[str, MaskSet]) -> Table:
    """Return how many masks each bucket of hole ratio has."""
    rows = []
    for name, one in sets.items():
        cells = [
            f"{bucket['masks']}"
            + ("" if bucket["depth_px_p50"] is None else f" ({bucket['depth_px_p50']:.1f})")
            for bucket in one.stats.buckets()
        ]
        rows.append((name, *cells))
    return Table(
        "Masks by hole ratio (in brackets their median depth, px)", ("set", *BUCKETS), tuple(rows)
    )


def _counts(sets: dict[str, MaskSet]) -> Table:
    """Return how many masks stand out."""
    counted = {name: one.stats.counts() for name, one in sets.items()}
    columns = ("masks", "touching the border", "all known", "all hole", "duplicates")
    keys = ("count", "touching_border", "all_known", "all_hole", "duplicates")
    rows = tuple((name, *(str(one[key]) for key in keys)) for name, one in counted.items())
    return Table("Masks that stand out", ("set", *columns), rows)


def _areas(sets: dict[str, MaskSet]) -> Table:
    """Return the quantiles of the areas of all connected holes."""
    rows = []
    for name, one in sets.items():
        areas = one.stats.areas()
        shown = [number(areas[column], 1 if column == "mean" else 0) for column in AREAS]
        rows.append((name, str(areas["holes"]), *shown))
    return Table("Areas of all connected holes (px)", ("set", "holes", *AREAS), tuple(rows))


def _places(sets: dict[str, MaskSet]) -> Table:
    """Return how often a pixel is a hole, by place."""
    rows = []
    for name, one in sets.items():
        found = one.stats.where()
        columns = ("mean", "centre", "edge", "corner")
        shown = (number(found[column] if found else None, 3) for column in columns)
        rows.append((name, *shown))
    columns = ("everywhere", "centre", "edge", "corners")
    return Table("How often a pixel is a hole (share of the masks)", ("set", *columns), tuple(rows))


def _distances(comparison: Comparison) -> Table:
    """Return the distances of two sets, a row a statistic."""
    rows = tuple(
        (
            BY_NAME[one.statistic].title,
            number(one.median, BY_NAME[one.statistic].digits),
            number(one.against_median, BY_NAME[one.statistic].digits),
            number(one.distance, 3),
            number(one.chance, 3),
            one.verdict,
        )
        for one in comparison.distances
    )
    columns = ("statistic", "median", "against", "distance", "chance stays below", "verdict")
    return Table(comparison.heading, columns, rows)


def glossary() -> Table:
    """Return what each statistic means."""
    rows = tuple((one.name, one.meaning) for one in STATISTICS)
    return Table("What is measured of each mask", ("name", "meaning"), rows)
