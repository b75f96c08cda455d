"""What a picture file says of itself, without decoding it; and what reading it will cost."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dunhuang_data.errors import PictureError
from dunhuang_data.pictures.decoding import Image, decoding, open_image
from dunhuang_data.pictures.profiles import Profile, profile_of
from dunhuang_data.pictures.tiff_tags import TiffPage, read_tiff_pages

COLOURS = {
    "b-w": "grey", "grey16": "grey", "srgb": "RGB", "rgb16": "RGB", "cmyk": "CMYK",
}  # fmt: skip
CHANNELS = {"grey": 1, "RGB": 3, "CMYK": 4}
ALPHA = (1, 2)  # TIFF ExtraSamples: premultiplied and not
NO_RESOLUTION = 1.0  # px/mm: what libvips says when the file says nothing
NO_RESOLUTION_PNG = 2.834  # the same for PNG: 72 dpi, rounded
DISC_THRESHOLD = 100_000_000  # bytes; libvips decodes larger pictures into a temporary file
CONVERSION = (
    "python -c \"import pyvips; pyvips.Image.new_from_file('{source}').tiffsave('{target}', "
    "tile=True, tile_width=256, tile_height=256, pyramid=True, bigtiff=True, "
    "compression='deflate', predictor='horizontal')\""
)


@dataclass(frozen=True, slots=True)
class PictureWarning:
    """Something a file does not say, and that nobody has decided.

    Attributes
    ----------
    name : str
        Its name in the documentation, such as ``"several-pages"``.
    sentence : str
        What was found, where, and what to do.
    option : str
        The option that decides it.
    """

    name: str
    sentence: str
    option: str


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What is known of a picture file.

    Attributes
    ----------
    path : Path
    format : str
        ``"JPEG"``, ``"PNG"``, ``"TIFF"``, ``"WebP"``, or libvips's name of another.
    height, width : int
        In pixels, upright.
    bits : int
        Of a sample: 1, 8, 16 …
    sample : str
        libvips's name of the samples' type; ``"uchar"`` and ``"ushort"`` can be read.
    colours : str
        ``"grey"``, ``"RGB"``, ``"CMYK"``, or libvips's name of another space.
    channels : int
        All of them.
    alpha : int or None
        Number of the channel that says which pixels are there, from 0.
    unnamed : int
        Channels that are neither colours nor alpha.
    profile : Profile or None
        The one that the file carries.
    orientation : int
        1 to 8, as in EXIF; 1 = upright.
    levels : tuple of int
        The places of smaller copies of the page (a pyramid) that follow it as pages of their own.
    sub_levels : int
        How many smaller copies hang below it instead.
    pages : tuple of int
        The places of the file's pages among its image file directories, from 0; pyramid levels
        are not pages.
    page : int
        The place of the page that all this is about.
    dpi : float or None
        Pixels per inch; None if the file does not say.
    layout : str
        How the pixels lie: ``"tiles 256 x 256"``, ``"strips"``, ``"rows"``, ``"interlaced"`` …
    file_bytes : int
    highest : int or None
        The largest sample of the colours; None if the pixels were not decoded.
    transparent : bool or None
        Whether some pixels are not there; None if the pixels were not decoded.
    warnings : tuple of PictureWarning
        What remains to be decided.
    """

    path: Path
    format: str
    height: int
    width: int
    bits: int
    sample: str
    colours: str
    channels: int
    alpha: int | None
    unnamed: int
    profile: Profile | None
    orientation: int
    levels: tuple[int, ...]
    sub_levels: int
    pages: tuple[int, ...]
    page: int
    dpi: float | None
    layout: str
    file_bytes: int
    highest: int | None = None
    transparent: bool | None = None
    warnings: tuple[PictureWarning, ...] = ()

    @property
    def megapixels(self) -> float:
        """Millions of pixels."""
        return self.height * self.width / 1e6

    @property
    def decoded_bytes(self) -> int:
        """Bytes of the whole picture, decoded."""
        return self.height * self.width * self.channels * (2 if self.sample == "ushort" else 1)

    @property
    def bilevel(self) -> bool:
        """Whether a pixel is black or white (not: one of two colours)."""
        return self.bits == 1 and self.colours == "grey"

    @property
    def mode(self) -> str:
        """Colours and what comes with them, in words."""
        extra = f" + {self.unnamed} channels" if self.unnamed else ""
        base = "bilevel" if self.bilevel else self.colours
        return f"{base}{'' if self.alpha is None else ' + alpha'}{extra}"

    @property
    def windows_are_cheap(self) -> bool:
        """Whether a part can be decoded without the rest."""
        return self.layout.startswith("tiles")

    @property
    def cost(self) -> str:
        """What reading will cost, and how to make it cheap; empty if it is cheap."""
        if self.windows_are_cheap or self.decoded_bytes <= DISC_THRESHOLD:
            return ""
        whole = self.layout in ("interlaced", "progressive", "whole")
        place = "memory and as much of temporary disc" if whole else "temporary disc"
        command = CONVERSION.format(source=self.path, target=self.path.with_suffix(".tiled.tif"))
        return (
            f"{self.path} has no tiles ({self.layout}), so every opening decodes all of it, into "
            f"{self.decoded_bytes / 1e9:.1f} GB of {place}. Make it a tiled pyramid once: {command}"
        )

    def as_json(self) -> dict[str, Any]:
        """Return the facts as plain values."""
        derived = {"megapixels": round(self.megapixels, 3), "mode": self.mode, "cost": self.cost}
        return {**asdict(self), "path": str(self.path), **derived}


def _dpi_of(image: Image) -> float | None:
    """Return pixels per inch; None where libvips says what it says of silent files."""
    if _format(image) in ("JPEG", "TIFF"):  # 72 dpi, or a number of nothing
        silent = image.get_typeof("resolution-unit") == 0
    else:
        silent = image.xres == NO_RESOLUTION or abs(image.xres - NO_RESOLUTION_PNG) < 1e-3
    return None if silent else round(image.xres * 25.4, 2)


def read_facts(path: Path, page: int = 0) -> PictureFacts:
    """Return what a file's headers say of one page; ``page`` counts from 1, 0 = the first.

    Raises
    ------
    PictureError
        If it is no picture that can be read.
    """
    with decoding(path):
        image = open_image(path, "sequential")
        tiff = read_tiff_pages(path) if image.get("vips-loader").startswith("tiff") else ()
        pages = _true_pages(tiff) if tiff else tuple(range(_number(image, "n-pages", 1)))
        place = pages[min(max(page, 1), len(pages)) - 1]
        if place:
            image = open_image(path, "sequential", place)
        facts = _facts(path, image, tiff, pages, place)
    _refuse_unreadable(facts)
    return facts


def _true_pages(tiff: tuple[TiffPage, ...]) -> tuple[int, ...]:
    """Return the places of the pages that are no smaller copies of the one before."""
    pages: list[int] = []
    for place, page in enumerate(tiff):
        level = pages and page.tile_hw and page.is_level_of(tiff[pages[-1]])
        if not (page.reduced or level):
            pages.append(place)
    return tuple(pages) or (0,)


def _facts(
    path: Path, image: Image, tiff: tuple[TiffPage, ...], pages: tuple[int, ...], place: int
) -> PictureFacts:
    this = tiff[place] if place < len(tiff) else None
    last = min((other for other in pages if other > place), default=len(tiff))
    levels = [at for at in range(place + 1, last) if this and tiff[at].is_level_of(this)]
    colours = COLOURS.get(image.interpretation, image.interpretation)
    extra = image.bands - CHANNELS.get(colours, image.bands)
    if this and extra and not this.extra_samples:  # its decoder refuses it without a reason
        raise PictureError(
            f"{path} has {image.bands} channels for {colours} and lacks the tag that says what the "
            "others are (ExtraSamples). Save it again as RGB, with or without alpha."
        )
    alpha = _alpha(extra, image.bands - extra, this)
    orientation = _number(image, "orientation", 1)
    height, width = image.height, image.width
    if orientation >= 5:
        height, width = width, height
    profile = None
    if image.get_typeof("icc-profile-data"):
        profile = profile_of(bytes(image.get("icc-profile-data")))
    return PictureFacts(
        path=path,
        format=_format(image),
        height=height,
        width=width,
        bits=_number(image, "bits-per-sample", 16 if image.format == "ushort" else 8),
        sample=image.format,
        colours=colours,
        channels=image.bands,
        alpha=alpha,
        unnamed=extra - (alpha is not None),
        profile=profile,
        orientation=orientation if 1 <= orientation <= 8 else 1,
        levels=tuple(levels),
        sub_levels=this.sub_pages if this else 0,
        pages=pages,
        page=place,
        dpi=_dpi_of(image),
        layout=_layout(image, this),
        file_bytes=path.stat().st_size,
    )


def _number(image: Image, field: str, default: int) -> int:
    return int(image.get(field)) if image.get_typeof(field) else default


def _format(image: Image) -> str:
    loader = str(image.get("vips-loader")).partition("load")[0]
    return {"jpeg": "JPEG", "png": "PNG", "tiff": "TIFF", "webp": "WebP"}.get(loader, loader)


def _alpha(extra: int, first: int, tiff: TiffPage | None) -> int | None:
    """Return the place of the alpha channel among the channels."""
    if tiff is None:
        return first if extra == 1 else None
    said = [kind in ALPHA for kind in tiff.extra_samples[:extra]]
    return first + said.index(True) if sum(said) == 1 else None


def _layout(image: Image, tiff: TiffPage | None) -> str:
    if tiff is not None:
        return "tiles {} x {}".format(*tiff.tile_hw) if tiff.tile_hw else "strips"
    kind = _format(image)
    if kind == "JPEG":
        return "progressive" if _number(image, "jpeg-multiscan", 0) else "baseline"
    if kind == "PNG":
        return "interlaced" if _number(image, "interlaced", 0) else "rows"
    return "whole"


def _refuse_unreadable(facts: PictureFacts) -> None:
    if facts.sample not in ("uchar", "ushort") or facts.colours not in CHANNELS:
        raise PictureError(
            f"{facts.path} holds {facts.channels} bands of {facts.sample} ({facts.colours}); "
            "expected grey, RGB or CMYK of 8 or 16 bits. Export it as 8- or 16-bit RGB."
        )
