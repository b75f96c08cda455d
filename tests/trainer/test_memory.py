"""Memory: a peak that is seen and can be reset, and the least of what system and container have."""

from pathlib import Path

import pytest
import torch

from dunhuang_trainer import memory

CPU = torch.device("cpu")
MEGABYTE = 2**20


def test_the_peak_outlives_the_memory_until_it_is_reset() -> None:
    memory.reset_peak(CPU)
    before, there = memory.peak_bytes(CPU), memory.resident_bytes()
    assert there <= before
    taken = bytearray(b"\1") * (64 * MEGABYTE)
    assert memory.resident_bytes() >= there + 60 * MEGABYTE
    del taken
    peak = memory.peak_bytes(CPU)
    assert peak >= there + 60 * MEGABYTE
    memory.reset_peak(CPU)
    assert memory.peak_bytes(CPU) <= peak


def test_a_system_that_lets_no_peak_be_reset_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "PEAK_RESET", tmp_path / "no" / "such" / "file")
    memory.reset_peak(CPU)


@pytest.mark.parametrize(
    ("limit", "free"),
    [("max\n", 5000 * 1024), ("4000000\n", 4000000 - 1500000 + 300000), ("9e\n", 5000 * 1024)],
)
def test_a_container_may_have_less_than_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, free: int
) -> None:
    texts = {
        "meminfo": "MemTotal:  9000 kB\nMemAvailable:    5000 kB\n",
        "max": limit,
        "current": "1500000\n",
        "stat": "anon 5\ninactive_anon 7\ninactive_file 300000\nactive_file 9\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="ascii")
    names = tuple(str(tmp_path / name) for name in ("max", "current", "stat"))
    missing = tuple(str(tmp_path / "none" / name) for name in ("a", "b", "c"))
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "LIMITS", (missing, names))
    assert memory.free_bytes(CPU) == free
