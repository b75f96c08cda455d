"""What a search for leaks hands back."""

from collections import Counter
from dataclasses import dataclass

from dunhuang_data.leaks.alignment import AGREEMENT, POINTS_NEEDED
from dunhuang_data.leaks.hashes import BITS, NEAR
from dunhuang_data.types import SPLITS, Split


@dataclass(frozen=True, slots=True)
class Leak:
    """Something that two splits share.

    Attributes
    ----------
    kind : str
        ``"one picture"``, ``"shared pixels"``, ``"equal files"``, ``"near-duplicate"`` or
        ``"crop"``; see docs/leaks.md.
    ids : tuple of str
        The two pictures, that of the training split first; twice the same for ``"one picture"``.
    splits : tuple of {"train", "val", "test"}
        Theirs, in the same order.
    evidence : str
        What was seen, with numbers.
    """

    kind: str
    ids: tuple[str, str]
    splits: tuple[Split, Split]
    evidence: str

    def __str__(self) -> str:
        (one, other), (here, there) = self.ids, self.splits
        return f"{self.kind}: {one} ({here}) and {other} ({there}): {self.evidence}."


@dataclass(frozen=True, slots=True)
class LeakReport:
    """The leaks that were found, and what was compared.

    Attributes
    ----------
    leaks : tuple of Leak
    pictures : dict of {"train", "val", "test"} to int
    views : int
        Pictures, or patches in their place, that were looked at.
    pairs : int
        Pairs of pictures in different splits.
    inside : int
        Files equal to another one of their own split: no leak, but worth knowing.
    plain : int
        Views that are too plain to be hashed; their points alone were compared.
    """

    leaks: tuple[Leak, ...]
    pictures: dict[Split, int]
    views: int
    pairs: int
    inside: int
    plain: int = 0

    def sentence(self) -> str:
        """Say what was compared, so that "no leak" has a meaning."""
        counts = ", ".join(f"{self.pictures[split]} {split}" for split in SPLITS)
        total = sum(self.pictures.values())
        text = f"{total} pictures ({counts}): "
        if self.pairs == 0:
            return text + "all are in one split, so there was nothing to compare."
        stand_in = f", {self.views} patches in their place," if self.views != total else ""
        text += (
            f"{self.pairs} pairs across splits{stand_in} compared by id, patch squares, SHA-256, "
            f"perceptual hash (copies differ in at most {NEAR} of {BITS} bits) and matched points "
            f"(crops have at least {POINTS_NEEDED}, and {AGREEMENT:.0%} of the common area agrees)"
        )
        kinds = Counter(leak.kind for leak in self.leaks)
        found = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        text += f": {found}." if found else ": no leak."
        if self.inside:
            text += f" Inside a split, {self.inside} files equal another one."
        if self.plain:
            text += f" {self.plain} are too plain to be hashed."
        return text
