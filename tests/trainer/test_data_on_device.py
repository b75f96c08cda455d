"""A split on the device: the loader's batches, bit for bit, and what does not fit is refused."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dunhuang_data.errors import DatasetError, EnvironmentProblem, UsageProblem
from dunhuang_data.reader import DatasetReader
from dunhuang_trainer.data import DeviceSplit, Loader, StoredBatch, finished, on_device

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def reader(dataset: Path) -> DatasetReader:
    """24 samples of 32 px."""
    return DatasetReader(dataset, "train")


def content(batch: StoredBatch) -> tuple[bytes, ...]:
    """Return all that a batch holds."""
    picks, turns = batch.picks, batch.turns
    turned = b"" if turns is None else turns.quarters.tobytes() + turns.flip.tobytes()
    planes = (batch.image, batch.valid, batch.damage)
    return (
        *(plane.cpu().numpy().tobytes() for plane in planes),
        *(rows.tobytes() for rows in (picks.positions, picks.rows, picks.mask_rows)),
        turned,
    )


@pytest.mark.parametrize(
    ("masks", "flip", "quarter_turns"),
    list(product(["fixed", "per-epoch"], [0.0, 0.5], [False, True])),
)
def test_batches_are_the_loaders_bit_for_bit(
    reader: DatasetReader, masks: str, flip: float, quarter_turns: bool
) -> None:
    settings: dict[str, Any] = {
        "seed": 7, "masks": masks, "flip": flip, "quarter_turns": quarter_turns,
    }  # fmt: skip
    for rank, world_size in ((0, 1), (1, 2), (2, 3)):
        shared = {**settings, "rank": rank, "world_size": world_size}
        with Loader(reader, 5, workers=0, **shared) as loader:
            expected = [content(batch) for batch in loader.take(7)]
            state = loader.state_dict()
        with DeviceSplit(reader, 5, **shared) as split:
            assert [content(batch) for batch in split.take(7)] == expected
            assert split.state_dict() == state
            split.seek(3)
            assert [content(batch) for batch in split.take(4)] == expected[3:]


def test_every_array_is_its_own(reader: DatasetReader) -> None:
    split = DeviceSplit(reader, 24, shuffle=False)
    samples = reader.read_stored(range(24))
    batch = next(iter(split))
    for name in ("image", "valid", "damage"):
        assert np.array_equal(getattr(batch, name).numpy(), samples[name])


def test_validation_has_every_sample_once_and_epochs_go_on(reader: DatasetReader) -> None:
    with DeviceSplit(reader, 5, shuffle=False, tail="keep") as split:
        epochs = [[row for batch in split for row in batch.picks.rows] for _ in range(2)]
        assert len(split) == 5
    assert epochs == [list(range(24))] * 2
    assert (split.epoch, split.position) == (2, 0)


def test_a_batch_may_be_kept_and_written_to(reader: DatasetReader) -> None:
    split = DeviceSplit(reader, 4, shuffle=False)
    first, second = (content(batch) for batch in split.take(2))
    split.seek(0)
    batches = split.take(2)
    kept = next(batches)
    assert content(next(batches)) == second
    assert content(kept) == first
    kept.image.zero_()
    split.seek(0)
    assert content(next(split.take(1))) == first


def test_an_iteration_that_was_ended_says_so_as_the_loaders(reader: DatasetReader) -> None:
    split = DeviceSplit(reader, 4)
    first = iter(split)
    next(first)
    assert len(list(split)) == 5
    with pytest.raises(RuntimeError, match="ended before its last batch"):
        next(first)
    with pytest.raises(UsageProblem, match="-1 batches were asked"):
        split.take(-1)


def test_the_dataset_is_read_once(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = DatasetReader.read_stored

    def counted(self: DatasetReader, rows: Any, names: Any = None, out: Any = None) -> Any:
        asked.extend(rows)
        return real(self, rows, names, out)

    monkeypatch.setattr(DatasetReader, "read_stored", counted)
    monkeypatch.setattr(on_device, "AT_ONCE", 10)
    told: list[int] = []
    split = DeviceSplit(
        DatasetReader(dataset, "train"), 4, masks="per-epoch", workers=0, progress=told.append
    )
    for batch in split.take(20):
        assert len(finished(batch).target) == 4
    assert asked == list(range(24))
    assert told == [10, 10, 4]


def test_a_sample_that_cannot_be_read_is_an_error_at_the_beginning(dataset: Path) -> None:
    class Broken(DatasetReader):
        def read_stored(self, rows: Any, names: Any = None, out: Any = None) -> Any:
            if 20 in rows:
                raise DatasetError("row 20 cannot be read")
            return super().read_stored(rows, names, out)

    with pytest.raises(DatasetError, match="row 20 cannot be read"):
        DeviceSplit(Broken(dataset, "train"), 4)


def test_what_does_not_fit_is_refused_before_anything_is_read(
    reader: DatasetReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = 24 * (32 * 32 * 3 + 2 * 32 * 4)
    assert on_device.split_bytes(reader) == needed

    def enough(free: float, world_size: int = 1) -> bool:
        monkeypatch.setattr(on_device, "free_bytes", lambda _: int(free))
        try:
            on_device.check_fits(reader, CPU, world_size)
        except EnvironmentProblem:
            return False
        return True

    assert enough(needed / 0.9 + 1)
    assert not enough(needed / 0.9 - 2)
    assert enough(3 * needed / 0.9 + 1, world_size=3)
    assert not enough(3 * needed / 0.9 - 2, world_size=3)
    monkeypatch.setattr(DatasetReader, "read_stored", lambda *_: pytest.fail("it was read"))
    sentence = (
        r"--data-on-device: the 24 samples of train in .* take 7.99e-05 GB in each of 3 processes,"
        r" and of the 0.000266 GB that are free on cpu they may take 90%\. Leave the option out"
    )
    with pytest.raises(EnvironmentProblem, match=sentence):
        DeviceSplit(reader, 4, world_size=3)


def test_a_gpu_that_is_full_after_all_is_the_same_sentence(
    reader: DatasetReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: Any, **_settings: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch, "empty", full)
    with pytest.raises(EnvironmentProblem, match="--data-on-device: the 24 samples of train"):
        DeviceSplit(reader, 4)


def test_an_empty_split_has_no_batch(
    reader: DatasetReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DatasetReader, "__len__", lambda _: 0)
    split = DeviceSplit(reader, 4, tail="keep")
    assert list(split) == list(split.take(3)) == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_nothing_is_copied_there_again(reader: DatasetReader) -> None:
    settings: dict[str, Any] = {"masks": "per-epoch", "flip": 0.5, "seed": 2}
    split, loader = DeviceSplit(reader, 5, device="cuda", **settings), Loader(reader, 5, **settings)
    with loader:
        for found, expected in zip(split.take(9), loader.take(9), strict=True):
            assert found.image.is_cuda
            assert content(found) == content(expected)
