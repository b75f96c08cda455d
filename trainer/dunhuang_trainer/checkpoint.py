"""Checkpoints: written whole or not at all, loaded strictly, never unpickled.

``last.safetensors`` holds the weights and, in its header, the configuration, the step, the scores,
which dataset they come from and what holes that has: all that evaluating, restoring and fine-tuning
need.
``last.state.pt`` holds what resuming needs.
"""

import hashlib
import io
import json
import pickle
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from dunhuang_data.atomic import write_bytes
from dunhuang_data.errors import CheckpointError, EnvironmentProblem, UsageProblem
from dunhuang_trainer.config import ModelConfig, TrainConfig, settings_of
from dunhuang_trainer.model import PartialConvUNet
from dunhuang_trainer.trained_holes import TrainedHoles

FORMAT = {"name": "dunhuang-checkpoint", "version": 3}
READABLE = [{**FORMAT, "version": version} for version in (2, 3)]  # 2 says nothing of holes
HEADER = "dunhuang"
STATE_KEYS = {"model", "optimizer", "step", "best", "meter", "run"}


@dataclass(frozen=True, slots=True)
class CheckpointInfo:
    """What a checkpoint says of itself.

    Attributes
    ----------
    model : ModelConfig
    train : TrainConfig
    step : int
        Optimiser updates behind it.
    dataset_sha256 : str
        The content hash of the dataset it was trained on.
    patch_size : int
        Of that dataset, in pixels.
    scores : dict
        Of the validation split at this step, if there is one.
    holes : TrainedHoles or None
        Those of its training split; None in checkpoints of older versions.
    """

    model: ModelConfig
    train: TrainConfig
    step: int
    dataset_sha256: str
    patch_size: int
    scores: dict[str, float]
    holes: TrainedHoles | None = None


def save_weights(path: Path, model: PartialConvUNet, info: CheckpointInfo) -> None:
    """Write the weights and what they are."""
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    # one key: the header keeps several in no fixed order, and equal weights shall be equal files
    document = {"format": FORMAT, "weights_sha256": _sha256(weights), **asdict(info)}
    header = {HEADER: json.dumps(document)}
    write_bytes(path, save(weights, metadata=header))


def load_weights(path: Path) -> tuple[PartialConvUNet, CheckpointInfo]:
    """Rebuild a network from its checkpoint, in evaluation mode, on the CPU.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, of another version, or its weights do not fit its own
        configuration.
    """
    if path.is_dir():
        raise CheckpointError(
            f"{path} is a folder, no checkpoint. Name a file in it: {path / 'best.safetensors'}, "
            "or last.safetensors if the dataset has no validation split."
        )
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(HEADER, "{}"))
            found = header.pop("format", None)
            if isinstance(found, dict) and found.get("name") == "dunhuang-network-weights":
                raise CheckpointError(
                    f"{path} holds the weights alone, as dunhuang-train export writes them for "
                    "other programs. Name the checkpoint that they came from, such as "
                    "RUN/best.safetensors."
                )
            if found not in READABLE:
                raise CheckpointError(
                    f"{path} has the format {found}; this version reads {FORMAT}. "
                    "Name a .safetensors file written by dunhuang-train."
                )
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        digest = header.pop("weights_sha256")
        info = _info_from_json(header)
        if _sha256(weights) != digest:
            raise ValueError("its weights are not those that were written (the SHA-256 differs)")
        if not all_finite(weights):
            raise ValueError("its weights are not finite numbers")
        model = PartialConvUNet(info.model)
        model.load_state_dict(weights, strict=True)
    except (
        AttributeError, KeyError, OSError, RuntimeError, SafetensorError, TypeError, UsageProblem,
        ValueError,
    ) as error:  # fmt: skip
        raise CheckpointError(
            f"The checkpoint {path} cannot be read: {error}. Name a whole .safetensors file that "
            "dunhuang-train wrote: RUN/best.safetensors, or RUN/last.safetensors if the dataset "
            "has no validation split."
        ) from error
    return model.eval(), info


def _sha256(weights: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()


def all_finite(weights: dict[str, Tensor]) -> bool:
    """Whether no number among some weights is NaN or infinite."""
    return all(bool(torch.isfinite(value).all()) for value in weights.values())


def _info_from_json(document: dict[str, Any]) -> CheckpointInfo:
    return CheckpointInfo(
        **{
            **document,
            "step": int(document["step"]),
            "model": settings_of(ModelConfig, document["model"]),
            "train": settings_of(TrainConfig, document["train"]),
            "holes": TrainedHoles(**document["holes"]) if document.get("holes") else None,
        }
    )


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write what resuming needs: tensors, numbers and text only."""
    contents = io.BytesIO()
    torch.save(state, contents)
    write_bytes(path, contents.getvalue())


def load_state(path: Path) -> dict[str, Any]:
    """Read what `save_state` wrote, refusing anything but tensors, numbers and text.

    Raises
    ------
    CheckpointError
        If it is missing or damaged.
    EnvironmentProblem
        If it may not be read.
    """

    def unreadable(why: str) -> CheckpointError:
        return CheckpointError(
            f"The state {path} cannot be read: {why}. Start the run anew with --overwrite, or from "
            "its weights with --init-from."
        )

    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch does not look at the checksums that it writes
        if damaged is not None:
            raise unreadable(f"{damaged} in it is not what was written (its CRC-32 differs)")
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except PermissionError as error:
        raise EnvironmentProblem(
            f"The state {path} may not be read: {error.strerror}. It may be whole: get the right "
            "to read it, and go on."
        ) from error
    except OSError as error:
        raise unreadable(error.strerror or str(error)) from error
    except pickle.UnpicklingError as error:  # torch's text advises to run what is in the file
        raise unreadable("it holds more than tensors, numbers and text") from error
    except Exception as error:  # zipfile and torch raise many kinds, few of them documented
        raise unreadable((str(error) or repr(error)).splitlines()[0].rstrip(".")) from error
    if not isinstance(state, dict) or not set(state) >= STATE_KEYS:
        raise unreadable("it is not one that dunhuang-train wrote")
    return state


def load_into(model: PartialConvUNet, weights: dict[str, Tensor], where: Path) -> None:
    """Load weights strictly: every name, every shape.

    Raises
    ------
    CheckpointError
        If they are of another network.
    """
    try:
        model.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise CheckpointError(
            f"The weights of {where} do not fit this network: {first_difference(error)}."
        ) from error


def first_difference(error: BaseException) -> str:
    """Return the first of the differences that torch lists between weights and a network."""
    first, *others = [line.strip().rstrip(".") for line in str(error).splitlines()[1:]] or [
        str(error).rstrip(".")
    ]
    return f"{first} (and {len(others)} more)" if others else first
