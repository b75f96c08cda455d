"""A small linear programme, solved the same on every machine.

Libraries solve these too, but their answers change with their version and with the BLAS below them,
and a patch plan must not. Here only single correctly rounded operations decide (+, −, ×, ÷ on whole
arrays, and sums in a fixed order), so the answer is the same bit for bit everywhere.
"""

from math import fsum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_STEPS = 40
GAP_PX = 1e-1  # px: how far below the optimum the answer may be
FEASIBLE = 1e-6


def maximise(
    objective: Floats, columns: Integers, values: Floats, limits: Floats, start: Floats
) -> Floats:
    """Return x that maximises ``objective · x`` where ``Σ_k values[r, k] x[columns[r, k]] ≤ limits[r]``.

    A primal-dual interior-point method from an infeasible start, with a fixed centring (Wright 1997,
    *Primal-Dual Interior-Point Methods*, ch. 6). Among several optima it returns one inside their
    set, not a corner of it, so that the answer does not hang on rounding.

    Parameters
    ----------
    objective : (n,) float64
    columns : (m, k) int64
        Which variables a row holds; rows with fewer than k have value 0 in the others.
    values : (m, k) float64
    limits : (m,) float64
    start : (n,) float64
        Anything near.

    Returns
    -------
    (n,) float64
        After at most ``MOST_STEPS`` steps. It is for the caller to check what it is good for.
    """  # noqa: E501
    n, m = len(objective), len(limits)
    pairs = (columns[:, :, None] * n + columns[:, None, :]).ravel()
    products = values[:, :, None] * values[:, None, :]
    x = start.copy()
    slack = np.maximum(limits - _rows_of(columns, values, x), 1.0)
    dual = np.full(m, float(np.abs(objective).max()) / m)
    for step in range(MOST_STEPS):
        short = limits - _rows_of(columns, values, x) - slack
        tilt = objective - _transposed(columns, values, dual, n)
        gap = fsum((slack * dual).tolist())
        if gap < GAP_PX and max(np.abs(short).max(), np.abs(tilt).max()) < FEASIBLE:
            break
        weight = dual / slack
        matrix = _summed(pairs, (products * weight[:, None, None]).ravel(), n * n)
        matrix[:: n + 1] += 1e-12
        target = (0.05 if step else 0.5) * gap / m - slack * dual
        right = tilt - _transposed(columns, values, (target - dual * short) / slack, n)
        dx = _solve(matrix.reshape(n, n), right)
        ds = short - _rows_of(columns, values, dx)
        dy = (target - dual * ds) / slack
        x = x + _step_to_edge(slack, ds) * dx
        slack, dual = slack + _step_to_edge(slack, ds) * ds, dual + _step_to_edge(dual, dy) * dy
    return x


def _rows_of(columns: Integers, values: Floats, x: Floats) -> Floats:
    """Return A·x, its terms added from left to right."""
    terms = values * x[columns]
    total: Floats = terms[:, 0].copy()
    for k in range(1, columns.shape[1]):
        total += terms[:, k]
    return total


def _transposed(columns: Integers, values: Floats, y: Floats, n: int) -> Floats:
    """Return Aᵀ·y."""
    return _summed(columns.ravel(), (values * y[:, None]).ravel(), n)


def _summed(places: Integers, terms: Floats, length: int) -> Floats:
    """Add terms up by place, in their order, which ``bincount`` keeps."""
    return np.asarray(np.bincount(places, terms, length), dtype=np.float64)


def _step_to_edge(positive: Floats, change: Floats) -> float:
    """Return the share of a change, at most 1, that keeps 5 % of the distance to zero."""
    return min(1.0, 0.95 / max(1e-9, float((-change / positive).max())))


def _solve(matrix: Floats, right: Floats) -> Floats:
    """Solve a symmetric positive definite system by elimination without pivots."""
    n = len(right)
    system = np.column_stack([matrix, right])
    for k in range(n - 1):
        below = system[k + 1 :]
        below[:, k + 1 :] -= (below[:, k : k + 1] / system[k, k]) * system[k, k + 1 :]
    x: Floats = system[:, n]
    for k in range(n - 1, 0, -1):
        x[k] /= system[k, k]
        x[:k] -= system[:k, k] * x[k]
    x[0] /= system[0, 0]
    return x
