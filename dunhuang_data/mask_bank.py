"""A mask bank: a folder of masks made by one ``make-masks``, one bit per pixel.

``bank.json`` (recipe, counts, hashes) is written last. The masks lie in ``valid-00000.npy`` …, each
(K, H, ceil(W / 8)) uint8, first pixel in the highest bit, 1 = known, 0 = hole.
"""

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from dunhuang_data import __version__
from dunhuang_data.atomic import Progress, new_folder, no_progress, write_bytes, write_json
from dunhuang_data.documents import parsed, read_document
from dunhuang_data.errors import MaskError
from dunhuang_data.mask_orders import make_mask
from dunhuang_data.mask_recipe import MaskRecipe
from dunhuang_data.pictures import sha256_of_file
from dunhuang_data.polarity import MEANING, pack, unpack
from dunhuang_data.recipe import recipe_from_json
from dunhuang_data.types import UInt8Array

MARKER = "bank.json"
CONTENTS = (MARKER, "valid-*.npy", "png", "run.toml")
FORMAT = {"name": "dunhuang-masks", "version": 2}
MASKS_PER_FILE = 1000


def write_bank(
    recipe: MaskRecipe,
    out: Path,
    overwrite: bool = False,
    progress: Progress = no_progress,
    extra: Callable[[Path, int, UInt8Array], None] | None = None,
) -> None:
    """Make the masks of a recipe and write them as a bank, whole or not at all.

    Parameters
    ----------
    recipe : MaskRecipe
    out : Path
        The folder to make.
    overwrite : bool
        Replace an earlier bank.
    progress : callable
        Called once per mask.
    extra : callable, optional
        Called with the bank's temporary folder, the index and the mask: to write it again in
        another form, inside the bank.

    Raises
    ------
    OutputExistsError
        If ``out`` is in use.
    OutputError
        If it cannot be written.
    """
    with new_folder(out, CONTENTS, overwrite) as folder:
        hashes = {}
        for first in range(0, recipe.count, MASKS_PER_FILE):
            masks = []
            for index in range(first, min(first + MASKS_PER_FILE, recipe.count)):
                valid = make_mask(recipe, index)
                masks.append(pack(valid))
                if extra is not None:
                    extra(folder, index, valid)
                progress(1)
            contents = io.BytesIO()
            np.save(contents, np.stack(masks))
            write_bytes(folder / _file_name(first), contents.getvalue())
            hashes[_file_name(first)] = hashlib.sha256(contents.getvalue()).hexdigest()
        write_json(
            folder / MARKER,
            {
                "format": FORMAT,
                "made_by": f"dunhuang-data {__version__}",
                "meaning": MEANING,
                "recipe": asdict(recipe),
                "sha256": hashes,
            },
        )


def _file_name(index: int) -> str:
    return f"valid-{index // MASKS_PER_FILE:05d}.npy"


@dataclass(frozen=True, slots=True)
class MaskBank:
    """An opened bank; its files are read when rows are asked for, never written.

    Attributes
    ----------
    root : Path
    recipe : MaskRecipe
    sha256 : str
        Of ``bank.json``, which holds the hashes of all files.
    """

    root: Path
    recipe: MaskRecipe
    sha256: str
    _files: dict[str, UInt8Array] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return self.recipe.count

    def read(self, index: int) -> UInt8Array:
        """Return mask ``index``, (H, W) uint8, 1 = known, 0 = hole."""
        if not 0 <= index < len(self):
            raise MaskError(f"The bank {self.root} has masks 0 to {len(self) - 1}, no {index}.")
        name = _file_name(index)
        if name not in self._files:
            self._files[name] = self._open(name)
        return unpack(self._files[name][index % MASKS_PER_FILE], self.recipe.shape_hw[1])

    def _open(self, name: str) -> UInt8Array:
        height, width = self.recipe.shape_hw
        first = int(name[6:11]) * MASKS_PER_FILE
        expected = (min(MASKS_PER_FILE, len(self) - first), height, -(-width // 8))
        try:
            masks = np.load(self.root / name, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise MaskError(f"The bank {self.root}: {name} cannot be read: {error}.") from error
        if masks.shape != expected or masks.dtype != np.uint8:
            raise MaskError(
                f"The bank {self.root}: {name} holds {masks.dtype} {masks.shape}, expected uint8 "
                f"{expected}. Make the bank again with dunhuang-data make-masks."
            )
        return np.asarray(masks)

    def __iter__(self) -> Iterator[UInt8Array]:
        """Yield every mask in order, (H, W) uint8."""
        return map(self.read, range(len(self)))


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
    path, again = root / MARKER, "dunhuang-data make-masks"
    document = read_document(path, FORMAT, "a mask bank", again, MaskError)
    with parsed(path, "a mask bank", f"Make it with {again}.", MaskError):
        recipe: MaskRecipe = recipe_from_json(MaskRecipe, document["recipe"])
        if len(document["sha256"]) != -(-recipe.count // MASKS_PER_FILE):
            raise ValueError(f"{recipe.count} masks do not lie in {len(document['sha256'])} files")
        names = [_file_name(first) for first in range(0, recipe.count, MASKS_PER_FILE)]
        hashes = [document["sha256"][name] for name in names]
    for name, expected in zip(names, hashes, strict=True) if check_hashes else ():
        file = root / name
        if not file.is_file() or sha256_of_file(file) != expected:
            raise MaskError(
                f"The bank {root}: {name} is missing or is not the file that was written (its "
                "SHA-256 differs from bank.json). Make the bank again with dunhuang-data "
                "make-masks."
            )
    return MaskBank(root, recipe, sha256_of_file(path))
