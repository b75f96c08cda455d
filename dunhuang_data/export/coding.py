"""Pixels as the bytes of a file: PNG, JPEG, or NumPy's own."""

import io

import numpy as np

from dunhuang_data.types import UInt8Array

JPEG_QUALITY = 95
WHITE = 255


def image_bytes(image: UInt8Array, image_format: str) -> bytes:
    """Return an image as a file.

    Parameters
    ----------
    image : (S, S, 3) uint8
        sRGB, red first.
    image_format : {"png", "jpg", "raw"}
        ``raw`` is NumPy's .npy. A JPEG has quality 95 and all of its colour samples (4:4:4).
    """
    if image_format == "raw":
        return npy_bytes(image)
    import cv2

    backwards = np.ascontiguousarray(image[..., ::-1])  # OpenCV holds blue first
    options: list[int] = []
    if image_format == "jpg":
        full_color = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
        options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, full_color]
    return _encoded(f".{image_format}", backwards, options)


def mask_png(mask: UInt8Array) -> bytes:
    """Return a mask, (S, S) uint8 of {0, 1}, as a grey PNG of 8 bits: 1 is white, 255.

    One bit a pixel would be smaller by a tenth, but not every reader opens it as grey.
    """
    return _encoded(".png", mask * np.uint8(WHITE), [])


def npy_bytes(array: UInt8Array) -> bytes:
    """Return an array as a .npy file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def _encoded(suffix: str, pixels: UInt8Array, options: list[int]) -> bytes:
    import cv2

    done, data = cv2.imencode(suffix, pixels, options)
    if not done:
        raise RuntimeError(f"OpenCV cannot encode {pixels.shape} as {suffix}")
    return data.tobytes()
