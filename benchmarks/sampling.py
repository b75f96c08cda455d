"""How far apart, how covered, how fast: the bars of patch sampling, beside its peers.

python benchmarks/sampling.py [--seeds 20] [--only bars|population|huge|peers|diversity]

"Share" is the smallest distance divided by the best known one for the shape (found by long search;
proven for the square), or by Oler's bound where none is known. CPU time, one process.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable
from math import ceil, log

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats.qmc import PoissonDisk

from dunhuang_data.rng import rng_for
from dunhuang_data.spread import (
    cover_number,
    coverage,
    distance_bounds,
    nearest_distances,
    space_of,
)
from dunhuang_data.spread.centers import spread_centers
from dunhuang_data.spread.farthest import farthest_points

SIZE = 256
BEST_KNOWN = {  # (height, width, N): px; the space of positions is (height - 256) x (width - 256)
    (700, 800, 25): 122.84,
    (800, 800, 25): 0.25 * 544,
    (800, 1072, 25): 0.30172 * 544,
    (528, 1344, 25): 0.51740 * 272,
    (700, 800, 100): 0.12847 * 444,
}
Centers = NDArray[np.int64]
Sampler = Callable[[tuple[int, int], int, int], Centers | None]


def ours(shape_hw: tuple[int, int], count: int, seed: int) -> Centers:
    """Place patches as ``sample-patches`` does."""
    return spread_centers(shape_hw, SIZE, count, rng_for(seed, "centers", "benchmark"))


def uniform(shape_hw: tuple[int, int], count: int, seed: int) -> Centers:
    """Place patches by chance."""
    rng = np.random.default_rng(seed)
    space = np.array(shape_hw) - SIZE + 1
    return np.stack([rng.integers(0, side, count) for side in space], axis=1) + SIZE // 2


def rejection(shape_hw: tuple[int, int], count: int, seed: int) -> Centers | None:
    """Draw until 70 px from all before; None where 200,000 tries in a row did not suffice."""
    rng = np.random.default_rng(seed)
    space = np.array(shape_hw) - SIZE + 1
    chosen = np.empty((0, 2), dtype=np.int64)
    for _ in range(count):
        for _ in range(50):
            drawn = np.stack([rng.integers(0, side, 4000) for side in space], axis=1)
            apart = ((drawn[:, None] - chosen[None]) ** 2).sum(-1).min(1, initial=1 << 60)
            fitting = np.flatnonzero(apart >= 70**2)
            if len(fitting):
                chosen = np.concatenate([chosen, drawn[fitting[:1]]])
                break
        else:
            return None
    return chosen + SIZE // 2


def best_candidate(shape_hw: tuple[int, int], count: int, seed: int) -> Centers:
    """Mitchell 1991: of 10 i candidates take the one farthest from the i before."""
    rng = np.random.default_rng(seed)
    space = np.array(shape_hw) - SIZE + 1
    chosen = np.stack([rng.integers(0, side, 1) for side in space], axis=1)
    for index in range(1, count):
        drawn = np.stack([rng.integers(0, side, 10 * index) for side in space], axis=1)
        apart = ((drawn[:, None] - chosen[None]) ** 2).sum(-1).min(1)
        chosen = np.concatenate([chosen, drawn[[apart.argmax()]]])
    return chosen + SIZE // 2


def poisson_disk(shape_hw: tuple[int, int], count: int, seed: int) -> Centers:
    """SciPy's PoissonDisk at the largest radius (by bisection) that gives enough; the first N."""
    space = np.array(shape_hw) - SIZE
    low, high, best = 0.0, 1.0, None
    for _ in range(8):
        radius = (low + high) / 2
        engine = PoissonDisk(
            2, radius=radius, rng=seed, l_bounds=[0, 0], u_bounds=(space / space.max()).tolist()
        )
        points = engine.fill_space()
        if len(points) >= count:
            low, best = radius, points[:count]
        else:
            high = radius
    assert best is not None
    corners: Centers = np.rint(best * space.max()).astype(np.int64)
    return corners + SIZE // 2


def farthest(shape_hw: tuple[int, int], count: int, seed: int) -> Centers:
    """Plain farthest point, every position a candidate."""
    rows, columns = space_of(shape_hw, SIZE)
    rng = rng_for(seed, "centers", "benchmark")
    return farthest_points(rows, columns, count, rng, rows * columns) + SIZE // 2


def measured(
    sampler: Sampler, shape_hw: tuple[int, int], count: int, seeds: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[float], int]:
    """Return smallest distances, coverages, seconds, and how often there was no answer."""
    distances, shares, seconds, hung = [], [], [], 0
    for seed in range(seeds):
        start = time.process_time()
        centers = sampler(shape_hw, count, seed)
        seconds.append(time.process_time() - start)
        if centers is None:
            hung += 1
            continue
        assert len(centers) == count
        distances.append(nearest_distances(centers).min())
        shares.append(coverage(shape_hw, SIZE, centers))
    return np.array(distances), np.array(shares), seconds, hung


def bars(seeds: int) -> None:
    """Print the shapes with a best known distance."""
    print(f"\nOur method, {seeds} seeds (worst, median share of the best known; coverage; CPU)")
    for (height, width, count), best in BEST_KNOWN.items():
        runs = seeds if count < 100 else max(3, seeds // 4)
        distances, shares, seconds, _ = measured(ours, (height, width), count, runs)
        possible = count >= cover_number((height, width), SIZE)
        print(
            f"  {width:5} x {height:4}, N = {count:3}: {distances.min() / best:.3f} "
            f"{np.median(distances) / best:.3f}   fully covered {np.mean(shares == 1):4.0%}"
            f"{'' if possible else ' (not possible)'}   {np.median(seconds) * 1e3:5.0f} ms"
        )


def peers(seeds: int) -> None:
    """Print all methods on two shapes."""
    for height, width, count in ((700, 800, 25), (528, 1344, 25)):
        best = BEST_KNOWN[height, width, count]
        print(
            f"\n{width} x {height}, N = {count}, {seeds} seeds: share worst, median; covered; CPU"
        )
        for sampler in (uniform, rejection, best_candidate, poisson_disk, farthest, ours):
            distances, shares, seconds, hung = measured(sampler, (height, width), count, seeds)
            print(
                f"  {sampler.__name__:15} {distances.min() / best:.2f} "
                f"{np.median(distances) / best:.3f}   {np.median(shares):6.1%}   "
                f"{np.median(seconds) * 1e3:6.1f} ms" + (f"   no answer: {hung}" if hung else "")
            )


def population(pictures: int = 300) -> None:
    """Print random pictures, sides 300 to 1,600 px, log-uniform."""
    rng = np.random.default_rng(1)
    shares, covered, possible, hung, seconds = [], 0, 0, 0, []
    for seed in range(pictures):
        height, width = np.exp(rng.uniform(log(300), log(1600), 2)).astype(int).tolist()
        shape_hw = (height, width)
        start = time.process_time()
        centers = ours(shape_hw, 25, seed)
        seconds.append(time.process_time() - start)
        assert len({tuple(one) for one in centers.tolist()}) == 25
        shares.append(nearest_distances(centers).min() / distance_bounds(shape_hw, SIZE, 25)[1])
        if cover_number(shape_hw, SIZE) <= 25:
            possible += 1
            covered += coverage(shape_hw, SIZE, centers) == 1
        hung += rejection(shape_hw, 25, seed) is None
    print(f"\n{pictures} random pictures, N = 25: exactly 25 distinct patches on all")
    print(
        f"  share of Oler's bound: 5th percentile {np.percentile(shares, 5):.3f}, median "
        f"{np.median(shares):.3f}, least {min(shares):.3f}"
    )
    print(f"  fully covered where possible: {covered} of {possible} = {covered / possible:.1%}")
    print(
        f"  CPU: median {np.median(seconds) * 1e3:.0f} ms, 95th percentile "
        f"{np.percentile(seconds, 95) * 1e3:.0f} ms, most {max(seconds) * 1e3:.0f} ms"
    )
    print(f"  rejection at 70 px never ended on {hung} of {pictures} (200,000 tries in a row)")


def huge() -> None:
    """Print 5,000 patches on 20,000 x 12,000 px."""
    shape_hw, count = (12_000, 20_000), 5000
    start = time.process_time()
    centers = ours(shape_hw, count, 0)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    share = nearest_distances(centers).min() / distance_bounds(shape_hw, SIZE, count)[1]
    limit = min(1.0, count * SIZE**2 / (shape_hw[0] * shape_hw[1]))
    print(
        f"\n20,000 x 12,000, N = 5,000: {seconds:.1f} s, peak memory {peak:.0f} MB, share of "
        f"Oler's bound {share:.3f}, covered {coverage(shape_hw, SIZE, centers):.1%} (at most "
        f"{limit:.0%}; cover number {ceil(12_000 / SIZE) * ceil(20_000 / SIZE)})"
    )


def diversity(seeds: int) -> None:
    """Print how far the sets of two seeds are from each other, after the best matching."""
    sets = [ours((700, 800), 25, seed) for seed in range(seeds)]
    moved = []
    for first in range(seeds):
        for second in range(first):
            apart = np.sqrt(((sets[first][:, None] - sets[second][None]) ** 2).sum(-1))
            moved.append(apart[linear_sum_assignment(apart)].mean())
    print(f"\n800 x 700, N = 25: two seeds differ by {np.mean(moved):.0f} px a patch on average")


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", choices=["bars", "population", "huge", "peers", "diversity"])
    chosen = parser.parse_args()
    ours((300, 310), 3, 0)  # what is imported on first use is not part of the time
    parts: dict[str, Callable[[], None]] = {
        "huge": huge,  # first, for its peak memory
        "bars": lambda: bars(chosen.seeds),
        "peers": lambda: peers(chosen.seeds),
        "population": population,
        "diversity": lambda: diversity(chosen.seeds),
    }
    for name, part in parts.items():
        if chosen.only in (None, name):
            part()
            sys.stdout.flush()


if __name__ == "__main__":
    main()
