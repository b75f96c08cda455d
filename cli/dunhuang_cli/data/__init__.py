"""``dunhuang-data``: options to one frozen recipe, one core call a command; a module a command."""

import click

from dunhuang_cli import console
from dunhuang_cli.data.build import build
from dunhuang_cli.data.convert import convert
from dunhuang_cli.data.export import export
from dunhuang_cli.data.fit_masks import fit_masks
from dunhuang_cli.data.import_layout import import_layout
from dunhuang_cli.data.import_masks import import_masks
from dunhuang_cli.data.inspect import inspect
from dunhuang_cli.data.make_masks import make_masks
from dunhuang_cli.data.preview import preview
from dunhuang_cli.data.replay import replay
from dunhuang_cli.data.sample_patches import sample_patches
from dunhuang_cli.data.stats import stats
from dunhuang_cli.data.verify import verify
from dunhuang_cli.demo import demo
from dunhuang_cli.options import CONTEXT, InOrder
from dunhuang_data import __version__


@click.group(cls=InOrder, context_settings=CONTEXT)
@click.version_option(__version__)
@click.option("-v", "--verbose", is_flag=True, help="Show the traceback of an error.")
def dunhuang_data(verbose: bool) -> None:
    """Turn few, large pictures of murals into a training set.

    \b
    The usual order:
      dunhuang-data inspect PICTURES
      dunhuang-data sample-patches PICTURES -o plan
      dunhuang-data make-masks --steps 50000 --count 10000 -o masks
      dunhuang-data build --plan plan --masks masks -o shards
      dunhuang-data stats shards
      dunhuang-train --dataset shards -o run
    """  # noqa: D301 (\b keeps click from wrapping)


COMMANDS = (
    inspect, import_layout, sample_patches, make_masks, import_masks, fit_masks, build, stats,
    preview, replay, verify, convert, export, demo,
)  # fmt: skip
for command in COMMANDS:
    dunhuang_data.add_command(command)


def main() -> None:
    """Run ``dunhuang-data``."""
    console.run(dunhuang_data, "dunhuang-data")
