"""Runs that follow each other, each from the weights of the one before: ``fit --stages``.

Every stage is a run like any other, in its own folder, made by the same command as if it had been
typed; so two stages give what two runs give.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dunhuang_cli import console
from dunhuang_cli.options import FROM_PRESET, PRESET

if TYPE_CHECKING:
    from dunhuang_trainer.config import ModelConfig

MARKER = "stages.json"
CONTENTS = (MARKER, "run.toml", "[0-9]*-*")
FORMAT = {"name": "dunhuang-stages", "version": 1}
OF_THE_WHOLE = {
    "out", "stages", "resume", "overwrite", "dry_run", "json", "device", "workers", "time_limit",
    "save_every", "data_on_device",
}  # fmt: skip
Table = dict[str, Any]


def begun(out: Path) -> bool:
    """Whether a folder holds stages."""
    return (out / MARKER).is_file()
