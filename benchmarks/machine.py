"""What figures depend on, and how they are taken: the machine, the page cache, turns, bars."""

import ctypes
import mmap
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Rows = NDArray[np.int64]
Gather = Callable[[Rows], tuple[Bytes, Bytes]]
Ways = dict[str, Gather]
BATCH = 32
PACKAGES = {  # module: distribution
    "zarr": "zarr", "zarrs": "zarrs", "h5py": "h5py", "tensorstore": "tensorstore",
    "lmdb": "lmdb", "webdataset": "webdataset", "litdata": "litdata",
    "streaming": "mosaicml-streaming", "torch": "torch", "cv2": "opencv-python-headless",
    "numpy": "numpy", "PIL": "pillow",
}  # fmt: skip


def installed(module: str) -> bool:
    """Tell whether a peer can be imported."""
    there = find_spec(module) is not None
    if there and module == "streaming":  # which imports torchvision
        from dunhuang_trainer.torchvision_import import prepare_torchvision

        prepare_torchvision()
    return there


def versions() -> dict[str, str]:
    """Return the version of each package, or "not installed"."""
    found = {}
    for module, name in PACKAGES.items():
        try:
            found[name] = version(name) if installed(module) else "not installed"
        except PackageNotFoundError:
            found[name] = "of unknown version"
    return found


def resident_share(folder: Path) -> float:
    """Return which share of the files' bytes is in the page cache (``mincore``)."""
    libc, page, inside, total = ctypes.CDLL(None, use_errno=True), mmap.PAGESIZE, 0, 0
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_size:
            data = np.memmap(path, np.uint8, "r")
            pages = np.zeros(-(-len(data) // page), np.uint8)
            address = ctypes.c_void_p(data.ctypes.data)
            if libc.mincore(
                address, ctypes.c_size_t(len(data)), ctypes.c_void_p(pages.ctypes.data)
            ):
                return float("nan")
            inside, total = inside + int((pages & 1).sum()), total + len(pages)
    return inside / total if total else 1.0


def warm(*folders: Path) -> None:
    """Read files once, so that they are in the page cache, and print whether they are."""
    buffer = bytearray(1 << 22)
    for folder in dict.fromkeys(folders):
        for path in folder.rglob("*"):
            if path.is_file():
                with path.open("rb", buffering=0) as file:
                    while file.readinto(buffer):
                        pass
    shares = {folder.name: resident_share(folder) for folder in dict.fromkeys(folders)}
    print("in the page cache: " + ", ".join(f"{name} {one:.0%}" for name, one in shares.items()))


def print_machine() -> None:
    """Print cores, memory, load and versions."""
    model = [line for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = [line.split()[1] for line in _lines("/proc/meminfo") if line.startswith("MemTotal")]
    print(
        f"{os.cpu_count()} cores ({model[0].split(':')[1].strip() if model else '?'}), "
        f"{int(memory[0]) / 2**20 if memory else 0:.0f} GiB, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}; load "
        f"{' '.join(f'{one:.2f}' for one in os.getloadavg())}"
    )
    print(", ".join(f"{name} {one}" for name, one in versions().items()))


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).is_file() else []


def aligned(shape: tuple[int, ...]) -> Bytes:
    """Return an array that begins at a multiple of 4,096: what every copy likes best."""
    size = int(np.prod(shape))
    memory = np.zeros(size + 4096, np.uint8)
    first = -memory.ctypes.data % 4096
    return memory[first : first + size].reshape(shape)


def in_turns(ways: Ways, count: int, rounds: int) -> dict[str, tuple[float, float]]:
    """Return CPU and wall µs a sample of each way, medians over the rounds.

    A round gives every way the same batches; a way of more than 15 ms a batch gets fewer.
    """
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    batches = dict.fromkeys(ways, 2)
    for turn in range(rounds + 1):
        order = np.random.default_rng(turn).permutation(count)[: count // BATCH * BATCH]
        for name, gather in ways.items():
            parts = order.reshape(-1, BATCH)[: batches[name]]
            cpu, wall = time.process_time(), time.perf_counter()
            for rows in parts:
                gather(rows)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            if turn:
                spent[name].append((cpu / parts.size * 1e6, wall / parts.size * 1e6))
            else:  # the first turn warms, and says how many batches half a second holds
                batches[name] = max(2, min(32, int(0.5 / wall * len(parts))))
    return {name: (_median(one, 0), _median(one, 1)) for name, one in spent.items()}


def _median(pairs: list[tuple[float, float]], which: int) -> float:
    return float(np.median([pair[which] for pair in pairs]))


def verdict(what: str, value: float, *, most: float = 0, least: float = 0) -> None:
    """Print one bar."""
    passed = value <= most if most else value >= least
    bar = f"at most {most:g}" if most else f"at least {least:g}"
    print(f"  {value:6.2f} x {what}; bar: {bar}   {'pass' if passed else 'FAIL'}")
