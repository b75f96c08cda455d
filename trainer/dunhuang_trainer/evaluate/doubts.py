"""What makes one doubt that an evaluation says what it seems to say, in sentences."""

import numpy as np

from dunhuang_data.polarity import MOSTLY_HOLES
from dunhuang_trainer.buckets import mean_by_picture
from dunhuang_trainer.evaluate.records import BASELINE_ORDER
from dunhuang_trainer.evaluate.tables import REFERENCE, Evaluation, apart

FEW_PICTURES = 10  # of fewer, a bootstrap's intervals are too narrow


def doubts(evaluation: Evaluation) -> list[str]:
    """Return the sentences; empty if nothing is odd."""
    said = _about_holes(evaluation)
    for method in evaluation.methods:
        if method not in BASELINE_ORDER:
            said += _about_method(evaluation, method)
    if 1 < evaluation.pictures < FEW_PICTURES:
        said.append(
            f"The intervals are of {evaluation.pictures} pictures: of so few they are too narrow. "
            f"Trust them from some {FEW_PICTURES} pictures on."
        )
    return said


def _about_holes(evaluation: Evaluation) -> list[str]:
    array = evaluation.array
    ratio = float(array.hole_ratio.mean())
    if not any(own["mse_hole"].samples for own in evaluation.means.values() if "mse_hole" in own):
        return [
            "No sample has a hole pixel that counts, so there is no score of holes: the masks have "
            "none, or damage covers all."
        ]
    if ratio > MOSTLY_HOLES:
        return [
            f"The mean hole ratio is {ratio:.2f}: most of the pictures is a hole. If the masks are "
            "the wrong way round, give the other --white-is."
        ]
    return []


def _about_method(evaluation: Evaluation, method: str) -> list[str]:
    """Return what is odd about one that is judged."""
    hole, known = (evaluation.means[method][name] for name in ("mse_hole", "mse_known"))
    if hole.samples and hole.mean == 0:
        if known.samples and known.mean > 0:
            return [
                f"{method} has no error in the holes, but on known pixels (mean squared error "
                f"{known.mean:.1f}): the masks are probably the wrong way round. Give the other "
                "--white-is."
            ]
        return [f"{method} has no error at all: are its files the targets themselves?"]
    said = []
    if known.samples and known.mean > 0:
        said.append(
            f"{method} changed known pixels: its mean squared error there is {known.mean:.2g}, as "
            "JPEG or a conversion of colours leaves it."
        )
    return said + _against_best(evaluation, method)


def _against_best(evaluation: Evaluation, method: str) -> list[str]:
    """Compare with the best fill without training, unless that is the reference."""
    fills = [name for name in evaluation.methods if name in BASELINE_ORDER]
    scored = [name for name in fills if evaluation.means[name]["mse_hole"].samples]
    best = min(scored, key=lambda name: evaluation.means[name]["mse_hole"].mean, default=REFERENCE)
    if best == REFERENCE:
        return []
    array = evaluation.array
    differences = array.of(method, "mse_hole") - array.of(best, "mse_hole")
    if not np.isfinite(differences).any():
        return []
    difference = mean_by_picture(differences, array.pictures, evaluation.seed, evaluation.draws)
    place = "no better than" if difference.mean >= 0 else "not surely better than"
    if difference.high < 0:
        place = "better than"
    return [
        f"{method} is {place} {best}, the best fill without training here: mean squared error in "
        f"the holes {apart(difference)}."
    ]
