"""Numbers, intervals and names as they stand in tables."""

from collections.abc import Sequence
from math import isfinite, isnan

from dunhuang_trainer.buckets import Interval

NONE = "–"
"""A cell without a number."""
FEW = 5  # keys that are listed one by one

TITLES = {
    "mse": "MSE",
    "l1": "L1",
    "psnr": "PSNR",
    "psnr_of_mean_mse": "PSNR of mean MSE",
    "ssim_uniform7": "SSIM uniform 7",
    "ssim_gauss11": "SSIM gauss 11",
    "dssim": "DSSIM",
    "lmse": "LMSE",
    "lpips": "LPIPS",
}
REGIONS = ("hole", "rim", "known", "whole")


def heading(name: str, region: bool = True) -> str:
    """Return what a score is called above a column: ``"MSE hole"``; unknown ones by their name."""
    metric, _, where = name.rpartition("_")
    if metric in TITLES and where in REGIONS:
        return f"{TITLES[metric]} {where}" if region else TITLES[metric]
    return TITLES.get(name, name)


def number(name: str, value: float, sign: bool = False, decimals: int | None = None) -> str:
    """Return a score with as many decimals as its kind has; more where it would look like zero."""
    if isnan(value):
        return NONE
    if not isfinite(value):
        return "∞" if value > 0 else "-∞"
    if decimals is None:
        decimals = 1 if name.startswith("mse") else 2 if name.startswith(("l1", "psnr")) else 3
    plus = "+" if sign and value else ""
    if value and abs(value) < 0.5 * 10**-decimals:
        return f"{value:{plus}.1g}"
    return f"{value:{plus}.{decimals}f}"


def with_interval(name: str, one: Interval, samples: int | None = None) -> str:
    """Return ``"353 (341 … 363)"``; and ``"n=3"`` if it is not over so many samples.

    From 100 on there are no decimals: intervals are wider than that.
    """
    if one.samples == 0:
        return mean_alone(name, one)
    fewer = f" n={one.samples}" if samples not in (None, one.samples) else ""
    decimals = 0 if one.mean >= 100 else None
    mean, low, high = (number(name, x, decimals=decimals) for x in (one.mean, one.low, one.high))
    return f"{mean} ({NONE}){fewer}" if isnan(one.low) else f"{mean} ({low} … {high}){fewer}"


def mean_alone(name: str, one: Interval) -> str:
    """Return a mean; infinite where it has no finite sample but infinite ones."""
    if one.samples == 0 and one.infinite:
        return "∞"
    return number(name, one.mean)


def share(value: float) -> str:
    """Return a share of draws in percent."""
    return NONE if isnan(value) else f"{100 * value:.1f} %"


def listed(keys: Sequence[str]) -> str:
    """Return the first few keys, and how many more there are."""
    more = f" and {len(keys) - FEW} more" if len(keys) > FEW else ""
    return ", ".join(keys[:FEW]) + more


def counted(count: int, thing: str) -> str:
    """Return ``"1 sample"``, ``"2 samples"``."""
    return f"{count} {thing}{'s' * (count != 1)}"
