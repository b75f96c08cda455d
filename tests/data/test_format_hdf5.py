"""HDF5's own freedom must not show: the same samples, the same bytes."""

import random
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

from dunhuang_data.format_hdf5 import new_shard
from dunhuang_data.rng import raw_words, rng_for
from dunhuang_data.shards import ShardPlace


@pytest.fixture
def profiler() -> Iterator[None]:
    """Hold on to running frames for a while, as Dask's profiler and debuggers do."""
    held: deque[list[object]] = deque(maxlen=3)
    stop = threading.Event()

    def sample() -> None:
        while not stop.is_set():
            for frame in sys._current_frames().values():
                frames: list[object] = []
                step: FrameType | None = frame
                while step is not None:
                    frames.append(step)
                    step = step.f_back
                held.append(frames)
            time.sleep(random.random() * 0.002)

    thread = threading.Thread(target=sample)
    thread.start()
    yield
    stop.set()
    thread.join()


def test_a_profiler_changes_no_byte(profiler: None, tmp_path: Path) -> None:
    words = raw_words(rng_for(0, "hdf5"), 20 * 64 * 64 * 3 // 8).view(np.uint8)
    image = words.reshape(20, 64, 64, 3)
    place = ShardPlace("train", 0, 20, 20, 64, 20, "none")

    def shard() -> bytes:
        with new_shard(tmp_path, place) as new:
            for row in image:
                new.add({"image": row, "valid": row[:, :8, 0], "damage": row[:, :8, 1]})
            new.seal("0" * 64)
        return (tmp_path / "train/00000.h5").read_bytes()

    assert len({shard() for _ in range(60)}) == 1
