"""A picture in its own samples: as they are stored, and what they are in sRGB."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.errors import PictureError
from dunhuang_data.pictures.conversion import upright
from dunhuang_data.pictures.decisions import FULL, UNDECIDED, Steps, decide
from dunhuang_data.pictures.decoding import decoding, open_image
from dunhuang_data.pictures.facts import PictureFacts, read_facts
from dunhuang_data.pictures.identification import measured
from dunhuang_data.pictures.own_colours import OwnColours, Samples
from dunhuang_data.pictures.windows import refuse_outside
from dunhuang_data.recipe import ReadingRecipe
from dunhuang_data.types import UInt8Array

MADE_EIGHT = ("16 bits to 8",)  # a step of reading that is not taken here


@dataclass(frozen=True, slots=True)
class OwnWindow:
    """A rectangle of a picture, upright.

    Attributes
    ----------
    stored : (h, w, C) uint8 or uint16
        Every channel, as the file stores it.
    srgb : (h, w, 3) float32
        0 … 1, with the precision of 16 bits; 0 where the picture is not there.
    there : (h, w) uint8
        1 = there, 0 = its alpha says that it is not.
    """

    stored: Samples
    srgb: NDArray[np.float32]
    there: UInt8Array


class OwnPicture:
    """A picture that can be changed in places and written back as it was: see `write_like`.

    Parts are decoded when they are asked for, at the cost that `SourcePicture` names. Not to be
    shared by threads.

    Attributes
    ----------
    facts : PictureFacts
    shape_hw : tuple of int
        Height and width in pixels, upright.
    channels : int
        All that are stored, alpha and unnamed ones too.
    dtype : type
        ``numpy.uint8`` or ``numpy.uint16``.
    reading : str
        How the colours become sRGB, in words.
    suffix : str
        ``".png"`` or ``".tif"``: the format to write it back in; both are without loss.
    fits_png : bool
        Whether PNG has room for its channels.
    """

    def __init__(self, facts: PictureFacts, steps: Steps) -> None:
        self.facts = facts
        self.shape_hw = (facts.height, facts.width)
        self.channels = facts.channels
        self.dtype = np.uint8 if facts.sample == "uchar" else np.uint16
        taken = (step for step in steps.words.split("; ") if step not in MADE_EIGHT)
        self.reading = "; ".join(taken)
        self.fits_png = facts.colours in ("grey", "RGB") and not facts.unnamed
        self.suffix = ".png" if self.fits_png and facts.format != "TIFF" else ".tif"
        self._steps = steps
        self._region: Any = None
        self._colours = self._both_ways()

    def window(self, top: int, left: int, height: int, width: int) -> OwnWindow:
        """Decode a rectangle that lies inside the picture.

        Raises
        ------
        ValueError
            If the rectangle is empty or reaches outside.
        PictureError
            If the file is damaged there.
        """
        refuse_outside(self.shape_hw, top, left, height, width)
        import pyvips

        with decoding(self.facts.path):
            if self._region is None:
                image = open_image(self.facts.path, "random", self._steps.page)
                self._region = pyvips.Region.new(upright(image, self._steps.orientation))
            data = self._region.fetch(left, top, width, height)
        flat: Samples = np.frombuffer(data, self.dtype)  # type: ignore[assignment]
        stored = flat.reshape(height, width, self.channels)
        srgb = self._colours.to_srgb(stored[..., list(self._steps.channels)])
        there = np.ones((height, width), dtype=np.uint8)
        if self._steps.alpha is not None:
            there = (stored[..., self._steps.alpha] >= self._opaque).astype(np.uint8)
            srgb *= there[..., None]
        return OwnWindow(stored, srgb, there)

    def from_srgb(self, srgb: NDArray[np.float32], stored: Samples | None = None) -> Samples:
        """Convert sRGB into samples of this picture.

        Parameters
        ----------
        srgb : (h, w, 3) float32
            0 … 1; what is beyond is clipped. Grey pictures take the luminance. Colours that the
            picture's profile cannot show become the nearest that it can (relative colorimetric).
        stored : (h, w, C), optional
            The samples that were there: needed where some channels are neither colours nor alpha,
            for they are kept.

        Returns
        -------
        (h, w, C) uint8 or uint16
            In the picture's profile and depth, rounded to the nearest; alpha is full.

        Raises
        ------
        ValueError
            If ``srgb`` holds NaN or has another shape, or ``stored`` is missing.
        """
        if srgb.ndim != 3 or srgb.shape[2] != 3:
            raise ValueError(f"sRGB of shape {srgb.shape}; expected (h, w, 3)")
        shape = (*srgb.shape[:2], self.channels)
        if stored is None and self.facts.unnamed:
            raise ValueError(f"{self.facts.path} has unnamed channels: pass stored, to keep them")
        if stored is not None and stored.shape != shape:
            raise ValueError(f"stored samples of shape {stored.shape}; expected {shape}")
        samples: Samples = np.zeros(shape, self.dtype) if stored is None else stored.copy()
        samples[..., list(self._steps.channels)] = self._colours.from_srgb(srgb)
        if self._steps.alpha is not None:
            samples[..., self._steps.alpha] = self._opaque
        return samples

    @property
    def _opaque(self) -> int:
        return 255 if self.dtype == np.uint8 else FULL

    def _both_ways(self) -> OwnColours:
        """Return the conversion, if there is one back."""
        import pyvips

        profile = self._steps.profile
        embedded = b""
        if profile is not None and profile.source == "embedded":
            with decoding(self.facts.path):
                image = open_image(self.facts.path, "sequential", self._steps.page)
                embedded = bytes(image.get("icc-profile-data"))
        try:
            return OwnColours(self._steps, self.dtype, embedded)
        except pyvips.Error as error:
            raise PictureError(
                f"{self.facts.path} has a colour profile ({profile.name if profile else ''}) that "
                "leads to sRGB but not back, so nothing can be painted in its colours. Convert it "
                "to a profile for editing (sRGB, Display P3, Adobe RGB) in the program it comes "
                "from."
            ) from error


def open_own(path: Path, reading: ReadingRecipe = UNDECIDED) -> OwnPicture:
    """Open a picture in its own samples.

    Only headers are read; of a 16-bit file all pixels once, from top to bottom, for only they tell
    whether it holds 12 bits.

    Parameters
    ----------
    path : Path
    reading : ReadingRecipe
        Decisions on what the file does not say.

    Raises
    ------
    PictureError
        If it is no picture, needs a decision, or has a profile that does not lead back from sRGB.
    """
    facts = read_facts(path, reading.page)
    if facts.sample == "ushort":
        decide(facts, reading)  # what the headers leave open is asked before the long look
        facts = measured(facts)
    return OwnPicture(facts, decide(facts, reading))
