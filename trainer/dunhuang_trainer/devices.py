"""Which processor computes."""

import re

import torch

from dunhuang_data.errors import EnvironmentProblem, UsageProblem


def pick_device(name: str, local_rank: int = 0) -> torch.device:
    """Return a device by name; ``auto`` takes a GPU if there is one.

    Parameters
    ----------
    name : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    local_rank : int
        The number of this process on its machine; ``auto`` and ``cuda`` take the GPU of that
        number.

    Raises
    ------
    UsageProblem
        If it is no such device.
    EnvironmentProblem
        If it is a GPU that is not there.
    """
    found = re.fullmatch(r"auto|cpu|cuda(?::(\d+))?", name)
    if found is None:
        raise UsageProblem(f"--device {name} is none of auto, cpu, cuda and cuda:N.")
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    number = local_rank if found[1] is None else int(found[1])
    if number >= torch.cuda.device_count():
        raise EnvironmentProblem(
            f"--device {name}: torch {torch.__version__} sees {torch.cuda.device_count()} GPUs "
            f"here, and number {number} was asked for. Use --device cpu, fewer processes, or "
            "install a torch built for your GPU (see the README)."
        )
    return torch.device("cuda", number)
