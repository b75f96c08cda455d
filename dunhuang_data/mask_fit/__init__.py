"""Walks fitted to given masks: which ones draw holes of the same ratios and radii."""

from dunhuang_data.mask_fit.drawing import HoleSizes, hole_sizes
from dunhuang_data.mask_fit.fitting import CANDIDATES, TARGET, MaskFit, fit_walks

__all__ = ["CANDIDATES", "TARGET", "HoleSizes", "MaskFit", "fit_walks", "hole_sizes"]
