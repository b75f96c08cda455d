"""Several processes that train one network: started by torchrun, joined here."""

import gc
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from inspect import signature

import torch
from torch import Tensor, nn
from torch import distributed as dist

from dunhuang_data.errors import EnvironmentProblem

PATIENCE = timedelta(minutes=30)  # how long a process waits for the others; rank 0 writes meanwhile
LOST = r"Connection (closed|reset) by peer|Broken pipe"  # of gloo, when a process is gone


@dataclass(frozen=True, slots=True)
class Ranks:
    """Which of how many processes this one is.

    Attributes
    ----------
    rank, world_size : int
        Its number and how many there are, over all machines.
    local_rank : int
        Its number on this machine: which GPU is its own.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes and speaks."""
        return self.rank == 0

    @property
    def several(self) -> bool:
        """Whether there are others."""
        return self.world_size > 1

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean over all processes of some float64 numbers, the same in each."""
        return self.sum(values) / self.world_size if self.several else values

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum over all processes of some float64 numbers, the same in each."""
        if self.several:
            values = values.clone()
            dist.all_reduce(values)
        return values

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether it is so in one process at least."""
        return bool(self.sum(torch.tensor([float(flag)], device=device)).item() > 0)

    def as_in_the_first(self, values: Iterable[Tensor]) -> None:
        """Give tensors in every process the numbers that they have in the first."""
        if self.several:
            for one in values:
                dist.broadcast(one, 0)

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.several:
            dist.barrier()


def ranks_here() -> Ranks:
    """Return what torchrun said about this process; alone if it did not start it."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    if not all(name in os.environ for name in names):
        return Ranks()
    return Ranks(*(int(os.environ[name]) for name in names))


@contextmanager
def joined(ranks: Ranks, device: torch.device) -> Iterator[None]:
    """Join the other processes for as long as the block lasts: NCCL on GPUs, gloo on CPUs.

    Raises
    ------
    EnvironmentProblem
        If another process ends meanwhile, so that this one waits for it in vain.
    """
    if not ranks.several or dist.is_initialized():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and not re.search(LOST, str(error)):
            raise
        raise EnvironmentProblem(
            "Another process has ended, and none goes on alone. What it said tells why; the run is "
            "as its last checkpoint left it."
        ) from error
    finally:
        gc.collect()  # what still holds the connection ends before it
        dist.destroy_process_group()


def shared(module: nn.Module, ranks: Ranks, device: torch.device) -> nn.Module:
    """Wrap a network so that every process gets the mean of all gradients."""
    if not ranks.several:
        return module
    wrap = nn.parallel.DistributedDataParallel
    # statistics are synchronised, frozen, or each process's own until they are used
    names = ("forward_sync_buffers", "broadcast_buffers")  # new and old name in torch
    buffers = next(name for name in names if name in signature(wrap).parameters)
    return wrap(
        module,
        device_ids=[device] if device.type == "cuda" else None,
        gradient_as_bucket_view=True,
        **{buffers: False},  # type: ignore[arg-type]
    )
