"""Scores of samples for tests, and the bootstrap as a plain loop."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dunhuang_data.rng import raw_words, rng_for
from dunhuang_trainer.evaluate.records import SampleScore

NAN, INF = float("nan"), float("inf")


def sample(method: str, key: str, mse: float = NAN, **other: Any) -> SampleScore:
    """Return a score; what is no attribute of it is a value."""
    of_sample = {
        name: other.pop(name, value)
        for name, value in (
            ("picture", key),
            ("hole_ratio", 0.25),
            ("depth_px", 2.5),
            ("touches_border", False),
        )
    }
    return SampleScore(method=method, key=key, values={"mse_hole": mse, **other}, **of_sample)


def random_scores(
    methods: Sequence[str], samples: int = 30, pictures: int = 7
) -> list[SampleScore]:
    """Return scores of all buckets, with holes in them; some samples have no hole."""
    random = np.random.RandomState(5)
    found = []
    for number in range(samples):
        ratio = round(float(random.uniform(0, 0.7)), 3) if number % 6 else 0.0
        mask = {
            "picture": f"picture {number % pictures}",
            "hole_ratio": ratio,
            "depth_px": float(1 + random.gamma(2)) if ratio else 0.0,
            "touches_border": bool(ratio and random.rand() < 0.5),
        }
        for method in methods:
            mse = float(random.uniform(50, 900)) if ratio else NAN
            similarity = float(random.uniform(0, 1)) if number % 5 else NAN
            values = {
                "psnr_hole": 10 * np.log10(65025 / mse) if number % 7 else INF,
                "ssim_uniform7_hole": similarity,
                "mse_whole": ratio * mse if ratio else 0.0,
            }
            found.append(sample(method, f"key {number:02d}", mse, **mask, **values))
    return found


def drawn_by_loop(
    values: Sequence[float], pictures: Sequence[str], seed: int, draws: int
) -> list[float]:
    """Return the mean of each draw of whole pictures, one picture after the other."""
    kept = [(one, name) for one, name in zip(values, pictures, strict=True) if np.isfinite(one)]
    names = sorted({name for _, name in kept})
    words = iter(raw_words(rng_for(seed, "bootstrap", len(names)), draws * len(names)).tolist())
    means = []
    for _ in range(draws):
        total, count = 0.0, 0
        for _ in names:
            drawn = names[(next(words) >> 32) * len(names) >> 32]
            own = [one for one, name in kept if name == drawn]
            total, count = total + sum(own), count + len(own)
        means.append(total / count)
    return means
