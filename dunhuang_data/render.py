"""One patch from one picture: crop, turn and flip in a single warp of the whole picture."""

from math import ceil, cos, radians, sin

import cv2
import numpy as np

from dunhuang_data.errors import PlanError
from dunhuang_data.types import Augmentation, UInt8Array


def render_patch(
    picture: UInt8Array, center_yx: tuple[int, int], patch_size: int, augmentation: Augmentation
) -> tuple[UInt8Array, UInt8Array]:
    """Cut a patch.

    A patch that is not turned is the picture's own pixels, mirrored if it is flipped. A turned one
    is interpolated once (cubic) around its geometric centre from the whole picture, so its corners
    show picture, not black; what lies beyond the picture's edge is filled by reflection and marked.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    center_yx : tuple of int
        Rows ``cy - s // 2`` … ``cy - s // 2 + s - 1``, likewise columns::

            s = 4, centre column 2        s = 5, centre column 2
            | 0 | 1 |[2]| 3 |             | 0 | 1 |[2]| 3 | 4 |

    patch_size : int
        Side s in pixels.
    augmentation : Augmentation

    Returns
    -------
    image : (s, s, 3) uint8
    damage : (s, s) uint8
        1 where the pixel comes from outside the picture.

    Raises
    ------
    PlanError
        If the patch does not lie inside the picture.
    """
    height, width = picture.shape[:2]
    top, left = center_yx[0] - patch_size // 2, center_yx[1] - patch_size // 2
    if min(top, left) < 0 or top + patch_size > height or left + patch_size > width:
        raise PlanError(
            f"A patch of {patch_size} px centred at row {center_yx[0]}, column {center_yx[1]} does "
            f"not lie inside a picture of {height} x {width} px. Make the plan again."
        )
    if augmentation.angle_deg == 0.0:
        image = picture[top : top + patch_size, left : left + patch_size]
        damage = np.zeros((patch_size, patch_size), dtype=np.uint8)
    else:
        image, damage = _turned(picture, top, left, patch_size, augmentation.angle_deg)
    if augmentation.flip:
        image, damage = image[:, ::-1], damage[:, ::-1]
    return np.ascontiguousarray(image), np.ascontiguousarray(damage)


def _turned(
    picture: UInt8Array, top: int, left: int, size: int, angle_deg: float
) -> tuple[UInt8Array, UInt8Array]:
    """Warp the patch's surroundings; OpenCV takes no picture beyond 32,767 px, a window it does."""
    height, width = picture.shape[:2]
    half = (size - 1) / 2
    reach = ceil(size * 0.7072) + 4  # half a diagonal, and the cubic kernel
    y0, y1 = max(0, int(top + half) - reach), min(height, ceil(top + half) + reach + 1)
    x0, x1 = max(0, int(left + half) - reach), min(width, ceil(left + half) + reach + 1)
    c, s = cos(radians(angle_deg)), sin(radians(angle_deg))
    # patch (x, y) -> window (x, y); y runs down, so this turns the content counter-clockwise
    matrix = np.array(
        [
            [c, -s, left - x0 + half - (c - s) * half],
            [s, c, top - y0 + half - (s + c) * half],
        ]
    )
    image = cv2.warpAffine(
        np.ascontiguousarray(picture[y0:y1, x0:x1]),
        matrix,
        (size, size),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    column, row = np.meshgrid(np.arange(size), np.arange(size))
    x = matrix[0, 0] * column + matrix[0, 1] * row + matrix[0, 2] + x0
    y = matrix[1, 0] * column + matrix[1, 1] * row + matrix[1, 2] + y0
    slack = 1e-6  # px: sines are rounded
    outside = (y < -slack) | (y > height - 1 + slack) | (x < -slack) | (x > width - 1 + slack)
    return np.asarray(image, dtype=np.uint8), outside.astype(np.uint8)
