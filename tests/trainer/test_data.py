"""Batches: what the network is given, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dunhuang_data.errors import DatasetError
from dunhuang_data.polarity import pack
from dunhuang_data.rng import raw_words, rng_for
from dunhuang_trainer.config import ModelConfig
from dunhuang_trainer.data import (
    Loader,
    finished,
    open_split,
    ordered_batches,
    to_batch,
)
from dunhuang_trainer.data.batches import unpack_bits

CONFIG = ModelConfig(width=4, levels=3)


def test_a_batch_is_float_in_zero_to_one_with_planes(dataset: Path) -> None:
    samples = open_split(dataset, "train", CONFIG).read([3, 1])
    batch = to_batch(samples, torch.device("cpu"))
    assert batch.target.shape == (2, 3, 32, 32)
    assert batch.valid.shape == batch.damage.shape == (2, 1, 32, 32)
    assert batch.target[1, 2, 5, 7].item() == pytest.approx(samples.image[1, 5, 7, 2] / 255)
    assert batch.valid[0, 0].tolist() == samples.valid[0].tolist()


def test_a_loaded_batch_is_what_the_samples_are_value_and_layout(dataset: Path) -> None:
    reader = open_split(dataset, "train", CONFIG)
    plain = to_batch(next(ordered_batches(reader, 5)), torch.device("cpu"))
    with Loader(reader, 5, shuffle=False, workers=0) as loader:
        loaded = finished(next(iter(loader)))
    for name in ("target", "valid", "damage"):
        one, other = getattr(plain, name), getattr(loaded, name)
        assert torch.equal(one, other)
        assert one.stride() == other.stride(), name  # another layout may sum in another order
    assert 0 < loaded.valid.mean() < 1
    assert loaded.target.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("width", [8, 13, 32])
def test_bits_unpack_as_they_were_packed(width: int) -> None:
    words = raw_words(rng_for(0, "test"), 2 * 5 * width)
    plane = (words & np.uint64(1)).astype(np.uint8).reshape(2, 5, width)
    unpacked = unpack_bits(torch.from_numpy(pack(plane)), width)
    assert unpacked.dtype == torch.uint8
    assert np.array_equal(unpacked.numpy(), plane)


def test_patches_that_do_not_fit_the_network_are_a_sentence(dataset: Path) -> None:
    sentence = r"a network of 8 levels takes multiples of 256 px\. Use --levels 5 or fewer"
    with pytest.raises(DatasetError, match=rf"patches of 32 px; {sentence}"):
        open_split(dataset, "train", ModelConfig())


def test_a_batch_larger_than_the_split_is_a_sentence(dataset: Path) -> None:
    reader = open_split(dataset, "test", CONFIG)
    with pytest.raises(DatasetError, match="has 6 samples in test, fewer than one batch of 7"):
        Loader(reader, 7)
    with pytest.raises(DatasetError, match="fewer than one batch of 2 for each of 4 ranks"):
        Loader(reader, 2, world_size=4)
