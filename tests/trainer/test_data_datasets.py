"""Datasets for torch's own DataLoader, in one process and in several."""

import pickle
from collections import Counter
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from dunhuang_data.errors import UsageProblem
from dunhuang_data.reader import DatasetReader
from dunhuang_data.types import as_split
from dunhuang_trainer.data import Order, PatchDataset, ShardStream
from dunhuang_trainer.data.stored import Buffers, batch_buffers, read_into


@pytest.fixture(scope="module")
def reader(dataset: Path) -> DatasetReader:
    """24 samples in shards of 7."""
    return DatasetReader(dataset, "train")


def test_an_item_is_its_row(dataset: Path, reader: DatasetReader) -> None:
    patches = PatchDataset(dataset, "train")
    assert len(patches) == 24
    samples = reader.read([17, 3])
    for place, item in enumerate(patches.__getitems__([17, 3])):
        for name in ("image", "valid", "damage"):
            assert np.array_equal(item[name].numpy(), getattr(samples, name)[place])
    assert patches[17]["row"] == 17
    assert torch.equal(patches[17]["image"], patches.__getitems__([17])[0]["image"])
    with pytest.raises(IndexError, match="items 0 to 23; \\[24\\] was asked"):
        patches[24]


def test_shuffled_it_has_the_loaders_order_and_masks(dataset: Path, reader: DatasetReader) -> None:
    patches = pickle.loads(
        pickle.dumps(PatchDataset(dataset, "train", shuffle=True, seed=3, masks="per-epoch"))
    )
    patches.set_epoch(2)
    order = Order(24, 3, masks="per-epoch")
    found = patches.__getitems__(range(24))
    assert [int(item["row"]) for item in found] == order.rows(2).tolist()
    masks = order.mask_rows(2)
    for item in found[:5]:
        assert np.array_equal(
            item["valid"].numpy(), reader.read([masks[int(item["row"])]]).valid[0]
        )
    halves = [
        PatchDataset(dataset, "train", shuffle=True, seed=3, rank=rank, world_size=2)
        for rank in range(2)
    ]
    rows = [[int(half[item]["row"]) for item in range(len(half))] for half in halves]
    assert rows == [order.rows(0)[0::2].tolist(), order.rows(0)[1::2].tolist()]


@pytest.mark.parametrize(("workers", "start"), [(0, None), (2, "fork"), (1, "spawn")])
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_torchs_loader_takes_both_kinds(
    dataset: Path, reader: DatasetReader, workers: int, start: str | None
) -> None:
    reader.read([0])  # the parent has files open
    patches = PatchDataset(dataset, "train", shuffle=True, seed=1)
    stream = ShardStream(dataset, "train", seed=1, window=2)
    options = {"num_workers": workers, "multiprocessing_context": start}
    loader = DataLoader(patches, 5, persistent_workers=bool(workers), **options)  # type: ignore[arg-type]
    for epoch in range(2):
        patches.set_epoch(epoch)  # reaches workers that are already there
        batches = list(loader)
        rows = torch.cat([batch["row"] for batch in batches]).tolist()
        assert rows == Order(24, 1).rows(epoch).tolist()
        assert np.array_equal(batches[2]["image"].numpy(), reader.read(rows[10:15]).image)
    if start != "spawn":  # half a second each
        found = list(DataLoader(stream, 5, **options))  # type: ignore[arg-type]
        rows = torch.cat([batch["row"] for batch in found]).tolist()
        assert sorted(rows) == list(range(24))
        image = torch.cat([batch["image"] for batch in found]).numpy()
        assert np.array_equal(image, reader.read(rows).image)


def test_a_stream_reads_every_shard_once_in_order_and_mixes_a_window(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[list[int]] = []

    def seen(reader, picks, buffers):  # type: ignore[no-untyped-def]
        read.append(picks.rows.tolist())
        return read_into(reader, picks, buffers)

    monkeypatch.setattr("dunhuang_trainer.data.datasets.read_into", seen)
    shards = [list(range(first, min(first + 7, 24))) for first in range(0, 24, 7)]
    for size in (1, 3, 9):
        stream = ShardStream(dataset, "train", seed=6, window=size)
        epochs, shard_orders = [], []
        for epoch in range(2):
            stream.set_epoch(epoch)
            given = [int(sample["row"]) for sample in stream]
            windows, read[:] = read[:], []
            assert len(windows) == -(-4 // size)
            # what is read is whole shards from their first row to their last, each once
            in_order = list(chain(*windows))
            starts = [row for row in in_order if row % 7 == 0]
            assert in_order == list(chain(*(shards[row // 7] for row in starts)))
            assert sorted(starts) == [0, 7, 14, 21]
            # what is given is a window after the other, each mixed
            rest = iter(given)
            for rows in windows:
                mixed = [next(rest) for _ in rows]
                assert sorted(mixed) == sorted(rows)
                assert mixed != rows
            epochs.append(given)
            shard_orders.append(starts)
        assert epochs[0] != epochs[1]
        assert shard_orders[0] != shard_orders[1]
        stream.set_epoch(0)
        assert [int(sample["row"]) for sample in stream] == epochs[0]
        read.clear()


def test_a_stream_takes_memory_for_the_rows_of_its_largest_window(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []

    def seen(reader: DatasetReader, rows: int) -> Buffers:
        taken.append(rows)
        return batch_buffers(reader, rows)

    monkeypatch.setattr("dunhuang_trainer.data.datasets.batch_buffers", seen)
    # the validation split's shards hold 7, 7 and 4: which two are the first window is drawn
    cases = (("train", 1, {7}), ("train", 9, {24}), ("test", 1, {6}), ("val", 2, {11, 14}))
    for split, window, most in cases:
        stream = ShardStream(dataset, as_split(split), window=window, seed=1)
        for epoch in range(4):  # of seed 1, so that the short last shard comes first in some
            stream.set_epoch(epoch)
            assert len(list(stream)) == len(stream.reader)
        assert set(taken) == most
        assert len(taken) == 4  # once an epoch
        taken.clear()
    nothing = ShardStream(dataset, "test", rank=1, world_size=2)  # one shard, two ranks
    assert list(nothing) == []
    assert taken == [0]


def test_streams_of_ranks_share_the_shards(dataset: Path, reader: DatasetReader) -> None:
    rows = Counter[int]()
    for rank in range(3):
        stream = ShardStream(dataset, "train", window=2, masks="per-epoch", rank=rank, world_size=3)
        for sample in stream:
            row = int(sample["row"])
            rows[row] += 1
            mask = stream.order.mask_rows(0)[row]
            assert np.array_equal(sample["valid"].numpy(), reader.read([mask]).valid[0])
            assert np.array_equal(sample["image"].numpy(), reader.read([row]).image[0])
    assert rows == Counter(range(24))


def test_what_a_stream_gave_stays(dataset: Path, reader: DatasetReader) -> None:
    found = list(ShardStream(dataset, "train", window=1))
    for sample in found:
        assert np.array_equal(sample["image"].numpy(), reader.read([int(sample["row"])]).image[0])
    with pytest.raises(UsageProblem, match="window is 0 shards"):
        ShardStream(dataset, "train", window=0)
