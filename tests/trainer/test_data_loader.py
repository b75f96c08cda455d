"""The loader: the same batches however they are read, threads that end, state that resumes."""

import io
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dunhuang_data.errors import DatasetError, ResumeMismatchError, UsageProblem
from dunhuang_data.polarity import unpack
from dunhuang_data.reader import DatasetReader
from dunhuang_trainer.data import Loader, StoredBatch, finished, ring
from dunhuang_trainer.data.loader import auto_workers
from dunhuang_trainer.data.turns import draw_turns

Kept = tuple[list[int], bytes, bytes]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert threads() == 0


def threads() -> int:
    return sum(one.name.startswith(ring.THREADS) for one in threading.enumerate())


@pytest.fixture(scope="module")
def reader(dataset: Path) -> DatasetReader:
    """24 samples."""
    return DatasetReader(dataset, "train")


def kept(batch: StoredBatch) -> Kept:
    """Return what a batch holds, as something that stays."""
    return (
        batch.picks.rows.tolist(),
        batch.image.numpy().tobytes(),
        batch.valid.numpy().tobytes(),
    )


@pytest.mark.parametrize("workers", [0, 1, 2, 5])
def test_batches_are_the_samples_of_their_rows_whoever_reads(
    reader: DatasetReader, workers: int
) -> None:
    rows: list[int] = []
    with Loader(reader, 5, seed=3, workers=workers) as loader:
        for batch in loader.take(9):
            samples = reader.read(batch.picks.rows)
            assert np.array_equal(batch.image.numpy(), samples.image)
            assert np.array_equal(unpack(batch.valid.numpy(), 32), samples.valid)
            rows += batch.picks.rows.tolist()
    order = loader.order
    expected = chain(*(order.rows(epoch)[:20].tolist() for epoch in range(3)))
    assert rows == list(expected)[:45]


def test_an_iteration_is_the_rest_of_an_epoch_and_the_next_is_another(
    reader: DatasetReader,
) -> None:
    with Loader(reader, 6, workers=2) as loader:
        epochs = [[row for batch in loader for row in batch.picks.rows.tolist()] for _ in range(3)]
    assert len(loader) == 4
    assert all(sorted(rows) == list(range(24)) for rows in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert loader.state_dict() == {
        "dataset": reader.manifest.content_sha256,
        "split": "train",
        "seed": 0,
        "shuffle": True,
        "masks": "fixed",
        "epoch": 3,
        "position": 0,
    }


@pytest.mark.parametrize("workers", [0, 2])
def test_keeping_the_tail_gives_every_sample_exactly_once(
    reader: DatasetReader, workers: int
) -> None:
    rows, sizes = [], []
    for rank in range(3):
        loader = Loader(
            reader, 5, shuffle=False, tail="keep", workers=workers, rank=rank, world_size=3
        )
        batches = [batch.picks.rows.tolist() for batch in loader]
        assert len(batches) == len(loader)
        rows += list(chain(*batches))
        sizes.append(len(batches))
    assert sorted(rows) == list(range(24))
    assert sizes == [2, 2, 2]


def test_a_tail_that_not_every_rank_has(reader: DatasetReader) -> None:
    loaders = [
        Loader(reader, 1, shuffle=False, tail="keep", workers=0, rank=rank, world_size=23)
        for rank in range(23)
    ]
    batches = [[batch.picks.rows.tolist() for batch in loader] for loader in loaders]
    assert batches[:2] == [[[0], [23]], [[1]]]
    assert [len(loader) for loader in loaders[:2]] == [2, 1]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_rank_without_any_batch_ends_and_stays_where_it_is_put(
    reader: DatasetReader, workers: int
) -> None:
    loader = Loader(reader, 2, tail="keep", workers=workers, rank=24, world_size=25)
    assert len(loader) == 0
    assert list(loader) == list(loader.take(3)) == []
    loader.seek(0)
    assert (loader.epoch, loader.position) == (0, 0)
    loader.load_state_dict({**loader.state_dict(), "epoch": 2})
    assert loader.state_dict()["epoch"] == 2  # as the other ranks, not one further
    with pytest.raises(UsageProblem, match="24 samples in train, none of them for rank 24 of 25"):
        loader.seek(1)


def test_fewer_than_no_batches_are_a_sentence(reader: DatasetReader) -> None:
    loader = Loader(reader, 4)
    with pytest.raises(UsageProblem, match="-1 batches were asked of a loader; expected 0 or more"):
        loader.take(-1)
    with pytest.raises(UsageProblem, match="cannot stand after -1 batches; expected 0 or more"):
        loader.seek(-1)
    assert (loader.epoch, loader.position) == (0, 0)


def test_ranks_together_have_one_epoch_and_as_many_batches_each(reader: DatasetReader) -> None:
    alone = [batch.picks.rows.tolist() for batch in Loader(reader, 10, workers=0, seed=8)]
    ranks = [
        [
            batch.picks.rows.tolist()
            for batch in Loader(reader, 5, workers=0, seed=8, rank=rank, world_size=2)
        ]
        for rank in range(2)
    ]
    assert [len(batches) for batches in ranks] == [2, 2]
    together = [sorted(one + other) for one, other in zip(*ranks, strict=True)]
    assert together == [sorted(rows) for rows in alone]


@pytest.mark.parametrize(("before", "after"), [(0, 2), (2, 0), (3, 1)])
def test_resuming_in_mid_epoch_goes_on_exactly(
    reader: DatasetReader, before: int, after: int
) -> None:
    settings: dict[str, Any] = {"seed": 5, "masks": "per-epoch", "flip": 0.5}
    with Loader(reader, 5, workers=before, **settings) as loader:
        whole = [(kept(batch), turned(batch)) for batch in loader.take(11)]
    with Loader(reader, 5, workers=before, **settings) as first:
        for _batch in first.take(6):
            pass
        state = first.state_dict()
    assert (state["seed"], state["epoch"], state["position"]) == (5, 1, 10)
    stream = io.BytesIO()  # as it would lie in a checkpoint
    torch.save(state, stream)
    stream.seek(0)
    state = torch.load(stream, weights_only=True)
    with Loader(reader, 5, workers=after, **settings) as second:
        second.load_state_dict(state)
        rest = [(kept(batch), turned(batch)) for batch in second.take(5)]
        second.seek(6)
        again = [(kept(batch), turned(batch)) for batch in second.take(5)]
    assert rest == again == whole[6:]


def turned(batch: StoredBatch) -> list[bool]:
    assert batch.turns is not None
    return list(batch.turns.flip)


def test_state_counts_what_was_handed_over_not_what_was_read(reader: DatasetReader) -> None:
    with Loader(reader, 4, workers=2) as loader:
        batches = iter(loader)
        next(batches)
        assert loader.state_dict()["position"] == 4
        loader.load_state_dict(loader.state_dict())
        rows = [row for batch in loader for row in batch.picks.rows.tolist()]
    assert rows == loader.order.rows(0)[4:].tolist()


def test_another_batch_size_and_world_takes_up_the_rest(reader: DatasetReader) -> None:
    first = Loader(reader, 4, workers=0, seed=1)
    taken = [row for batch in first.take(2) for row in batch.picks.rows.tolist()]
    for rank in range(2):
        other = Loader(reader, 3, workers=0, seed=1, tail="keep", rank=rank, world_size=2)
        other.load_state_dict(first.state_dict())
        taken += [row for batch in other for row in batch.picks.rows.tolist()]
    assert sorted(taken) == list(range(24))


def test_a_state_that_is_not_this_loaders_is_a_sentence(reader: DatasetReader) -> None:
    loader = Loader(reader, 4)
    state = Loader(reader, 4, seed=1).state_dict()
    with pytest.raises(ResumeMismatchError, match="state is of seed 1, this loader has seed 0"):
        loader.load_state_dict(state)
    for epoch, position in ((0, 25), (-1, 0), (0, 1.5)):
        changed: Any = {**loader.state_dict(), "epoch": epoch, "position": position}
        with pytest.raises(ResumeMismatchError, match="expected whole numbers and a position of 0"):
            loader.load_state_dict(changed)
    with pytest.raises(UsageProblem, match="Batches of 0, None workers"):
        Loader(reader, 0)


def test_a_state_of_other_masks_order_or_dataset_is_a_sentence(
    dataset: Path, reader: DatasetReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader, test = Loader(reader, 4), DatasetReader(dataset, "test")
    with monkeypatch.context() as patched:
        changed = replace(test.manifest, content_sha256="f" * 64)
        patched.setattr(test, "manifest", changed)
        elsewhere = Loader(test, 4).state_dict()
    others = {
        "masks per-epoch, this loader has masks fixed": Loader(reader, 4, masks="per-epoch"),
        "shuffle False, this loader has shuffle True": Loader(reader, 4, shuffle=False),
        "split test, this loader has split train": Loader(test, 4),
    }
    states = {sentence: other.state_dict() for sentence, other in others.items()}
    mine = reader.manifest.content_sha256
    states[f"dataset {'f' * 64}, this loader has dataset {mine}"] = elsewhere
    for sentence, state in states.items():
        with pytest.raises(ResumeMismatchError, match=f"state is of {sentence}"):
            loader.load_state_dict(state)
    for key in loader.state_dict():
        part = {name: value for name, value in loader.state_dict().items() if name != key}
        with pytest.raises(ResumeMismatchError, match=f"has no {key}|is epoch None|position None"):
            loader.load_state_dict(part)
    assert (loader.epoch, loader.position) == (0, 0)


def test_masks_per_epoch_are_laid_on_other_samples(reader: DatasetReader) -> None:
    with Loader(reader, 6, seed=2, masks="per-epoch", workers=2) as loader:
        for batch in loader.take(8):
            rows, masks = batch.picks.rows, batch.picks.mask_rows
            assert rows.tolist() != masks.tolist()
            assert masks.tolist() == loader.order.mask_rows(batch.picks.epoch)[rows].tolist()
            assert np.array_equal(batch.image.numpy(), reader.read(rows).image)
            assert np.array_equal(unpack(batch.valid.numpy(), 32), reader.read(masks).valid)
            assert np.array_equal(unpack(batch.damage.numpy(), 32), reader.read(rows).damage)


def test_a_finished_batch_is_turned_as_a_whole_and_may_be_kept(reader: DatasetReader) -> None:
    with Loader(reader, 24, seed=2, flip=0.5, quarter_turns=True, workers=1) as loader:
        stored = next(iter(loader))
        batch, samples, turns = finished(stored), reader.read(stored.picks.rows), stored.turns
        assert turns is not None
        assert turns.flip.any()
        drawn = draw_turns(2, 0, np.arange(24), 0.5, True)  # by position, not by row
        assert drawn is not None
        assert turns.quarters.tolist() == drawn.quarters.tolist()
        stored.image.zero_()
    for place in range(24):
        for planes, given in (
            (batch.target * 255, samples.image),
            (batch.valid, samples.valid[..., None]),
            (batch.damage, samples.damage[..., None]),
        ):
            expected = np.rot90(given[place], turns.quarters[place])
            expected = np.fliplr(expected) if turns.flip[place] else expected
            found = planes[place].permute(1, 2, 0).round().numpy()
            assert np.array_equal(found, expected)


def test_memory_is_used_again_and_stays_valid_until_the_next_batch(
    reader: DatasetReader,
) -> None:
    with Loader(reader, 2, workers=2) as loader:
        addresses = set()
        for batch in chain(loader.take(12), loader.take(12)):
            before = kept(batch)
            addresses.add(batch.image.data_ptr())
            assert batch.image.data_ptr() % 64 == 0
            assert kept(batch) == before
    assert len(addresses) == 4


class Broken(DatasetReader):
    """Fails at a row."""

    bad = 11

    def read_stored(self, rows: Any, names: Any = None, out: Any = None) -> Any:
        if self.bad in rows:
            raise DatasetError(f"row {self.bad} cannot be read")
        return super().read_stored(rows, names, out)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_comes_where_the_batch_was_asked_for(dataset: Path, workers: int) -> None:
    loader = Loader(Broken(dataset, "train"), 4, shuffle=False, workers=workers)
    batches = iter(loader)
    assert [next(batches).picks.rows.tolist() for _ in range(2)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    with pytest.raises(DatasetError, match="row 11 cannot be read"):
        next(batches)
    assert threads() == 0
    assert loader.state_dict()["position"] == 8  # it may be tried again
    with pytest.raises(DatasetError, match="row 11 cannot be read"):
        next(iter(loader))


def test_leaving_early_ends_the_threads(reader: DatasetReader) -> None:
    loader = Loader(reader, 4, workers=2)
    for _batch in loader:
        assert threads() > 0
        break
    assert threads() == 0  # nobody holds the iteration any more
    with pytest.raises(ZeroDivisionError), loader:
        1 // sum(0 for _batch in loader.take(1))
    batches = iter(loader)
    with loader:
        next(batches)
        assert threads() > 0
    assert threads() == 0


def test_an_iteration_that_was_ended_says_so_and_does_not_look_exhausted(
    reader: DatasetReader,
) -> None:
    loader = Loader(reader, 4, workers=1)
    first = iter(loader)
    next(first)
    assert len(list(loader)) == 5  # from where the first one left
    with pytest.raises(RuntimeError, match="ended before its last batch"):
        next(first)
    over = loader.take(0)
    assert [next(over, None), next(over, None)] == [None, None]


def test_an_iteration_left_open_does_not_keep_the_program_from_ending(dataset: Path) -> None:
    program = f"""
        from pathlib import Path
        from dunhuang_data.reader import DatasetReader
        from dunhuang_trainer.data import Loader
        batches = iter(Loader(DatasetReader(Path({str(dataset)!r}), "train"), 2, workers=2))
        print(len(next(batches)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("2\n", "")


def test_the_system_is_asked_ahead_while_it_reads_from_disk(
    reader: DatasetReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[int]] = []
    reads = iter([0, 0, 0, 7, *[8] * 20])
    monkeypatch.setattr(ring, "AHEAD", 3)
    monkeypatch.setattr(ring, "disk_reads", lambda: next(reads))
    monkeypatch.setattr(DatasetReader, "prefetch", lambda _, rows: asked.append(rows.tolist()))
    loader, seen = Loader(reader, 2, shuffle=False, workers=0), []
    for _batch in loader:
        seen.append([rows[0] // 2 for rows in asked])
        asked.clear()
    # three at the beginning; before the fourth and the fifth something was read from disk
    assert seen == [[0, 1, 2], [], [], [3, 4, 5], [6], *[[]] * 7]


def test_as_many_threads_as_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    for processors, workers in ((1, 0), (2, 2), (64, 2)):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, n=processors: set(range(n)))
        assert auto_workers() == workers


def test_an_empty_split_has_no_batch(
    reader: DatasetReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DatasetReader, "__len__", lambda _: 0)
    loader = Loader(reader, 4, tail="keep", workers=1)
    assert list(loader) == list(loader.take(3)) == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_batches_on_a_gpu_may_be_kept(reader: DatasetReader) -> None:
    with Loader(reader, 3, workers=2, device="cuda", masks="per-epoch") as loader:
        found = list(loader.take(24))
    with Loader(reader, 3, workers=0, masks="per-epoch") as loader:
        for one, other in zip(found, loader.take(24), strict=True):
            assert one.image.is_cuda
            assert torch.equal(one.image.cpu(), other.image)
            assert torch.equal(one.valid.cpu(), other.valid)
            assert torch.equal(finished(one).target.cpu(), finished(other).target)
