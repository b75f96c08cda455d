"""The options that decide what picture files do not say, for the commands that read pictures."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from dunhuang_cli.options import Function
from dunhuang_data.recipe import ReadingRecipe


class ChannelsType(click.ParamType[tuple[int, ...]]):
    """Comma-separated numbers of channels, or nothing."""

    name = "R,G,B|GREY"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the numbers; the recipe checks how many there are."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(int(number) for number in str(value).split(",") if str(value))
        except ValueError:
            self.fail(f"{value!r} is no list of channels such as 1,2,3", param, ctx)


READING_OPTIONS = (
    click.option(
        "--assume-profile",
        default="",
        metavar="FILE.icc|NAME",
        help="Colour profile of files without one: a file, or srgb, p3 or cmyk.",
    ),
    click.option(
        "--white-level",
        default=0,
        help="The sample that is white in 16-bit files: 4095 for 12 bits in 16, 65535 for all 16; "
        "0 refuses what looks like fewer bits.",
    ),
    click.option(
        "--page", default=0, help="The page to read of files with several, from 1; 0 refuses them."
    ),
    click.option(
        "--channels",
        type=ChannelsType(),
        default="",
        help="Numbers of the red, green and blue channels (or of the grey one), from 1, in files "
        "with channels without a name.",
    ),
    click.option(
        "--bilevel",
        type=click.Choice(["refuse", "grey"]),
        default="refuse",
        help="What to do with files of one bit a pixel.",
    ),
    click.option(
        "--trust-size", is_flag=True, help="Read files that are tiny for the size they claim."
    ),
)


def reading_options(function: Function) -> Callable[..., Any]:
    """Add the options that decide what picture files do not say; the command takes ``reading``."""

    @wraps(function)
    def with_reading(
        *arguments: Any,
        assume_profile: str,
        white_level: int,
        page: int,
        channels: tuple[int, ...],
        bilevel: str,
        trust_size: bool,
        **others: Any,
    ) -> Any:
        if Path(assume_profile).is_file():
            assume_profile = str(Path(assume_profile).absolute())  # it will be needed elsewhere
        bilevel = "" if bilevel == "refuse" else bilevel
        reading = ReadingRecipe(assume_profile, white_level, page, channels, bilevel, trust_size)
        return function(*arguments, reading=reading, **others)

    decorated: Callable[..., Any] = with_reading
    for option in reversed(READING_OPTIONS):
        decorated = option(decorated)
    return decorated
