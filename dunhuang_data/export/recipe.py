"""The frozen settings of ``export``. Loads nothing heavy."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dunhuang_data.recipe import refuse_unless

if TYPE_CHECKING:  # it loads NumPy, and the shell needs this module for --help
    from dunhuang_data.types import Split

IMAGE_FORMATS = ("png", "jpg", "raw")
LAYOUTS: dict[str, tuple[str, ...]] = {
    "webdataset": IMAGE_FORMATS,
    "mds": IMAGE_FORMATS,
    "folder": ("png", "jpg"),
    "lama": ("png",),
}
"""The layouts, and the image formats that the readers of each expect; its default first."""


@dataclass(frozen=True, slots=True)
class ExportRecipe:
    """Settings of ``export``.

    Attributes
    ----------
    layout : {"webdataset", "mds", "folder", "lama"}
    splits : tuple of str
        Those that are written; empty = all that have samples.
    image_format : {"png", "jpg", "raw"}
        Of the images; ``jpg`` loses something, the others nothing. Masks never lose anything.
    shard_size : int
        Samples in a shard, in the layouts that have shards; 0 = as in the dataset.
    """

    layout: str = "webdataset"
    splits: "tuple[Split, ...]" = ()
    image_format: str = "png"
    shard_size: int = 0

    def __post_init__(self) -> None:
        refuse_unless(
            self.layout in LAYOUTS,
            f"--to is {self.layout!r}; expected one of {', '.join(LAYOUTS)}.",
        )
        formats = LAYOUTS[self.layout]
        refuse_unless(
            self.image_format in formats,
            f"--image-format is {self.image_format!r}; readers of {self.layout} expect "
            f"{' or '.join(formats)}.",
        )
        refuse_unless(
            self.shard_size >= 0,
            f"--shard-size is {self.shard_size}; at least 1, or 0 for that of the dataset.",
        )
