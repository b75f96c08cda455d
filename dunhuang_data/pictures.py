"""Find, identify, read and write pictures: the only module that opens picture files.

Reading goes through libvips: the orientation tag is applied, a colour profile is converted to sRGB,
sixteen bits become eight. What cannot be known is refused with a sentence, never guessed.
"""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dunhuang_data.atomic import Progress, no_progress, write_bytes
from dunhuang_data.errors import DataProblem, PictureError
from dunhuang_data.types import Picture, UInt8Array

if TYPE_CHECKING:
    import pyvips

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True, slots=True)
class FoundPicture:
    """A picture file that was found, not yet opened."""

    id: str
    path: Path


def find_pictures(sources: Iterable[Path]) -> list[FoundPicture]:
    """List the pictures in some files and folders, in order of their ids.

    Parameters
    ----------
    sources : iterable of Path
        Folders are searched through all levels for JPEG, PNG, TIFF and WebP files, hidden ones
        left out. Files are taken whatever their suffix. A picture's id is its path below the
        folder named (for a file: below the file's own folder), without suffix.

    Returns
    -------
    list of FoundPicture

    Raises
    ------
    PictureError
        If a source does not exist, nothing is found, two pictures share one id, or one picture was
        named twice.
    """
    found: dict[str, Path] = {}
    sources = list(sources)
    for source in sources:
        if source.is_dir():
            root, paths = source, pictures_below(source)
        elif source.is_file():
            root, paths = source.parent, [source]
        else:
            raise PictureError(
                f"Looking for pictures: {source} does not exist. Name a picture or a folder."
            )
        for path in paths:
            _refuse_unprintable(path)
            picture_id = path.relative_to(root).with_suffix("").as_posix()
            other = found.setdefault(picture_id, path)
            if other.resolve() != path.resolve():
                raise PictureError(
                    f"Two pictures would have the id {picture_id!r}: {other} and {path}. "
                    "An id is the path without suffix; rename one of them."
                )
    ids: dict[Path, str] = {}
    for picture_id, path in found.items():
        other_id = ids.setdefault(path.resolve(), picture_id)
        if other_id != picture_id:
            raise PictureError(
                f"{path} was named twice and would have the ids {other_id!r} and {picture_id!r}. "
                "Name each folder once."
            )
    if not found:
        names = ", ".join(str(source) for source in sources)
        raise PictureError(
            f"No pictures found in {names}. Expected files ending in "
            f"{', '.join(sorted(SUFFIXES))}; name the folder that holds them."
        )
    return [FoundPicture(id=key, path=found[key]) for key in sorted(found)]


def _refuse_unprintable(path: Path) -> None:
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError as error:
        raise PictureError(
            f"The name {str(path)!r} is not UTF-8, so no table can hold it. Rename the file."
        ) from error


def pictures_below(folder: Path) -> list[Path]:
    """List the picture files of a folder, all levels, hidden ones left out, in order.

    Raises
    ------
    PictureError
        If the system does not let a folder be read.
    """

    def refuse(error: OSError) -> None:
        raise PictureError(
            f"Could not look into {error.filename}: {error.strerror}. Give yourself the permission "
            "to read it, or move it away."
        )

    found = []
    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place) / name for name in names if not name.startswith(".")]
    return sorted(path for path in found if path.suffix.lower() in SUFFIXES and path.is_file())


def identify_picture(found: FoundPicture, root: Path) -> Picture:
    """Decode a picture once, streaming, and return its record.

    Raises
    ------
    PictureError
        If the file is no picture, is truncated, or needs a decision.
    """
    with _decoding(found.path):
        image, reading = _open_srgb(found.path, access="sequential")
        image.avg()  # touches every pixel, so that a truncated file is found now
    return Picture(
        id=found.id,
        file=found.path.resolve().relative_to(root).as_posix(),
        height=image.height,
        width=image.width,
        sha256=sha256_of_file(found.path),
        reading=reading,
    )


def identify_pictures(
    found: Sequence[FoundPicture], root: Path, progress: Progress = no_progress
) -> list[Picture]:
    """Identify every picture; the unreadable ones are named together at the end.

    Raises
    ------
    PictureError
        If any picture cannot be used; the sentences of all of them, one a line.
    """
    pictures: list[Picture] = []
    problems: list[str] = []
    for one in found:
        try:
            pictures.append(identify_picture(one, root))
        except PictureError as error:
            problems.append(str(error))
        progress(1)
    raise_together(problems, f"of {len(found)} pictures cannot be used", PictureError)
    return pictures


def raise_together(problems: Sequence[str], what: str, kind: type[DataProblem]) -> None:
    """Raise one error that lists every problem, one a line; do nothing if there is none."""
    if len(problems) == 1:
        raise kind(problems[0])
    if problems:
        raise kind("\n".join([f"{len(problems)} {what}:", *(f"  - {text}" for text in problems)]))


def read_picture(path: Path) -> UInt8Array:
    """Read a picture.

    Parameters
    ----------
    path : Path
        JPEG, PNG, TIFF or WebP; 8 or 16 bit; grey, RGB, opaque RGBA, CMYK with a profile.

    Returns
    -------
    (H, W, 3) uint8
        sRGB, upright, C-contiguous.

    Raises
    ------
    PictureError
        Naming the file and what is wrong with it.
    """
    with _decoding(path):
        image, _ = _open_srgb(path, access="random")
        pixels: UInt8Array = np.ascontiguousarray(image.numpy())
    return pixels


def read_grey(path: Path) -> UInt8Array:
    """Read a picture as `read_picture` does and make it grey, (H, W) uint8.

    Raises
    ------
    PictureError
        Naming the file and what is wrong with it.
    """
    with _decoding(path):
        image, _ = _open_srgb(path, access="random")
        pixels: UInt8Array = image.colourspace("b-w").numpy().reshape(image.height, image.width)
    return pixels


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


def picture_size(path: Path) -> tuple[int, int]:
    """Return a picture's height and width in pixels, upright, without decoding it.

    Raises
    ------
    PictureError
    """
    with _decoding(path):
        image, _ = _open_srgb(path, access="random")
    return image.height, image.width


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal.

    Raises
    ------
    DataProblem
        If the system does not let it be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataProblem(f"Could not read {path}: {error.strerror}.") from error


class _decoding:
    """Turn libvips's and the system's complaints about one file into a `PictureError`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        if self.path.is_dir():
            raise PictureError(f"Could not read {self.path}: it is a folder. Name picture files.")
        if not self.path.exists():
            raise PictureError(f"Could not read {self.path}: it does not exist.")
        if not os.access(self.path, os.R_OK):
            raise PictureError(f"Could not read {self.path}: Permission denied.")

    def __exit__(self, kind: type | None, error: BaseException | None, _trace: object) -> None:
        import pyvips

        if isinstance(error, pyvips.Error):
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            reason = lines[-1] if lines else "unknown reason"
            raise PictureError(
                f"Could not read {self.path}: {reason}. Expected a whole JPEG, PNG, TIFF or WebP "
                "picture; open it in a viewer, save it again, or take it out."
            ) from error
        if isinstance(error, OSError):
            raise PictureError(f"Could not read {self.path}: {error.strerror}.") from error


def _open_srgb(path: Path, access: str) -> tuple["pyvips.Image", str]:
    """Open a picture as 8-bit sRGB, and say in words what that took."""
    import pyvips

    image: Any = pyvips.Image.new_from_file(str(path), access=access, fail_on="warning")
    steps: list[str] = []
    if image.get_typeof("orientation") and image.get("orientation") > 1:
        steps.append(f"orientation {image.get('orientation')} applied")
        if access == "sequential":  # a turned picture is not read top to bottom
            image = pyvips.Image.new_from_file(str(path), access="random", fail_on="warning")
        image = image.autorot()
    if image.hasalpha():
        opaque = 65535 if image.format == "ushort" else 255
        alpha = pyvips.Image.new_from_file(str(path), fail_on="warning")[image.bands - 1]
        if alpha.min() < opaque:
            raise PictureError(
                f"{path} has transparent pixels, and what they show is not known. Save it without "
                "transparency, cropped to what is there."
            )
        image = image[: image.bands - 1]
        steps.append("opaque alpha dropped")
    if image.format not in ("uchar", "ushort") or image.interpretation == "multiband":
        raise PictureError(
            f"{path} holds {image.bands} bands of {image.format} ({image.interpretation}); "
            "expected grey, RGB or CMYK of 8 or 16 bits. Export it as 8- or 16-bit RGB."
        )
    if image.get_typeof("n-pages") and image.get("n-pages") > 1:
        steps.append(f"first of {image.get('n-pages')} pages")
    deep = image.format == "ushort"
    if image.get_typeof("icc-profile-data"):
        image = image.icc_transform("srgb", embedded=True, intent="relative", depth=8)
        steps.append("profile to sRGB")
    elif image.interpretation == "cmyk":
        raise PictureError(
            f"{path} is CMYK without a colour profile, so its colours are not known. "
            "Convert it to RGB in the program it comes from."
        )
    else:
        image = image.colourspace("srgb")
    if deep:
        steps.append("16 bits to 8")
    if image.bands != 3:
        raise PictureError(f"{path} reads as {image.bands} bands; expected 3 (RGB).")
    return image.cast("uchar"), "; ".join(steps)
