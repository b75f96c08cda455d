"""One optimiser update: network, optimiser, precision and average as one thing that can be saved.

What a step does depends on the state, the batch and the step's number alone.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from dunhuang_data.errors import CheckpointError
from dunhuang_trainer.checkpoint import first_difference
from dunhuang_trainer.config import ModelConfig, TrainConfig
from dunhuang_trainer.data import Batch
from dunhuang_trainer.losses import LossParts, make_loss
from dunhuang_trainer.model import PartialConvUNet
from dunhuang_trainer.training.averaging import WeightAverage
from dunhuang_trainer.training.distributed import Ranks, shared
from dunhuang_trainer.training.schedule import learning_rate

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
State = dict[str, Any]


class Learner:
    """A network in training.

    Parameters
    ----------
    model_config : ModelConfig
    config : TrainConfig
    device : torch.device
    ranks : Ranks
        The processes that train this network together; each calls `update` with its own part of
        the step's samples.
    features : Path, optional
        Weights of VGG-16 for the losses that need them; see `dunhuang_trainer.losses`.
    """

    def __init__(
        self,
        model_config: ModelConfig,
        config: TrainConfig,
        device: torch.device,
        ranks: Ranks = Ranks(),  # noqa: B008 (frozen)
        features: Path | None = None,
    ) -> None:
        self.config, self.device, self.ranks = config, device, ranks
        torch.manual_seed(config.seed)
        model = PartialConvUNet(model_config).to(device)
        if ranks.several and device.type == "cuda" and config.frozen_norm != "all":
            convert: Callable[[nn.Module], Any] = nn.SyncBatchNorm.convert_sync_batchnorm
            model = convert(model)
        model.freeze_norm(config.frozen_norm)
        if config.channels_last:
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model = model.train()
        trained = [one for one in model.parameters() if one.requires_grad]
        self.optimizer = torch.optim.Adam(trained, lr=config.learning_rate)
        self.scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "fp16")
        self.average = WeightAverage(model, config.ema) if config.ema else None
        self.loss = make_loss(config.loss, features, device)
        self._trained = trained
        self._shared: nn.Module = model
        self._network: nn.Module | None = None  # made when first used

    @property
    def best_model(self) -> PartialConvUNet:
        """The weights to use: their average if there is one."""
        return self.model if self.average is None else self.average.model

    @property
    def network(self) -> nn.Module:
        """The network as it is called: shared between processes, and compiled, where asked for."""
        if self._network is None:
            self._shared = shared(self.model, self.ranks, self.device)
            self._network = self._shared
            if self.config.compiled:
                self._network = cast(nn.Module, torch.compile(self._shared))
        return self._network

    def autocast(self) -> torch.autocast:
        """Return the context in which the network computes."""
        dtype = DTYPES.get(self.config.precision)
        return torch.autocast(self.device.type, dtype=dtype, enabled=dtype is not None)

    def losses(self, batch: Batch) -> LossParts:
        """Return the loss of some samples, with gradients."""
        image = batch.target * batch.valid
        if self.config.channels_last:
            image = image.contiguous(memory_format=torch.channels_last)
        with self.autocast():
            predicted = self.network(image, batch.valid)
            return cast(LossParts, self.loss(predicted, batch.target, batch.valid, batch.damage))

    def update(self, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Learn from a batch: one step.

        Parameters
        ----------
        batch : Batch
            This process's samples of the step; a multiple of ``config.accumulate``.
        step : int
            Its number, from 1.

        Returns
        -------
        loss : () Tensor
        parts : dict of str to () Tensor
            Means over the batch; of this process alone.

        Raises
        ------
        NotFiniteError
            On the CPU, if the loss is not finite; weights and statistics are then those before the
            step. On a GPU nobody waits to look: see `dunhuang_trainer.training.meter`.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, step)
        self.optimizer.zero_grad(set_to_none=True)
        micros = _split(batch, self.config.accumulate)
        looks = self.device.type == "cpu"
        statistics = [buffer.clone() for buffer in self.model.buffers()] if looks else []
        loss, parts = self._gradients(micros)
        # the mean over processes: they all stop, or none
        if looks and not bool(torch.isfinite(self.ranks.mean(loss.double()))):
            for buffer, before in zip(self.model.buffers(), statistics, strict=True):
                buffer.copy_(before)
            named = {"loss": loss, **parts}
            raise NotFiniteError(step, {name: float(value) for name, value in named.items()})
        if self.config.clip:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self._trained, self.config.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average is not None:
            self.average.update(self.model, step)
        return loss, parts

    def _gradients(self, micros: list[Batch]) -> tuple[Tensor, dict[str, Tensor]]:
        """Add up the gradients of some micro-batches; the processes exchange them at the last."""
        share = 1 / len(micros)
        loss, parts = torch.zeros((), device=self.device), dict[str, Tensor]()
        for number, micro in enumerate(micros, start=1):
            with self._alone() if number < len(micros) else nullcontext():
                found = self.losses(micro)
                self.scaler.scale(found.total * share).backward()  # type: ignore[no-untyped-call]
            loss = loss + found.total.detach() * share
            for name, value in found.parts.items():
                parts[name] = parts.get(name, 0) + value * share
        return loss, parts

    def _alone(self) -> AbstractContextManager[None]:
        """Return a context in which gradients are added up here and not yet exchanged."""
        several = self.network is not None and self.ranks.several
        return self._shared.no_sync() if several else nullcontext()  # type: ignore[operator]

    def state(self) -> State:
        """Return what another `Learner` of the same settings goes on from."""
        return {
            "model": self.model.state_dict(),
            "average": None if self.average is None else self.average.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "generators": {
                "cpu": torch.get_rng_state(),
                "cuda": torch.cuda.get_rng_state(self.device)
                if self.device.type == "cuda"
                else None,
            },
        }

    def load_state(self, state: State, where: Path) -> None:
        """Go on from a state.

        Raises
        ------
        CheckpointError
            If it is of another network or of other settings.
        """
        try:
            self.model.load_state_dict(state["model"], strict=True)
            if self.average is not None:
                self.average.model.load_state_dict(state["average"], strict=True)
            self.optimizer.load_state_dict(state["optimizer"])
            self.scaler.load_state_dict(state["scaler"])
            torch.set_rng_state(state["generators"]["cpu"])
            if self.device.type == "cuda" and state["generators"]["cuda"] is not None:
                torch.cuda.set_rng_state(state["generators"]["cuda"], self.device)
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"The state {where} does not fit this run: {first_difference(error)}. Start the "
                "run anew with --overwrite, or from its weights with --init-from."
            ) from error


class NotFiniteError(Exception):
    """A loss is NaN or infinite.

    Attributes
    ----------
    step : int
    values : dict of str to float
        The loss and its parts at that step.
    """

    def __init__(self, step: int, values: dict[str, float]) -> None:
        super().__init__(f"step {step}: {values}")
        self.step, self.values = step, values


def _split(batch: Batch, count: int) -> list[Batch]:
    """Cut a batch into equal micro-batches."""
    size = len(batch.target) // count
    return [
        Batch(*(one[first : first + size] for one in (batch.target, batch.valid, batch.damage)))
        for first in range(0, size * count, size)
    ]
