"""Open a file with libvips, and turn its complaints into sentences."""

import os
from pathlib import Path
from types import TracebackType
from typing import Any

from dunhuang_data.errors import PictureError

Image = Any
"""A ``pyvips.Image``, which has no types; pyvips is imported only when a picture is opened."""


def open_image(path: Path, access: str, page: int = 0, **options: int) -> Image:
    """Open a file as libvips does, undecoded, refusing what its decoders would patch up.

    ``page`` counts from 0. ``access`` is ``"sequential"`` (once, from top to bottom, in little
    memory) or ``"random"``.
    """
    import pyvips

    if page:  # most formats have none, and their decoders do not know the word
        options["page"] = page
    # revalidate: libvips otherwise remembers a file by its name, and would show the old one
    return pyvips.Image.new_from_file(
        str(path), access=access, fail_on="warning", revalidate=True, **options
    )


class decoding:
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

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import pyvips

        if isinstance(error, pyvips.Error):
            lines = [line.strip() for line in str(error).splitlines()[1:] if line.strip()]
            reason = lines[-1] if lines else "its decoder finds a fault that it does not name"
            raise PictureError(
                f"Could not read {self.path}: {reason}. Expected a whole JPEG, PNG, TIFF or WebP "
                "picture; open it in a viewer, save it again, or take it out."
            ) from error
        if isinstance(error, OSError):
            raise PictureError(f"Could not read {self.path}: {error.strerror}.") from error
