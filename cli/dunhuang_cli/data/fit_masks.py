"""``fit-masks``: the walks whose holes are most like those of given masks."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from dunhuang_cli import console
from dunhuang_cli.options import (
    FILE,
    ShapeType,
    config_option,
    json_option,
    seed_option,
    workers_option,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dunhuang_data.mask_fit import MaskFit
    from dunhuang_data.mask_recipe import MaskRecipe
    from dunhuang_data.types import UInt8Array


@click.command()
@click.argument("source", metavar="DIR|MASKS", type=FILE)
@click.option(
    "--white-is",
    type=click.Choice(["hole", "known"]),
    help="Of a folder of picture files: what white (or 1) stands for.",
)
@click.option(
    "--size",
    type=ShapeType(),
    help="Of a folder: bring all masks to this size, by nearest neighbour.",
)
@click.option(
    "--candidates",
    type=click.IntRange(1),
    default=160,
    help="Settings of walks that are tried, at most.",
)
@workers_option("if it pays")
@seed_option
@json_option
@config_option
def fit_masks(
    source: Path,
    white_is: Literal["hole", "known"] | None,
    size: tuple[int, int] | None,
    candidates: int,
    workers: int,
    seed: int,
    json: bool,
) -> None:
    """Find the walks whose holes are most like those of given masks.

    The masks are a folder of picture files, or a bank. Printed is the make-masks line that draws
    such holes, and how far these are from those given, in hole ratio and in the radius of the
    largest disk within the holes. Nothing is written.
    """
    from dunhuang_data.mask_fit import TARGET, fit_walks, hole_sizes

    masks, shape_hw, count = _masks(source, white_is, size)
    with console.progress(count, "measuring") as progress:
        given = hole_sizes(_counted(masks, progress))
    with console.progress(candidates, "trying walks") as progress:
        fit = fit_walks(
            given, shape_hw, seed=seed, workers=workers, candidates=candidates, progress=progress
        )
    _say(fit)
    line = make_masks_line(fit.recipe)
    document = {
        **asdict(fit),
        "target": TARGET,
        "reached": fit.reached,
        "command": line,
    }
    console.result(document, json, line)


def _masks(
    source: Path, white_is: Literal["hole", "known"] | None, size: tuple[int, int] | None
) -> "tuple[Iterable[UInt8Array], tuple[int, int], int]":
    from dunhuang_data.errors import UsageProblem
    from dunhuang_data.growth import unfinished
    from dunhuang_data.mask_bank import MARKER, STARTED, open_bank
    from dunhuang_data.mask_bank.importing import mask_files_below, read_masks

    if (source / MARKER).is_file() or (unfinished(source) / STARTED).is_file():
        if white_is is not None or size is not None:
            raise UsageProblem(
                f"{source} is a mask bank: what is a hole in it, and its size, are known. Leave "
                "out --white-is and --size."
            )
        bank = open_bank(source)
        return bank, bank.recipe.shape_hw, len(bank)
    paths = mask_files_below(source)
    if white_is is None:
        raise UsageProblem(
            f"{source} holds picture files. Look at one: give --white-is hole or --white-is known."
        )
    with console.progress(len(paths), "reading masks") as progress:
        read = read_masks(source, white_is, size, progress)
    for sentence in read.warnings():
        console.say(f"Warning: {sentence}")
    return map(read.read, range(len(read))), read.recipe.shape_hw, len(read)


def _counted(
    masks: "Iterable[UInt8Array]", progress: "Callable[[int], None]"
) -> "Iterable[UInt8Array]":
    for valid in masks:
        yield valid
        progress(1)


def _say(fit: "MaskFit") -> None:
    from dunhuang_data.mask_fit import TARGET
    from dunhuang_data.mask_stats.records import BY_NAME

    left_out = fit.all_known + fit.all_hole
    console.say(
        f"{fit.masks} masks"
        + (f" ({left_out} all known or all hole left out)" if left_out else "")
        + f"; {fit.candidates} walks tried. Kolmogorov distances to {fit.drawn} masks that the "
        f"search has not seen: hole ratio {fit.distances['hole_ratio']:.3f}, radius "
        f"{fit.distances['radius_px']:.3f} (by chance alone up to {fit.chance:.3f} in 19 of 20 "
        "cases)."
    )
    others = [
        f"{BY_NAME[name].short} {distance:.3f}"
        for name, distance in fit.distances.items()
        if name not in ("hole_ratio", "radius_px")
    ]
    console.say(f"Beside these: {', '.join(others)}.")
    if fit.reached:
        return
    if fit.farthest <= fit.chance:
        console.say(
            f"Not reached: both should be at most {TARGET:g}. With {fit.masks} masks chance alone "
            "brings as much; more masks, or more --candidates, would tell."
        )
    else:
        console.say(
            f"Not reached: both should be at most {TARGET:g}. None of the walks that were tried "
            "draws such holes; take the masks themselves (import-masks, then make-masks --family "
            "files --from MASKS)."
        )


def make_masks_line(recipe: "MaskRecipe") -> str:
    """Return the call of make-masks that draws a recipe of walks to order."""
    height, width = recipe.shape_hw
    (low_steps, high_steps), ratios = recipe.steps, ":".join(map(str, recipe.hole_ratio))
    much = f"--hole-ratio {ratios}" if recipe.to_order else f"--steps {low_steps}:{high_steps}"
    pairs = (("brush", recipe.brush_px), ("walkers", recipe.walkers))
    ranges = " ".join(
        f"--{name} {low}" if low == high else f"--{name} {low}:{high}"
        for name, (low, high) in pairs
    )
    return (
        f"dunhuang-data make-masks -o masks --size {height}x{width} {much} {ranges} "
        f"--border {recipe.border} --start {recipe.start} --seed {recipe.seed}"
    )
