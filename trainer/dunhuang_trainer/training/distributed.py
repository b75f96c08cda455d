"""Several processes that train one network: started by torchrun, joined here."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, nn
from torch import distributed as dist

PATIENCE = timedelta(minutes=30)  # how long a process waits for the others; rank 0 writes meanwhile


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
    """Join the other processes for as long as the block lasts: NCCL on GPUs, gloo on CPUs."""
    if not ranks.several or dist.is_initialized():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()


def shared(module: nn.Module, ranks: Ranks, device: torch.device) -> nn.Module:
    """Wrap a network so that every process gets the mean of all gradients."""
    if not ranks.several:
        return module
    return nn.parallel.DistributedDataParallel(
        module,
        device_ids=[device] if device.type == "cuda" else None,
        broadcast_buffers=False,  # statistics are synchronised, frozen, or each process's own
        gradient_as_bucket_view=True,
    )
