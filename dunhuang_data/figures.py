"""Pictures to look at before training: the plan's overlay, mask sheets, statistics, samples."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from dunhuang_data.atomic import write_bytes
from dunhuang_data.mask_stats import depth_and_radius
from dunhuang_data.polarity import hole_ratio
from dunhuang_data.types import PatchSpec, Samples, UInt8Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPLIT_COLORS = {"train": (230, 159, 0), "val": (86, 180, 233), "test": (0, 158, 115)}
HOLE_GREY = 255  # white, so that a hole is seen on a dark wall
GAP = 6  # px between pictures of a sheet
LABEL = 22  # px of a line of text


def masked_image(image: UInt8Array, valid: UInt8Array) -> UInt8Array:
    """Show a picture with its holes in white: (H, W, 3) and (H, W) uint8 → (H, W, 3) uint8."""
    return np.where(valid[..., None] == 1, image, np.uint8(HOLE_GREY))


def valid_as_picture(valid: UInt8Array) -> UInt8Array:
    """Show a mask, known white and holes black: (H, W) uint8 → (H, W, 3) uint8."""
    return np.repeat((valid * np.uint8(255))[..., None], 3, axis=-1)


def montage(
    rows: Sequence[Sequence[UInt8Array]], labels: Sequence[Sequence[str]] | None = None
) -> UInt8Array:
    """Lay pictures out as a sheet on light grey.

    Parameters
    ----------
    rows : sequence of sequences of (h, w, 3) uint8
        Every cell is as large as the largest picture.
    labels : sequence of sequences of str, optional
        Above each picture, ASCII; of one or more lines.

    Returns
    -------
    (H, W, 3) uint8
    """
    height = max(picture.shape[0] for row in rows for picture in row)
    width = max(picture.shape[1] for row in rows for picture in row)
    top = LABEL * max((text.count("\n") + 1 for row in labels or () for text in row), default=0)
    cell_h, cell_w = height + top + GAP, width + GAP
    sheet = np.full(
        (len(rows) * cell_h + GAP, max(map(len, rows)) * cell_w + GAP, 3), 235, dtype=np.uint8
    )
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            y, x = r * cell_h + GAP + top, c * cell_w + GAP
            sheet[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
            for line, text in enumerate(reversed(labels[r][c].split("\n") if labels else [])):
                _write_text(sheet, text, (x, y - 6 - line * LABEL), (30, 30, 30))
    return sheet


def _fitting(width: int, *texts: str) -> str:
    """Return the first text that is no wider than so many pixels, or nothing."""
    sizes = (cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)[0][0] for text in texts)
    return next((text for text, size in zip(texts, sizes, strict=True) if size <= width), "")


def _write_text(
    picture: UInt8Array, text: str, at_xy: tuple[int, int], color: tuple[int, int, int]
) -> None:
    cv2.putText(picture, text, at_xy, cv2.FONT_HERSHEY_SIMPLEX, 0.5, color, 1, cv2.LINE_AA)


def plan_overlay(
    picture: UInt8Array,
    scaled_hw: tuple[int, int],
    patches: Sequence[PatchSpec],
    patch_size: int,
) -> UInt8Array:
    """Draw a picture's numbered patches in the colour of their split; beside it, the coverage.

    Parameters
    ----------
    picture : (h, w, 3) uint8
        Shrunk to the size of the drawing.
    scaled_hw : tuple of int
        The picture's height and width at the scale it is cut at.
    patches : sequence of PatchSpec
        Of this picture. Variants of one place are drawn once.
    patch_size : int
        In pixels.

    Returns
    -------
    (h, w, 3) uint8
        Left the picture; right how many patches lie on each pixel, black where none does.
    """
    height, width = picture.shape[:2]
    scale = height / scaled_hw[0], width / scaled_hw[1]
    places = list({patch.center_yx: patch for patch in patches}.values())
    drawing = picture.copy()
    count = np.zeros((height, width), dtype=np.int64)
    for patch in places:
        corner = np.array(patch.center_yx) - patch_size // 2
        y0, x0 = np.maximum(np.rint(corner * scale).astype(int), 0)
        y1, x1 = np.rint((corner + patch_size) * scale).astype(int)
        count[y0:y1, x0:x1] += 1
        color = SPLIT_COLORS[patch.split]
        cv2.rectangle(drawing, (int(x0), int(y0)), (int(x1) - 1, int(y1) - 1), color, 2)
    for number, patch in enumerate(places):
        y, x = (int(value * side) for value, side in zip(patch.center_yx, scale, strict=True))
        cv2.circle(drawing, (x, y), 12, SPLIT_COLORS[patch.split], -1, cv2.LINE_AA)
        _write_text(drawing, str(number), (x - 4 - 4 * (number > 9), y + 5), (0, 0, 0))
    covered = f"covered {(count > 0).mean():.1%}"
    what = f"{len(places)} patches of {patch_size} px" + (
        f", {patches[0].split}" if patches else ""
    )
    rows = f"; rows {patches[0].index}-{patches[-1].index} of patches.csv" if patches else ""
    depth = f"patches per pixel: 0 (black) to {count.max()}; "
    labels = [_fitting(width, what + rows, what), _fitting(width, depth + covered, covered)]
    return montage([[drawing, _heat(count)]], [labels])


def _heat(count: NDArray[np.int64]) -> UInt8Array:
    """Colour a count: black for none, then dark to light; (h, w) → (h, w, 3) uint8."""
    levels = np.rint(255 * count / max(1, count.max())).astype(np.uint8)
    colored = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
    return np.where(count[..., None] == 0, np.uint8(0), np.asarray(colored, dtype=np.uint8))


def mask_sheet(masks: Sequence[UInt8Array], columns: int = 8, side_px: int = 128) -> UInt8Array:
    """Show masks sorted by hole ratio, holes black, each with its ratio and depth.

    Parameters
    ----------
    masks : sequence of (H, W) uint8
        1 = known, 0 = hole.
    columns : int
    side_px : int
        Longer side of a thumbnail at most. Shrunk, its greys are shares of holes, so that no crack
        of one pixel is broken or lost.
    """
    ordered = sorted(masks, key=hole_ratio)
    cells = [_thumbnail(valid_as_picture(valid), side_px) for valid in ordered]
    labels = [
        f"hole ratio {hole_ratio(valid):.3f}\ndepth {depth_and_radius(valid)[0]:.1f} px"
        for valid in ordered
    ]
    starts = range(0, len(cells), columns)
    return montage(
        [cells[first : first + columns] for first in starts],
        [labels[first : first + columns] for first in starts],
    )


def _thumbnail(picture: UInt8Array, side_px: int) -> UInt8Array:
    height, width = picture.shape[:2]
    step = max(1, -(-max(height, width) // side_px))
    if step == 1:
        return picture
    size = max(1, width // step), max(1, height // step)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def sample_sheet(samples: Samples, titles: Sequence[str]) -> UInt8Array:
    """Show samples, one a row: target, mask, masked image. It catches a wrong polarity."""
    rows, labels = [], []
    for place, title in enumerate(titles):
        image, valid = samples.image[place], samples.valid[place]
        rows.append([image, valid_as_picture(valid), masked_image(image, valid)])
        labels.append([title, f"valid: hole ratio {hole_ratio(valid):.3f}", "masked image"])
    return montage(rows, labels)


def png_of(figure: "Figure") -> bytes:
    """Return a figure as PNG, without date or program in it."""
    contents = io.BytesIO()
    figure.savefig(contents, format="png", dpi=100, metadata={"Software": None})
    return contents.getvalue()


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure as PNG, whole or not at all, without date or program in it."""
    write_bytes(path, png_of(figure))
