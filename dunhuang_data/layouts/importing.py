"""Read a dataset as others publish it: every file looked at, all problems told together."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dunhuang_data.atomic import Progress, no_progress
from dunhuang_data.errors import PictureError, UsageProblem
from dunhuang_data.executors import run_jobs
from dunhuang_data.layouts.detection import photograph_of
from dunhuang_data.layouts.pairing import pair_files
from dunhuang_data.layouts.reading import ReadJob, read_entry
from dunhuang_data.layouts.records import Entry, Layout, PictureRow, ReadPicture
from dunhuang_data.pictures import raise_together
from dunhuang_data.polarity import MOSTLY_HOLES, WhiteIs


@dataclass(frozen=True, slots=True)
class Pairs:
    """The files of a layout, paired, not yet opened.

    Attributes
    ----------
    layout : Layout
    white_is : {"hole", "known"}
    entries : tuple of Entry
    problems : tuple of str
    """

    layout: Layout
    white_is: WhiteIs
    entries: tuple[Entry, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Import:
    """A dataset that was read.

    Attributes
    ----------
    layout : Layout
    white_is : {"hole", "known"}
    pictures : tuple of ReadPicture
        By parts and keys.
    left_out : tuple of str
        Sentences on what is not among them.
    """

    layout: Layout
    white_is: WhiteIs
    pictures: tuple[ReadPicture, ...]
    left_out: tuple[str, ...]

    @property
    def rows(self) -> list[PictureRow]:
        """The rows of ``files.csv``."""
        return [picture.row for picture in self.pictures]

    def summary(self) -> dict[str, object]:
        """Return counts and means, as plain values."""
        rows = self.rows
        greys = [row.grey_share for row in rows if row.grey_share is not None]
        return {
            "layout": self.layout.name,
            "why": self.layout.why,
            "white_is": self.white_is,
            "pictures": len(rows),
            "parts": {part.name: self._part(part.name) for part in self.layout.parts},
            "grey_share_mean": float(np.mean(greys)) if greys else None,
            "grey_files": sum(grey > 0 for grey in greys),
            "polarity": dict(sorted(Counter(row.polarity for row in rows if row.polarity).items())),
            "left_out": list(self.left_out),
            "not_read": list(self.layout.not_read),
            "warnings": self.warnings(),
        }

    def _part(self, name: str) -> dict[str, object]:
        rows = [row for row in self.rows if row.part == name]
        return {
            "pictures": len(rows),
            "groups": len({row.group for row in rows}),
            "hole_ratio_mean": _mean([row.hole_ratio for row in rows]),
            "damage_ratio_mean": _mean([row.damage_ratio for row in rows]),
        }

    def warnings(self) -> list[str]:
        """Return what makes one doubt, in sentences."""
        rows = self.rows
        found = [*_about_polarity(rows, self.white_is), *_about_masks(rows), *_about_twins(rows)]
        return found + [text for picture in self.pictures for text in picture.remarks]


def pair_layout(layout: Layout, white_is: WhiteIs | None = None) -> Pairs:
    """Pair the files of all parts, by their names alone.

    Parameters
    ----------
    layout : Layout
    white_is : {"hole", "known"}, optional
        What white stands for; may be left out where the layout says it.

    Raises
    ------
    UsageProblem
        If the layout does not say it.
    """
    meaning = white_is or layout.white_is
    if meaning is None:
        masks = layout.parts[0].folders["mask"]
        raise UsageProblem(
            f"{layout.folder} has masks whose white may be the holes or the known pixels. Look at "
            f"one in {masks}: give --white-is hole or --white-is known."
        )
    entries: list[Entry] = []
    problems = list(layout.problems)
    for part in layout.parts:
        own, told = pair_files(part)
        entries += own
        problems += told
    return Pairs(layout, meaning, tuple(entries), tuple(problems))


def read_pairs(
    pairs: Pairs,
    allow_missing: bool = False,
    workers: int = 1,
    progress: Progress = no_progress,
) -> Import:
    """Open every file, and check and threshold the masks.

    Parameters
    ----------
    pairs : Pairs
    allow_missing : bool
        Leave out what has a problem.
    workers : int
        Processes; they change nothing in the result.
    progress : callable
        Called once per picture.

    Raises
    ------
    PictureError
        If something has a problem; all sentences. Also if nothing is left.
    """
    folder = pairs.layout.folder
    jobs = [
        ReadJob(number, entry, folder, pairs.white_is) for number, entry in enumerate(pairs.entries)
    ]
    results = []
    for one in run_jobs(read_entry, jobs, workers):
        results.append(one)
        progress(1)
    results.sort(key=lambda one: one[0])
    problems = [*pairs.problems, *(text for *_, texts in results for text in texts)]
    pictures = tuple(read for _, read, _ in results if read is not None)
    if not allow_missing:
        told = [*problems[:-1], f"{problems[-1]}\n{REMEDY}"] if problems else []
        raise_together(told, f"problems with the files of {folder}", PictureError)
    if not pictures:
        texts = "\n".join(f"  - {text}" for text in problems) or "  - its folders are empty"
        raise PictureError(f"No picture of {folder} can be imported:\n{texts}")
    return Import(pairs.layout, pairs.white_is, pictures, tuple(problems))


REMEDY = "Mend these, or leave them out: --allow-missing."


def _about_polarity(rows: Sequence[PictureRow], white_is: WhiteIs) -> list[str]:
    """Say where the pictures with holes contradict the meaning of white."""
    against = [row for row in rows if row.polarity == "contradicts"]
    agreeing = sum(row.polarity == "agrees" for row in rows)
    if not against:
        return []
    other = "hole" if white_is == "known" else "known"
    first = against[0]
    where = f"{first.mask_source} first"
    if agreeing == 0:
        return [
            f"White was read as {white_is}, but the pictures with holes differ from the pictures "
            f"where white would be {other}, in all {len(against)} that can be told ({where}). Give "
            f"--white-is {other}."
        ]
    return [
        f"{len(against)} of {len(against) + agreeing} masks seem to be the other way round "
        f"({where}): the pictures with holes were changed where these masks are {white_is}. Look "
        "at them; files.csv says which."
    ]


def _about_masks(rows: Sequence[PictureRow]) -> list[str]:
    found = []
    for ratios, what in (
        ([(row.hole_ratio, row) for row in rows if row.hole_ratio is not None], "hole"),
        ([(row.damage_ratio, row) for row in rows if row.damage_ratio is not None], "damage"),
    ):
        if not ratios:
            continue
        mean = float(np.mean([ratio for ratio, _ in ratios]))
        if mean > MOSTLY_HOLES:
            found.append(
                f"The mean {what} ratio is {mean:.2f}: most of the masks is {what}. If it is the "
                "other way round, give the other --white-is."
            )
        for value, words in ((0.0, f"no {what}"), (1.0, f"nothing but {what}")):
            at = [row for ratio, row in ratios if ratio == value]
            if at and (what == "hole" or value):  # sound pictures are usual among labelled ones
                found.append(
                    f"{len(at)} of {len(ratios)} masks have {words}, {at[0].mask_source} first."
                )
    return found


def _about_twins(rows: Sequence[PictureRow]) -> list[str]:
    """Say which pictures are the same file, and which photographs are in several parts."""
    found = []
    files: dict[str, list[PictureRow]] = defaultdict(list)
    photographs: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        files[row.sha256].append(row)
        if photograph_of(row.picture):
            photographs[row.group].add(row.part)
    twins = [same for same in files.values() if len(same) > 1]
    if twins:
        first, second = twins[0][:2]
        apart = sum(len({row.part for row in same}) > 1 for same in twins)
        found.append(
            f"{sum(map(len, twins)) - len(twins)} of {len(rows)} pictures are copies of others, "
            f"{first.source} and {second.source} first; {apart} of these files are in more than "
            "one part."
        )
    shared = [name for name, parts in photographs.items() if len(parts) > 1]
    if shared:
        parts = " and ".join(part or "." for part in sorted(photographs[shared[0]]))
        found.append(
            f"{len(shared)} of {len(photographs)} photographs have crops in more than one part, "
            f"{shared[0]} (in {parts}) first: what is trained on in one is seen again in the other."
        )
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None
