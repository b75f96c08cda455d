"""Samples as a file stores them → sRGB of 16 bits' precision, and back into the file's colours.

littleCMS converts from profile to profile in one step, or over Lab. In one step it is exact between
like profiles and good in 8 bits; of 16 bits it interpolates in a table, by which dark, saturated
colours came out up to 20 levels of 255 off. Over Lab all colours are off by a little. Which way
leads back better is tried for each profile.
"""

import os
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.atomic import explained
from dunhuang_data.pictures.conversion import INTERPRETATIONS
from dunhuang_data.pictures.decisions import FULL, Steps
from dunhuang_data.pictures.decoding import Image
from dunhuang_data.pictures.profiles import Profile

Samples = NDArray[np.uint8] | NDArray[np.uint16]
SRGB_LUMINANCE = (0.2126, 0.7152, 0.0722)  # of linear red, green, blue; IEC 61966-2-1
INTENT = "relative"  # colorimetric, as pictures are read
FORMATS = {"uint8": "uchar", "uint16": "ushort"}
CLEARLY = 0.75  # of an error: less is no accident of rounding to 8 bits
TRIED = 12  # values of each of red, green and blue


class OwnColours:
    """The colours of one picture, both ways.

    Parameters
    ----------
    steps : Steps
        How the picture is read.
    dtype : numpy.dtype
        uint8 or uint16.
    embedded : bytes
        The profile in the file, where that is the one to use.

    Raises
    ------
    pyvips.Error
        If the profile leads to sRGB but not back.
    """

    def __init__(self, steps: Steps, dtype: Any, embedded: bytes) -> None:
        self._grey = steps.colours == "grey"
        self._dtype = np.dtype(dtype)
        self._top = 255 if self._dtype == np.uint8 else FULL
        self._white = self._top if self._dtype == np.uint8 else steps.white_level
        self._way: ProfileWay | None = None
        if steps.profile is not None:
            path = steps.profile.source
            if path == "embedded":  # libvips takes a profile to convert into from a file
                path = _as_file(self, embedded)
            straight, over_lab = (ProfileWay(path, steps.profile, lab) for lab in (False, True))
            better = self._mean_error(over_lab) < CLEARLY * self._mean_error(straight)
            self._way = over_lab if better else straight

    def to_srgb(self, colours: Samples) -> NDArray[np.float32]:
        """Convert stored colours (h, w, 1, 3 or 4) into sRGB (h, w, 3), 0 … 1."""
        scaled: NDArray[np.float32] = colours.astype(np.float32) / np.float32(self._white)
        if self._way is None:
            return np.broadcast_to(scaled, (*scaled.shape[:2], 3)).copy()
        return self._way.to_srgb(np.rint(scaled * np.float32(self._top)).astype(self._dtype))

    def from_srgb(self, srgb: NDArray[np.float32]) -> Samples:
        """Convert sRGB (h, w, 3) into stored colours (h, w, 1, 3 or 4), clipped and rounded."""
        wanted = np.clip(srgb, 0, 1)
        if np.isnan(wanted).any():
            raise ValueError("colours that are no numbers (NaN) cannot be stored")
        if self._grey:
            wanted = grey_of_srgb(wanted)
        if self._way is not None:
            wanted = self._way.from_srgb(wanted)
            if self._grey:  # in a profile for RGB it is three, and all but equal
                wanted = wanted.mean(axis=-1, keepdims=True)
        samples: Samples = np.rint(wanted * np.float32(self._white)).astype(self._dtype)
        return samples

    def _mean_error(self, way: "ProfileWay") -> float:
        """Return how far colours are from themselves, after they were stored and read."""
        self._way = way
        steps = np.linspace(0, 1, TRIED, dtype=np.float32)
        colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(TRIED**2, TRIED, 3)
        if self._grey:
            colours = np.repeat(grey_of_srgb(colours), 3, axis=-1)
        return float(np.abs(self.to_srgb(self.from_srgb(colours)) - colours).mean())


class ProfileWay:
    """One way from a profile to sRGB and back.

    Parameters
    ----------
    path : str
        The profile's file, or its name in libvips.
    profile : Profile
    over_lab : bool
    """

    def __init__(self, path: str, profile: Profile, over_lab: bool) -> None:
        self._path = path
        self._colours = profile.colours
        self._over_lab = over_lab

    def to_srgb(self, samples: Samples) -> NDArray[np.float32]:
        """Convert samples (h, w, 1, 3 or 4) of full range into sRGB (h, w, 3), 0 … 1."""
        if self._colours == "RGB" and samples.shape[-1] == 1:  # grey as R = G = B
            samples = samples.repeat(3, axis=-1)
        return self._converted(samples, self._colours, self._path, "srgb")

    def from_srgb(self, srgb: NDArray[np.float32]) -> NDArray[np.float32]:
        """Convert sRGB (h, w, 1 or 3), 0 … 1, into the profile's colours, 0 … 1."""
        deep = np.rint(srgb * np.float32(FULL)).astype(np.uint16)
        if deep.shape[-1] == 1:
            deep = deep.repeat(3, axis=-1)
        return self._converted(deep, "RGB", "srgb", self._path)

    def _converted(
        self, samples: Samples, colours: str, source: str, target: str
    ) -> NDArray[np.float32]:
        image = _image(samples, colours)
        if self._over_lab:
            lab = image.icc_import(input_profile=source, intent=INTENT)
            image = lab.icc_export(output_profile=target, intent=INTENT, depth=16)
        else:
            image = image.icc_transform(target, input_profile=source, intent=INTENT, depth=16)
        deep = image.numpy().reshape(image.height, image.width, image.bands)
        scaled: NDArray[np.float32] = deep.astype(np.float32) / np.float32(FULL)
        return scaled


def grey_of_srgb(srgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the sRGB grey that is as bright as a colour, (h, w, 1): its relative luminance.

    Luminance is summed in linear light, as a grey profile does (IEC 61966-2-1). Equal red, green
    and blue come back as they are.
    """
    srgb = srgb.astype(np.float64)
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    y = linear @ np.asarray(SRGB_LUMINANCE)
    grey = np.where(y <= 0.04045 / 12.92, y * 12.92, 1.055 * y ** (1 / 2.4) - 0.055)
    single: NDArray[np.float32] = grey[..., None].astype(np.float32)
    return single


def _as_file(owner: object, profile: bytes) -> str:
    """Write a profile into a temporary file that lasts as long as ``owner``."""
    with explained(Path(tempfile.gettempdir()), every=True):
        descriptor, path = tempfile.mkstemp(suffix=".icc")
        weakref.finalize(owner, os.unlink, path)
        with open(descriptor, "wb") as stream:
            stream.write(profile)
    return path


def _image(samples: Samples, colours: str) -> Image:
    """Show an array (h, w, C) to libvips."""
    import pyvips

    height, width, bands = samples.shape
    kind = FORMATS[samples.dtype.name]
    image = pyvips.Image.new_from_memory(samples.tobytes(), width, height, bands, kind)
    return image.copy(interpretation=INTERPRETATIONS[colours, kind])
