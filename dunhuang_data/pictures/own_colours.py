"""Samples as a file stores them → sRGB of 16 bits' precision, and back into the file's colours."""

import tempfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.pictures.conversion import INTERPRETATIONS, managed
from dunhuang_data.pictures.decisions import FULL, Steps
from dunhuang_data.pictures.decoding import Image

Samples = NDArray[np.uint8] | NDArray[np.uint16]
SRGB_LUMINANCE = (0.2126, 0.7152, 0.0722)  # of linear red, green, blue; IEC 61966-2-1
FORMATS = {"uint8": "uchar", "uint16": "ushort"}


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
        self._steps = steps
        self._dtype = np.dtype(dtype)
        self._white = 255 if self._dtype == np.uint8 else steps.white_level
        self._embedded = embedded
        self._file: Any = None
        if steps.profile is not None:
            self._target = steps.profile.source
            if self._target == "embedded":  # libvips takes profiles to convert into from files
                self._file = tempfile.NamedTemporaryFile(suffix=".icc")  # noqa: SIM115
                self._file.write(embedded)
                self._file.flush()
                self._target = self._file.name
            self.from_srgb(np.zeros((1, 1, 3), dtype=np.float32))

    def to_srgb(self, colours: Samples) -> NDArray[np.float32]:
        """Convert stored colours (h, w, 1, 3 or 4) into sRGB (h, w, 3), 0 … 1."""
        if self._steps.profile is None:
            scaled: NDArray[np.float32] = colours.astype(np.float32) / np.float32(self._white)
            scaled = np.minimum(scaled, 1)  # in an opened picture no colour is above white
            return np.broadcast_to(scaled, (*scaled.shape[:2], 3)).copy()
        image = _image(colours, INTERPRETATIONS[self._steps.colours, FORMATS[self._dtype.name]])
        if self._embedded:
            import pyvips

            image.set_type(pyvips.GValue.blob_type, "icc-profile-data", self._embedded)
        deep = managed(image, self._steps.profile, self._steps.white_level, 16).numpy()
        converted: NDArray[np.float32] = deep.astype(np.float32) / np.float32(FULL)
        return converted

    def from_srgb(self, srgb: NDArray[np.float32]) -> Samples:
        """Convert sRGB (h, w, 3) into stored colours (h, w, 1, 3 or 4), clipped and rounded."""
        wanted = np.clip(srgb, 0, 1)
        if np.isnan(wanted).any():
            raise ValueError("colours that are no numbers (NaN) cannot be stored")
        grey = self._steps.colours == "grey"
        if grey:
            wanted = grey_of_srgb(wanted)
        if self._steps.profile is not None:
            wanted = self._into_profile(wanted)
            if grey and wanted.shape[-1] == 3:  # a profile for RGB, in which grey is R = G = B
                wanted = wanted.mean(axis=-1, keepdims=True)
        samples: Samples = np.rint(wanted * np.float32(self._white)).astype(self._dtype)
        return samples

    def _into_profile(self, wanted: NDArray[np.float32]) -> NDArray[np.float32]:
        deep = np.rint(wanted * np.float32(FULL)).astype(np.uint16)
        deep = np.broadcast_to(deep, (*deep.shape[:2], 3))
        converted = _image(deep, "rgb16").icc_transform(
            self._target, input_profile="srgb", intent="relative", depth=16
        )
        samples = converted.numpy().reshape(*deep.shape[:2], converted.bands)
        scaled: NDArray[np.float32] = samples.astype(np.float32) / np.float32(FULL)
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


def _image(samples: Any, interpretation: str) -> Image:
    """Show an array (h, w, C) to libvips."""
    import pyvips

    samples = np.ascontiguousarray(samples)
    height, width, bands = samples.shape
    image = pyvips.Image.new_from_memory(samples, width, height, bands, FORMATS[samples.dtype.name])
    return image.copy(interpretation=interpretation)
