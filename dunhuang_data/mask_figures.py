"""Plots of measured masks: deterministic, with units and counts.

The colours are of Okabe and Ito's palette, which the colour-blind can tell apart; the heat map is
viridis, which rises evenly in lightness.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.mask_recipe import BUCKET_EDGES
from dunhuang_data.mask_stats.comparison import COMPARED, Comparison
from dunhuang_data.mask_stats.records import BY_NAME
from dunhuang_data.mask_stats.sets import MaskSet
from dunhuang_data.mask_stats.summary import RATIO_BINS, MaskStats
from dunhuang_data.text import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, VERMILION, GREY = "#0072b2", "#d55e00", "#666666"
SOLID: Literal["-"] = "-"
DASHED: Literal["--"] = "--"
FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Microsoft YaHei",
    "PingFang SC",
    "SimHei",
)
"""What names are written in: the font of all other text, then common ones with Chinese; of a
collection matplotlib knows the first font alone, which is Noto's Japanese one."""
FEW = 20
"""Below so many masks a heat map shows single masks: it has a scale of its own, lest it set all."""
MOST_ROWS = 12
"""Sets that are plotted; what is beyond is told in the figure."""


@dataclass(frozen=True, slots=True)
class Scales:
    """The ends of the axes: one for all sets, so that they can be compared by eye."""

    hole_ratio: float
    depth_px: float
    area_px: int
    frequency: float


def scales_of(sets: Iterable[MaskStats]) -> Scales:
    """Return axes that hold all of some sets."""
    ratio, depth, area, frequency = 0.05, 1.0, 2, 1e-9
    for one in sets:
        ratio = max(ratio, float(one.hole_ratio.max()))
        depth = max(depth, float(one.depth_px[np.isfinite(one.depth_px)].max(initial=0.0)))
        area = max(area, int(one.areas_px.max(initial=0)))
        if one.hole_frequency is not None and len(one) >= FEW:
            frequency = max(frequency, float(one.hole_frequency.max()))
    return Scales(ratio, depth, area, frequency)


def stats_figure(groups: dict[str, MaskStats]) -> "Figure":
    """Plot one or more sets of masks, one row each: ratio, depth, areas of holes, heat map.

    Parameters
    ----------
    groups : dict of str to MaskStats
        By title. The first `MOST_ROWS` are plotted.
    """
    from matplotlib.figure import Figure

    shown = dict(list(groups.items())[:MOST_ROWS])
    scales = scales_of(shown.values())
    figure = Figure(figsize=(17, 3.9 * len(shown)), layout="constrained")
    axes = figure.subplots(len(shown), 4, squeeze=False)
    for row, (name, stats) in zip(axes, shown.items(), strict=True):
        _draw(figure, row, name, stats, scales)
    if len(groups) > len(shown):
        figure.suptitle(f"the first {len(shown)} of {len(groups)} sets")
    return figure


def set_figure(name: str, stats: MaskStats, scales: Scales) -> "Figure":
    """Plot one set of masks, two panels a row, for a page."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7.6), layout="constrained")
    _draw(figure, figure.subplots(2, 2).ravel(), name, stats, scales)
    return figure


def _draw(
    figure: "Figure", axes: "NDArray[Any]", name: str, stats: MaskStats, scales: Scales
) -> None:
    """Draw the four panels of a set."""
    _ratio(axes[0], name, stats)
    _depth(axes[1], stats, scales)
    _areas(axes[2], stats, scales.area_px)
    frequency, most = stats.hole_frequency, scales.frequency
    if frequency is not None and len(stats) < FEW:
        most = max(1e-9, float(frequency.max()))
    _heat(figure, axes[3], frequency, most)


def _ratio(axis: "Axes", name: str, stats: MaskStats) -> None:
    """Plot the histogram of the hole ratio, and the edges of the buckets."""
    from matplotlib.ticker import MaxNLocator

    edges = np.linspace(0, 1, RATIO_BINS + 1).tolist()
    axis.hist(stats.hole_ratio, bins=edges, color=BLUE)
    for edge in BUCKET_EDGES:
        axis.axvline(edge, color=GREY, linewidth=0.6, linestyle=":")
    axis.set(xlabel="hole ratio (share of the pixels)", ylabel="masks", xlim=(0, 1))
    axis.set_title(
        f"{_short(name)}: {len(stats)} mask{'s' * (len(stats) != 1)}",
        parse_math=False, fontfamily=_families(),
    )  # fmt: skip
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))


def _short(name: str, most: int = 44) -> str:
    """Return a name that fits above a panel: its end, which tells paths apart.

    A character that no font here has is written as its number: it would be an empty box, and
    matplotlib would warn of it.
    """
    from matplotlib.font_manager import FontProperties, findfont, get_font

    fonts = [get_font(findfont(FontProperties(family=[one]))) for one in _families()]
    name = "".join(
        one if any(font.get_char_index(ord(one)) for font in fonts) else ascii(one)[1:-1]
        for one in visible(name)
    )
    return name if len(name) <= most else f"…{name[-most:]}"


def _families() -> list[str]:
    """Return those of `FONTS` that are installed; asking for others makes matplotlib warn."""
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return [name for name in FONTS if name in installed]


def _depth(axis: "Axes", stats: MaskStats, scales: Scales) -> None:
    """Plot a point a mask: depth against ratio, because ratio is not difficulty."""
    finite = np.isfinite(stats.depth_px)
    size = 10 if len(stats) <= 500 else 3
    axis.scatter(
        stats.hole_ratio[finite], stats.depth_px[finite], s=size, color=BLUE, alpha=0.35,
        linewidths=0, rasterized=True,
    )  # fmt: skip
    axis.set(xlabel="hole ratio (share of the pixels)", xlim=(0, 1.05 * scales.hole_ratio))
    axis.set(ylabel="depth (px)", ylim=(0, 1.08 * scales.depth_px))
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
    axis.set_title(f"{areas['holes']} connected hole{'s' * (areas['holes'] != 1)}{median}")


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

    figure = Figure(figsize=(12, 7.4), layout="constrained")
    axes = figure.subplots(2, 3)
    for axis, name, distance in zip(axes.flat, COMPARED, comparison.distances, strict=True):
        for stats, color, style in ((one.stats, BLUE, SOLID), (other.stats, VERMILION, DASHED)):
            values = np.sort(stats.column(name))
            values = values[~np.isnan(values)]  # as in the distance: what is infinite counts
            share = np.arange(1, len(values) + 1) / max(1, len(values))
            finite = np.isfinite(values)
            values, share = values[finite], share[finite]
            axis.step(values, share, where="post", color=color, linestyle=style)
        axis.set(xlabel=BY_NAME[name].title, ylabel="share of masks up to it", ylim=(0, 1.02))
        gap = "no value" if distance.distance is None else f"distance {distance.distance:.2f}"
        axis.set_title(f"{gap}: {distance.verdict}")
    labels = [
        f"{_short(text, 60)}: {len(each.stats)} masks"
        for text, each in zip(comparison.titles, (one, other), strict=True)
    ]
    handles = [
        Line2D([], [], color=BLUE, linestyle=SOLID),
        Line2D([], [], color=VERMILION, linestyle=DASHED),
    ]
    legend = figure.legend(handles, "12", loc="outside upper center", ncols=2, frameon=False)
    for text, label in zip(legend.get_texts(), labels, strict=True):
        text.set(text=label, parse_math=False, fontfamily=_families())
    return figure
