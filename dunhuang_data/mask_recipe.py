"""The frozen settings of ``make-masks``: which holes, how many of them, and how much of a mask.

Imports nothing heavy: the command line reads its defaults and choices from here.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from dunhuang_data.recipe import BORDERS, STARTS, refuse_unless

FAMILIES = (
    "walk",
    "thin-strokes",
    "medium-strokes",
    "thick-strokes",
    "blocks",
    "flakes",
    "cracks",
    "stains",
    "files",
)
BUCKET_EDGES = (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
"""Hole-ratio buckets of Liu et al. 2018 (ECCV, arXiv:1804.07723), upper edge included."""

LEAST_PIXELS = 100
"""From so many pixels on, every edge of a bucket is a whole number of hundredths of them."""

CELLS = 2 * (len(BUCKET_EDGES) - 1)
"""Six buckets, each once with holes that touch the border and once without."""

FRAME_SHOWS = 0.6
"""Of what lies within a margin: walks that fill more than this show the margin's edges."""

MOST_SIDE, MOST_MASKS = 2**16, 10**8

LARGEST_SHARE = {"drop": 0.95, "clip": 0.99, "reflect": 0.99, "torus": 0.99}
"""Of what lies within the margin: the most that is asked of a walk, by border rule."""

PRESETS: dict[str, dict[str, Any]] = {
    "seed": {"size": (256, 256), "steps": (50_000, 50_000), "border": "drop", "start": "box"},
    "challenge-like": {
        "grid": 256,
        "steps": (10_000, 10_000),
        "walkers": (1, 8),
        "start": "uniform",
        "border": "drop",
    },
}
"""Options of ``make-masks`` that stand in for their defaults."""


@dataclass(frozen=True, slots=True)
class MaskRecipe:
    """Settings of ``make-masks``.

    A pair LOW, HIGH is drawn from for each mask, every whole number in it equally likely.

    Attributes
    ----------
    shape_hw : tuple of int
        Height and width of a mask in pixels.
    steps : tuple of int
        Steps of each walker of a mask; it visits one cell more, the start among them. Not used if
        masks are drawn to order.
    count : int
        Masks in the bank.
    seed : int
        Mask i is a function of (seed, i) and the settings above alone.
    family : str
        One of `FAMILIES`. All but ``walk`` and ``files`` are drawn to order.
    hole_ratio : tuple of float
        To order: ascending ratios. Each mask draws its own, as often between one and the next as
        between any other two neighbours; two give a uniform draw from LOW to HIGH.
    buckets : {"", "nvidia"}
        To order: mask i lies in cell ``i % 12`` of the six buckets of `BUCKET_EDGES`, each first
        with holes at the border and then without.
    border, start, grid
        See `dunhuang_data.walks.WalkRule`. A grid is no finer than the mask.
    margin_px : int
        Pixels along each side that stay known.
    walkers, brush_px : tuple of int
        Walks in a mask, and the diameter of what each draws.
    width_px, length_px : tuple of int
        Of the elements of the other families; (0, 0) = the family's own.
    source_sha256 : str
        Of the bank that ``files`` are drawn from; empty if they are what was imported.
    """

    shape_hw: tuple[int, int] = (256, 256)
    steps: tuple[int, int] = (50_000, 50_000)
    count: int = 10_000
    seed: int = 0
    family: str = "walk"
    hole_ratio: tuple[float, ...] = ()
    buckets: str = ""
    border: str = "drop"
    start: str = "box"
    margin_px: int = 0
    walkers: tuple[int, int] = (1, 1)
    brush_px: tuple[int, int] = (1, 1)
    grid: int = 0
    width_px: tuple[int, int] = (0, 0)
    length_px: tuple[int, int] = (0, 0)
    source_sha256: str = ""

    def __post_init__(self) -> None:
        height, width = self.shape_hw
        refuse_unless(
            1 <= min(self.shape_hw) <= max(self.shape_hw) <= MOST_SIDE,
            f"--size is {height}x{width}; expected 1x1 to {MOST_SIDE}x{MOST_SIDE} px.",
        )
        refuse_unless(
            1 <= self.count <= MOST_MASKS, f"--count is {self.count}; expected 1 to {MOST_MASKS}."
        )
        for name, value, choices in (
            ("--family", self.family, FAMILIES),
            ("--buckets", self.buckets, ("", "nvidia")),
            ("--border", self.border, BORDERS),
            ("--start", self.start, STARTS),
        ):
            listed = ", ".join(filter(None, choices))
            refuse_unless(value in choices, f"{name} is {value!r}; expected one of {listed}.")
        for name, (low, high), least, most in (
            ("--steps", self.steps, 0, 2**30 - 1),
            ("--walkers", self.walkers, 1, 1000),
            ("--brush", self.brush_px, 1, min(self.shape_hw)),
            ("--width", self.width_px, 0, 2**15),
            ("--length", self.length_px, 0, 2**15),
        ):
            refuse_unless(
                least <= low <= high <= most,
                f"{name} is {low}:{high}; expected {least} to {most}, the lower number first.",
            )
        refuse_unless(
            0 <= 2 * self.margin_px < min(self.shape_hw),
            f"--margin is {self.margin_px} px on masks of {height}x{width} px; expected 0 to "
            f"{(min(self.shape_hw) - 1) // 2}.",
        )
        inner = min(self.shape_hw) - 2 * self.margin_px
        refuse_unless(
            0 <= self.grid <= inner,
            f"--grid is {self.grid}; expected 1 to {inner}, the pixels within the margin (a finer "
            "grid would lose cells of the walk), or 0 for none.",
        )
        for name, pair in (("--width", self.width_px), ("--length", self.length_px)):
            refuse_unless(
                pair == (0, 0) or pair[0] >= 1,
                f"{name} is {pair[0]}:{pair[1]}; expected at least 1.",
            )
        self._refuse_what_does_not_fit_together()
        self._refuse_the_impossible()

    @property
    def to_order(self) -> bool:
        """Whether the hole ratio of each mask is settled before it is drawn."""
        return bool(self.hole_ratio or self.buckets)

    def _refuse_what_does_not_fit_together(self) -> None:
        refuse_unless(
            not (self.hole_ratio and self.buckets),
            "--hole-ratio and --buckets both say how much of a mask is a hole; give one of them.",
        )
        refuse_unless(
            not (self.buckets and self.margin_px),
            "--buckets and --margin both say what touches the border; give one of them.",
        )
        refuse_unless(
            not (self.buckets and self.start != "box"),
            "--buckets says where a walk starts: at the border in six of its cells. Leave out "
            "--start.",
        )
        files = self.family == "files"
        refuse_unless(
            not (files and self.to_order),
            "--family files takes masks as they are; --hole-ratio and --buckets are for those "
            "that are drawn.",
        )
        refuse_unless(
            self.family in ("walk", "files") or self.to_order,
            f"--family {self.family} is drawn to order; say how much with --hole-ratio LOW:HIGH "
            "or --buckets nvidia.",
        )
        given = [
            f"--{name.removesuffix('_px')}"
            for name, default in _OF_WALKS.items()
            if getattr(self, name) != default
        ]
        refuse_unless(
            self.family not in ("walk", "files") or self.width_px == self.length_px == (0, 0),
            f"--family {self.family} has no --width and no --length; a walk has a --brush.",
        )
        refuse_unless(
            self.family == "walk" or not given,
            f"--family {self.family} has no {', '.join(given)}; these belong to walks.",
        )

    def _refuse_the_impossible(self) -> None:
        ratios = self.hole_ratio
        refuse_unless(
            all(low <= high for low, high in pairwise(ratios))
            and (not ratios or (ratios[0] > 0 and ratios[-1] <= 1)),
            f"--hole-ratio is {':'.join(f'{ratio:g}' for ratio in ratios)}; expected ratios above "
            "0 and up to 1, the lowest first.",
        )
        refuse_unless(
            not self.buckets or self.shape_hw[0] * self.shape_hw[1] >= LEAST_PIXELS,
            f"--buckets on {self.shape_hw[0]}x{self.shape_hw[1]} px: some buckets lie between two "
            f"numbers of pixels; expected at least {LEAST_PIXELS} px in all.",
        )
        if not self.to_order:
            return
        wanted, margin = self._most_wanted()
        why = f" within a margin of {margin} px" if margin else ""
        if self.buckets:
            why = f" in the cells without holes at the border (a margin of {margin} px)"
        most = self.largest_ratio(margin)
        rule = f" of a walk with border {self.border}" if self.family == "walk" else ""
        refuse_unless(
            wanted <= most,
            f"A hole ratio of {wanted:g}{rule} cannot be promised on {self.shape_hw[0]}x"
            f"{self.shape_hw[1]} px{why}: the maximum is {most:.4f}. Ask for less"
            + (", or choose another --border or --margin." if rule else " or a smaller --margin."),
        )

    @property
    def bucket_margin_px(self) -> int:
        """Pixels that stay known in cells without holes at the border: 50 of 512, as the paper."""
        return max(1, min(self.shape_hw) * 50 // 512)

    @property
    def shows_its_frame(self) -> bool:
        """Whether walks fill so much of what lies within a margin that its outline is seen."""
        if self.family != "walk" or not self.to_order:
            return False
        wanted, margin = self._most_wanted()
        return margin > 0 and wanted > FRAME_SHOWS * self.largest_ratio(margin)

    def _most_wanted(self) -> tuple[float, int]:
        """Return the largest ratio that is asked for, and the margin that it must lie within."""
        if self.buckets:
            return BUCKET_EDGES[-1], self.bucket_margin_px
        return self.hole_ratio[-1], self.margin_px

    def largest_ratio(self, margin_px: int) -> float:
        """Return the largest hole ratio that is promised within a margin, in [0, 1]."""
        height, width = self.shape_hw
        inner = max(0, height - 2 * margin_px) * max(0, width - 2 * margin_px) / (height * width)
        return inner * (LARGEST_SHARE[self.border] if self.family == "walk" else 1.0)


_OF_WALKS = {"border": "drop", "start": "box", "walkers": (1, 1), "brush_px": (1, 1), "grid": 0}
