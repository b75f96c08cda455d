"""Draw the figure of the page on spreading, with the code that the page is about."""

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from dunhuang_data.figures import save_figure
from dunhuang_data.rng import rng_for
from dunhuang_data.spread import METHODS, coverage, nearest_distances

SHAPE_HW, SIZE, COUNT, SEED = (700, 800), 256, 25, 1
SHOWN = ("random", "poisson", "max-distance")


def draw(path: Path) -> None:
    """Write the figure: 25 patches on a picture of 800 x 700 px, spread by three methods."""
    figure = Figure(figsize=(12, 4.1), layout="constrained")
    for axis, method in zip(figure.subplots(1, len(SHOWN)), SHOWN, strict=True):
        centers = METHODS[method](SHAPE_HW, SIZE, COUNT, rng_for(SEED, "centers", "docs"), None)
        axis.set_facecolor("#cc3311")  # what no patch covers
        for y, x in centers.tolist():
            corner = (x - SIZE // 2, y - SIZE // 2)
            axis.add_patch(Rectangle(corner, SIZE, SIZE, facecolor="white", zorder=1))
        for number, (y, x) in enumerate(centers.tolist()):
            corner = (x - SIZE // 2, y - SIZE // 2)
            axis.add_patch(
                Rectangle(
                    corner, SIZE, SIZE, fill=False, edgecolor="#004488", linewidth=0.8, zorder=2
                )
            )
            axis.text(x, y, str(number), ha="center", va="center", fontsize=8, zorder=3)
        axis.set(xlim=(0, SHAPE_HW[1]), ylim=(SHAPE_HW[0], 0), aspect="equal", xticks=[], yticks=[])
        axis.set_title(
            f"{method}: {nearest_distances(centers).min():.0f} px apart, "
            f"{coverage(SHAPE_HW, SIZE, centers):.1%} covered"
        )
    save_figure(figure, path)
