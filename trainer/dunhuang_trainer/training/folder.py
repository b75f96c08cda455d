"""The folder of a run: its settings, its state, its weights."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from dunhuang_data.atomic import locked, new_folder, write_json, write_text
from dunhuang_data.documents import parsed, read_document
from dunhuang_data.errors import CheckpointError, ResumeMismatchError, UsageProblem
from dunhuang_trainer.checkpoint import load_into, load_weights, save_state
from dunhuang_trainer.config import ModelConfig, TrainConfig, settings_of
from dunhuang_trainer.data import DatasetReader, Loader, holes_of, open_split
from dunhuang_trainer.losses import check_features
from dunhuang_trainer.trained_holes import TrainedHoles
from dunhuang_trainer.training.learner import Learner

MARKER = "run.json"
FORMAT = {"name": "dunhuang-run", "version": 2}
STATE = "last.state.pt"
LAST, BEST = "last.safetensors", "best.safetensors"
SAMPLES, BOARD = "samples", "tensorboard"
CONTENTS = (
    MARKER, "run.toml", "*.safetensors", STATE, "metrics.*", "curve.png", SAMPLES, BOARD,
    ".*.partial-*",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """What a run was started with.

    Attributes
    ----------
    model : ModelConfig
    train : TrainConfig
    dataset : Path
    dataset_sha256 : str
        The dataset's content hash.
    init_from : Path or None
        The weights that it began with.
    features : Path or None
        The file with the weights of VGG-16, if one was named.
    features_sha256 : str or None
        Of the weights of VGG-16, wherever they came from.
    holes : TrainedHoles or None
        Those of the training split; no step depends on them.
    """

    model: ModelConfig
    train: TrainConfig
    dataset: Path
    dataset_sha256: str
    init_from: Path | None
    features: Path | None
    features_sha256: str | None
    holes: TrainedHoles | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """What its steps depend on, as plain values; it lies in every state."""
        return {
            **{f"model.{name}": value for name, value in asdict(self.model).items()},
            **{f"train.{name}": value for name, value in asdict(self.train).items()},
            "dataset_sha256": self.dataset_sha256,
            "features_sha256": self.features_sha256,
        }


def check_start(
    dataset: Path, model: ModelConfig, config: TrainConfig, processes: int = 1,
    features: Path | None = None,
) -> DatasetReader:  # fmt: skip
    """Return the training split, if dataset, weights and settings make a run.

    Raises
    ------
    DatasetError, UsageProblem, EnvironmentProblem, CheckpointError
        With what is wrong.
    """
    config.check_batch(processes)
    reader = open_split(dataset, "train", model)
    Loader(reader, config.batch_size, workers=0)  # says so if there is not one whole batch
    check_features(config.loss, features)
    return reader


def start_run(
    dataset: Path,
    out: Path,
    model: ModelConfig,
    config: TrainConfig,
    *,
    init_from: Path | None = None,
    features: Path | None = None,
    overwrite: bool = False,
    documents: Mapping[str, str] | None = None,
) -> None:
    """Check everything that a run needs and write its folder: settings, and a state at step 0.

    ``documents`` are texts that are to lie in it too, by their file names.

    Raises
    ------
    DatasetError, CheckpointError, EnvironmentProblem, UsageProblem
        If dataset, weights or features cannot be read or do not fit.
    OutputExistsError
        If ``out`` is in use, also by a process that trains in it.
    """
    reader = check_start(dataset, model, config, features=features)
    learner = Learner(model, config, torch.device("cpu"), features=features)
    if init_from is not None:
        weights = load_weights(init_from)[0].state_dict()
        for one in (learner.model, learner.best_model):
            load_into(one, weights, init_from)
    if out.resolve().is_relative_to(dataset.resolve()):
        raise UsageProblem(
            f"{out} lies in the dataset {dataset}, which holds nothing but its own files. Choose "
            "another -o."
        )
    inputs = [one for one in (dataset, init_from, features) if one is not None]
    run = Run(
        model,
        config,
        dataset.resolve(),
        reader.manifest.content_sha256,
        None if init_from is None else init_from.resolve(),
        None if features is None else features.resolve(),
        learner.loss.features_sha256,
        holes_of(reader),
    )
    document = {
        "format": FORMAT,
        "model": asdict(model),
        "train": asdict(config),
        "dataset": str(run.dataset),
        "dataset_sha256": run.dataset_sha256,
        "init_from": None if run.init_from is None else str(run.init_from),
        "features": None if run.features is None else str(run.features),
        "features_sha256": run.features_sha256,
        "holes": None if run.holes is None else asdict(run.holes),
    }
    start = {"step": 0, "best": None, "meter": None, "run": run.identity}
    with alone_in(out, MARKER), new_folder(out, CONTENTS, overwrite, inputs) as folder:
        save_state(folder / STATE, {**learner.state(), **start})
        for name, text in (documents or {}).items():
            write_text(folder / name, text)
        write_json(folder / MARKER, document)


def alone_in(out: Path, marker: str) -> AbstractContextManager[None]:
    """Return a context in which nobody trains in a folder, if it holds what ``marker`` marks.

    A process that trains in a folder writes by its name: into the new one, if it were replaced.
    """
    return locked(out, "training in") if (out / marker).is_file() else nullcontext()


def sweep(out: Path) -> None:
    """Delete what a killed process left half-written in a run's folder, which is held locked."""
    for path in [*out.glob(".*.partial-*"), *(out / SAMPLES).glob(".*.partial-*")]:
        with suppress(OSError):
            path.unlink()


def read_run(out: Path) -> Run:
    """Return what a run was started with.

    Raises
    ------
    CheckpointError
        If the folder is no run.
    """
    path, again = out / MARKER, "dunhuang-train fit --dataset SHARDS --out RUN"
    what = "a run that can be resumed"
    document = read_document(path, FORMAT, what, again, CheckpointError)
    with parsed(path, what, f"Start one with {again}.", CheckpointError):
        paths = {
            name: None if document[name] is None else Path(document[name])
            for name in ("init_from", "features")
        }
        return Run(
            settings_of(ModelConfig, document["model"]),
            settings_of(TrainConfig, document["train"]),
            Path(document["dataset"]),
            str(document["dataset_sha256"]),
            paths["init_from"],
            paths["features"],
            document["features_sha256"],
            TrainedHoles(**document["holes"]) if document.get("holes") else None,
        )


def same_run(found: object, run: Run, out: Path) -> None:
    """Check that a state is of the run that ``run.json`` describes.

    Raises
    ------
    ResumeMismatchError
    """
    state: dict[str, object] = found if isinstance(found, dict) else {}
    expected = run.identity
    differ = [name for name, value in expected.items() if state.get(name) != value]
    if differ:
        raise ResumeMismatchError(
            f"{out / STATE} is not of the run that {out / MARKER} describes: they differ in "
            f"{', '.join(differ[:3])} ({state.get(differ[0])} there, {expected[differ[0]]} here). "
            "Put back the one that was changed, or start a new run; --init-from takes its weights."
        )


def same_dataset(reader: DatasetReader, run: Run) -> None:
    """Check that a dataset is the one with which a run began.

    Raises
    ------
    ResumeMismatchError
    """
    if reader.manifest.content_sha256 != run.dataset_sha256:
        raise ResumeMismatchError(
            f"{reader.root} is not the dataset this run began with (its content hash differs). Put "
            "the old one back, or start a new run."
        )


def same_features(sha256: str | None, run: Run) -> None:
    """Check that the weights of VGG-16 are those with which a run began.

    Raises
    ------
    ResumeMismatchError
    """
    if sha256 != run.features_sha256:
        raise ResumeMismatchError(
            "The weights of VGG-16 are not those this run began with (their SHA-256 differs). Name "
            f"them with --features; it began with {run.features or 'those of torchvision'}."
        )
