"""What scores cost: milliseconds a picture, beside scikit-image, on one thread.

    python -m benchmarks.similarity [--size 256] [--batch 16] [--rounds 9] [--device cuda]

The ways take turns in one process, scikit-image in every round before and after the others; every
figure is the median over the rounds of processor time (of a GPU: wall time), and every ratio the
median of the ratios within a round. Values are compared before anything is timed.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from benchmarks.machine import print_machine
from dunhuang_data.rng import raw_words, rng_for
from dunhuang_trainer.metrics import CONVENTIONS, lmse, score_pictures
from dunhuang_trainer.metrics.windows import similarity_bands

UInt8Array = NDArray[np.uint8]
Way = Callable[[], object]
SCIKIT = {
    "ssim_uniform7": {},
    "ssim_gauss11": {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False},
}


def pictures(batch: int, size: int) -> tuple[UInt8Array, UInt8Array, UInt8Array, UInt8Array]:
    """Return smooth colours with grain, and the same with other grain, holes and no damage."""
    words = raw_words(rng_for(0, "similarity"), batch * size * size * 3) >> np.uint64(56)
    grain = words.reshape(batch, size, size, 3).astype(np.int16)
    y, x = np.mgrid[0:size, 0:size] / 17
    wall = (128 + 70 * np.sin(x + np.cos(y)))[None, ..., None]
    target = np.clip(wall + grain // 8 - 16, 0, 255).astype(np.uint8)
    restored = np.clip(wall + grain % 32 - 16, 0, 255).astype(np.uint8)
    valid, damage = np.ones((2, batch, size, size), np.uint8)
    damage[:] = 0
    valid[:, size // 3 : size // 2, size // 5 :] = 0
    return restored, target, valid, damage


def scikit(convention: str, restored: UInt8Array, target: UInt8Array) -> list[float]:
    """Return scikit-image's mean similarities, with the maps that regions need."""
    return [
        structural_similarity(
            *pair, channel_axis=-1, data_range=255, full=True, **SCIKIT[convention]
        )[0]
        for pair in zip(restored, target, strict=True)
    ]


def ours(convention: str, restored: UInt8Array, target: UInt8Array) -> list[float]:
    """Return the same by the bands of `windows`."""
    way, means = CONVENTIONS[convention], []
    for pair in zip(restored, target, strict=True):
        bands = [values for _, values in similarity_bands(*pair, way)]
        means.append(sum(float(one.sum()) for one in bands) / sum(one.size for one in bands))
    return means


def ways(size: int, batch: int) -> dict[str, dict[str, Way]]:
    """Return what is measured: scikit-image's way first in each group."""
    four = pictures(batch, size)
    groups: dict[str, dict[str, Way]] = {}
    composites = np.where(four[2][..., None] == 1, four[1], four[0])
    for convention in CONVENTIONS:
        groups[convention] = {
            "scikit-image": partial(scikit, convention, *four[:2]),
            "ours": partial(ours, convention, *four[:2]),
            "ours, equal but for one hole": partial(ours, convention, composites, four[1]),
        }
        both = [np.array(way()) for way in list(groups[convention].values())[:2]]
        print(f"{convention}: largest difference {np.abs(both[0] - both[1]).max():.1e}")

    def both_of_scikit() -> None:
        for convention in CONVENTIONS:
            scikit(convention, *four[:2])

    groups["all scores of all regions"] = {
        "scikit-image, both similarities alone": both_of_scikit,
        "ours": partial(score_pictures, *four),
        "of which lmse": lambda: [lmse(*pair) for pair in zip(*four[:2], strict=True)],
    }
    return groups


def measure(group: dict[str, Way], batch: int, rounds: int) -> None:
    """Measure one group in turns, and print it."""
    first = next(iter(group))
    spent: dict[str, list[float]] = {name: [] for name in group}
    for turn in range(rounds + 1):
        for name, way in group.items():
            begun = time.process_time()
            way()
            if turn:  # the first turn warms
                spent[name].append(1000 * (time.process_time() - begun) / batch)
    for name, values in spent.items():
        ratio = median(one / two for one, two in zip(spent[first], values, strict=True))
        print(f"  {name:40} {median(values):8.2f} ms a picture {ratio:7.1f} x as fast")


def on_gpu(size: int, batch: int, rounds: int, device: str) -> None:
    """Compare the scores of a GPU with the CPU's, and print its wall time."""
    import torch

    four = pictures(batch, size)
    here, there = score_pictures(*four), score_pictures(*four, device=device)
    worst = max(
        abs(one[name] - other[name])
        for one, other in zip(here, there, strict=True)
        for name in one
        if np.isfinite(one[name])
    )
    times = []
    for _ in range(rounds):
        torch.cuda.synchronize()
        begun = time.perf_counter()
        score_pictures(*four, device=device)
        times.append(1000 * (time.perf_counter() - begun) / batch)
    print(f"{device}: {median(times):.2f} ms a picture, largest difference {worst:.1e}")


def in_threads(size: int, batch: int, rounds: int) -> None:
    """Print the wall time of a batch on one thread and on two, in turns."""
    four, spent = pictures(batch, size), {1: list[float](), 2: list[float]()}
    for _ in range(rounds):
        for threads, times in spent.items():
            begun = time.perf_counter()
            score_pictures(*four, threads=threads)
            times.append(1000 * (time.perf_counter() - begun) / batch)
    print(f"wall time: {', '.join(f'{n} threads {median(t):.2f} ms' for n, t in spent.items())}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    print_machine()
    print(f"{options.batch} pictures of {options.size} px")
    for name, group in ways(options.size, options.batch).items():
        print(name)
        measure(group, options.batch, options.rounds)
    in_threads(options.size, options.batch, options.rounds)
    if options.device != "cpu":
        on_gpu(options.size, options.batch, options.rounds, options.device)


if __name__ == "__main__":
    main()
