"""A plan in memory: pictures as records, patches as rows that are gone through, never held."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from dunhuang_data.plan.report import PictureReport
from dunhuang_data.recipe import PlanRecipe
from dunhuang_data.types import SPLITS, PatchSpec, Picture, Split


class Patches(Collection[PatchSpec]):
    """The rows of a plan, in order; each pass makes or reads them anew.

    Ten million rows take no more memory than ten.

    Parameters
    ----------
    rows : callable
        Returns an iterator over all rows.
    count_by_split : mapping of str to int
        How many there are of each split.
    """

    def __init__(
        self, rows: Callable[[], Iterator[PatchSpec]], count_by_split: Mapping[Split, int]
    ) -> None:
        self._rows = rows
        self.count_by_split = {split: count_by_split.get(split, 0) for split in SPLITS}

    @classmethod
    def listed(cls, rows: Iterable[PatchSpec]) -> "Patches":
        """Return rows that are in memory."""
        held = tuple(rows)
        return cls(lambda: iter(held), Counter(patch.split for patch in held))

    def __iter__(self) -> Iterator[PatchSpec]:
        return self._rows()

    def __len__(self) -> int:
        return sum(self.count_by_split.values())

    def __contains__(self, patch: object) -> bool:
        return any(one == patch for one in self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Patches) or len(self) != len(other):
            return False
        return all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class PatchPlan:
    """A patch plan in memory.

    Attributes
    ----------
    recipe : PlanRecipe
    pictures_root : Path
        The folder that ``Picture.file`` is below.
    pictures : tuple of Picture
    patches : Patches
        Ordered by picture, so that each picture is read once.
    reports : tuple of PictureReport
        One a picture, in their order.
    left_out : tuple of str
        Sentences about pictures that were left out.
    damage_root : Path, optional
        The folder that ``Picture.damage_file`` is below.
    """

    recipe: PlanRecipe
    pictures_root: Path
    pictures: tuple[Picture, ...]
    patches: Patches
    reports: tuple[PictureReport, ...] = ()
    left_out: tuple[str, ...] = ()
    damage_root: Path | None = None

    def count_by_split(self) -> dict[Split, int]:
        """Return the number of patches in each split, empty ones included."""
        return dict(self.patches.count_by_split)

    def moved(self, pictures: Path | None, damage_masks: Path | None) -> "PatchPlan":
        """Return the plan with its files in other folders, where such are named."""
        pictures_root = pictures.resolve() if pictures else self.pictures_root
        damage_root = damage_masks.resolve() if damage_masks else self.damage_root
        return replace(self, pictures_root=pictures_root, damage_root=damage_root)

    def inputs(self) -> list[Path]:
        """Return every file the plan was made from: pictures, and masks of their damage."""
        files = [self.pictures_root / picture.file for picture in self.pictures]
        if self.damage_root is not None:
            masks = [picture.damage_file for picture in self.pictures if picture.damage_file]
            files += [self.damage_root / mask for mask in masks]
        return files

    def by_picture(self) -> Iterator[tuple[str, list[PatchSpec]]]:
        """Yield each picture's id and its patches, one picture at a time."""
        for picture_id, rows in groupby(self.patches, key=lambda patch: patch.picture_id):
            yield picture_id, list(rows)

    def in_shards(self, shard_size: int) -> Iterator[tuple[Split, int, tuple[PatchSpec, ...]]]:
        """Cut the rows of each split into shards, in the plan's order, holding a few at a time.

        Yields
        ------
        split : {"train", "val", "test"}
        number : int
            Of the shard in its split, from 0.
        patches : tuple of PatchSpec
        """
        gathered: dict[Split, list[PatchSpec]] = {split: [] for split in SPLITS}
        numbers = dict.fromkeys(SPLITS, 0)
        for patch in self.patches:
            rows = gathered[patch.split]
            rows.append(patch)
            if len(rows) == shard_size:
                yield patch.split, numbers[patch.split], tuple(rows)
                numbers[patch.split] += 1
                rows.clear()
        for split, rows in gathered.items():
            if rows:
                yield split, numbers[split], tuple(rows)


def patch_row(patch: PatchSpec) -> list[str]:
    """Return a patch as one row of ``patches.csv``."""
    y, x = patch.center_yx
    turn = patch.augmentation
    return [
        str(patch.index),
        patch.picture_id,
        str(y),
        str(x),
        patch.split,
        "1" if turn.flip else "0",
        f"{turn.angle_deg:.3f}",
        str(patch.scale),
        f"{patch.nearest_px:.3f}",
    ]
