"""The training loop, on one page."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from math import isfinite
from pathlib import Path
from typing import Any

import torch

from dunhuang_data.atomic import locked, new_folder, write_json, write_text
from dunhuang_data.documents import csv_text, parsed, read_document
from dunhuang_data.errors import CheckpointError, EnvironmentProblem, ResumeMismatchError
from dunhuang_trainer.checkpoint import (
    CheckpointInfo,
    all_finite,
    load_into,
    load_state,
    load_weights,
    save_state,
    save_weights,
)
from dunhuang_trainer.config import ModelConfig, TrainConfig
from dunhuang_trainer.data import DatasetReader, Loader, finished, open_split
from dunhuang_trainer.losses import mse_loss
from dunhuang_trainer.model import PartialConvUNet

MARKER = "run.json"
FORMAT = {"name": "dunhuang-run", "version": 1}
CONTENTS = (MARKER, "run.toml", "*.safetensors", "last.state.pt", "metrics.*", "curve.png")
LOG_COLUMNS = ("step", "loss", "hole_mse", "val_hole_mse", "learning_rate", "images_per_second")

Report = Callable[[dict[str, Any]], None]


def pick_device(name: str) -> torch.device:
    """Return a device by name; ``auto`` takes the GPU if there is one.

    Raises
    ------
    EnvironmentProblem
        If it is no such device, or a GPU that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    found = re.fullmatch(r"cpu|cuda(?::(\d+))?", name)
    if found is None:
        raise EnvironmentProblem(f"--device {name} is none of auto, cpu, cuda and cuda:N.")
    if name.startswith("cuda") and int(found[1] or 0) >= torch.cuda.device_count():
        raise EnvironmentProblem(
            f"--device {name}: torch {torch.__version__} sees {torch.cuda.device_count()} GPUs "
            "here. Use --device cpu, or install a torch built for your GPU (see the README)."
        )
    return torch.device(name)


def check_batch(dataset: Path, model_config: ModelConfig, config: TrainConfig) -> DatasetReader:
    """Return the training split, if it holds a batch that the network can take.

    Raises
    ------
    DatasetError
    """
    reader = open_split(dataset, "train", model_config)
    training_loader(reader, config, torch.device("cpu"))  # says what is wrong
    return reader


def training_loader(reader: DatasetReader, config: TrainConfig, device: torch.device) -> Loader:
    """Return the loader of a run. The batch of a step is a pure function of (config, step)."""
    return Loader(
        reader,
        config.batch_size,
        seed=config.seed,
        masks=config.masks,
        flip=config.flip,
        quarter_turns=config.quarter_turns,
        workers=config.workers,
        device=device,
    )


def start_run(
    dataset: Path,
    out: Path,
    model_config: ModelConfig,
    config: TrainConfig,
    *,
    init_from: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Check everything that a run needs and write its folder: settings, and a state at step 0.

    Raises
    ------
    DatasetError, CheckpointError
        If dataset or weights cannot be read or do not fit.
    OutputExistsError
        If ``out`` is in use.
    """
    reader = check_batch(dataset, model_config, config)
    torch.manual_seed(config.seed)
    model = PartialConvUNet(model_config)
    if init_from is not None:
        load_into(model, load_weights(init_from)[0].state_dict(), init_from)
    inputs = [dataset] if init_from is None else [dataset, init_from]
    with new_folder(out, CONTENTS, overwrite, inputs) as folder:
        optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
        save_state(folder / "last.state.pt", _state(model, optimizer, 0, float("inf"), []))
        write_json(
            folder / MARKER,
            {
                "format": FORMAT,
                "model": asdict(model_config),
                "train": asdict(config),
                "dataset": str(dataset.resolve()),
                "dataset_sha256": reader.manifest.content_sha256,
                "init_from": None if init_from is None else str(init_from.resolve()),
            },
        )


def read_run(out: Path) -> tuple[Path, ModelConfig, TrainConfig, str]:
    """Return a run's dataset, settings and its dataset's content hash.

    Raises
    ------
    CheckpointError
        If the folder is no run.
    """
    path, again = out / MARKER, "dunhuang-train fit --dataset SHARDS --out RUN"
    what = "a run that can be resumed"
    document = read_document(path, FORMAT, what, again, CheckpointError)
    with parsed(path, what, f"Start one with {again}.", CheckpointError):
        model, train = ModelConfig(**document["model"]), TrainConfig(**document["train"])
        return Path(document["dataset"]), model, train, str(document["dataset_sha256"])


def train(
    out: Path, device: torch.device, report: Report, moved_to: Path | None = None
) -> dict[str, float]:
    """Train a run from where it stands to its last step.

    Parameters
    ----------
    out : Path
        A folder of `start_run`. It gains ``metrics.jsonl`` and ``metrics.csv`` (one row per
        validation), ``last.safetensors`` with ``last.state.pt``, and, if there is a validation
        split, ``best.safetensors``: the lowest mean squared error in its holes.
    device : torch.device
    report : callable
        Called after every step with ``step`` and ``loss``, and with a whole log row when there is
        one.
    moved_to : Path, optional
        Where the dataset is now, if it is no longer where the run began.

    Returns
    -------
    dict
        The last log row.

    Raises
    ------
    ResumeMismatchError
        If the dataset is not the one the run began with.
    CheckpointError
        If the loss is no longer finite, with step and value. The last checkpoint stays.
    """
    read_run(out)  # says so if it is none
    with locked(out, "training in"):
        return _train(out, device, report, moved_to)


def _train(
    out: Path, device: torch.device, report: Report, moved_to: Path | None
) -> dict[str, float]:
    dataset, model_config, config, dataset_sha256 = read_run(out)
    dataset = moved_to or dataset
    training = open_split(dataset, "train", model_config)
    validation = open_split(dataset, "val", model_config)
    if training.manifest.content_sha256 != dataset_sha256:
        raise ResumeMismatchError(
            f"{dataset} is not the dataset this run began with (its content hash differs). Put "
            "the old one back, or start a new run."
        )
    state = load_state(out / "last.state.pt")
    model = PartialConvUNet(model_config).to(device)
    load_into(model, state["model"], out / "last.state.pt")
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    optimizer.load_state_dict(state["optimizer"])
    best, log = float(state["best"]), list(state["log"])
    if log:
        write_logs(out, log)  # an earlier run may have been killed between state and logs
    info = CheckpointInfo(model_config, config, 0, dataset_sha256, training.patch_size, {})
    row: dict[str, float] = log[-1] if log else {}
    losses, holes, since, images = 0.0, 0.0, time.perf_counter(), 0

    done = int(state["step"])
    model.train()
    with training_loader(training, config, device) as loader:
        loader.seek(done)
        for step, stored in enumerate(loader.take(config.steps - done), start=done + 1):
            batch = finished(stored)
            predicted = model(batch.target * batch.valid, batch.valid)
            parts = mse_loss(predicted, batch.target, batch.valid, batch.damage)
            loss = float(parts.total.detach())
            if not isfinite(loss):
                raise _not_finite(out, step, f"the loss is {loss}", log)
            optimizer.zero_grad(set_to_none=True)
            parts.total.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses, holes, images = (
                losses + loss,
                holes + float(parts.hole),
                images + len(predicted),
            )
            report({"step": step, "loss": loss})

            if step % config.validate_every == 0 or step == config.steps:
                seconds, count = time.perf_counter() - since, images / config.batch_size
                score = validate(model, validation, config.batch_size, device, config.workers)
                if not all_finite(model.state_dict()) or (len(validation) and not isfinite(score)):
                    raise _not_finite(out, step, "the weights are no longer finite", log)
                row = {
                    "step": step,
                    "loss": losses / count,
                    "hole_mse": 255**2 * holes / count,
                    "val_hole_mse": score,
                    "learning_rate": config.learning_rate,
                    "images_per_second": images / seconds,
                }
                log.append(row)
                scores = {key: value for key, value in row.items() if key.startswith("val_")}
                info = replace(info, step=step, scores=scores)
                if row["val_hole_mse"] < best:  # never true of NaN: no validation split
                    best = row["val_hole_mse"]
                    save_weights(out / "best.safetensors", model, info)
                save_weights(out / "last.safetensors", model, info)
                save_state(out / "last.state.pt", _state(model, optimizer, step, best, log))
                write_logs(out, log)
                report(row)
                model.train()
                losses, holes, since, images = 0.0, 0.0, time.perf_counter(), 0
    return row


def _not_finite(out: Path, step: int, what: str, log: list[dict[str, float]]) -> CheckpointError:
    kept = int(log[-1]["step"]) if log else 0
    return CheckpointError(
        f"Training stopped at step {step}: {what}. The checkpoint of step {kept} is kept in {out}. "
        "Try a smaller --lr."
    )


def _state(
    model: PartialConvUNet,
    optimizer: torch.optim.Optimizer,
    step: int,
    best: float,
    log: list[dict[str, float]],
) -> dict[str, Any]:
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "best": best,
        "log": log,
    }


@torch.no_grad()
def validate(
    model: PartialConvUNet,
    reader: DatasetReader,
    batch_size: int,
    device: torch.device,
    workers: int | None = None,
) -> float:
    """Return the mean squared error in the holes of a split, on 0 … 255; NaN if it is empty."""
    model.eval()
    squared = pixels = 0.0
    loader = Loader(reader, batch_size, shuffle=False, tail="keep", workers=workers, device=device)
    with loader:
        for batch in map(finished, loader):
            predicted = model(batch.target * batch.valid, batch.valid).clamp(0, 1)
            counted = (1 - batch.valid) * (1 - batch.damage)
            error = (predicted - batch.target).square() * counted
            squared += float(error.sum(dtype=torch.float64))
            pixels += 3 * float(counted.sum(dtype=torch.float64))
    return 255**2 * squared / pixels if pixels else float("nan")


def write_logs(out: Path, log: list[dict[str, float]]) -> None:
    """Write the whole log, as JSON lines and as a table, each replaced at once."""
    write_text(out / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in log))
    rows = [[row[column] for column in LOG_COLUMNS] for row in log]
    write_text(out / "metrics.csv", csv_text(LOG_COLUMNS, rows))


def read_log(out: Path) -> list[dict[str, float]]:
    """Return a run's log rows, oldest first."""
    text = (out / "metrics.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]
