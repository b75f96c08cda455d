"""All scores of restored pictures, by the names that tables use."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from dunhuang_data.types import UInt8Array
from dunhuang_trainer.metrics.challenge import lmse
from dunhuang_trainer.metrics.course import mse_course_wrapped
from dunhuang_trainer.metrics.errors import psnr_from_mse
from dunhuang_trainer.metrics.pairs import check_batch
from dunhuang_trainer.metrics.regions import REGIONS, region_means
from dunhuang_trainer.metrics.similarity import UNIFORM
from dunhuang_trainer.metrics.tallies import Tally, tallies
from dunhuang_trainer.metrics.windows import CONVENTIONS

if TYPE_CHECKING:
    import torch

METRICS = ("mse", "l1", "psnr", *CONVENTIONS)
CHALLENGE = ("dssim", "lmse")
COURSE = ("mse_course_wrapped", "ssim_course")


def columns(course: bool = False) -> tuple[str, ...]:
    """Return the names of all scores in the order of tables; with those of the course if asked."""
    regional = tuple(f"{metric}_{region}" for metric in METRICS for region in REGIONS)
    return regional + CHALLENGE + (COURSE if course else ())


def score_pictures(
    restored: UInt8Array,
    target: UInt8Array,
    valid: UInt8Array,
    damage: UInt8Array,
    *,
    course: bool = False,
    device: "torch.device | str | None" = None,
    threads: int = 1,
) -> list[dict[str, float]]:
    """Score a batch of restored pictures of one size.

    Parameters
    ----------
    restored, target : (B, H, W, 3) uint8
    valid : (B, H, W) uint8
        1 = known, 0 = hole.
    damage : (B, H, W) uint8
        1 = a pixel that does not count.
    course : bool
        Add the figures of `course`, which know no damage.
    device : torch.device or str, optional
        A GPU to compute errors and similarities on; the CPU by default.
    threads : int
        How many pictures are scored at a time on the CPU.

    Returns
    -------
    list of dict
        One per picture, with all of `columns`. NaN where nothing counts; PSNR is infinite where
        nothing differs.
    """
    check_batch(restored, target, valid, damage)
    batch = list(zip(restored, target, valid, damage, strict=True))
    if device is not None and not str(device).startswith("cpu"):
        from dunhuang_trainer.metrics.on_device import device_tallies

        counted: Sequence[dict[str, Tally]] = device_tallies(
            restored, target, valid, damage, device
        )
        return [_scores(one, *four, course) for one, four in zip(counted, batch, strict=True)]
    score = partial(_score_on_cpu, course=course)
    if threads == 1 or len(batch) < 2:
        return [score(four) for four in batch]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(score, batch))


def score_picture(
    restored: UInt8Array,
    target: UInt8Array,
    valid: UInt8Array,
    damage: UInt8Array,
    *,
    course: bool = False,
    device: "torch.device | str | None" = None,
) -> dict[str, float]:
    """Score one restored picture: `score_pictures` of (H, W, 3) and (H, W) uint8."""
    four = (np.asarray(one)[None] for one in (restored, target, valid, damage))
    return score_pictures(*four, course=course, device=device)[0]


def _score_on_cpu(
    four: tuple[UInt8Array, UInt8Array, UInt8Array, UInt8Array], course: bool
) -> dict[str, float]:
    return _scores(tallies(*four), *four, course)


def _scores(
    counted: dict[str, Tally],
    restored: UInt8Array,
    target: UInt8Array,
    valid: UInt8Array,
    damage: UInt8Array,
    course: bool,
) -> dict[str, float]:
    means = {name: region_means(one.totals, one.counts) for name, one in counted.items()}
    means["psnr"] = {region: psnr_from_mse(value) for region, value in means["mse"].items()}
    values = {
        f"{metric}_{region}": means[metric][region] for metric in METRICS for region in REGIONS
    }
    values["dssim"] = 1 - values[f"{UNIFORM}_whole"]
    values["lmse"] = lmse(restored, target, damage)
    if course:
        values["mse_course_wrapped"] = mse_course_wrapped(restored, target)
        values["ssim_course"] = counted[UNIFORM].overall()
    return values
