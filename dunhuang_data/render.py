"""One patch from one picture: crop, scale, turn and flip in a single warp of the whole picture."""

from dataclasses import dataclass
from math import ceil, cos, floor, radians, sin, sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from dunhuang_data.errors import PlanError
from dunhuang_data.types import Augmentation, PixelSource, UInt8Array, scaled

KERNEL = 2  # px that cubic interpolation reaches to each side


@dataclass(frozen=True, slots=True)
class ArrayPicture:
    """A picture that is in memory already, as a source of windows.

    Attributes
    ----------
    pixels : (H, W, 3) uint8
    """

    pixels: UInt8Array

    @property
    def shape_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def window(self, top: int, left: int, height: int, width: int) -> tuple[UInt8Array, UInt8Array]:
        """Return a part of it, all of which is there."""
        part = self.pixels[top : top + height, left : left + width]
        return part, np.ones(part.shape[:2], dtype=np.uint8)


def render_patch(
    picture: PixelSource,
    center_yx: tuple[int, int],
    patch_size: int,
    augmentation: Augmentation,
    scale: float = 1.0,
    damage: PixelSource | None = None,
) -> tuple[UInt8Array, UInt8Array]:
    """Cut a patch.

    A patch that is neither turned nor scaled is the picture's own pixels, mirrored if it is
    flipped. Any other is interpolated once (cubic) around its geometric centre from the whole
    picture, so its corners show picture, not black. What lies beyond the picture's edge is filled
    by reflection, what is not there by the nearest pixel that is; both are marked.

    Parameters
    ----------
    picture : PixelSource
    center_yx : tuple of int
        In the picture at its scale. Rows ``cy - s // 2`` … ``cy - s // 2 + s - 1``, likewise
        columns::

            s = 4, centre column 2        s = 5, centre column 2
            | 0 | 1 |[2]| 3 |             | 0 | 1 |[2]| 3 | 4 |

        Along a side on which the picture is smaller than the patch, the patch reaches beyond it.
    patch_size : int
        Side s in pixels.
    augmentation : Augmentation
    scale : float
        Patch pixels per picture pixel. Below 1 the picture is blurred first, by a Gaussian of
        0.5 √(1 / scale² − 1) px, so that fine lines do not alias.
    damage : PixelSource, optional
        Of the picture's size; a window's "there" is 0 where the picture is damaged.

    Returns
    -------
    image : (s, s, 3) uint8
    damage : (s, s) uint8
        1 where the pixel comes from outside the picture, is not there, or is damaged in it.

    Raises
    ------
    PlanError
        If the patch does not lie inside the picture.
    """
    _check_inside(picture.shape_hw, center_yx, patch_size, scale)
    matrix = _patch_to_picture(center_yx, patch_size, augmentation.angle_deg, scale)
    copied = augmentation.angle_deg == 0.0 and scale == 1.0
    if copied and min(picture.shape_hw) >= patch_size:
        top, left = (center - patch_size // 2 for center in center_yx)
        image, marked = _window(picture, damage, (top, left), (patch_size, patch_size))
    else:
        image, marked = _warped(picture, damage, matrix, patch_size, scale)
    if augmentation.flip:
        image, marked = image[:, ::-1], marked[:, ::-1]
    return image.copy(), marked.copy()  # never a view of the picture


def _check_inside(
    shape_hw: tuple[int, int], center_yx: tuple[int, int], size: int, scale: float
) -> None:
    for center, length in zip(center_yx, (scaled(side, scale) for side in shape_hw), strict=True):
        first = center - size // 2
        room = length - size
        if not (0 <= first <= room if room >= 0 else room <= first <= 0):
            height, width = shape_hw
            raise PlanError(
                f"A patch of {size} px centred at row {center_yx[0]}, column {center_yx[1]} does "
                f"not lie inside a picture of {height} x {width} px at scale {scale:g}. Make the "
                "plan again."
            )


def _patch_to_picture(
    center_yx: tuple[int, int], size: int, angle_deg: float, scale: float
) -> NDArray[np.float64]:
    """Return the map of patch (x, y) to picture (x, y), both at pixel centres, (2, 3)."""
    half = (size - 1) / 2
    middle_y, middle_x = (center - size // 2 + half for center in center_yx)
    c, s = cos(radians(angle_deg)), sin(radians(angle_deg))
    # y runs down, so this turns the content counter-clockwise
    turned = np.array([[c, -s, middle_x - (c - s) * half], [s, c, middle_y - (s + c) * half]])
    turned[:, 2] = (turned[:, 2] + 0.5) / scale - 0.5
    turned[:, :2] /= scale
    return turned


def _window(
    picture: PixelSource,
    damage: PixelSource | None,
    top_left: tuple[int, int],
    shape_hw: tuple[int, int],
) -> tuple[UInt8Array, UInt8Array]:
    """Read a window; fill what is not there from nearby; mark that and what is damaged."""
    pixels, there = picture.window(*top_left, *shape_hw)
    marked = 1 - there
    if marked.any():
        pixels = _filled(pixels, there)
    if damage is not None:
        marked = marked | (1 - damage.window(*top_left, *shape_hw)[1])
    return pixels, marked


def _filled(pixels: UInt8Array, there: UInt8Array) -> UInt8Array:
    """Give pixels that are not there the colour of the nearest one that is."""
    from scipy.ndimage import distance_transform_edt

    if not there.any():
        return pixels
    nearest = distance_transform_edt(there == 0, return_distances=False, return_indices=True)
    filled: UInt8Array = pixels[tuple(nearest)]
    return filled


def _warped(
    picture: PixelSource,
    damage: PixelSource | None,
    matrix: NDArray[np.float64],
    size: int,
    scale: float,
) -> tuple[UInt8Array, UInt8Array]:
    """Warp the patch's surroundings; OpenCV takes no picture beyond 32,767 px, a window it does."""
    height, width = picture.shape_hw
    blur_px = 0.5 * sqrt(max(0.0, 1 / scale**2 - 1))
    margin = KERNEL + ceil(4 * blur_px)
    column, row = np.meshgrid(np.arange(size), np.arange(size))
    x = matrix[0, 0] * column + matrix[0, 1] * row + matrix[0, 2]
    y = matrix[1, 0] * column + matrix[1, 1] * row + matrix[1, 2]
    top, bottom = _span(y, margin, height)
    left, right = _span(x, margin, width)
    pixels, marked = _window(picture, damage, (top, left), (bottom - top, right - left))
    if blur_px:
        blurred = cv2.GaussianBlur(pixels, (0, 0), blur_px, borderType=cv2.BORDER_REFLECT_101)
        pixels = np.asarray(blurred, dtype=np.uint8)
    to_window = matrix - np.array([[0, 0, left], [0, 0, top]])
    image = cv2.warpAffine(
        np.ascontiguousarray(pixels),
        to_window,
        (size, size),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    # sines are rounded; and enlarged, the first patch pixel lies before the first pixel's middle
    slack = 1e-6 + max(0.0, 0.5 - 0.5 / scale)
    outside = (y < -slack) | (y > height - 1 + slack) | (x < -slack) | (x > width - 1 + slack)
    if marked.any():
        outside |= _reached(marked, to_window, size, blur_px)
    return np.asarray(image, dtype=np.uint8), outside.astype(np.uint8)


def _span(at: NDArray[np.float64], margin: int, length: int) -> tuple[int, int]:
    """Return the part of a picture's side that is needed, at least one pixel of it."""
    first = max(0, min(length - 1, floor(float(at.min())) - margin))
    return first, min(length, max(first + 1, ceil(float(at.max())) + margin + 1))


def _reached(
    marked: UInt8Array, to_window: NDArray[np.float64], size: int, blur_px: float
) -> NDArray[np.bool_]:
    """Return which pixels of the patch a marked pixel has a noticeable part in, (s, s) bool."""
    around = 2 * (1 + ceil(2.5 * blur_px)) + 1
    grown = cv2.dilate(marked, np.ones((around, around), dtype=np.uint8))
    warped = cv2.warpAffine(
        grown * np.uint8(255),
        to_window,
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(warped >= 128, dtype=np.bool_)
