"""``dunhuang-train``: options to one frozen config, one core call a command; a module a command."""

import click

from dunhuang_cli import console
from dunhuang_cli.options import CONTEXT, InOrder
from dunhuang_cli.train.evaluate import evaluate
from dunhuang_cli.train.export import export
from dunhuang_cli.train.fit import fit
from dunhuang_cli.train.inspect import inspect
from dunhuang_cli.train.restore import restore
from dunhuang_data import __version__

FLAGS_OF_THE_GROUP = ("-v", "--verbose")


class FitByDefault(InOrder):
    """A group whose bare options mean ``fit``: ``dunhuang-train --dataset shards -o run``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert ``fit`` where options begin without a command."""
        place = 0
        while place < len(args) and args[place] in FLAGS_OF_THE_GROUP:
            place += 1
        own = ("-h", "--help", "--version")
        if args[place:] and args[place].startswith("-") and args[place] not in own:
            args = [*args[:place], "fit", *args[place:]]
        return super().parse_args(ctx, args)


@click.group(cls=FitByDefault, context_settings=CONTEXT)
@click.version_option(__version__)
@click.option("-v", "--verbose", is_flag=True, help="Show the traceback of an error.")
def dunhuang_train(verbose: bool) -> None:
    """Train a partial-convolution U-Net, judge it, restore pictures with it.

    \b
    The usual order:
      dunhuang-train --dataset shards -o run          (the same as dunhuang-train fit)
      dunhuang-train evaluate run/best.safetensors --dataset shards --split test
      dunhuang-train restore run/best.safetensors wall.jpg --mask holes.png --white-is hole -o out
    """  # noqa: D301 (\b keeps click from wrapping)


for command in (fit, inspect, evaluate, restore, export):
    dunhuang_train.add_command(command)


def main() -> None:
    """Run ``dunhuang-train``."""
    console.run(dunhuang_train, "dunhuang-train")
