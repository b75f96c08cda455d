"""``evaluate``: score a checkpoint beside fills that need no training."""

from pathlib import Path

import click

from dunhuang_cli import console
from dunhuang_cli.options import (
    FILE,
    config_option,
    device_option,
    json_option,
    overwrite_option,
    require_torch,
    write_run_toml,
)


@click.command()
@click.argument("checkpoint", metavar="CKPT", type=FILE)
@click.option("--dataset", type=FILE, required=True, help="A dataset of dunhuang-data build.")
@click.option(
    "--split", type=click.Choice(["train", "val", "test"]), default="test", help="What to score."
)
@click.option("-o", "--out", type=FILE, help="Also write scores.csv, scores.json and sheet.png.")
@click.option("--batch", type=click.IntRange(1), default=8, help="Samples at once.")
@device_option
@overwrite_option
@json_option
@config_option
@click.pass_context
def evaluate(
    ctx: click.Context,
    checkpoint: Path,
    dataset: Path,
    split: str,
    out: Path | None,
    batch: int,
    device: str,
    overwrite: bool,
    json: bool,
) -> None:
    """Score a checkpoint on a split.

    Beside it stand fills that need no training: the mean colour, push-pull, and the methods of
    Telea and of Navier and Stokes. MSE, PSNR and SSIM are computed in float64 on 0 to 255, in the
    holes and on the whole patch; damaged pixels never count. A network that does not beat Telea's
    method is said not to.
    """
    require_torch()
    from dunhuang_data.atomic import new_folder, write_json
    from dunhuang_data.pictures import write_picture
    from dunhuang_data.refusals import refuse_existing
    from dunhuang_data.types import as_split
    from dunhuang_trainer.checkpoint import load_weights
    from dunhuang_trainer.data import open_split
    from dunhuang_trainer.devices import pick_device
    from dunhuang_trainer.evaluate import Sheet, evaluate_split, summary, write_scores

    contents = ("scores.json", "scores.csv", "sheet.png", "run.toml")
    if out is not None:
        refuse_existing(out, contents, overwrite, (checkpoint, dataset))
    chosen = pick_device(device)
    model, info = load_weights(checkpoint)
    reader = open_split(dataset, as_split(split), model.config)
    sheet = Sheet(rows=6, every=max(1, len(reader) // 6))
    with console.progress(len(reader), "evaluating") as progress:
        scores = evaluate_split(model.to(chosen), reader, chosen, batch, progress, sheet.look)
    table = summary(scores)
    document = {
        "checkpoint": str(checkpoint),
        "step": info.step,
        "dataset": str(dataset),
        "split": split,
        "scores": table,
    }
    if out is not None:
        with new_folder(out, contents, overwrite) as folder:
            write_scores(scores, folder / "scores.csv")
            write_picture(folder / "sheet.png", sheet.draw())
            write_json(folder / contents[0], console.without_nan(document))
        write_run_toml(ctx, out)
    _show_scores(table, split)
    console.result(document, json, str(out) if out is not None else "")


def _show_scores(table: dict[str, dict[str, float]], split: str) -> None:
    columns = {
        "mse_hole": ("MSE hole", 1),
        "mse_whole": ("MSE whole", 1),
        "psnr_hole_db": ("PSNR hole dB", 2),
        "ssim_uniform7_hole": ("SSIM hole", 3),
        "ssim_uniform7_whole": ("SSIM whole", 3),
    }
    rows = [
        [name, *(f"{scores[key]:.{digits}f}" for key, (_, digits) in columns.items())]
        for name, scores in table.items()
    ]
    samples = next(iter(table.values()))["samples"]
    title = f"{samples} samples of {split}; errors on 0 to 255; SSIM: uniform 7 x 7"
    console.table(title, ["method", *(name for name, _ in columns.values())], rows)
    if table["network"]["mse_hole"] > table["Telea"]["mse_hole"]:
        console.say("The network is behind Telea's method in the holes: it needs more training.")
