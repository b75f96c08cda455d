"""Plots of measured masks: deterministic, with units and counts.

The colours are of Okabe and Ito's palette, which the colour-blind can tell apart; the heat map is
viridis, which rises evenly in lightness.
"""

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.mask_stats.comparison import COMPARED, Comparison
from dunhuang_data.mask_stats.records import BUCKET_EDGES, BY_NAME
from dunhuang_data.mask_stats.sets import MaskSet
from dunhuang_data.mask_stats.summary import RATIO_BINS, MaskStats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, VERMILION, GREY = "#0072b2", "#d55e00", "#666666"
SOLID: Literal["-"] = "-"
DASHED: Literal["--"] = "--"
MOST_ROWS = 12
"""Sets that are plotted; what is beyond is told in the figure."""


def stats_figure(groups: dict[str, MaskStats]) -> "Figure":
    """Plot one or more sets of masks, one row each: ratio, depth, areas of holes, heat map.

    Parameters
    ----------
    groups : dict of str to MaskStats
        By title. The first `MOST_ROWS` are plotted.
    """
    from matplotlib.figure import Figure

    shown = dict(list(groups.items())[:MOST_ROWS])
    figure = Figure(figsize=(17, 3.9 * len(shown)), layout="constrained")
    axes = figure.subplots(len(shown), 4, squeeze=False)
    # one scale for all rows, so that they can be compared by eye
    depths = np.concatenate([one.depth_px[np.isfinite(one.depth_px)] for one in shown.values()])
    deepest = max(1.0, float(depths.max(initial=0.0)))
    widest = max(0.05, *(float(one.hole_ratio.max()) for one in shown.values()))
    largest = max([2, *(int(one.areas_px[-1]) for one in shown.values() if len(one.areas_px))])
    maps = [one.hole_frequency for one in shown.values() if one.hole_frequency is not None]
    most = max([1e-9, *(float(one.max()) for one in maps)])
    for row, (name, stats) in zip(axes, shown.items(), strict=True):
        _ratio(row[0], name, stats)
        _depth(row[1], stats, widest, deepest)
        _areas(row[2], stats, largest)
        _heat(figure, row[3], stats.hole_frequency, most)
    if len(groups) > len(shown):
        figure.suptitle(f"the first {len(shown)} of {len(groups)} sets")
    return figure


def _ratio(axis: "Axes", name: str, stats: MaskStats) -> None:
    """Plot the histogram of the hole ratio, and the edges of the buckets."""
    from matplotlib.ticker import MaxNLocator

    edges = np.linspace(0, 1, RATIO_BINS + 1).tolist()
    axis.hist(stats.hole_ratio, bins=edges, color=BLUE)
    for edge in BUCKET_EDGES:
        axis.axvline(edge, color=GREY, linewidth=0.6, linestyle=":")
    axis.set(xlabel="hole ratio (share of the pixels)", ylabel="masks", xlim=(0, 1))
    axis.set_title(f"{_short(name)}: {len(stats)} mask{'s' * (len(stats) != 1)}")
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))


def _short(name: str, most: int = 44) -> str:
    """Return a title that fits above a panel: its end, which tells paths apart."""
    return name if len(name) <= most else f"…{name[-most:]}"


def _depth(axis: "Axes", stats: MaskStats, widest: float, deepest: float) -> None:
    """Plot a point a mask: depth against ratio, because ratio is not difficulty."""
    finite = np.isfinite(stats.depth_px)
    size = 10 if len(stats) <= 500 else 3
    axis.scatter(
        stats.hole_ratio[finite], stats.depth_px[finite], s=size, color=BLUE, alpha=0.35,
        linewidths=0, rasterized=True,
    )  # fmt: skip
    axis.set(xlabel="hole ratio (share of the pixels)", xlim=(0, 1.05 * widest))
    axis.set(ylabel="depth (px)", ylim=(0, 1.08 * deepest))
    median = f"median {np.median(stats.depth_px[finite]):.1f} px" if finite.any() else "no depth"
    left_out = int((~finite).sum())
    more = f"; {left_out} all hole, left out" if left_out else ""
    axis.set_title(f"mean distance to known pixels: {median}{more}", fontsize="medium")


def _areas(axis: "Axes", stats: MaskStats, largest: int) -> None:
    """Plot how many connected holes have which area, in bins that double."""
    from matplotlib.ticker import LogLocator, MaxNLocator, StrMethodFormatter

    areas = stats.areas()
    if areas["holes"]:
        edges = np.array(areas["edges"])
        axis.bar(edges[:-1], areas["counts"], np.diff(edges), align="edge", color=BLUE,
                 edgecolor="white", linewidth=0.5)  # fmt: skip
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_locator(LogLocator(base=8))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axis.set(xlabel="area of a connected hole (px)", ylabel="connected holes")
    axis.set_xlim(1, 2.0 ** (int(np.log2(largest)) + 1))
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    median = f", median {areas['p50']:.0f} px" if areas["holes"] else ""
    axis.set_title(f"{areas['holes']} connected holes{median}")


def _heat(
    figure: "Figure", axis: "Axes", frequency: NDArray[np.float64] | None, most: float
) -> None:
    """Show how often each pixel is a hole."""
    if frequency is None:
        axis.set_axis_off()
        axis.text(0.5, 0.5, "no heat map:\nseveral sizes, or very many sets", ha="center")
        return
    shown = axis.imshow(frequency, vmin=0, vmax=most, cmap="viridis")
    axis.set(title="how often each pixel is a hole", xlabel="x (px)", ylabel="y (px)")
    figure.colorbar(shown, ax=axis, label="share of the masks")


def comparison_figure(comparison: Comparison, one: MaskSet, other: MaskSet) -> "Figure":
    """Plot the share of masks up to each value, of two sets, statistic by statistic.

    The largest vertical gap between the two lines is the Kolmogorov distance.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    figure = Figure(figsize=(15, 8), layout="constrained")
    axes = figure.subplots(2, 3)
    for axis, name, distance in zip(axes.flat, COMPARED, comparison.distances, strict=True):
        for stats, color, style in ((one.stats, BLUE, SOLID), (other.stats, VERMILION, DASHED)):
            values = np.sort(stats.column(name))
            values = values[np.isfinite(values)]
            share = np.arange(1, len(values) + 1) / len(stats)
            axis.step(values, share, where="post", color=color, linestyle=style)
        axis.set(xlabel=BY_NAME[name].title, ylabel="share of masks up to it", ylim=(0, 1.02))
        gap = "no value" if distance.distance is None else f"distance {distance.distance:.2f}"
        axis.set_title(f"{gap}: {distance.verdict}")
    labels = [
        f"{_short(text, 60)}: {len(each.stats)} masks"
        for text, each in zip(comparison.titles, (one, other), strict=True)
    ]
    handles = [
        Line2D([], [], color=BLUE, linestyle=SOLID, label=labels[0]),
        Line2D([], [], color=VERMILION, linestyle=DASHED, label=labels[1]),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2, frameon=False)
    return figure
