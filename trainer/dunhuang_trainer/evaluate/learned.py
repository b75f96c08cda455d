"""LPIPS of every sample and FID of every method, where the user brought the weights."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from dunhuang_data.errors import DatasetError
from dunhuang_data.types import UInt8Array
from dunhuang_trainer.evaluate.targets import Target
from dunhuang_trainer.metrics.learned import (
    FEWEST,
    FeatureStatistics,
    fid,
    inception_statistics,
    load_inception,
    load_lpips,
    lpips_distances,
)


class LearnedScores:
    """Looks at what every method made, batch by batch.

    Parameters
    ----------
    device : torch.device
    lpips : {"alex", "vgg"}, optional
        By which network LPIPS is computed; None = not at all.
    lpips_files : tuple of Path, optional
        Its backbone and its linear weights, where they are not in their usual places.
    with_fid : bool
    fid_file : Path, optional
        The weights of Inception, likewise.

    Raises
    ------
    EnvironmentProblem, CheckpointError
        If a package or a file is missing: what to fetch, and where to put it.
    """

    def __init__(
        self,
        device: torch.device,
        *,
        lpips: str | None = None,
        lpips_files: tuple[Path | None, Path | None] = (None, None),
        with_fid: bool = False,
        fid_file: Path | None = None,
    ) -> None:
        self._device = device
        self._lpips = None if lpips is None else load_lpips(lpips, *lpips_files).to(device)
        self._inception = load_inception(fid_file).to(device) if with_fid else None
        self._targets: FeatureStatistics | None = None
        self._methods: dict[str, FeatureStatistics] = {}

    def check_count(self, count: int) -> None:
        """Refuse FID of too few pictures before the work.

        Raises
        ------
        DatasetError
        """
        if self._inception is not None and count < FEWEST:
            raise DatasetError(
                f"FID was asked for {count:,} pictures, and needs at least {FEWEST:,}: from fewer "
                "it is mostly chance. Leave FID out, or judge more pictures or patches."
            )

    def see_targets(self, targets: Sequence[Target]) -> None:
        """Take the features of the targets of a batch, once for all methods."""
        if self._inception is None:
            return
        for pictures, damage in _of_one_size([one.image for one in targets], targets):
            self._targets = _plus(self._targets, self._features(pictures, damage))

    def see(
        self, method: str, restored: Sequence[UInt8Array], targets: Sequence[Target]
    ) -> list[dict[str, float]]:
        """Take what a method made of a batch; return the further scores of each sample."""
        if self._inception is not None:
            for pictures, damage in _of_one_size(restored, targets):
                seen = self._features(pictures, damage)
                self._methods[method] = _plus(self._methods.get(method), seen)
        if self._lpips is None:
            return [{} for _ in targets]
        distances: list[float] = []
        images = _of_one_size([one.image for one in targets], targets)
        for (pictures, damage), (wanted, _) in zip(
            _of_one_size(restored, targets), images, strict=True
        ):
            distances += lpips_distances(self._lpips, pictures, wanted, damage)
        return [{"lpips": one} for one in distances]

    def fid(self) -> dict[str, float]:
        """Return the FID of every method; empty if it was not asked for."""
        targets = self._targets
        if targets is None:
            return {}
        return {method: fid(seen, targets) for method, seen in self._methods.items()}

    def _features(self, pictures: UInt8Array, damage: UInt8Array) -> FeatureStatistics:
        assert self._inception is not None
        return inception_statistics(self._inception, pictures, damage, self._device)


def _plus(sums: FeatureStatistics | None, more: FeatureStatistics) -> FeatureStatistics:
    return more if sums is None else sums + more


def _of_one_size(
    pictures: Sequence[UInt8Array], targets: Sequence[Target]
) -> list[tuple[UInt8Array, UInt8Array]]:
    """Return pictures and their damage in stacks of one size."""
    if len({one.shape for one in pictures}) == 1:
        return [(np.stack(pictures), np.stack([one.damage for one in targets]))]
    return [(one[None], two.damage[None]) for one, two in zip(pictures, targets, strict=True)]
