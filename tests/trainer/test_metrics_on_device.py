"""The way of a GPU gives the numbers of the CPU."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from drawings import draw_picture
from dunhuang_data.rng import raw_words, rng_for
from dunhuang_trainer.metrics import columns, on_device, score_pictures
from dunhuang_trainer.metrics.on_device import device_tallies
from dunhuang_trainer.metrics.tallies import Tally, tallies

UInt8Array = NDArray[np.uint8]
Four = tuple[UInt8Array, UInt8Array, UInt8Array, UInt8Array]


def scenes(height: int, width: int) -> Four:
    """Return five pictures: noisy, equal, extreme, without holes, and all damage but a corner."""
    target = np.stack([draw_picture(height, width, name) for name in "abcde"])
    words = raw_words(rng_for(0, "device"), target.size) >> np.uint64(58)
    restored = np.clip(target.astype(int) + words.reshape(target.shape).astype(int) - 32, 0, 255)
    restored[1], restored[2] = target[1], 255 * (target[2] < 100)
    valid, damage = np.ones((2, 5, height, width), np.uint8)
    damage[:4] = damage[4, : height // 2, : width // 2] = 0
    valid[[0, 1, 2, 4], 2:17, 3:20] = 0
    damage[0, 4, 5] = 1
    return restored.astype(np.uint8), target, valid, damage


def on_torch(four: Four) -> list[dict[str, Tally]]:
    """Return what torch sums on the CPU, which stands in for a GPU."""
    return device_tallies(*four, "cpu")


@pytest.mark.parametrize("shape", [(41, 58), (9, 30), (5, 6)])
def test_torch_sums_what_opencv_sums(shape: tuple[int, int]) -> None:
    four = scenes(*shape)
    expected = [tallies(*one) for one in zip(*four, strict=True)]
    for found, true in zip(on_torch(four), expected, strict=True):
        assert set(found) == set(true)
        for name, tally in true.items():
            assert found[name].counts.tolist() == tally.counts.tolist(), name
            assert found[name].totals == pytest.approx(tally.totals, rel=1e-11, abs=1e-11), name


def test_errors_are_the_same_to_the_last_bit() -> None:
    four = scenes(41, 58)
    for row, found in enumerate(on_torch(four)):
        true = tallies(*[one[row] for one in four])
        for name in ("mse", "l1"):
            assert found[name].totals.tolist() == true[name].totals.tolist()


def test_a_few_at_a_time_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    four = scenes(21, 34)
    together = on_torch(four)
    monkeypatch.setattr(on_device, "CHUNK_PIXELS", 2 * 21 * 34)
    apart = on_torch(four)
    assert len(apart) == 5
    for one, other in zip(together, apart, strict=True):
        for name in one:
            assert one[name].totals.tolist() == other[name].totals.tolist()
    target, planes = four[1][:0], four[2][:0]
    assert on_torch((target, target, planes, planes)) == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu_the_scores_are_those_of_the_cpu() -> None:
    four = scenes(261, 190)
    there = score_pictures(*four, course=True, device=torch.device("cuda"))
    for one, other in zip(score_pictures(*four, course=True), there, strict=True):
        assert [other[name] for name in columns(course=True)] == pytest.approx(
            [one[name] for name in columns(course=True)], abs=1e-5, nan_ok=True
        )


def test_a_device_that_is_not_the_cpu_takes_the_way_of_torch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[object] = []

    def device_tallies_here(
        restored: UInt8Array,
        target: UInt8Array,
        valid: UInt8Array,
        damage: UInt8Array,
        device: object,
    ) -> list[dict[str, Tally]]:
        asked.append(device)
        return on_torch((restored, target, valid, damage))

    monkeypatch.setattr(on_device, "device_tallies", device_tallies_here)
    four = scenes(24, 31)
    there = score_pictures(*four, device=torch.device("cuda", 1))
    assert asked == [torch.device("cuda", 1)]
    here = score_pictures(*four, device=torch.device("cpu"))
    assert len(asked) == 1
    for one, other in zip(here, there, strict=True):
        assert other == pytest.approx(one, abs=1e-9, nan_ok=True)
