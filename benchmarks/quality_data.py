"""The datasets of `benchmarks.quality`, made by our own commands from real pictures."""

import os
from dataclasses import dataclass
from pathlib import Path

from benchmarks.real_patches import PICTURES, run_command

SIZE = 64
SEED = 6
PER_PICTURE = 100
SPLIT = "0.65,0.1,0.25"
"""Of the pictures, not of the patches: a quarter of 66 is what the intervals live on."""

RELATED = (
    ("delville_ecole_de_platon_1898", "delville_ecole_de_platon_1898_full"),  # a detail of it
    ("muraldh_58", "muraldh_97"),  # overlap
    ("muraldh_34", "muraldh_77"),  # a motif, mirrored
)
"""Pictures that share pixels, the last two pairs as found by ``verify --check-leaks``."""

FAMILIES: dict[str, tuple[str, ...]] = {
    "lace": ("--border", "reflect", "--start", "uniform"),
    "brush": ("--border", "reflect", "--start", "uniform", "--brush", "3:5"),
    "flakes": ("--family", "flakes", "--width", "2:6", "--length", "4:16"),
    "thin": ("--family", "thin-strokes", "--width", "3:7", "--length", "8:24"),
    "thick": ("--family", "medium-strokes", "--width", "8:16", "--length", "8:24"),
    "blocks": ("--family", "blocks", "--width", "8:22", "--length", "8:28"),
}
"""Holes from one pixel wide to 22: the options of ``make-masks`` beside size and hole ratio."""


@dataclass(frozen=True, slots=True)
class Datasets:
    """Where they lie.

    Attributes
    ----------
    main : Path
        Murals and paintings: train, val and test by picture.
    pretraining : Path or None
        Photographs, all for training.
    """

    main: Path
    pretraining: Path | None


def found_pictures(given: Path | None) -> tuple[tuple[Path, ...], tuple[Path, ...]] | None:
    """Return the folders for training and test, and those for pretraining; None if there are none.

    Parameters
    ----------
    given : Path, optional
        A folder of the user's own pictures, instead of those beside the checkout.
    """
    if given is not None:
        return (given,), ()
    main = tuple(PICTURES / name for name in ("muraldh256", "paintings"))
    if not all(folder.is_dir() for folder in main):
        return None
    kodak = PICTURES / "kodak"
    return main, (kodak,) if kodak.is_dir() else ()


def make_datasets(
    folders: tuple[tuple[Path, ...], tuple[Path, ...]], work: Path, seed: int = SEED
) -> Datasets:
    """Build both datasets below ``work``, once."""
    work.mkdir(parents=True, exist_ok=True)
    main, pretraining = folders
    options = ("--split", SPLIT, "--split-by", "group", "--groups", _groups(main, work))
    built = _dataset(work / "main", main, options, seed)
    if not pretraining:
        return Datasets(built, None)
    return Datasets(built, _dataset(work / "pre", pretraining, ("--split", "1,0,0"), seed + 1))


def _groups(folders: tuple[Path, ...], work: Path) -> Path:
    """Write which pictures go together: each is alone, but for those that share pixels."""
    from dunhuang_data.pictures import find_pictures

    names = [picture.id for picture in find_pictures(folders)[0]]
    group = {name: pair[0] for pair in RELATED for name in pair}
    rows = [f"{name},{group.get(name, name)}" for name in names]
    path = work / "groups.csv"
    path.write_text("\n".join(["picture,group", *rows, ""]), encoding="utf-8")
    return path


def _dataset(
    folder: Path, pictures: tuple[Path, ...], options: tuple[str | Path, ...], seed: int
) -> Path:
    out, plan = folder / "dataset", folder / "plan"
    if (out / "dataset.json").is_file():
        return out
    folder.mkdir(exist_ok=True)
    if not (plan / "plan.json").is_file():
        run_command(
            "sample-patches", *pictures, "-o", plan, "--per-picture", PER_PICTURE, "--size", SIZE,
            "--seed", seed, *options,
        )  # fmt: skip
    run_command("verify", plan, "--check-leaks")
    bank = _mixed_bank(folder, sum(1 for _ in (plan / "patches.csv").open()) - 1, seed)
    run_command("build", "-o", out, "--plan", plan, "--masks", bank)
    return out


def _mixed_bank(folder: Path, count: int, seed: int) -> Path:
    """Return a bank in which the families take turns, so that every split has all of them alike."""
    bank, mixed = folder / "masks", folder / "mixed"
    if (bank / "bank.json").is_file():
        return bank
    mixed.mkdir(exist_ok=True)
    each = -(-count // len(FAMILIES))
    for place, (name, options) in enumerate(FAMILIES.items()):
        drawn = folder / f"masks-{name}"
        if not (drawn / "bank.json").is_file():
            run_command(
                "make-masks", "-o", drawn, "--count", each, "--size", SIZE, "--hole-ratio",
                "0.02:0.5", "--seed", seed, "--png", *options,
            )  # fmt: skip
        for number, path in enumerate(sorted((drawn / "png").glob("*.png"))):
            link = mixed / f"{number * len(FAMILIES) + place:06d}.png"
            if not link.exists():
                os.link(path, link)
    run_command("import-masks", mixed, "-o", bank, "--white-is", "known")
    return bank
