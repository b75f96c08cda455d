"""What is judged: targets with their masks, from a dataset of ours or from folders of pictures."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from dunhuang_data.errors import DatasetError, PictureError, PlanError
from dunhuang_data.foreign_masks import ForeignMask, read_mask
from dunhuang_data.mask_files import differing_sizes
from dunhuang_data.pictures import read_picture
from dunhuang_data.polarity import WhiteIs
from dunhuang_data.recipe import ReadingRecipe
from dunhuang_data.sidecar import entry_of, names_of, read_sidecar
from dunhuang_data.types import UInt8Array
from dunhuang_trainer.data import DatasetReader, pictures_of_rows
from dunhuang_trainer.evaluate.folders import NO_DECISION, files_by_key

MaskPolicy = Literal["refuse", "threshold"]


@dataclass(frozen=True, slots=True)
class Target:
    """One picture, or patch, that restorations are held against.

    Attributes
    ----------
    key : str
        What belongs to it has this name too: below its folder, POSIX, without suffix.
    cluster : str
        The picture, or group of pictures, that it is part of: intervals draw those as a whole.
    image : (H, W, 3) uint8
    valid : (H, W) uint8
        1 = known, 0 = hole.
    damage : (H, W) uint8
        1 = no metric counts this pixel.
    """

    key: str
    cluster: str
    image: UInt8Array
    valid: UInt8Array
    damage: UInt8Array


class Targets(Protocol):
    """Targets in a fixed order, read when they are needed."""

    @property
    def keys(self) -> Sequence[str]:
        """Of all that can be read."""

    @property
    def flawed(self) -> Collection[str]:
        """The keys of targets that are there and cannot be judged."""

    @property
    def problems(self) -> Sequence[str]:
        """What cannot be judged, a sentence each."""

    def shape_of(self, place: int) -> tuple[int, int]:
        """Return height and width in pixels."""

    def read(self, places: Sequence[int]) -> list[Target]:
        """Read some of them."""


class DatasetTargets:
    """The samples of a split. A key is ``<picture id>/<row, eight digits>``, as in an export.

    Parameters
    ----------
    reader : DatasetReader

    Raises
    ------
    DatasetError
        If the split is empty.
    """

    flawed: Collection[str] = ()
    problems: Sequence[str] = ()

    def __init__(self, reader: DatasetReader) -> None:
        if len(reader) == 0:
            raise DatasetError(
                f"{reader.root} has no sample in {reader.split}. Choose another --split, or build "
                "the dataset with a share for it."
            )
        self._reader = reader
        rows = pictures_of_rows(reader)
        self.keys = [f"{one.id}/{row:08d}" for row, one in enumerate(rows)]
        self._clusters = [one.group or one.id for one in rows]

    def shape_of(self, place: int) -> tuple[int, int]:
        """Return height and width in pixels."""
        return self._reader.patch_size, self._reader.patch_size

    def read(self, places: Sequence[int]) -> list[Target]:
        """Read some samples."""
        samples = self._reader.read(places)
        return [
            Target(self.keys[place], self._clusters[place], image, valid, damage)
            for place, image, valid, damage in zip(
                places, samples.image, samples.valid, samples.damage, strict=True
            )
        ]


class PictureTargets:
    """The pictures of a folder, with the masks of another; paired by key, never by position.

    Every file is read once at the beginning, so that what is wrong with any of them is said before
    the work, and all of it together.

    Parameters
    ----------
    pictures, masks : Path
        Folders, searched through all levels.
    white_is : {"hole", "known"}
        What white stands for in the masks.
    grey : {"refuse", "threshold"}
        What is done with masks that have other values than black and white.
    damage : Path, optional
        A folder of masks of real damage; pictures without one have none.
    damage_is : {"white", "black"}
        What marks damage there.
    groups : Path, optional
        CSV table with the columns picture,group.
    reading : ReadingRecipe
        Decisions on what picture files do not say.

    Attributes
    ----------
    grey_share : float
        Mean share of the pixels of the masks that were thresholded, in [0, 1].
    """

    def __init__(
        self,
        pictures: Path,
        masks: Path,
        white_is: WhiteIs,
        *,
        grey: MaskPolicy = "refuse",
        damage: Path | None = None,
        damage_is: str = "white",
        groups: Path | None = None,
        reading: ReadingRecipe = NO_DECISION,
    ) -> None:
        self._white_is, self._grey = white_is, grey
        self._known_in_damage: WhiteIs = "hole" if damage_is == "white" else "known"
        self._reading = reading
        problems: list[str] = []
        self._pictures = files_by_key(pictures, problems)
        self._masks = files_by_key(masks, problems)
        self._damage = {} if damage is None else files_by_key(damage, problems)
        self._groups = {} if groups is None else read_sidecar(groups, ["group"])
        problems += _orphans(self._pictures, self._masks, pictures, masks)
        for key in sorted(set(self._damage) - set(self._pictures)):
            problems.append(f"{self._damage[key]} is the damage of no picture in {pictures}.")
        problems += _groups_of_others(self._groups, self._pictures, groups)
        self.grey_share = 0.0
        self._shapes: dict[str, tuple[int, int]] = {}
        shares = []
        for key in sorted(set(self._pictures) & set(self._masks)):
            try:
                self._shapes[key], share = self._checked(key)
                shares.append(share)
            except (PictureError, PlanError) as error:
                problems.append(str(error))
        self.keys = sorted(self._shapes)
        self.flawed: Collection[str] = {*self._pictures, *self._masks} - set(self._shapes)
        self.problems: Sequence[str] = problems
        self.grey_share = float(np.mean(shares)) if shares else 0.0

    def shape_of(self, place: int) -> tuple[int, int]:
        """Return height and width in pixels, upright."""
        return self._shapes[self.keys[place]]

    def read(self, places: Sequence[int]) -> list[Target]:
        """Read some pictures with their masks."""
        return [self._target(self.keys[place]) for place in places]

    def _target(self, key: str) -> Target:
        image = read_picture(self._pictures[key], self._reading)
        valid = read_mask(self._masks[key], self._white_is).valid
        damage = np.zeros_like(valid)
        if key in self._damage:
            damage = read_mask(self._damage[key], self._known_in_damage).valid ^ np.uint8(1)
        return Target(key, self._cluster(key), image, valid, damage)

    def _cluster(self, key: str) -> str:
        entry = entry_of(self._groups, key, key + self._pictures[key].suffix)
        return (entry["group"] if entry else "") or key

    def _checked(self, key: str) -> tuple[tuple[int, int], float]:
        """Look at what belongs to a key; return its shape and its mask's share of grey.

        Raises
        ------
        PictureError
        PlanError
            If the table of groups says two things of it.
        """
        picture, mask = self._pictures[key], self._masks[key]
        self._cluster(key)
        height, width = read_picture(picture, self._reading).shape[:2]  # all of it, to see it whole
        found = self._two_valued(mask, self._white_is, picture, (height, width))
        if not found.valid.any():
            raise PictureError(
                f"The mask {mask} has no known pixel. If it is the wrong way round, give the other "
                "--white-is."
            )
        if key in self._damage:
            self._two_valued(self._damage[key], self._known_in_damage, picture, (height, width))
        return (height, width), found.grey_share

    def _two_valued(
        self, mask: Path, white_is: WhiteIs, picture: Path, shape: tuple[int, int]
    ) -> ForeignMask:
        """Read a mask that has its picture's size, and no grey that is refused."""
        found = read_mask(mask, white_is)
        if found.valid.shape != shape:
            raise PictureError(
                differing_sizes(f"mask {mask}", found.valid.shape, f"its picture {picture}", shape)
            )
        if found.grey_share and self._grey == "refuse":
            raise PictureError(
                f"The mask {mask} has {found.grey_share:.2%} pixels that are neither black nor "
                "white, as JPEG and smooth resizing leave them. Threshold it at half of white with "
                "--grey threshold, or bring the folder in with dunhuang-data import."
            )
        return found


def _orphans(
    pictures: dict[str, Path], masks: dict[str, Path], pictures_root: Path, masks_root: Path
) -> list[str]:
    """Return a sentence for everything without its other half."""
    lonely = [
        f"{pictures[key]} has no mask: expected {key} with any suffix in {masks_root}."
        for key in sorted(set(pictures) - set(masks))
    ]
    lonely += [
        f"{masks[key]} is the mask of no picture: there is no {key} in {pictures_root}."
        for key in sorted(set(masks) - set(pictures))
    ]
    if lonely and not set(pictures) & set(masks):
        lonely.append(
            "No mask has the name of a picture. Folders of other projects (001_mask.jpg beside "
            "001.jpg) are brought in with dunhuang-data import."
        )
    return lonely


def _groups_of_others(
    table: Collection[str], pictures: dict[str, Path], path: Path | None
) -> list[str]:
    """Return a sentence if no row of a table of groups names a picture."""
    names = {name for key, file in pictures.items() for name in names_of(key, key + file.suffix)}
    if path is None or not pictures or names & set(table):
        return []
    return [
        f"No row of {path} names a picture, for instance {min(pictures)}. Name pictures by their "
        "paths below the folder; without groups, intervals come out too narrow."
    ]
