"""Colour profiles: what one is called, which channels it is for, and whether it is whole."""

import hashlib
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dunhuang_data.errors import UsageProblem

BUILT_IN = {"srgb": "RGB", "p3": "RGB", "cmyk": "CMYK"}
"""Profiles that libvips carries, and the channels they are for."""

SPACES = {b"RGB ": "RGB", b"GRAY": "grey", b"CMYK": "CMYK"}
"""The signature in an ICC header, and our word for such a file's colours."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A colour profile.

    Attributes
    ----------
    name : str
        Its own description.
    colours : str
        ``"grey"``, ``"RGB"`` or ``"CMYK"``; empty if it is for something else or is broken.
    source : str
        ``"embedded"``, or what libvips is to be given: a name of its own, or a path.
    """

    name: str
    colours: str
    source: str

    def fits(self, colours: str) -> bool:
        """Whether it is for these colours; one for RGB is also for grey, as R = G = B."""
        return self.colours != "" and (
            self.colours == colours or (self.colours, colours) == ("RGB", "grey")
        )


def profile_of(data: bytes, source: str = "embedded") -> Profile:
    """Return what an ICC profile says of itself; a broken one has no colours."""
    return Profile(_description(data) or "without a name", _colours(data), source)


def _colours(data: bytes) -> str:
    """Return the colours of a whole profile. libvips would replace a broken one in silence."""
    if len(data) < 132 or data[36:40] != b"acsp":
        return ""
    (tags,) = struct.unpack(">I", data[128:132])
    if len(data) < 132 + 12 * tags:
        return ""
    for row in range(tags):
        offset, size = struct.unpack(">II", data[136 + 12 * row : 144 + 12 * row])
        if offset + size > len(data):
            return ""
    colours = SPACES.get(data[16:20], "")
    return colours if _converts(data, colours) else ""


def _converts(data: bytes, colours: str) -> bool:
    """Whether libvips can make sRGB of a pixel in this profile."""
    import pyvips

    spaces = {"grey": (1, "b-w"), "RGB": (3, "srgb"), "CMYK": (4, "cmyk")}
    bands, interpretation = spaces.get(colours, (3, "srgb"))
    image = pyvips.Image.black(1, 1, bands=bands).copy(interpretation=interpretation)
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", data)
    try:
        image.icc_transform("srgb", embedded=True, intent="relative").avg()
    except pyvips.Error:
        return False
    return True


def _description(data: bytes) -> str:
    """Return the text of the profile's ``desc`` tag (ICC.1:2010, 9.2.41; v2: 6.5.17)."""
    try:
        (tags,) = struct.unpack(">I", data[128:132])
        for row in range(min(tags, 200)):
            name, offset, size = struct.unpack(">4sII", data[132 + 12 * row : 144 + 12 * row])
            if name == b"desc":
                return _text(data[offset : offset + size])
    except (struct.error, UnicodeDecodeError):
        pass
    return ""


def _text(tag: bytes) -> str:
    if tag[:4] == b"desc":
        (length,) = struct.unpack(">I", tag[8:12])
        return tag[12 : 12 + length].rstrip(b"\0").decode("ascii").strip()
    if tag[:4] == b"mluc":
        length, offset = struct.unpack(">II", tag[20:28])
        return tag[offset : offset + length].decode("utf-16-be").rstrip("\0").strip()
    return ""


@cache
def assumed_profile(name_or_path: str) -> Profile:
    """Return the profile that the user names.

    Raises
    ------
    UsageProblem
        If it is neither a name that libvips knows nor a whole ICC profile.
    """
    if name_or_path in BUILT_IN:
        return Profile(name_or_path, BUILT_IN[name_or_path], name_or_path)
    try:
        data = Path(name_or_path).read_bytes()
    except OSError as error:
        raise UsageProblem(
            f"--assume-profile {name_or_path} cannot be read: {error.strerror}. Name an .icc file, "
            f"or one of {', '.join(BUILT_IN)}."
        ) from error
    profile = profile_of(data, name_or_path)
    if not profile.colours:
        raise UsageProblem(
            f"--assume-profile {name_or_path} is no whole ICC profile of grey, RGB or CMYK. Name "
            f"another, or one of {', '.join(BUILT_IN)}."
        )
    digest = hashlib.sha256(data).hexdigest()[:12]
    return Profile(f"{profile.name} (SHA-256 {digest}…)", profile.colours, name_or_path)
