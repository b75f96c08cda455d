"""Write pictures, whole or not at all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dunhuang_data.atomic import new_file, write_bytes
from dunhuang_data.errors import OutputError, UsageProblem
from dunhuang_data.pictures import png_chunks, tiff_tags
from dunhuang_data.pictures.conversion import upright
from dunhuang_data.pictures.decoding import Image, decoding, open_image
from dunhuang_data.pictures.exif import without_thumbnail
from dunhuang_data.pictures.own_colours import FORMATS, Samples
from dunhuang_data.pictures.own_samples import OwnPicture
from dunhuang_data.types import UInt8Array

TURNED_BACK = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}  # what undoes an orientation
KEPT = ("icc-profile-data", "xmp-data", "image-description", "resolution-unit")
EXIF, IPTC, XMP = "exif-data", "iptc-data", "xmp-data"
THUMBNAIL = "exif-ifd1-"
ALL_BUT_EXIF = "xmp:iptc:icc:other"
SCREEN = 72 / 25.4  # px/mm; what EXIF says where nothing is known (Exif 2.3, XResolution)
TILE = 256  # px
MOST_CLASSIC = 3_500_000_000  # bytes of samples; a classic TIFF ends at 4 GiB, with all it holds


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


def write_levels(path: Path, levels: UInt8Array) -> None:
    """Write a grey PNG, whole or not at all.

    Parameters
    ----------
    path : Path
    levels : (H, W) uint8
        0 = black, 255 = white; an array or a memmap.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    import pyvips

    height, width = levels.shape
    image: Any = pyvips.Image.new_from_memory(
        np.ascontiguousarray(levels), width, height, 1, FORMATS["uint8"]
    )
    image = image.copy(interpretation="b-w")
    write_bytes(path, image.write_to_buffer(".png", compression=6))


def write_like(own: OwnPicture, target: Path, pixels: Samples) -> None:
    """Write changed samples as the picture they are of was: whole or not at all, without loss.

    Kept are the profile, byte for byte, the resolution, the orientation (turned back, with its
    tag), XMP, and what else the format takes; not the thumbnail, which would show what was there.

    Parameters
    ----------
    own : OwnPicture
        Whose file is read once more, for what it says beside its pixels.
    target : Path
        Ending in ``.tif`` or ``.tiff``, or in ``.png`` where ``own.suffix`` is or the picture
        fits.
    pixels : (H, W, C) uint8 or uint16
        Upright, in the picture's own samples; an array or a memmap, streamed.

    Raises
    ------
    UsageProblem
        If the target's format cannot hold the picture.
    PictureError
        If the input cannot be read any more.
    OutputError
        If the target cannot be written.
    ValueError
        If the samples are not of the picture's shape and type.
    """
    _refuse_unfit(own, target, pixels)
    png = target.suffix.lower() == ".png"
    image = _with_what_the_file_says(_back_as_stored(own, pixels), own, png)
    write = _write_png if png else _write_tiff
    with new_file(target) as temporary:
        write(image, own, temporary, target)


def _refuse_unfit(own: OwnPicture, target: Path, pixels: Samples) -> None:
    shape = (*own.shape_hw, own.channels)
    if pixels.shape != shape or pixels.dtype != own.dtype:
        raise ValueError(
            f"samples of shape {pixels.shape}, {pixels.dtype}; expected {shape}, "
            f"{np.dtype(own.dtype)}"
        )
    suffix = target.suffix.lower()
    if suffix in (".tif", ".tiff") or (suffix == ".png" and own.fits_png):
        return
    raise UsageProblem(
        f"Could not write {target}: {own.facts.path} is {own.facts.mode}, {own.facts.bits} bits, "
        f"and is written without loss as .tif{' or .png' if own.fits_png else ''}. Name the output "
        f"{target.with_suffix(own.suffix).name}."
    )


def _back_as_stored(own: OwnPicture, pixels: Samples) -> Image:
    """Show the samples to libvips, turned as the file has them."""
    import pyvips

    samples = np.ascontiguousarray(pixels)  # a memmap stays on the disk
    height, width, bands = samples.shape
    image = pyvips.Image.new_from_memory(samples, width, height, bands, FORMATS[samples.dtype.name])
    orientation = own.facts.orientation
    return upright(image, TURNED_BACK[orientation]) if orientation > 1 else image


def _with_what_the_file_says(image: Image, own: OwnPicture, png: bool) -> Image:
    """Return the image with what the file says beside its pixels.

    Everything else that libvips notes of a file (a palette, pages, one bit a pixel) would make it
    write another file than this.
    """
    import pyvips

    facts = own.facts
    with decoding(facts.path):
        head = open_image(facts.path, "sequential", facts.page)
        xres, yres = head.xres, head.yres
        if facts.dpi is None:
            xres = yres = SCREEN
        image = image.copy(interpretation=head.interpretation, xres=xres, yres=yres)
        for field in head.get_fields():
            if _is_kept(field, facts.format, png):
                image.set_type(head.get_typeof(field), field, _changed(field, head.get(field)))
    if facts.orientation > 1:
        image.set_type(pyvips.GValue.gint_type, "orientation", facts.orientation)
    return image


def _is_kept(field: str, format: str, png: bool) -> bool:
    if field == XMP and png:
        return False  # libvips takes it for Latin-1; see `_inserted`
    if field == IPTC:
        return not png and format == "TIFF"  # wrapped in something else elsewhere
    return field in KEPT or (field.startswith("exif-") and not field.startswith(THUMBNAIL))


def _changed(field: str, value: Any) -> Any:
    if field == EXIF:
        return without_thumbnail(bytes(value))
    if field == IPTC:  # libvips 8.18 hands libtiff a quarter of it
        return bytes(value).ljust(4 * len(value), b"\0")
    return value


def _write_png(image: Image, own: OwnPicture, path: Path, target: Path) -> None:
    options: dict[str, Any] = {"compression": 6, "filter": "sub"}  # a photograph is smaller
    if not image.get_typeof(EXIF) and own.facts.orientation == 1:
        options["keep"] = ALL_BUT_EXIF  # libvips makes EXIF of the resolution, which is in pHYs
    with _Stream(path, target) as stream:
        stream.inserted = _inserted(own)
        image.write_to_target(stream.target, ".png", **options)
    if own.facts.format == "PNG" or own.facts.dpi is None:
        known = dict(png_chunks.read_chunks(own.facts.path, (png_chunks.RESOLUTION,)))
        resolution = known.get(png_chunks.RESOLUTION, png_chunks.NO_RESOLUTION)
        png_chunks.replace_chunk(path, png_chunks.RESOLUTION, resolution)


def _inserted(own: OwnPicture) -> bytes:
    """Return the chunks that a PNG has to get, and that libvips does not write or writes amiss."""
    facts = own.facts
    said = png_chunks.read_chunks(facts.path, png_chunks.HANDED_ON)
    if facts.format != "PNG":
        with decoding(facts.path):
            head = open_image(facts.path, "sequential", facts.page)
            if head.get_typeof(XMP):
                said = [png_chunks.xmp(bytes(head.get(XMP)))]
    return b"".join(png_chunks.as_chunk(kind, data) for kind, data in said)


def _write_tiff(image: Image, own: OwnPicture, path: Path, target: Path) -> None:
    options: dict[str, Any] = {"compression": "deflate", "predictor": "horizontal"}
    size = own.facts.height * own.facts.width * own.channels * np.dtype(own.dtype).itemsize
    options["bigtiff"] = size > MOST_CLASSIC
    if own.facts.windows_are_cheap:
        options |= {"tile": True, "tile_width": TILE, "tile_height": TILE}
    with _Stream(path, target) as stream:
        image.write_to_target(stream.target, ".tif", **options)
    if own.facts.dpi is None:
        tiff_tags.replace_shorts(path, tiff_tags.RESOLUTION_UNIT, (tiff_tags.NO_UNIT,))
    if own.facts.unnamed:  # libvips would call them all alpha
        extra = tiff_tags.read_tiff_pages(own.facts.path)[own.facts.page].extra_samples
        tiff_tags.replace_shorts(path, tiff_tags.EXTRA_SAMPLES, extra)


class _Stream:
    """A file that libvips writes through us, for it hides why the system refuses to.

    Attributes
    ----------
    target : pyvips.TargetCustom
    inserted : bytes
        Put into the file behind the head of a PNG.
    """

    def __init__(self, path: Path, target: Path) -> None:
        self._path = path
        self._named = target
        self._refusal: OSError | None = None
        self.inserted = b""

    def __enter__(self) -> "_Stream":
        import pyvips

        self._file: BinaryIO = self._path.open("w+b")
        self.target = pyvips.TargetCustom()
        self.target.on_write(self._write)
        self.target.on_read(self._read)
        self.target.on_seek(self._seek)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: Any) -> None:
        import pyvips

        try:
            self._file.close()  # writes what is left
        except OSError as refusal:
            self._refusal = self._refusal or refusal
        if self._refusal is not None:
            raise self._refusal
        if isinstance(error, pyvips.Error):
            lines = [line.strip() for line in str(error).splitlines()[1:] if line.strip()]
            raise OutputError(
                f"Could not write {self._named}: {lines[-1] if lines else 'libvips gave up'}. "
                "Nothing was left under its final name."
            ) from error

    def _write(self, data: bytes) -> int:
        if self.inserted and self._told(self._file.tell) == 0:
            data, rest = data[: png_chunks.HEAD] + self.inserted, data[png_chunks.HEAD :]
            written = self._told(self._file.write, data + rest)
            return written if written < 0 else written - len(self.inserted)
        return self._told(self._file.write, data)

    def _seek(self, offset: int, whence: int) -> int:
        return self._told(self._file.seek, offset, whence)

    def _read(self, count: int) -> bytes:
        return b"" if self._told(self._file.flush) else self._file.read(count)

    def _told(self, act: Callable[..., int | None], *given: Any) -> int:
        """Do something to the file; a refusal is noted, for libvips hears of it only as -1."""
        try:
            return act(*given) or 0
        except OSError as error:
            self._refusal = self._refusal or error
            return -1
