"""Folders of pictures that others made: restorations to judge, paired with their targets by key."""

from collections.abc import Collection
from pathlib import Path

from dunhuang_data.errors import PictureError
from dunhuang_data.pictures import find_pictures, read_picture
from dunhuang_data.recipe import ReadingRecipe
from dunhuang_data.types import UInt8Array

NO_DECISION = ReadingRecipe()


def files_by_key(folder: Path, problems: list[str]) -> dict[str, Path]:
    """Return the picture files of a folder by their keys; what cannot be used becomes a problem.

    Raises
    ------
    PictureError
        If it is no folder, or holds no picture.
    """
    if not folder.is_dir():
        raise PictureError(f"Looking for pictures: {folder} is no folder. Name one.")
    found, left_out = find_pictures([folder])
    problems += left_out
    return {one.id: one.path for one in found}


class Predictions:
    """Restored pictures in a folder, each of the name of its target.

    Where no target of a dataset is named by its folder (``cave-7/wall/00000012``), its row alone
    (``00000012``) will do.

    Parameters
    ----------
    folder : Path
    name : str
        What it is called in tables.
    reading : ReadingRecipe
        Decisions on what picture files do not say, the same as for the targets.

    Raises
    ------
    PictureError
        If it is no folder, or holds no picture.
    """

    def __init__(self, folder: Path, name: str, reading: ReadingRecipe = NO_DECISION) -> None:
        self.folder, self.name = folder, name
        self._reading = reading
        self._left_out: list[str] = []
        self._files = files_by_key(folder, self._left_out)

    def match(self, shapes: dict[str, tuple[int, int]], flawed: Collection[str] = ()) -> list[str]:
        """Pair the files with targets, and look at every one.

        Parameters
        ----------
        shapes : dict
            Key of a target → height and width that its restoration must have.
        flawed : collection of str
            Keys of targets that cannot be judged; of their restorations nothing is said.

        Returns
        -------
        list of str
            A sentence for each target without a file, file without a target, and file that cannot
            be read or has another size. Afterwards ``keys`` are those of usable files.
        """
        self._files = self._renamed({*shapes, *flawed})
        lacking = sorted(set(shapes) - set(self._files))
        foreign = sorted(set(self._files) - set(shapes) - set(flawed))
        if foreign and len(lacking) == len(shapes):
            example = str(self._files[foreign[0]])
            self._files = {}
            return [
                *self._left_out,
                f"No file in {self.folder} has the name of a target: the first is {example}, the "
                f"first target {lacking[0] if lacking else 'none'}. Name them alike; suffixes may "
                "differ.",
            ]
        problems = [
            *self._left_out,
            *(f"{self.folder} has no restoration of {key}." for key in lacking),
            *(
                f"{self._files[key]} is the restoration of no target: none is named {key}."
                for key in foreign
            ),
        ]
        usable = {}
        for key in sorted(set(shapes) & set(self._files)):
            try:
                height, width = self.read(key).shape[:2]
                if (height, width) != shapes[key]:
                    raise PictureError(
                        f"{self._files[key]} is {height} x {width} px (height x width), its target "
                        f"{shapes[key][0]} x {shapes[key][1]} px. Restorations are judged at the "
                        "target's size; nothing is resampled."
                    )
                usable[key] = self._files[key]
            except PictureError as error:
                problems.append(str(error))
        self._files = usable
        return problems

    @property
    def keys(self) -> set[str]:
        """The keys of its files; after `match`, of those that can be used."""
        return set(self._files)

    def read(self, key: str) -> UInt8Array:
        """Return the restoration of a target, (H, W, 3) uint8, upright sRGB."""
        return read_picture(self._files[key], self._reading)

    def _renamed(self, keys: Collection[str]) -> dict[str, Path]:
        """Give files that are named by the last part of a key alone the whole key."""
        last = {key.rpartition("/")[2]: key for key in keys}
        if any("/" in key for key in self._files) or len(last) < len(keys):
            return self._files
        return {last.get(key, key): path for key, path in self._files.items()}
