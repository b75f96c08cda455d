"""Scores of restored pictures: 8-bit in, float64 on 0 … 255, at the pictures' own resolution.

Every score is defined on the page ``scores`` of the documentation. `learned` holds those that need
weights of the user; it is imported by whoever wants them.
"""

from dunhuang_trainer.metrics.challenge import lmse
from dunhuang_trainer.metrics.course import WHY_THEY_DIFFER, mse_course_wrapped
from dunhuang_trainer.metrics.errors import absolute_error, mse, psnr_from_mse, squared_error
from dunhuang_trainer.metrics.pairs import BoolArray
from dunhuang_trainer.metrics.regions import REGIONS, RIM_PX, region_masks
from dunhuang_trainer.metrics.scores import (
    CHALLENGE,
    COURSE,
    METRICS,
    columns,
    score_picture,
    score_pictures,
)
from dunhuang_trainer.metrics.similarity import (
    SSIM_WINDOW,
    damage_free_windows,
    ssim,
    ssim_map,
)
from dunhuang_trainer.metrics.windows import CONVENTIONS

__all__ = [
    "CHALLENGE",
    "CONVENTIONS",
    "COURSE",
    "METRICS",
    "REGIONS",
    "RIM_PX",
    "SSIM_WINDOW",
    "WHY_THEY_DIFFER",
    "BoolArray",
    "absolute_error",
    "columns",
    "damage_free_windows",
    "lmse",
    "mse",
    "mse_course_wrapped",
    "psnr_from_mse",
    "region_masks",
    "score_picture",
    "score_pictures",
    "squared_error",
    "ssim",
    "ssim_map",
]
