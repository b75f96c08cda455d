"""Where masks to be measured come from: a bank, a dataset, or files of other programs.

A source knows the label of every mask and hands out parts, each small, picklable and read by
whoever measures it; no source holds masks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dunhuang_data import manifest, mask_bank
from dunhuang_data.errors import DataProblem, MaskError, PictureError, UsageProblem
from dunhuang_data.foreign_masks import read_mask
from dunhuang_data.growth import unfinished
from dunhuang_data.mask_bank import open_bank
from dunhuang_data.mask_bank.files import STARTED
from dunhuang_data.mask_stats.records import RowLabel
from dunhuang_data.pictures import find_pictures, raise_together
from dunhuang_data.plan import read_plan
from dunhuang_data.polarity import WhiteIs
from dunhuang_data.reader import DatasetReader
from dunhuang_data.types import SPLITS, Split, UInt8Array, as_split

Read = tuple[UInt8Array | PictureError, float]
"""A mask (H, W) uint8, or why it cannot be read; and the grey share of its file."""


class MaskPart(Protocol):
    """Some masks of a source, in order."""

    def masks(self) -> Iterator[Read]:
        """Read them one by one."""


@dataclass(frozen=True, slots=True)
class BankPart:
    """Masks ``first`` to ``last - 1`` of a bank, whose hashes were checked when it was opened."""

    root: Path
    first: int
    last: int

    def masks(self) -> Iterator[Read]:
        """Read them one by one."""
        bank = open_bank(self.root, check_hashes=False)
        for row in range(self.first, self.last):
            yield bank.read(row), 0.0


@dataclass(frozen=True, slots=True)
class SplitPart:
    """Rows ``first`` to ``last - 1`` of a split of a dataset."""

    root: Path
    split: Split
    first: int
    last: int

    def masks(self) -> Iterator[Read]:
        """Read them one by one; no image is read."""
        for valid in DatasetReader(self.root, self.split).masks(self.first, self.last):
            yield valid, 0.0


@dataclass(frozen=True, slots=True)
class FilesPart:
    """Mask files of other programs."""

    paths: tuple[Path, ...]
    white_is: WhiteIs

    def masks(self) -> Iterator[Read]:
        """Read and threshold them one by one."""
        for path in self.paths:
            try:
                mask = read_mask(path, self.white_is)
            except PictureError as error:
                yield error, 0.0
            else:
                yield mask.valid, mask.grey_share


@dataclass(frozen=True, slots=True)
class MaskSource:
    """Masks that can be measured.

    Attributes
    ----------
    root : Path
    kind : {"bank", "dataset", "files"}
    labels : tuple of RowLabel
        One a mask.
    paths : tuple of Path
        Of mask files, one a mask.
    white_is : {"hole", "known"}, optional
        Of mask files.
    only : {"train", "val", "test"}, optional
        The split of a dataset that was asked for.
    """

    root: Path
    kind: str
    labels: tuple[RowLabel, ...]
    paths: tuple[Path, ...] = ()
    white_is: WhiteIs | None = None
    only: Split | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def parts(self, size: int) -> Iterator[tuple[int, int, MaskPart]]:
        """Cut the source into parts of up to ``size`` masks: (first, last + 1, part)."""
        start = 0
        while start < len(self):
            split = self.labels[start].split
            stop = min(start + size, len(self))
            while self.labels[stop - 1].split != split:  # a part is of one split
                stop -= 1
            yield start, stop, self._part(start, stop)
            start = stop

    def _part(self, start: int, stop: int) -> MaskPart:
        first = self.labels[start]
        if self.kind == "bank":
            return BankPart(self.root, start, stop)
        if self.white_is is not None:
            return FilesPart(self.paths[start:stop], self.white_is)
        last = first.row + stop - start
        return SplitPart(self.root, as_split(first.split), first.row, last)

    def refuse_inside(self, output: Path) -> None:
        """Refuse an output among what is measured.

        It could replace a file of a bank or a dataset, or be taken for a mask the next time.

        Raises
        ------
        UsageProblem
        """
        if output.resolve().is_relative_to(self.root.resolve()):
            raise UsageProblem(
                f"{output} lies in {self.root}, which is measured, and nothing is written into it. "
                "Name another place."
            )


def open_source(
    root: Path,
    white_is: WhiteIs | None = None,
    only: Split | None = None,
    options: str = "--",
) -> MaskSource:
    """Find out what a path is and list its masks.

    Parameters
    ----------
    root : Path
        A mask bank, a dataset, or mask files of other programs: one, or a folder of them.
    white_is : {"hole", "known"}, optional
        What white stands for in mask files. There is no default: both are in use.
    only : {"train", "val", "test"}, optional
        Take this split of a dataset alone.
    options : {"--", "--against-"}
        How the options are called that gave these two, for messages.

    Raises
    ------
    DataProblem
        If it is nothing of the kind, or is damaged.
    UsageProblem
        If the options do not fit what it is.
    """
    _refuse_parts(root)
    is_bank, is_dataset = ((root / name).is_file() for name in (mask_bank.MARKER, manifest.MARKER))
    if only is not None and not is_dataset:
        raise UsageProblem(
            f"{root} is no dataset and has no splits, so there is no {only} in it. Leave "
            f"{options}only out."
        )
    if white_is is not None and (is_bank or is_dataset):
        raise UsageProblem(
            f"{root} is {'a mask bank' if is_bank else 'a dataset'}, in which 1 is known and 0 is "
            f"a hole. Leave {options}white-is out; it is for mask files of other programs."
        )
    if is_bank:
        return MaskSource(root, "bank", tuple(map(RowLabel, range(len(open_bank(root))))))
    if is_dataset:
        return MaskSource(root, "dataset", _dataset_labels(root, only), only=only)
    return _files(root, white_is, f"{options}white-is")


def _refuse_parts(root: Path) -> None:
    """Refuse what is only a part of a bank or a dataset, or is not whole yet.

    Raises
    ------
    MaskError
        If it is a bank whose making was interrupted.
    UsageProblem
        If it is the file that marks a bank or a dataset.
    """
    if not root.exists() and (unfinished(root) / STARTED).is_file():
        open_bank(root)  # says where the unfinished bank lies, and how to go on
    for folder in (root, *root.absolute().parents[:1]):
        if (folder / STARTED).is_file():
            raise MaskError(
                f"{root} belongs to a mask bank that is not whole yet: its make-masks runs or was "
                "interrupted. Run the same command again; it continues."
            )
    if root.is_file() and root.name in (mask_bank.MARKER, manifest.MARKER):
        raise UsageProblem(
            f"{root} is the list of contents of a bank or a dataset. Name the folder, "
            f"{root.parent}."
        )


def open_against(
    source: MaskSource,
    against: Path,
    white_is: WhiteIs | None = None,
    only: Split | None = None,
) -> MaskSource:
    """Open what a source is to be compared with: as `open_source`, or a split of the source.

    ``train``, ``val`` and ``test`` mean that split where the source is a dataset; write ``./val``
    for a folder of that name.
    """
    if source.kind == "dataset" and str(against) in SPLITS and only is None:
        return open_source(source.root, white_is, as_split(str(against)), "--against-")
    return open_source(against, white_is, only, "--against-")


def _dataset_labels(root: Path, only: Split | None) -> tuple[RowLabel, ...]:
    """Return the labels of a dataset, split by split, each in the order of its plan."""
    labels: dict[str, list[RowLabel]] = {split: [] for split in SPLITS}
    for patch in read_plan(root / "plan").patches:
        rows = labels[patch.split]
        rows.append(RowLabel(len(rows), f"patch {patch.index}", patch.split, patch.picture_id))
    for split in SPLITS:
        if len(DatasetReader(root, split)) != len(labels[split]):
            raise DataProblem(
                f"{root} has another number of samples in {split} than its plan has rows. See what "
                "is wrong with dunhuang-data verify, and build the dataset again."
            )
    wanted = SPLITS if only is None else (only,)
    found = tuple(label for split in wanted for label in labels[split])
    if not found:
        raise DataProblem(f"{root} has no samples in {', '.join(wanted)}, so no mask to measure.")
    return found


def _files(root: Path, white_is: WhiteIs | None, option: str) -> MaskSource:
    """List the mask files below a folder; ``option`` is the one that tells what white is."""
    neither = (
        f"{root} is neither a mask bank (no {mask_bank.MARKER}) nor a whole dataset (no "
        f"{manifest.MARKER})"
    )
    try:
        found, problems = find_pictures([root])
    except PictureError as error:
        raise DataProblem(
            f"{neither}, and there are no mask files in it: {error} Name a folder written by "
            "make-masks, import-masks or build, or one of mask files."
        ) from error
    raise_together(problems, "mask files cannot be used", PictureError)
    if white_is is None:
        raise UsageProblem(
            f"{neither}, but holds {len(found)} picture files. If they are masks, look at one and "
            f"say what white stands for in them, {option} hole or {option} known; both are in "
            "use, so it is never guessed."
        )
    labels = tuple(RowLabel(row, one.path.name if one.path == root else
                            one.path.relative_to(root).as_posix())
                   for row, one in enumerate(found))  # fmt: skip
    return MaskSource(root, "files", labels, tuple(one.path for one in found), white_is)
