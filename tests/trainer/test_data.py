"""Batches: a pure function of seed and step, every sample once an epoch."""

from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch

from dunhuang_data.errors import DatasetError
from dunhuang_trainer.config import ModelConfig
from dunhuang_trainer.data import open_split, ordered_batches, to_batch, training_batches

CONFIG = ModelConfig(width=4, levels=3)


def fingerprints(batches: object) -> list[list[int]]:
    return [
        [int(image.astype(np.int64).sum()) for image in samples.image]
        for samples in batches  # type: ignore[attr-defined]
    ]


def test_an_epoch_holds_every_sample_once(dataset: Path) -> None:
    reader = open_split(dataset, "train", CONFIG)
    assert len(reader) == 24
    everything = sorted(chain(*fingerprints(ordered_batches(reader, 5))))
    for epoch in range(2):
        batches = training_batches(reader, 6, 0, 4 * epoch, 4 * epoch + 4)
        assert sorted(chain(*fingerprints(batches))) == everything


def test_epochs_and_seeds_differ_and_a_later_start_changes_nothing(dataset: Path) -> None:
    reader = open_split(dataset, "train", CONFIG)
    ten = fingerprints(training_batches(reader, 6, 0, 0, 10))
    assert ten[:4] != ten[4:8]
    assert fingerprints(training_batches(reader, 6, 1, 0, 10)) != ten
    assert fingerprints(training_batches(reader, 6, 0, 7, 10)) == ten[7:]


def test_a_batch_is_float_in_zero_to_one_with_planes(dataset: Path) -> None:
    samples = open_split(dataset, "train", CONFIG).read([3, 1])
    batch = to_batch(samples, torch.device("cpu"))
    assert batch.target.shape == (2, 3, 32, 32)
    assert batch.valid.shape == batch.damage.shape == (2, 1, 32, 32)
    assert batch.target[1, 2, 5, 7].item() == pytest.approx(samples.image[1, 5, 7, 2] / 255)
    assert batch.valid[0, 0].tolist() == samples.valid[0].tolist()


def test_patches_that_do_not_fit_the_network_are_a_sentence(dataset: Path) -> None:
    sentence = r"a network of 8 levels takes multiples of 256 px\. Use --levels 5 or fewer"
    with pytest.raises(DatasetError, match=rf"patches of 32 px; {sentence}"):
        open_split(dataset, "train", ModelConfig())


def test_a_batch_larger_than_the_split_is_a_sentence(dataset: Path) -> None:
    reader = open_split(dataset, "test", CONFIG)
    with pytest.raises(DatasetError, match="has 6 samples in test, fewer than one batch of 7"):
        next(training_batches(reader, 7, 0, 0, 1))
