"""What a file leaves open, and how it is read once that is decided."""

from collections.abc import Iterator
from dataclasses import dataclass

from dunhuang_data.errors import PictureError
from dunhuang_data.pictures.facts import CHANNELS, PictureFacts, PictureWarning
from dunhuang_data.pictures.profiles import Profile, assumed_profile
from dunhuang_data.recipe import ReadingRecipe

LARGE = 300_000_000  # bytes decoded; below, a bomb does no harm
MOST_EXPANSION = 200  # bytes for a byte of the file: a black JPEG has 192, a black PNG 1000
FULL = 65535
UNDECIDED = ReadingRecipe()
LOW = 16384  # 16-bit pictures that stay below this have 14 bits or fewer


@dataclass(frozen=True, slots=True)
class Steps:
    """How one page of a file becomes upright 8-bit sRGB: every decision, made.

    Attributes
    ----------
    page : int
        Its place in the file, from 0.
    colours : str
        ``"grey"``, ``"RGB"`` or ``"CMYK"``.
    channels : tuple of int
        Where the colours are, from 0.
    alpha : int or None
        Where alpha is.
    profile : Profile or None
        What is converted from; None = sRGB, or its grey.
    white_level : int
        The sample that is white in 16-bit files.
    orientation : int
    words : str
        All this, for people.
    """

    page: int
    colours: str
    channels: tuple[int, ...]
    alpha: int | None
    profile: Profile | None
    white_level: int
    orientation: int
    words: str


def open_decisions(facts: PictureFacts, reading: ReadingRecipe) -> tuple[PictureWarning, ...]:
    """Return what has to be decided before a file can be read, and what was decided wrongly.

    Whether 16 bits hold 12 can be told only if ``facts.highest`` is known.
    """
    asked = (_about_size, _about_page, _about_channels, _about_profile, _about_depth)
    return tuple(warning for ask in asked for warning in ask(facts, reading))


def _about_size(facts: PictureFacts, reading: ReadingRecipe) -> Iterator[PictureWarning]:
    expansion = facts.decoded_bytes / max(facts.file_bytes, 1)
    if facts.decoded_bytes > LARGE and expansion > MOST_EXPANSION and not reading.trust_size:
        yield PictureWarning(
            "tiny-for-its-size",
            f"{facts.path} claims {facts.height} x {facts.width} px (height x width) in "
            f"{facts.file_bytes:,} bytes, {expansion:.0f} bytes of picture for each byte of file; "
            "a photograph has 2 to 80. If it is a picture all the same, read it with --trust-size.",
            "--trust-size",
        )


def _about_page(facts: PictureFacts, reading: ReadingRecipe) -> Iterator[PictureWarning]:
    count = len(facts.pages)
    if count > 1 and not reading.page:
        yield PictureWarning(
            "several-pages",
            f"{facts.path} has {count} pages, and which one is meant is not known. Name it with "
            "--page N (from 1), or save it as a file of its own.",
            "--page",
        )
    elif count > 1 and reading.page > count:
        yield PictureWarning(
            "no-such-page",
            f"{facts.path} has {count} pages, so there is no --page {reading.page}. Name one of "
            "them.",
            "--page",
        )


def _about_channels(facts: PictureFacts, reading: ReadingRecipe) -> Iterator[PictureWarning]:
    if facts.bilevel and not reading.bilevel:
        yield PictureWarning(
            "bilevel",
            f"{facts.path} has one bit a pixel: a mask or a facsimile, rather than a picture. If "
            "it is meant, read it with --bilevel grey.",
            "--bilevel",
        )
    if facts.unnamed and not reading.channels:
        yield PictureWarning(
            "unnamed-channels",
            f"{facts.path} has {facts.channels} channels, and what {facts.unnamed} of them are is "
            "not known. Name those of red, green and blue, --channels 1,2,3 (or the one of grey), "
            "or save it as RGB.",
            "--channels",
        )
    elif facts.unnamed and max(reading.channels) > facts.channels:
        yield PictureWarning(
            "no-such-channel",
            f"{facts.path} has {facts.channels} channels, so there is no channel "
            f"{max(reading.channels)} of --channels. Name three of them, or one.",
            "--channels",
        )


def _about_profile(facts: PictureFacts, reading: ReadingRecipe) -> Iterator[PictureWarning]:
    colours = _colours(facts, reading)
    if facts.profile is not None and facts.profile.fits(colours):
        return
    assumed = assumed_profile(reading.assume_profile) if reading.assume_profile else None
    if assumed is not None and assumed.fits(colours):
        return
    told = (
        f" --assume-profile {reading.assume_profile} is for {assumed.colours}." if assumed else ""
    )
    remedy = (
        f"{told} Name the profile it was made with, --assume-profile FILE.icc, or convert it to "
        "RGB in the program it comes from."
    )
    if facts.profile is not None:
        yield PictureWarning(
            "unusable-profile",
            f"{facts.path} carries a colour profile that is broken or not for {colours} "
            f"({facts.profile.name}), so its colours are not known.{remedy}",
            "--assume-profile",
        )
    elif colours == "CMYK":
        yield PictureWarning(
            "cmyk-without-profile",
            f"{facts.path} is CMYK without a colour profile, so its colours are not known.{remedy}",
            "--assume-profile",
        )


def _about_depth(facts: PictureFacts, reading: ReadingRecipe) -> Iterator[PictureWarning]:
    if facts.sample != "ushort" or facts.highest is None:
        return
    if not reading.white_level and facts.highest < LOW:
        bits = max(facts.highest.bit_length(), 1)
        yield PictureWarning(
            "low-maximum",
            f"{facts.path} has 16 bits, but no sample above {facts.highest}: a dark picture, or "
            f"{bits} bits in 16? Say which sample is white: --white-level 65535 (a dark picture), "
            "--white-level 4095 (12 bits) …",
            "--white-level",
        )
    elif reading.white_level and facts.highest > reading.white_level:
        yield PictureWarning(
            "above-white",
            f"{facts.path} has samples up to {facts.highest}, above --white-level "
            f"{reading.white_level}: they would be lost. Read it in a call of its own, with its "
            "own --white-level.",
            "--white-level",
        )


def _colours(facts: PictureFacts, reading: ReadingRecipe) -> str:
    if facts.unnamed and reading.channels:
        return "RGB" if len(reading.channels) == 3 else "grey"
    return facts.colours


def decide(facts: PictureFacts, reading: ReadingRecipe) -> Steps:
    """Return how a file is read.

    Raises
    ------
    PictureError
        If something is not decided; the sentences of all of it.
    """
    left = open_decisions(facts, reading)
    if left:
        raise PictureError(" ".join(warning.sentence for warning in left))
    colours = _colours(facts, reading)
    channels = tuple(range(CHANNELS[colours]))
    if facts.unnamed:
        channels = tuple(number - 1 for number in reading.channels)
    profile = facts.profile
    if reading.assume_profile and not (profile and profile.fits(colours)):
        assumed = assumed_profile(reading.assume_profile)
        profile = assumed if assumed.fits(colours) else None
    return Steps(
        page=facts.page,
        colours=colours,
        channels=channels,
        alpha=facts.alpha,
        profile=profile,
        white_level=reading.white_level or FULL,
        orientation=facts.orientation,
        words="; ".join(_words(facts, reading, profile)),
    )


def _words(facts: PictureFacts, reading: ReadingRecipe, profile: Profile | None) -> Iterator[str]:
    if len(facts.pages) > 1:
        yield f"page {facts.pages.index(facts.page) + 1} of {len(facts.pages)}"
    if facts.orientation > 1:
        yield f"orientation {facts.orientation} applied"
    if facts.unnamed:
        yield f"channels {','.join(map(str, reading.channels))} of {facts.channels}"
    if facts.bilevel:
        yield "1 bit to 8"
    if profile is not None:
        assumed = "" if profile.source == "embedded" else "assumed "
        yield f"{assumed}profile {profile.name} to sRGB"
    if facts.sample == "ushort":
        yield "16 bits to 8"
        if reading.white_level:
            yield f"white level {reading.white_level}"
    if facts.transparent is not None and facts.alpha is not None:
        yield "alpha: some pixels are not there" if facts.transparent else "opaque alpha dropped"
