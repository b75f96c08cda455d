"""What was done to a picture, in a JSON file beside it: written last, it says the rest is whole."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from dunhuang_data.errors import UsageProblem
from dunhuang_data.pictures import sha256_of_file
from dunhuang_data.polarity import WhiteIs
from dunhuang_data.recipe import ReadingRecipe
from dunhuang_trainer.restore.masks import MaskColour
from dunhuang_trainer.restore.prediction import MOST_SAMPLES
from dunhuang_trainer.restore.tiles import check_tiles

FORMAT = {"name": "dunhuang-restoration", "version": 1}
MADE_OF = ("input", "mask", "weights", "settings")
"""The parts of a record that say what a restoration was made of: equal parts, equal pixels."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How pictures are restored.

    Attributes
    ----------
    white_is : {"hole", "known"}
        Of mask files.
    grey : {"refuse", "threshold"}
        What to do with mask files that hold grey.
    mask_colour : MaskColour or None
        Holes that the pictures show in this colour, instead of mask files.
    tile, overlap : int
        In pixels.
    dilate : int
        How far holes are grown, in pixels.
    keep_known : bool
        The grown part is hidden from the network, but stays as it is in the picture.
    samples : int
        Of the uncertainty; 1 = none.
    compare : bool
        Whether to write a sheet: masked, restored, difference.
    reading : ReadingRecipe
        Decisions on what picture files do not say.
    """

    white_is: WhiteIs = "hole"
    grey: Literal["refuse", "threshold"] = "refuse"
    mask_colour: MaskColour | None = None
    tile: int = 1024
    overlap: int = 128
    dilate: int = 0
    keep_known: bool = False
    samples: int = 1
    compare: bool = False
    reading: ReadingRecipe = field(default_factory=ReadingRecipe)

    def __post_init__(self) -> None:
        check_tiles(self.tile, self.overlap)
        if not 1 <= self.samples <= MOST_SAMPLES:
            raise UsageProblem(f"--samples is {self.samples}; expected 2 to {MOST_SAMPLES}.")
        if self.keep_known and not self.dilate:
            raise UsageProblem(
                "--keep-known says what becomes of the part by which --dilate grows the holes; "
                "give both, or leave it out."
            )

    def document(self) -> dict[str, Any]:
        """Return them for a record; equal settings are equal documents."""
        document = asdict(self)
        if self.mask_colour is not None:  # nothing then reads a mask file
            document["white_is"] = document["grey"] = None
        return dict(json.loads(json.dumps(document)))


def read_record(path: Path) -> dict[str, Any] | None:
    """Return a record, or None if there is none that this version can read."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError):
        return None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        return None
    return document


def difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Say in what two records' pictures were made otherwise; empty if in nothing that matters."""
    for part in MADE_OF:
        old, new = found.get(part) or {}, wanted[part] or {}
        if not isinstance(old, dict):
            return part
        if part == "settings":
            changed = [name for name in new if old.get(name) != new[name]]
            if changed:
                named = (f"--{name.replace('_', '-')}" for name in changed if name != "reading")
                others = ["how files are read"] if "reading" in changed else []
                return ", ".join([*named, *others])
        elif old.get("sha256") != new.get("sha256"):
            return f"another {part}" + (" picture" if part == "input" else "")
    return ""


def is_finished(record: Mapping[str, Any], folder: Path) -> bool:
    """Whether every file that a record names is in its folder, as it was written."""
    outputs = record.get("outputs")
    if not isinstance(outputs, dict) or not outputs:
        return False
    for one in outputs.values():
        path = folder / str(one.get("file"))
        if not path.is_file() or sha256_of_file(path) != one.get("sha256"):
            return False
    return True
