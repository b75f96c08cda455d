"""Where one view lies in another, if matched points agree on it, and whether the pixels do."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dunhuang_data.types import UInt8Array

POINTS_NEEDED = 6
"""Points that must agree on a placement before pixels are compared."""

AGREEMENT = 0.8
"""Share of the common area whose pixels must agree; see docs/leaks.md."""

CORRELATION = 0.7
"""Correlation of two windows from which on they agree."""

_HYPOTHESES = 400  # matches tried as the one that is right
_REFINED = 5
_SLACK_PX = 3.0
_LARGEST = 12.0  # times that one view may be enlarged in the other
_FRAME_PX = 256
_WINDOW_PX = 21
_SMOOTHED_PX = 1.2  # standard deviation: grain and small misplacement are no disagreement
_LEAST_PX = 40  # a side of the common area
_TEXTURE = 4.0  # grey levels: what is flatter can neither agree nor disagree

Complex = NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one view lies in the other: z becomes ``turn * z + shift``, z = column + i · row.

    Attributes
    ----------
    turn : complex
        Enlargement times e^(i · angle).
    shift : complex
        In pixels of the other view.
    points : int
        Matched points that agree.
    """

    turn: complex
    shift: complex
    points: int

    def matrix(self) -> NDArray[np.float64]:
        """Return the placement as the 2 x 3 matrix that OpenCV takes."""
        a, b = self.turn, self.shift
        return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def find_placement(here: Complex, there: Complex, turns: Complex) -> Placement | None:
    """Find the similarity that most matches agree on.

    A SIFT point has a size and a direction, so every match alone says where all the others should
    lie (Lowe 2004, section 7.3). Each is believed in turn, and the best few are refined by least
    squares; nothing is drawn, so the answer is always the same.

    Parameters
    ----------
    here, there : (K,) complex128
        Matched positions in both views, the surest first.
    turns : (K,) complex128
        What each match says of turn and enlargement.

    Returns
    -------
    Placement or None
        None if fewer than `POINTS_NEEDED` points agree.
    """
    if len(here) < POINTS_NEEDED:
        return None
    tried = slice(0, _HYPOTHESES)
    z, w, turn = here[tried], there[tried], turns[tried]
    away = z[None, :] - z[:, None]  # from the match believed (rows) to the others (columns)
    missed = np.abs(w[None, :] - w[:, None] - turn[:, None] * away)
    reach = np.abs(turn)[:, None]
    agree = missed <= 0.2 * reach * np.abs(away) + _SLACK_PX * np.maximum(1.0, reach)
    agree &= np.abs(turn[None, :] - turn[:, None]) <= 0.4 * reach
    best: Placement | None = None
    for row in np.argsort(-agree.sum(axis=1), kind="stable")[:_REFINED]:
        inside = np.zeros(len(here), dtype=bool)
        inside[tried] = agree[row]
        placement = _refined(here, there, inside)
        if placement is not None and (best is None or placement.points > best.points):
            best = placement
    return best


def _refined(here: Complex, there: Complex, inside: NDArray[np.bool_]) -> Placement | None:
    turn = shift = 0j
    for slack in (4 * _SLACK_PX, 2 * _SLACK_PX, _SLACK_PX, _SLACK_PX):
        if _distinct(here[inside], there[inside]) < POINTS_NEEDED:
            return None
        z, w = here[inside], there[inside]
        around = z - z.mean()
        turn = complex(np.vdot(around, w - w.mean()) / np.vdot(around, around).real)
        shift = complex(w.mean() - turn * z.mean())
        if not 1 / _LARGEST <= abs(turn) <= _LARGEST:
            return None
        inside = np.abs(turn * here + shift - there) <= slack * max(1.0, abs(turn))
    points = _distinct(here[inside], there[inside])
    return Placement(turn, shift, points) if points >= POINTS_NEEDED else None


def _distinct(here: Complex, there: Complex) -> int:
    """Count matches of different places: one place matched twice is one witness."""
    return min(len(np.unique(np.round(part / 2))) for part in (here, there)) if len(here) else 0


def agreement(one: UInt8Array, other: UInt8Array, placement: Placement) -> float:
    """Return the share of the common area in which the pixels of two views agree.

    Both are brought into one frame, as coarse as the coarser of them. Around every pixel a window
    of 21 x 21 px is correlated (so brightness and contrast do not count); it agrees from
    `CORRELATION` on. Windows without texture in either view do not count.

    Parameters
    ----------
    one, other : (H, W) uint8
    placement : Placement
        Of ``one`` in ``other``.

    Returns
    -------
    float
        In [0, 1]; 0 if there is next to nothing in common.
    """
    frame, size, scale = _frame(one, other, placement)
    if min(size) < _LEAST_PX:
        return 0.0
    a, inside_a = _brought(
        one, frame @ _square(placement.matrix()), scale * abs(placement.turn), size
    )
    b, inside_b = _brought(other, frame, scale, size)
    b, inside_b = _shifted_onto(a, b, inside_a & inside_b)
    inside = cv2.erode(inside_a & inside_b, np.ones((_WINDOW_PX, _WINDOW_PX), np.uint8))
    if inside.sum() < _LEAST_PX**2 / 4:
        return 0.0
    return _share_alike(a, b, np.asarray(inside, dtype=np.uint8))


def _share_alike(a: NDArray[np.float64], b: NDArray[np.float64], inside: UInt8Array) -> float:
    mean_a, mean_b = _mean(a), _mean(b)
    spread_a = np.sqrt(np.maximum(_mean(a * a) - mean_a**2, 0))
    spread_b = np.sqrt(np.maximum(_mean(b * b) - mean_b**2, 0))
    together = _mean(a * b) - mean_a * mean_b
    judged = (inside > 0) & (np.maximum(spread_a, spread_b) >= _TEXTURE)
    agree = together >= CORRELATION * np.maximum(spread_a * spread_b, 1e-6)
    return float(agree[judged].mean()) if judged.sum() >= _LEAST_PX**2 / 8 else 0.0


def _shifted_onto(
    a: NDArray[np.float64], b: NDArray[np.float64], inside: UInt8Array
) -> tuple[NDArray[np.float64], UInt8Array]:
    """Move ``b`` the last pixels onto ``a``: six points on a corner place the far side roughly.

    By the correlation coefficient (Evangelidis and Psarakis 2008, IEEE Transactions on Pattern
    Analysis and Machine Intelligence 30:1858); left as it is where that does not settle nearby.
    """
    height, width = a.shape
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 30, 1e-4)
    try:
        _, found = cv2.findTransformECC(
            a.astype(np.float32), b.astype(np.float32), np.eye(2, 3, dtype=np.float32),
            cv2.MOTION_AFFINE, stop, inside, 5,
        )  # fmt: skip
    except cv2.error:  # it did not converge: nothing here that correlates
        return b, inside
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]])
    if np.abs(corners @ found.T - corners[:, :2]).max() > _WINDOW_PX:
        return b, inside
    how = cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(b, found, (width, height), flags=cv2.INTER_LINEAR | how)
    still = cv2.warpAffine(inside, found, (width, height), flags=cv2.INTER_NEAREST | how)
    return np.asarray(moved), np.asarray(still, dtype=np.uint8)


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(cv2.boxFilter(values, cv2.CV_64F, (_WINDOW_PX, _WINDOW_PX)))


def _square(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.vstack([matrix, [0.0, 0.0, 1.0]])


def _frame(
    one: UInt8Array, other: UInt8Array, placement: Placement
) -> tuple[NDArray[np.float64], tuple[int, int], float]:
    """Return the map from ``other`` into the common frame, the frame's size, and its scale."""
    x0, y0, x1, y1 = common_box(one.shape, other.shape, placement)
    longest = max(x1 - x0, y1 - y0, 1e-6)
    scale = min(1.0, 1 / abs(placement.turn), _FRAME_PX / longest)
    size = (int((x1 - x0) * scale), int((y1 - y0) * scale))
    return np.array([[scale, 0, -x0 * scale], [0, scale, -y0 * scale], [0, 0, 1.0]]), size, scale


def common_box(
    one: tuple[int, ...], other: tuple[int, ...], placement: Placement
) -> tuple[float, float, float, float]:
    """Return the box around ``one`` in ``other``: left, top, right, bottom, in pixels of ``other``.

    Parameters
    ----------
    one, other : tuple of int
        Height and width of both views.
    placement : Placement
        Of ``one`` in ``other``.
    """
    height, width = one[:2]
    corners = np.array([0, width, width + 1j * height, 1j * height]) * placement.turn
    corners += placement.shift
    x0, y0 = max(0.0, corners.real.min()), max(0.0, corners.imag.min())
    x1, y1 = min(float(other[1]), corners.real.max()), min(float(other[0]), corners.imag.max())
    return x0, y0, max(x0, x1), max(y0, y1)


def _brought(
    grey: UInt8Array, matrix: NDArray[np.float64], scale: float, size: tuple[int, int]
) -> tuple[NDArray[np.float64], UInt8Array]:
    """Bring a view into the frame, smoothed as far as it is shrunk; and where it is defined."""
    sigma = 0.5 / max(scale, 1e-6)
    smooth = cv2.GaussianBlur(grey, (0, 0), max(sigma, 0.6))
    warped = cv2.warpAffine(smooth, matrix[:2], size, flags=cv2.INTER_LINEAR)
    inside = cv2.warpAffine(np.ones_like(grey), matrix[:2], size, flags=cv2.INTER_NEAREST)
    smoothed = cv2.GaussianBlur(warped.astype(np.float64), (0, 0), _SMOOTHED_PX)
    return np.asarray(smoothed), np.asarray(inside, dtype=np.uint8)
