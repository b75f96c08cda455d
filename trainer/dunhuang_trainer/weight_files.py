"""Files of weights that a user brings: read as weights alone, and looked at before their use."""

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from dunhuang_data.errors import CheckpointError, EnvironmentProblem


def hub_folder() -> Path:
    """Return where torch and torchvision keep what they fetched."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def read_state_dict(path: Path, unreadable: Callable[[str], CheckpointError]) -> dict[str, Tensor]:
    """Return a state dict: ``.safetensors``, else as torch saves it, on the CPU.

    Parameters
    ----------
    path : Path
    unreadable : callable
        Takes the reason, and returns the error to raise.

    Raises
    ------
    CheckpointError
        If it cannot be read, or is none.
    """
    try:
        if path.suffix == ".safetensors":
            found = load_file(path)
        else:  # never anything but weights: a pickle can run what its author likes
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # torch's text advises to run what is in the file
        raise unreadable("it is no file of weights alone") from error
    except Exception as error:  # both raise many kinds, none of them documented
        raise unreadable((str(error) or repr(error)).splitlines()[0]) from error
    if not isinstance(found, dict) or not all(
        isinstance(name, str) and isinstance(one, Tensor) for name, one in found.items()
    ):
        raise unreadable(f"it holds no state dict, but {type(found).__name__}")
    return found


def read_weights(path: Path, what: str, remedy: str) -> dict[str, Tensor]:
    """Return a state dict that a user brings; see `read_state_dict`.

    Parameters
    ----------
    path : Path
    what : str
        What the file should hold, for the message.
    remedy : str
        What to fetch and where to put it: a sentence.

    Raises
    ------
    EnvironmentProblem
        If it is not there.
    CheckpointError
        If it is no state dict.
    """
    if not path.exists():
        raise EnvironmentProblem(f"{path}, {what}, is not there. {remedy}")
    return read_state_dict(
        path,
        lambda reason: CheckpointError(f"{path} cannot be read as {what}: {reason}. {remedy}"),
    )


def pick_weights(
    found: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]], path: Path, what: str
) -> dict[str, Tensor]:
    """Return the tensors named, float32, after a look at every shape and every number.

    Raises
    ------
    CheckpointError
        If one is missing, has another shape, or holds what is no finite number.
    """
    for name, shape in shapes.items():
        if name not in found:
            raise CheckpointError(
                f"{path} is not {what}: it has no {name}, expected {shape}; it holds "
                f"{', '.join(list(found)[:3]) or 'nothing'} …"
            )
        value = found[name]
        if tuple(value.shape) != shape:
            raise CheckpointError(
                f"{path} is not {what}: {name} is {tuple(value.shape)}, expected {shape}."
            )
        if not value.is_floating_point() or not value.isfinite().all():
            raise CheckpointError(f"{path}: {name} holds what is no finite number.")
    return {name: found[name].float().contiguous() for name in shapes}
