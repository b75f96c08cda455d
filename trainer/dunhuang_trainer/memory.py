"""How much memory there is, and how much this process takes: what Linux and CUDA say, in bytes."""

import re
from pathlib import Path

import torch

STATUS, MEMINFO = Path("/proc/self/status"), Path("/proc/meminfo")
PEAK_RESET = Path("/proc/self/clear_refs")  # "5" sets the peak back to what is used now
LIMITS = (  # of a container: its limit, what it uses, and what of that are cached files
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        "/sys/fs/cgroup/memory/memory.stat",
    ),
)


def resident_bytes() -> int:
    """Return the main memory that this process uses now."""
    return _kilobytes(STATUS, "VmRSS")


def peak_bytes(device: torch.device) -> int:
    """Return the most memory that this process has used so far.

    On a GPU what torch had allocated there, on the CPU all main memory of the process. (Not
    ``ru_maxrss``, which a process inherits from the one that started it.)
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return _kilobytes(STATUS, "VmHWM")


def reset_peak(device: torch.device) -> None:
    """Begin to look for the most memory anew; some systems do not allow it on the CPU."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        PEAK_RESET.write_text("5")
    except OSError:
        return


def free_bytes(device: torch.device) -> int:
    """Return the memory that may still be taken on a device.

    On the CPU the least of what the system has left, cached files counted as free, and of what a
    container may still take.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return min([_kilobytes(MEMINFO, "MemAvailable"), *_left_in_container()])


def _left_in_container() -> list[int]:
    left = []
    for names in LIMITS:
        try:
            limit, used, stat = (Path(name).read_text(encoding="ascii") for name in names)
            cached = re.search(r"^(?:total_)?inactive_file (\d+)", stat, re.MULTILINE)
            left.append(int(limit) - int(used) + (int(cached[1]) if cached else 0))
        except (OSError, ValueError):  # there is no such file, or it says "max": no limit
            continue
    return left


def _kilobytes(path: Path, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", path.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise RuntimeError(f"{path} has no {name}; expected what Linux writes there")
    return 1024 * int(found[1])
