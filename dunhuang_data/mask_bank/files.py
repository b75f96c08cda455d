"""A mask bank on the disk: ``bank.json`` and the packed masks beside it, written and read."""

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from dunhuang_data import __version__
from dunhuang_data.atomic import write_bytes, write_json
from dunhuang_data.documents import parsed, read_document
from dunhuang_data.errors import MaskError
from dunhuang_data.growth import unfinished
from dunhuang_data.mask_recipe import MaskRecipe
from dunhuang_data.pictures import sha256_of_file
from dunhuang_data.polarity import MEANING, unpack
from dunhuang_data.recipe import recipe_from_json
from dunhuang_data.types import UInt8Array

MARKER = "bank.json"
STARTED = "making.json"  # in a bank that is not whole yet
CONTENTS = (MARKER, "valid-*.npy", "png", "files.csv", "run.toml", STARTED)
FORMAT = {"name": "dunhuang-masks", "version": 2}
MASKS_PER_FILE = 250  # one job of a worker, and what is lost if it is killed


def file_name(number: int) -> str:
    """Return the name of the ``number``-th file of packed masks, from 0."""
    return f"valid-{number:05d}.npy"


def write_packed(path: Path, packed: Sequence[UInt8Array]) -> str:
    """Write packed masks, K times (H, ceil(W / 8)) uint8, as one file; return its SHA-256."""
    contents = io.BytesIO()
    np.save(contents, np.stack(packed))
    write_bytes(path, contents.getvalue())
    return hashlib.sha256(contents.getvalue()).hexdigest()


def write_marker(
    folder: Path, recipe: MaskRecipe, masks_per_file: int, sha256: dict[str, str]
) -> None:
    """Write ``bank.json``, which makes a folder a bank; every file of it must be there."""
    write_json(
        folder / MARKER,
        {
            "format": FORMAT,
            "made_by": f"dunhuang-data {__version__}",
            "meaning": MEANING,
            "recipe": asdict(recipe),
            "masks_per_file": masks_per_file,
            "sha256": {name: sha256[name] for name in sorted(sha256)},
        },
    )


@dataclass(frozen=True, slots=True)
class MaskBank:
    """An opened bank; its files are read when rows are asked for, never written.

    Attributes
    ----------
    root : Path
    recipe : MaskRecipe
    sha256 : str
        Of ``bank.json``, which holds the hashes of all files.
    masks_per_file : int
        All files hold so many, but for the last.
    """

    root: Path
    recipe: MaskRecipe
    sha256: str
    masks_per_file: int = MASKS_PER_FILE
    _files: dict[int, UInt8Array] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return self.recipe.count

    def read(self, index: int) -> UInt8Array:
        """Return mask ``index``, (H, W) uint8, 1 = known, 0 = hole.

        Raises
        ------
        MaskError
            If there is no such mask, or its file is not what it should be.
        """
        if not 0 <= index < len(self):
            raise MaskError(f"The bank {self.root} has masks 0 to {len(self) - 1}, no {index}.")
        number, row = divmod(index, self.masks_per_file)
        if number not in self._files:
            self._files[number] = self._open(number)
        return unpack(self._files[number][row], self.recipe.shape_hw[1])

    def _open(self, number: int) -> UInt8Array:
        height, width = self.recipe.shape_hw
        name, rows = file_name(number), _rows(self.recipe, self.masks_per_file, number)
        expected = (len(rows), height, -(-width // 8))
        try:
            masks = np.load(self.root / name, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise MaskError(f"The bank {self.root}: {name} cannot be read: {error}.") from error
        if masks.shape != expected or masks.dtype != np.uint8:
            raise MaskError(
                f"The bank {self.root}: {name} holds {masks.dtype} {masks.shape}, expected uint8 "
                f"{expected} ({_masks(rows)}). {_again(self.recipe)}"
            )
        return np.asarray(masks)

    def __iter__(self) -> Iterator[UInt8Array]:
        """Yield every mask in order, (H, W) uint8."""
        return map(self.read, range(len(self)))


def _rows(recipe: MaskRecipe, masks_per_file: int, number: int) -> range:
    first = number * masks_per_file
    return range(first, min(first + masks_per_file, recipe.count))


def _masks(rows: range) -> str:
    return f"mask {rows[0]}" if len(rows) == 1 else f"masks {rows[0]} to {rows[-1]}"


def _again(recipe: MaskRecipe) -> str:
    imported = recipe.family == "files" and not recipe.source_sha256
    command = "import-masks" if imported else "make-masks"
    return f"Copy the bank again, or make it again with dunhuang-data {command}."


def open_bank(root: Path, check_hashes: bool = True) -> MaskBank:
    """Open a mask bank.

    Parameters
    ----------
    root : Path
    check_hashes : bool
        Read every file once and compare its SHA-256 with ``bank.json``.

    Raises
    ------
    MaskError
        If it is no bank, of another version, or a file is missing or was changed.
    """
    path, maker = root / MARKER, "dunhuang-data make-masks or import-masks"
    if not path.is_file() and (unfinished(root) / STARTED).is_file():
        raise MaskError(
            f"{root} is not there yet: its make-masks was interrupted and lies in "
            f"{unfinished(root)}. Run the same command again; it continues."
        )
    document = read_document(path, FORMAT, "a mask bank", maker, MaskError)
    with parsed(path, "a mask bank", f"Make it with {maker}.", MaskError):
        recipe: MaskRecipe = recipe_from_json(MaskRecipe, document["recipe"])
        per_file = document["masks_per_file"]
        if type(per_file) is not int or per_file < 1:
            raise ValueError(f"masks_per_file is {per_file!r}, expected a whole number from 1")
        files = -(-recipe.count // per_file)
        names = [file_name(number) for number in range(min(files, len(document["sha256"])))]
        if files != len(names) or sorted(document["sha256"]) != sorted(names):
            raise ValueError(
                f"{recipe.count} masks, {per_file} a file, do not lie in the files it lists"
            )
        hashes = [document["sha256"][name] for name in names]
    for number, expected in enumerate(hashes) if check_hashes else ():
        file = root / names[number]
        if not file.is_file() or sha256_of_file(file) != expected:
            raise MaskError(
                f"The bank {root}: {names[number]} ({_masks(_rows(recipe, per_file, number))}) is "
                "missing or is not the file that was written (its SHA-256 differs from "
                f"bank.json). {_again(recipe)}"
            )
    return MaskBank(root, recipe, sha256_of_file(path), per_file)
