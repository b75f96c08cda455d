"""An evaluation as tables of text that fit a terminal of 120 characters."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import isfinite

from dunhuang_trainer.buckets import Cell, Interval
from dunhuang_trainer.evaluate.cell_texts import (
    NONE,
    counted,
    heading,
    listed,
    mean_alone,
    number,
    share,
    with_interval,
)
from dunhuang_trainer.evaluate.comparison import Comparison, Paired, Runs
from dunhuang_trainer.evaluate.tables import Evaluation

WIDTH = 120
HOLE = (
    *("mse_hole", "psnr_hole", "psnr_of_mean_mse_hole", "l1_hole"),
    *("ssim_uniform7_hole", "ssim_gauss11_hole"),
)
BESIDE = ("mse_rim", "psnr_rim", "ssim_uniform7_rim", "mse_known", "l1_known")
WHOLE = (
    *("mse_whole", "psnr_whole", "l1_whole", "ssim_uniform7_whole", "ssim_gauss11_whole"),
    *("dssim", "lmse", "lpips"),
)
COURSE = ("mse_whole", "mse_course_wrapped", "ssim_uniform7_whole", "ssim_course")
EVERY = ("all", "all")
"""Bucket and border of the cell of all samples."""

MEASURES = {
    "hole ratio": "hole ratio, and border contact of the holes",
    "depth": "depth (mean distance of hole pixels to known ones)",
}

Column = tuple[str, list[str]]
"""A heading and the cells below it."""
TWO_PSNRS = (
    "PSNR: the mean over samples, as papers report it. PSNR of mean MSE: that of the mean error."
)


@dataclass(frozen=True, slots=True)
class ConsoleTable:
    """A table to be shown; the first column is text, the others numbers.

    Attributes
    ----------
    title : str
    columns : tuple of str
    rows : sequence of tuples of str
        Each as long as ``columns``.
    notes : tuple of str
        Sentences to be said below it.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    notes: tuple[str, ...] = ()


def overall_tables(evaluation: Evaluation, course_sentence: str = "") -> list[ConsoleTable]:
    """Return the means over all samples: in the holes with intervals, elsewhere without.

    With the course's figure there is one more, which shows it beside the true mean squared error;
    the sentence that tells why they differ is its note.
    """
    of = f"{evaluation.pictures} pictures"
    if evaluation.pictures == 1:
        of = "one picture, so no intervals"
    counts = f"{counted(evaluation.samples, 'sample')} of {of}"
    course = (course_sentence,) if course_sentence else ()
    tables = _means_table(
        f"In the holes, {counts}; errors on 0 to 255; mean and 95 % interval",
        evaluation,
        HOLE,
        with_interval,
        (TWO_PSNRS, *_without_error(evaluation, HOLE)),
    )
    tables += _means_table(
        f"At the rim of holes and outside; {counts}", evaluation, BESIDE, region=True
    )
    notes = _without_error(evaluation, WHOLE)
    tables += _means_table(f"Whole pictures, {counts}", evaluation, WHOLE, mean_alone, notes)
    if any("mse_course_wrapped" in own for own in evaluation.means.values()):
        title = f"The course's figures beside the true ones, {counts}"
        tables += _means_table(title, evaluation, COURSE, mean_alone, course, region=True)
    return tables


def _means_table(
    title: str,
    evaluation: Evaluation,
    names: Sequence[str],
    shown: Callable[[str, Interval], str] = mean_alone,
    notes: tuple[str, ...] = (),
    region: bool = False,
) -> list[ConsoleTable]:
    behind = {
        one.method: one.reference
        for one in evaluation.behind
        if names == HOLE and (one.cell.bucket, one.cell.border) == EVERY
    }
    labels = [
        f"{method} (behind {behind[method]})" if method in behind else method
        for method in evaluation.methods
    ]
    means = [evaluation.means[method] for method in evaluation.methods]
    columns = [
        (heading(name, region), [shown(name, own[name]) for own in means])
        for name in names
        if any(own[name].samples or own[name].infinite for own in means if name in own)
    ]
    return _fitting(title, ("method", labels), columns, notes) if columns else []


def bucket_tables(
    evaluation: Evaluation,
    score: str = "mse_hole",
    measure: str = "hole ratio",
    methods: Sequence[str] | None = None,
    intervals: bool = True,
) -> list[ConsoleTable]:
    """Return one score by bucket of hole ratio and border contact, or by bucket of depth.

    Parameters
    ----------
    evaluation : Evaluation
    score : str
        One of `dunhuang_trainer.evaluate.tables.CELL_SCORES`, or ``psnr_of_mean_mse_hole``.
    measure : {"hole ratio", "depth"}
    methods : sequence of str, optional
        All by default.
    intervals : bool
        Without them, and the number of pictures, more methods stand side by side.

    Returns
    -------
    list of ConsoleTable
        Cells without samples are shown, with 0; a bucket without any is not parted by border
        contact. ``118 of 120`` samples of a cell have the score; ``n=`` tells where a method's mean
        is over fewer. None if no method has the score.
    """
    chosen = evaluation.methods if methods is None else methods
    parts = [one for one in evaluation.cells if one.cell.measure == measure]
    there = {one.cell.bucket for one in parts if one.samples}
    parts = [one for one in parts if one.cell.border == "all" or one.cell.bucket in there]
    if not any(score in own for one in parts for own in one.means.values()):
        return []
    scored = [max(one.means[method][score].samples for method in chosen) for one in parts]
    counts = [
        f"{count} of {one.samples}" if count < one.samples else str(count)
        for count, one in zip(scored, parts, strict=True)
    ]
    columns = [("samples", counts)]
    if intervals:
        columns.append(("pictures", [str(one.pictures) for one in parts]))
    repeated = len(columns)
    for method in chosen:
        means = [one.means[method][score] for one in parts]
        texts = [with_interval(score, *pair) for pair in zip(means, scored, strict=True)]
        columns.append((method, texts if intervals else [text.split(" ")[0] for text in texts]))
    title = f"{heading(score)} by {MEASURES[measure]}; mean"
    title += " and 95 % interval" if intervals else ""
    return _fitting(title, (measure, [_label(one.cell) for one in parts]), columns, (), repeated)


def paired_tables(comparison: Comparison, score: str = "mse_hole") -> list[ConsoleTable]:
    """Return what two methods differ by: in every score, and in one of them by bucket."""
    pairs = comparison.scores.items()
    counts = f"{counted(comparison.keys, 'sample')} in pairs"
    counts += f"; {comparison.draws} draws of whole pictures"
    title = f"A = {comparison.a}, B = {comparison.b}; {counts}"
    notes = [
        f"Only in {name}, and not compared: {counted(len(keys), 'key')}, {listed(keys)}."
        for name, keys in ((comparison.a, comparison.only_a), (comparison.b, comparison.only_b))
        if keys
    ]
    infinite = [name for name, one in pairs if one.difference.infinite]
    if infinite:
        notes.append(
            f"Pairs with an infinite value are left out of {', '.join(map(heading, infinite))}."
        )
    tables = [_paired_table(title, "score", [(heading(name), name, one) for name, one in pairs])]
    tables[0] = ConsoleTable(tables[0].title, tables[0].columns, tables[0].rows, tuple(notes))
    if score not in comparison.scores:
        return tables
    for measure in ("hole ratio", "depth"):
        parts = [(cell, one[score]) for cell, one in comparison.cells if cell.measure == measure]
        there = {cell.bucket for cell, one in parts if one.difference.samples}
        rows = [
            (_label(cell), score, one)
            for cell, one in parts
            if cell.border == "all" or cell.bucket in there
        ]
        tables.append(
            _paired_table(
                f"{heading(score)} by {MEASURES[measure]}; A and B as above", measure, rows
            )
        )
    return tables


def _paired_table(title: str, first: str, rows: Iterable[tuple[str, str, Paired]]) -> ConsoleTable:
    columns = (
        first,
        "samples",
        "pictures",
        "A",
        "B",
        "A - B",
        "95 % interval",
        "draws A better",
        "draws B better",
    )
    shown = []
    for label, name, one in rows:
        apart = one.difference
        interval = (
            f"{number(name, apart.low, sign=True)} … {number(name, apart.high, sign=True)}"
            if isfinite(apart.low)
            else NONE
        )
        shown.append(
            (
                label,
                str(apart.samples),
                str(apart.pictures),
                number(name, one.a),
                number(name, one.b),
                number(name, apart.mean, sign=True),
                interval,
                share(one.a_better),
                share(one.b_better),
            )
        )
    return ConsoleTable(title, columns, shown)


def runs_table(runs: Runs) -> ConsoleTable:
    """Return mean and standard deviation over runs."""
    rows = [
        (
            heading(name),
            number(name, one.mean),
            number(name, one.sd),
            number(name, min(one.runs)),
            number(name, max(one.runs)),
            str(len(one.runs)),
            str(one.samples),
        )
        for name, one in runs.scores.items()
    ]
    lost = runs.not_in_all
    said = f"Not in all runs, and left out: {counted(len(lost), 'key')}, {listed(lost)}."
    notes = (said,) if lost else ()
    columns = ("score", "mean over runs", "sd", "lowest run", "highest run", "runs", "samples")
    title = f"Spread over {len(runs.methods)} runs: {', '.join(runs.methods)}"
    return ConsoleTable(title, columns, rows, notes)


def _without_error(evaluation: Evaluation, names: Sequence[str]) -> tuple[str, ...]:
    """Say how many samples the mean of PSNR leaves out because they have no error."""
    counts = {
        method: max((own[name].infinite for name in names if name in own), default=0)
        for method, own in evaluation.means.items()
    }
    said = [f"{method} {count}" for method, count in counts.items() if count]
    if not said:
        return ()
    return (f"The mean of PSNR leaves out samples without any error: {', '.join(said)}.",)


def _label(cell: Cell) -> str:
    return cell.bucket if cell.border == "all" else f"  {cell.border}"


def _fitting(
    title: str, first: Column, columns: Sequence[Column], notes: tuple[str, ...], repeated: int = 0
) -> list[ConsoleTable]:
    """Spread columns over as few tables as fit; all have the first one and ``repeated`` more."""
    kept, others = [first, *columns[:repeated]], columns[repeated:]
    base = 1 + sum(map(_wide, kept))
    groups: list[list[Column]] = [[]]
    used = base
    for column in others:
        wide = _wide(column)
        if groups[-1] and used + wide > WIDTH:
            groups.append([])
            used = base
        groups[-1].append(column)
        used += wide
    tables = []
    for place, group in enumerate(groups):
        part = f" ({place + 1} of {len(groups)})" if len(groups) > 1 else ""
        names, cells = zip(*kept, *group, strict=True)
        rows = list(zip(*cells, strict=True))
        last = place == len(groups) - 1
        tables.append(ConsoleTable(title + part, names, rows, notes if last else ()))
    return tables


def _wide(column: Column) -> int:
    """Return how wide a column is, with its padding and line."""
    name, cells = column
    return max(len(name), *map(len, cells)) + 3
