"""Families of holes beside the random walk: strokes, blocks, flakes, cracks and stains."""

from dunhuang_data.families.kinds import FAMILIES, Family
from dunhuang_data.families.laying import family_mask

__all__ = ["FAMILIES", "Family", "family_mask"]
