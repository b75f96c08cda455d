"""What was measured, as one document, as tables for people, and as a row for each mask."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dunhuang_data.atomic import explained, new_file
from dunhuang_data.mask_stats.comparison import Comparison, compare
from dunhuang_data.mask_stats.records import BUCKETS, BY_NAME, bucket_of
from dunhuang_data.mask_stats.sets import ALL, By, MaskSet, duplicates, pooled
from dunhuang_data.mask_stats.sources import MaskSource
from dunhuang_data.mask_stats.tables import Table, tables_of

MOST_GROUPS = 5  # of duplicates that a note lists


@dataclass(frozen=True, slots=True)
class Report:
    """One source, measured set by set, and maybe compared.

    Attributes
    ----------
    source : MaskSource
    by : str
        What the sets are.
    sets : tuple of MaskSet
    against : tuple of (MaskSource, MaskSet), optional
        What it was compared with.
    comparisons : tuple of Comparison
    """

    source: MaskSource
    by: str
    sets: tuple[MaskSet, ...]
    against: tuple[MaskSource, MaskSet] | None = None
    comparisons: tuple[Comparison, ...] = ()

    def everything(self) -> dict[str, MaskSet]:
        """Return all sets by a title: those measured, and the one they were compared with."""
        found = {one.name: one for one in self.sets}
        if self.against is not None:
            source, other = self.against
            found[f"against {title(source)}"] = other
        return found

    def document(self) -> dict[str, Any]:
        """Return everything that was measured as one JSON document."""
        document: dict[str, Any] = {
            "source": str(self.source.root),
            "kind": self.source.kind,
            "by": self.by,
            "masks": len(self.source),
            "sets": {one.name: one.stats.summary() for one in self.sets},
            "duplicates": [[label._asdict() for label in group] for group in duplicates(self.sets)],
        }
        if self.source.kind == "files":
            document["grey_share"] = _grey(self.sets)
        if self.against is not None:
            source, other = self.against
            document["against"] = {
                "source": str(source.root), "kind": source.kind, **other.stats.summary(),
            }  # fmt: skip
            document["comparisons"] = [one.document() for one in self.comparisons]
        return document

    def tables(self) -> list[Table]:
        """Return the tables, each with a row a set."""
        return tables_of(self.everything(), self.comparisons)

    def notes(self) -> list[str]:
        """Return what a person should be told in words."""
        notes = []
        sources = [self.source, *([self.against[0]] if self.against else [])]
        groups: Sequence[Sequence[MaskSet]] = [
            self.sets, *([(self.against[1],)] if self.against else []),
        ]  # fmt: skip
        options = ("--white-is", "--against-white-is")
        for source, sets, option in zip(sources, groups, options, strict=False):
            grey = _grey(sets)
            if source.kind == "files" and grey["most"] > 0:
                notes.append(
                    f"{source.root}: {grey['mean']:.2%} of the pixels are neither black nor white "
                    f"(most in {grey['file']}: {grey['most']:.1%}); they were thresholded at half "
                    "of white."
                )
            ratio = float(np.concatenate([one.stats.hole_ratio for one in sets]).mean())
            if source.kind == "files" and ratio > 0.6:
                notes.append(
                    f"{source.root}: {ratio:.0%} of the pixels are holes on average. If the other "
                    f"part of each mask is what is missing, {option} says the wrong one."
                )
        notes += _duplicate_notes(self.sets)
        if self.against is not None:
            notes += self._size_note()
        return notes

    def _size_note(self) -> list[str]:
        shapes = {one.stats.shape_hw for one in self.everything().values()}
        if len(shapes) == 1 and None not in shapes:
            return []
        return [
            "The two sets are not of one size. Lengths are in pixels of each: compare "
            "depth and radius only if a pixel of either shows as much of a wall."
        ]

    def write_csv(self, path: Path) -> None:
        """Write a table with one row for each mask, whole or not at all.

        Raises
        ------
        OutputError
        """
        with (
            new_file(path) as temporary,
            explained(path, every=True),
            temporary.open("w", encoding="utf-8", newline="") as stream,
        ):
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(("row", "name", "split", "picture", "bucket", *BY_NAME, *LAST))
            writer.writerows(_rows(self.sets))


def make_report(
    source: MaskSource,
    by: By,
    sets: Sequence[MaskSet],
    against: MaskSource | None = None,
    others: Sequence[MaskSet] = (),
) -> Report:
    """Put together what was measured, and compare it.

    Parameters
    ----------
    source : MaskSource
    by : {"all", "split", "picture", "bucket"}
    sets : sequence of MaskSet
        What `measure_source` gave for it. Splits are compared one by one, buckets and pictures all
        together.
    against : MaskSource, optional
    others : sequence of MaskSet
        What `measure_source` gave for that.
    """
    if against is None:
        return Report(source, by, tuple(sets))
    other = others[0] if len(others) == 1 else pooled(others, ALL)
    units = sets if by == "split" or len(sets) == 1 else [pooled(sets, ALL)]
    comparisons = tuple(
        compare(one, other, (f"{source.root} ({one.name})" if by == "split" else title(source),
                             title(against)))
        for one in units
    )  # fmt: skip
    return Report(source, by, tuple(sets), (against, other), comparisons)


LAST = ("grey_share", "hash")


def _rows(sets: Sequence[MaskSet]) -> Iterator[list[object]]:
    """Yield a row a mask; what does not exist (NaN) is empty, what is infinite ``inf``."""
    for one in sets:
        places = bucket_of(one.stats.hole_ratio)
        names = (*BY_NAME, "grey_share")
        columns = [one.stats.table[name].tolist() for name in names]
        hashes = one.stats.table["hash"].tolist()
        for label, place, digest, *values in zip(one.labels, places, hashes, *columns, strict=True):
            shown = ["" if value != value else value for value in values]
            yield [label.row, label.name, label.split, label.picture, BUCKETS[place],
                   *shown, digest.decode()]  # fmt: skip


def title(source: MaskSource) -> str:
    """Return what sentences call a source: its path, and the split if it is of one."""
    splits = {label.split for label in source.labels}
    only = f" ({splits.pop()})" if len(splits) == 1 and splits != {""} else ""
    return f"{source.root}{only}"


def _grey(sets: Sequence[MaskSet]) -> dict[str, Any]:
    """Return how grey mask files are: mean over the files, and the file with most."""
    shares = np.concatenate([one.stats.column("grey_share") for one in sets])
    labels = [label for one in sets for label in one.labels]
    most = int(shares.argmax())
    return {"mean": float(shares.mean()), "most": float(shares[most]), "file": labels[most].name}


def _duplicate_notes(sets: Sequence[MaskSet]) -> list[str]:
    groups = duplicates(sets)
    if not groups:
        return []
    total = sum(len(group) - 1 for group in groups)
    several = f"{total} masks are exact duplicates of others, in {len(groups)} groups:"
    notes = ["1 mask is an exact duplicate of another:" if total == 1 else several]
    for group in groups[:MOST_GROUPS]:
        shown = ", ".join(map(str, group[:4])) + (f" and {len(group) - 4} more" * (len(group) > 4))
        notes.append(f"  equal: {shown}")
    if len(groups) > MOST_GROUPS:
        notes.append(f"  and {len(groups) - MOST_GROUPS} more groups (--json lists them all)")
    return notes
