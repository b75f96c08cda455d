"""A contact sheet of a method's best, median and worst samples."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isnan

import cv2
import numpy as np

from dunhuang_data.figures import GAP, montage
from dunhuang_data.polarity import hole_ratio
from dunhuang_data.types import UInt8Array
from dunhuang_trainer.evaluate.records import SampleScore, ScoreArray, score_array
from dunhuang_trainer.figures import ERROR, compared

LEAST_WIDTH, MOST_WIDTH = 192, 384  # px of a picture on the sheet
MOST_TALL = 2  # times as high as wide
SHEET_GREY = 235  # of montage
ORDINALS = ("", "second ", "third ")
COLUMNS = ("masked", "restored", "target", ERROR)


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A sample to be drawn.

    Attributes
    ----------
    what, key : str
        From `pick`.
    target, restored : (H, W, 3) uint8
    valid : (H, W) uint8
        1 = known, 0 = hole.
    mse_hole : float
        On 0 … 255.
    """

    what: str
    key: str
    target: UInt8Array
    valid: UInt8Array
    restored: UInt8Array
    mse_hole: float


def pick(
    scores: Iterable[SampleScore] | ScoreArray, method: str, each: int = 2
) -> list[tuple[str, str]]:
    """Choose a method's best, median and worst samples by mean squared error in the holes.

    Parameters
    ----------
    scores : iterable of SampleScore, or ScoreArray
    method : str
    each : int
        How many of each kind at most, 1 to 3.

    Returns
    -------
    list of (str, str)
        What (``"best"``, ``"second best"``, ``"median"``, ``"worst"``) and key, from best to worst.
        No sample is there twice; of up to ``3 * each`` samples all are there. Samples without a
        counted hole are not chosen. Equal ones stand in the order of their keys. Of an even number
        with ``each`` 1, the median is the better of the two.

    Raises
    ------
    UsageProblem
        If the method has no scores.
    """
    array = scores if isinstance(scores, ScoreArray) else score_array(scores)
    errors = array.of(method, "mse_hole")
    counted = np.flatnonzero(~np.isnan(errors))
    order = counted[np.argsort(errors[counted], kind="stable")]  # keys are sorted: ties keep that
    count = len(order)
    if count == 0:
        return []
    if count == 1:
        return [("only sample", array.keys[order[0]])]
    ends = min(each, max(1, (count - 1) // 2))
    middles = min(each, count - 2 * ends)
    first = max(ends, min((count - 1) // 2 - (middles - 1) // 2, count - ends - middles))
    chosen = [(f"{ORDINALS[n]}best", order[n]) for n in range(ends)]
    chosen += [("median", place) for place in order[first : first + middles]]
    chosen += [(f"{ORDINALS[n]}worst", order[count - 1 - n]) for n in reversed(range(ends))]
    return [(what, array.keys[place]) for what, place in chosen]


def draw_sheet(samples: Sequence[Shown], method: str = "restored") -> UInt8Array:
    """Draw samples, one a row: masked, restored, target, and the error four times enlarged.

    Parameters
    ----------
    samples : sequence of Shown
        At least one, of any sizes.
    method : str
        Whose they are: above the second column.

    Returns
    -------
    (h, w, 3) uint8
        All pictures are brought to one width, whole: small ones larger by a whole number, large
        ones smaller, and very tall ones to a height of twice that width. Errors are taken before.
    """
    width = min(MOST_WIDTH, *(_enlarged_width(one.target.shape[1]) for one in samples))
    rows = []
    for one in samples:
        cells = compared(one.target, one.valid, one.restored)
        pictures = [_brought_to(cell, width) for cell in cells]
        scale = pictures[0].shape[0] / one.target.shape[0]
        title = _shortened(_title(one, scale), len(COLUMNS) * (width + GAP) - GAP)
        labels = [f"{title}\n{COLUMNS[0]}", _ascii(method), *COLUMNS[2:]]
        rows.append(montage([[_widened(cell, width) for cell in pictures]], [labels]))
    return np.concatenate(rows)  # each as high as it is, where one montage has cells of one height


def _title(one: Shown, scale: float) -> tuple[str, str]:
    """Return the key, which may be shortened, and what is said with it."""
    height_px, width_px = one.valid.shape
    error = "no hole" if isnan(one.mse_hole) else f"MSE in holes {one.mse_hole:.1f}"
    size = f"{width_px} x {height_px} px, shown at {scale:.0%}"
    said = f"{one.what}: hole ratio {hole_ratio(one.valid):.3f}, {error}, {size}: "
    return said, _ascii(one.key)


def _ascii(text: str) -> str:
    """Return what the sheet's letters can show."""
    return text.encode("ascii", "replace").decode("ascii")


def _shortened(title: tuple[str, str], width: int) -> str:
    """Return a title that is no wider than so many pixels: of a long key, the end."""
    said, key = title
    for first in range(len(key)):
        text = said + (key if first == 0 else f"...{key[first:]}")
        if cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)[0][0] <= width:
            return text
    return said


def _enlarged_width(width: int) -> int:
    """Return the width of a small picture that is enlarged by a whole number."""
    return width * max(1, -(-LEAST_WIDTH // width))


def _brought_to(picture: UInt8Array, width: int) -> UInt8Array:
    """Bring a picture to a width, or to the height that is the most, whole."""
    times = max(1, -(-LEAST_WIDTH // picture.shape[1]))
    larger = picture.repeat(times, axis=0).repeat(times, axis=1)
    scale = min(width / larger.shape[1], MOST_TALL * width / larger.shape[0])
    if scale >= 1:
        return larger
    size = max(1, round(larger.shape[1] * scale)), max(1, round(larger.shape[0] * scale))
    return np.asarray(cv2.resize(larger, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _widened(picture: UInt8Array, width: int) -> UInt8Array:
    """Add the sheet's grey on the right."""
    room = ((0, 0), (0, width - picture.shape[1]), (0, 0))
    return np.pad(picture, room, constant_values=SHEET_GREY)
