"""Pixels as a file stores them → upright 8-bit sRGB, and which of them are there."""

import numpy as np

from dunhuang_data.pictures.decisions import FULL, Steps
from dunhuang_data.pictures.decoding import Image
from dunhuang_data.types import UInt8Array

INTERPRETATIONS = {
    ("grey", "uchar"): "b-w", ("grey", "ushort"): "grey16", ("RGB", "uchar"): "srgb",
    ("RGB", "ushort"): "rgb16", ("CMYK", "uchar"): "cmyk", ("CMYK", "ushort"): "cmyk",
}  # fmt: skip


def convert(image: Image, steps: Steps) -> Image:
    """Return three bands of 8-bit sRGB, and with alpha a fourth: 255 = there, 0 = not there.

    The picture is not turned yet. The conversion is lazy: libvips decodes what is asked for.
    """
    colours = image[steps.channels[0]]
    if len(steps.channels) > 1:
        colours = colours.bandjoin([image[channel] for channel in steps.channels[1:]])
    colours = colours.copy(interpretation=INTERPRETATIONS[steps.colours, image.format])
    if steps.profile is not None:
        if image.format == "ushort" and steps.white_level != FULL:
            colours = _stretched(colours, steps.white_level, FULL, "ushort")
        if steps.profile.colours == "RGB" and colours.bands == 1:
            colours = colours.bandjoin([colours, colours])
            colours = colours.copy(interpretation=INTERPRETATIONS["RGB", image.format])
        # relative colorimetric: a colour that sRGB can show stays that colour
        given = steps.profile.source
        source = {"embedded": True} if given == "embedded" else {"input_profile": given}
        colours = colours.icc_transform("srgb", intent="relative", depth=8, **source)
    elif image.format == "ushort":
        colours = _stretched(colours, steps.white_level, 255, "uchar")
        colours = colours.copy(interpretation="b-w" if colours.bands == 1 else "srgb")
    if colours.bands == 1:
        colours = colours.bandjoin([colours, colours]).copy(interpretation="srgb")
    if steps.alpha is None:
        return colours
    return colours.bandjoin(is_there(image, steps))


def is_there(image: Image, steps: Steps) -> Image:
    """Return where alpha is full: 255 there, 0 elsewhere. Half a pixel's colour is not known."""
    return image[steps.alpha] >= (FULL if image.format == "ushort" else 255)


def _stretched(image: Image, white: int, top: int, kind: str) -> Image:
    """Map 0 … ``white`` to 0 … ``top``, rounded to the nearest."""
    import pyvips

    table = pyvips.Image.identity(ushort=True).linear(top / white, 0).rint().cast(kind)
    stretched = image.maplut(table)
    if image.get_typeof("icc-profile-data"):
        stretched = stretched.copy()
        stretched.set_type(
            pyvips.GValue.blob_type, "icc-profile-data", image.get("icc-profile-data")
        )
    return stretched.copy(interpretation=image.interpretation)


def upright(image: Image, orientation: int) -> Image:
    """Apply an EXIF orientation."""
    import pyvips

    image = image.copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return image.autorot()


def split_pixels(data: UInt8Array) -> tuple[UInt8Array, UInt8Array]:
    """Part (H, W, 3 or 4) into colours and ``there``; what is not there becomes 0."""
    if data.shape[-1] == 3:
        return np.ascontiguousarray(data), np.ones(data.shape[:2], dtype=np.uint8)
    there: UInt8Array = (data[..., 3] == 255).astype(np.uint8)
    return data[..., :3] * there[..., None], there
