"""``inspect``: what pictures are, before anything is made of them."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dunhuang_cli import console
from dunhuang_cli.options import FILE, config_option, json_option
from dunhuang_cli.reading_options import reading_options
from dunhuang_data.recipe import ReadingRecipe

if TYPE_CHECKING:
    from dunhuang_data.pictures import FoundPicture, PictureFacts

COLUMNS = (
    "picture", "height x width", "Mpx", "bits", "mode", "profile", "orient.", "levels", "pages",
    "dpi", "stored as", "to decide",
)  # fmt: skip


@click.command()
@click.argument("sources", metavar="SRC...", nargs=-1, required=True, type=FILE)
@click.option("--strict", is_flag=True, help="Fail (exit code 3) if anything is to be decided.")
@click.option(
    "--headers-only",
    is_flag=True,
    help="Decode nothing: quick, but neither damage nor 12 bits in 16 are found.",
)
@reading_options
@json_option
@config_option
def inspect(
    sources: tuple[Path, ...], strict: bool, headers_only: bool, reading: ReadingRecipe, json: bool
) -> None:
    """Say what pictures are, and what their files leave open.

    SRC are pictures, or folders searched for JPEG, PNG, TIFF and WebP. What a file does not say is
    listed with the option that decides it; with that option given, it is listed no more. Every
    picture is decoded once, to find damage.
    """
    from dunhuang_data.errors import PictureError
    from dunhuang_data.pictures import find_pictures, raise_together

    found, problems = find_pictures(sources)
    facts, unreadable = _inspected(found, reading, headers_only)
    problems += unreadable
    _show(facts)
    document = {
        "pictures": [{"id": key, **one.as_json()} for key, one in facts.items()],
        "problems": problems,
    }
    console.result(document, json)
    undecided = [key for key, one in facts.items() if one.warnings]
    if strict and undecided:
        problems.append(
            f"{len(undecided)} of {len(found)} pictures need a decision: {', '.join(undecided)}. "
            "Give the options named above."
        )
    raise_together(problems, f"problems with {len(found)} pictures", PictureError)


def _inspected(
    found: "list[FoundPicture]", reading: ReadingRecipe, headers_only: bool
) -> "tuple[dict[str, PictureFacts], list[str]]":
    from dunhuang_data.errors import PictureError
    from dunhuang_data.pictures import inspect_picture

    facts: dict[str, PictureFacts] = {}
    problems: list[str] = []
    with console.progress(len(found), "inspecting pictures") as progress:
        for one in found:
            try:
                facts[one.id] = inspect_picture(one.path, reading, headers_only)
            except PictureError as error:
                problems.append(str(error))
            progress(1)
    return facts, problems


def _show(facts: "dict[str, PictureFacts]") -> None:
    console.table("Pictures", COLUMNS, [_row(key, one) for key, one in facts.items()])
    for one in facts.values():
        for warning in one.warnings:
            console.say(f"To decide ({warning.name}): {warning.sentence}")
    for one in facts.values():
        if one.cost:
            console.say(f"Slow: {one.cost}")


def _row(key: str, facts: "PictureFacts") -> list[str]:
    return [
        key,
        f"{facts.height} x {facts.width}",
        f"{facts.megapixels:.1f}",
        str(facts.bits),
        facts.mode,
        facts.profile.name if facts.profile else "-",
        str(facts.orientation),
        str(len(facts.levels) + facts.sub_levels),
        str(len(facts.pages)),
        f"{facts.dpi:g}" if facts.dpi else "-",
        facts.layout,
        ", ".join(warning.name for warning in facts.warnings) or "-",
    ]
