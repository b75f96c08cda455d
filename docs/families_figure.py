"""Draw the figure of the page on families of holes, with the code that the page is about."""

from pathlib import Path

import cv2

from dunhuang_data.atomic import write_bytes
from dunhuang_data.families import FAMILIES, family_mask
from dunhuang_data.figures import montage, valid_as_picture
from dunhuang_data.rng import rng_for

SHAPE_HW, RATIOS, COLUMNS, SEED = (256, 256), (0.1, 0.3), 4, 1


def draw(path: Path) -> None:
    """Write the figure: a mask of each family, and below it the same one with more holes."""
    names = list(FAMILIES)
    rows, labels = [], []
    for first in range(0, len(names), COLUMNS):
        for ratio in RATIOS:
            holes = round(ratio * SHAPE_HW[0] * SHAPE_HW[1])
            shown = names[first : first + COLUMNS]
            masks = [
                family_mask(family, SHAPE_HW, holes, rng_for(SEED, "docs", family))
                for family in shown
            ]
            rows.append([valid_as_picture(valid) for valid in masks])
            labels.append([f"{family}, hole ratio {ratio:g}" for family in shown])
    _, encoded = cv2.imencode(".png", montage(rows, labels))
    write_bytes(path, encoded.tobytes())
