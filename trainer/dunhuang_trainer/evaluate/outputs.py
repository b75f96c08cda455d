"""What an evaluation is written as: one CSV row per method and sample, and one JSON document."""

from collections.abc import Iterable, Sequence
from math import isfinite, isnan
from pathlib import Path
from typing import Any

from dunhuang_data.atomic import write_text
from dunhuang_data.documents import csv_text
from dunhuang_data.text import visible
from dunhuang_trainer.buckets import LEVEL, Cell, Interval
from dunhuang_trainer.evaluate.comparison import Comparison, OverRuns, Paired, Runs
from dunhuang_trainer.evaluate.records import SampleScore, ScoreArray, is_better, score_array
from dunhuang_trainer.evaluate.tables import Evaluation, Standing, sentences

SAMPLE_COLUMNS = ("method", "key", "picture", "hole_ratio", "depth_px", "touches_border")
"""What the CSV begins with; the scores follow."""

BEGINNINGS = {
    "mse_course_wrapped": "the course's figure: differences and squares that wrap at 256; no MSE",
    "ssim_course": "the SSIM of the course's script",
    "psnr_of_mean_mse_": "10 log10(255^2 / the mean of mse over samples), dB",
    "mse_": "mean squared error on 0 to 255",
    "l1_": "mean absolute error on 0 to 255",
    "psnr_": "10 log10(255^2 / mse) of each sample, dB; means leave out samples without error",
    "ssim_uniform7_": "SSIM, uniform 7 x 7 window, sample covariance, data range 255",
    "ssim_gauss11_": "SSIM, Gaussian 11 x 11 window of 1.5 px, data range 255",
    "dssim": "1 - ssim_uniform7_whole",
    "lmse": "local MSE as the challenge defines it",
    "lpips": "LPIPS with the weights that were brought",
}
"""What names of scores begin with, and what they mean; the first that fits."""

REGIONS = {
    "hole": "hole pixels",
    "rim": "hole pixels at most 3 px from a known pixel",
    "known": "known pixels",
    "whole": "all pixels",
}


def scores_csv(scores: Iterable[SampleScore] | ScoreArray, methods: Sequence[str] = ()) -> str:
    """Return one row per method and key as CSV, at full precision.

    The first columns are `SAMPLE_COLUMNS`; ``touches_border`` is 1 or 0. Empty = no such score;
    ``inf`` = infinite.
    """
    array = scores if isinstance(scores, ScoreArray) else score_array(scores, methods)
    rows = []
    for place, method in enumerate(array.methods):
        for sample, key in enumerate(array.keys):
            if not array.there[place, sample]:
                continue
            rows.append(
                [
                    visible(method),
                    visible(key),
                    visible(array.pictures[sample]),
                    _exact(array.hole_ratio[sample]),
                    _exact(array.depth_px[sample]),
                    int(array.touches_border[sample]),
                    *map(_exact, array.values[place, sample]),
                ]
            )
    return csv_text((*SAMPLE_COLUMNS, *array.names), rows)


def write_scores(
    scores: Iterable[SampleScore] | ScoreArray, path: Path, methods: Sequence[str] = ()
) -> None:
    """Write `scores_csv`, whole or not at all."""
    write_text(path, scores_csv(scores, methods))


def _exact(value: float) -> str:
    return "" if isnan(value) else repr(float(value))


def document(
    evaluation: Evaluation,
    comparisons: Sequence[Comparison] = (),
    runs: Sequence[Runs] = (),
    course_sentence: str = "",
) -> dict[str, Any]:
    """Return an evaluation as JSON: no NaN and no infinity, but null.

    Parameters
    ----------
    evaluation : Evaluation
    comparisons : sequence of Comparison
    runs : sequence of Runs
    course_sentence : str
        Why the course's figure is no mean squared error; put beside it where it was computed.
    """
    names = list(next(iter(evaluation.means.values())))
    definitions = {name: definition(name) for name in names}
    if course_sentence and "mse_course_wrapped" in definitions:
        definitions["mse_course_wrapped"] = course_sentence
    return {
        "samples": evaluation.samples,
        "pictures": evaluation.pictures,
        "definitions": definitions,
        "better": {name: "higher" if is_better(name) > 0 else "lower" for name in names},
        "bootstrap": {
            "interval": "percentile; whole pictures drawn with replacement",
            "level": LEVEL,
            "draws": evaluation.draws,
            "seed": evaluation.seed,
        },
        "methods": {
            visible(method): {
                "samples": evaluation.samples - len(evaluation.missing.get(method, ())),
                "missing_keys": _visible(evaluation.missing.get(method, ())),
                "scores": _intervals(means),
            }
            for method, means in evaluation.means.items()
        },
        "cells": [
            {
                **_cell(one.cell),
                "samples": one.samples,
                "pictures": one.pictures,
                "methods": {visible(name): _intervals(own) for name, own in one.means.items()},
            }
            for one in evaluation.cells
        ],
        "against_reference": [_standing(one) for one in evaluation.standings],
        "sentences": _visible(sentences(evaluation)),
        "comparisons": [_comparison(one) for one in comparisons],
        "runs": [_runs(one) for one in runs],
    }


def definition(name: str) -> str:
    """Return what a score is, in a line; its name if nothing is known of it."""
    what = next((text for start, text in BEGINNINGS.items() if name.startswith(start)), name)
    region = REGIONS.get(name.rsplit("_", 1)[-1], "")
    return f"{what}; over {region}" if region else what


def _number(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def _visible(names: Iterable[str]) -> list[str]:
    return [visible(name) for name in names]


def _interval(one: Interval) -> dict[str, Any]:
    return {
        "mean": _number(one.mean),
        "low": _number(one.low),
        "high": _number(one.high),
        "samples": one.samples,
        "pictures": one.pictures,
        "left_out_as_infinite": one.infinite,
    }


def _intervals(means: dict[str, Interval]) -> dict[str, Any]:
    return {name: _interval(one) for name, one in means.items()}


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "measure": cell.measure,
        "bucket": cell.bucket,
        "above": _number(cell.above),
        "up_to": _number(cell.up_to),
        "border": cell.border,
    }


def _standing(one: Standing) -> dict[str, Any]:
    return {
        "method": visible(one.method),
        "reference": visible(one.reference),
        **_cell(one.cell),
        "mse_hole": _number(one.ours),
        "reference_mse_hole": _number(one.theirs),
        "difference": _interval(one.difference),
        "behind": one.is_behind,
    }


def _paired(one: Paired) -> dict[str, Any]:
    return {
        "a": _number(one.a),
        "b": _number(one.b),
        "a_minus_b": _interval(one.difference),
        "share_of_draws_a_better": _number(one.a_better),
        "share_of_draws_b_better": _number(one.b_better),
    }


def _comparison(one: Comparison) -> dict[str, Any]:
    return {
        "a": visible(one.a),
        "b": visible(one.b),
        "samples": one.keys,
        "only_a": _visible(one.only_a),
        "only_b": _visible(one.only_b),
        "draws": one.draws,
        "seed": one.seed,
        "scores": {name: _paired(pair) for name, pair in one.scores.items()},
        "cells": [
            {**_cell(cell), "scores": {name: _paired(pair) for name, pair in scores.items()}}
            for cell, scores in one.cells
        ],
    }


def _runs(one: Runs) -> dict[str, Any]:
    return {
        "name": visible(one.name),
        "runs": _visible(one.methods),
        "samples": one.keys,
        "keys_not_in_all": _visible(one.not_in_all),
        "sd": "of a sample of runs (n - 1)",
        "scores": {name: _over_runs(spread) for name, spread in one.scores.items()},
    }


def _over_runs(one: OverRuns) -> dict[str, Any]:
    return {
        "mean": _number(one.mean),
        "sd": _number(one.sd),
        "of_each_run": [_number(value) for value in one.runs],
        "samples": one.samples,
        "left_out": one.left_out,
    }
