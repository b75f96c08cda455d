"""HDF5's own freedom must not show: the same samples, the same bytes."""

import random
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from types import FrameType

import numpy as np
import pytest

from dunhuang_data.format_hdf5 import encode_shard


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


def test_a_profiler_changes_no_byte(profiler: None) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "image": rng.integers(0, 255, (20, 64, 64, 3)).astype(np.uint8),
        "valid": rng.integers(0, 255, (20, 64, 8)).astype(np.uint8),
        "damage": np.zeros((20, 64, 8), dtype=np.uint8),
    }
    files = {encode_shard("train", 0, arrays, 20, 20)["train/00000.h5"] for _ in range(60)}
    assert len(files) == 1
