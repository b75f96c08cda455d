"""``export``: a network as a file that other programs run."""

from dataclasses import asdict
from pathlib import Path

import click

from dunhuang_cli import console
from dunhuang_cli.options import (
    FILE,
    config_option,
    json_option,
    overwrite_option,
    require_torch,
)


@click.command()
@click.argument("checkpoint", metavar="CKPT", type=FILE)
@click.option(
    "--to",
    type=click.Choice(["safetensors", "onnx", "torchscript"]),
    required=True,
    help="onnx and torchscript hold the whole network and need nothing of this program; "
    "safetensors holds the weights alone, for those who write the network anew.",
)
@click.option(
    "-o",
    "--out",
    type=FILE,
    help="The file.  [default: beside CKPT, ending in .weights.safetensors, .onnx or .pt]",
)
@click.option(
    "--check",
    is_flag=True,
    help="Run the file by its own runtime beside the network, on random masks of several sizes; "
    "it is kept only if colours from 0 to 1 differ by at most 0.0001.",
)
@overwrite_option
@json_option
@config_option
def export(
    checkpoint: Path, to: str, out: Path | None, check: bool, overwrite: bool, json: bool
) -> None:
    """Write a network as a file that other programs run.

    It takes pictures of any size and number, and their masks, and gives the restored pictures. Its
    metadata say what goes in and what comes out.
    """
    require_torch()
    from dunhuang_data.refusals import refuse_existing_file
    from dunhuang_trainer.netexport import ALLOWED, KINDS, export_network

    ending = KINDS[to].ending
    target = out or checkpoint.with_name(f"{checkpoint.stem}{ending}")
    refuse_existing_file(target, ending.rpartition(".")[2].upper(), overwrite, [checkpoint])
    done = export_network(checkpoint, to, target, check)
    for one in done.checked:
        console.say(
            f"{one.height} x {one.width} px (height x width), {one.masks} masks: differs by "
            f"{one.max_difference:.2g} at most."
        )
    if done.checked:
        console.say(
            f"Checked: the largest difference is {done.max_difference:.2g}, of colours from 0 to "
            f"1; {ALLOWED:g} is allowed."
        )
    document = {
        "exported": str(target),
        "to": to,
        "bytes": done.size,
        "sha256": done.sha256,
        "max_difference": done.max_difference,
        "allowed": ALLOWED,
        "checked": [asdict(one) for one in done.checked],
    }
    console.result(document, json, str(target))
