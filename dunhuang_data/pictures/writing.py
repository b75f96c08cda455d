"""Write pictures, whole or not at all."""

from pathlib import Path
from typing import Any

from dunhuang_data.atomic import write_bytes
from dunhuang_data.types import UInt8Array


def write_picture(path: Path, pixels: UInt8Array) -> None:
    """Write a PNG, whole or not at all.

    Parameters
    ----------
    path : Path
    pixels : (H, W, 3) uint8 or (H, W) uint8
        sRGB; or a mask of {0, 1}, which becomes a 1-bit picture, 1 = white.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    import pyvips

    mask = pixels.ndim == 2
    image: Any = pyvips.Image.new_from_array(pixels * 255 if mask else pixels)
    options = {"bitdepth": 1} if mask else {}
    write_bytes(path, image.write_to_buffer(".png", compression=6, **options))
