"""Limits that measured masks are held against: ``[SET:]STATISTIC.SUMMARY OP NUMBER``."""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from dunhuang_data.errors import MaskError, UsageProblem
from dunhuang_data.mask_stats.comparison import COMPARED, Comparison
from dunhuang_data.mask_stats.records import BY_NAME
from dunhuang_data.mask_stats.sets import MaskSet
from dunhuang_data.mask_stats.summary import COUNTS, SUMMARIES, described_with_infinite
from dunhuang_data.types import SPLITS

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
}
FORM = re.compile(
    r"(?:(?P<set>.+):)?\s*(?P<value>[a-z_]+(?:\.[a-z0-9_]+)?)\s*(?P<op>>=|<=|==|>|<)\s*"
    r"(?P<limit>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
)
Values = Mapping[str, float | None]
"""What can be limited of one set, by name; None where there is no such number."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A limit; the gate fails where it holds.

    Attributes
    ----------
    text : str
        As it was written.
    set_name : str, optional
        The set it is about; None for every set.
    value : str
        ``hole_ratio.p95``, ``duplicates``, ``distance.depth_px``.
    op : {">", ">=", "<", "<=", "=="}
    limit : float
    """

    text: str
    set_name: str | None
    value: str
    op: str
    limit: float


def read_gate(text: str, sets: Sequence[str], compared: bool) -> Gate:
    """Read a gate such as ``train:hole_ratio.p95 > 0.4``.

    Parameters
    ----------
    text : str
    sets : sequence of str
        The names of the sets that will be measured.
    compared : bool
        Whether they are compared with another, so that there are distances.

    Raises
    ------
    UsageProblem
        If it cannot be read, or names what there is not; the message lists what there is.
    """
    form = FORM.fullmatch(text.strip())
    if form is None:
        raise UsageProblem(
            f"--fail-if {text!r} is no limit; write [SET:]STATISTIC.SUMMARY OP NUMBER, such as "
            "'hole_ratio.p95 > 0.4', 'train:depth_px.mean < 1' or 'duplicates > 0'. OP is one of "
            f"{' '.join(OPERATORS)}."
        )
    if not isfinite(float(form["limit"])):
        raise UsageProblem(f"--fail-if {text!r}: {form['limit']} is too large a number.")
    statistic, _, summary = form["value"].partition(".")
    if statistic == "distance" and not compared:
        raise UsageProblem(f"--fail-if {text!r} needs --against, to have a distance from.")
    _check_known(text, statistic, summary)
    name = None if form["set"] is None else form["set"].strip()
    if name is not None and name not in sets:
        shown = ", ".join(sets[:12]) + (" …" if len(sets) > 12 else "")
        left_out = name in SPLITS and set(sets) < set(SPLITS)
        what = f"--only leaves {name} out" if left_out else f"there is no set {name!r}"
        raise UsageProblem(f"--fail-if {text!r}: {what}. The sets are: {shown}.")
    return Gate(text.strip(), name, form["value"], form["op"], float(form["limit"]))


def _check_known(text: str, statistic: str, summary: str) -> None:
    summaries = COMPARED if statistic == "distance" else SUMMARIES if statistic in BY_NAME else ()
    if statistic in COUNTS and not summary:
        return
    if summaries and summary in summaries:
        return
    if summaries:
        what = f"{statistic}.{summary}" if summary else f"{statistic} without a summary"
        raise UsageProblem(
            f"--fail-if {text!r}: there is no {what}. Known are {statistic}. followed by one of: "
            f"{', '.join(summaries)}."
        )
    raise UsageProblem(
        f"--fail-if {text!r}: there is no statistic {statistic}{'.' if summary else ''}{summary}. "
        f"Known are {', '.join(BY_NAME)}, each with one of .{', .'.join(SUMMARIES)}; "
        f"{', '.join(COUNTS)}; and with --against distance. with one of {', '.join(COMPARED)}."
    )


def limitable(sets: Iterable[MaskSet], comparisons: Iterable[Comparison]) -> dict[str, Values]:
    """Return, for each set, every number that a gate can name.

    Unlike the tables, a limit sees masks that are all hole: their depth and radius are infinite.
    """
    found: dict[str, dict[str, float | None]] = {}
    for one in sets:
        values: dict[str, float | None] = dict(one.stats.counts())
        for name in BY_NAME:
            numbers = described_with_infinite(one.stats.column(name))
            values |= {f"{name}.{summary}": number for summary, number in numbers.items()}
        found[one.name] = values
    for comparison in comparisons:
        found.setdefault(comparison.name, {}).update(
            {f"distance.{one.statistic}": one.distance for one in comparison.distances}
        )
    return dict(found)


def failures(gates: Iterable[Gate], values: Mapping[str, Values], sets: Sequence[str]) -> list[str]:
    """Return a sentence for every gate that fails, set by set.

    Parameters
    ----------
    gates : iterable of Gate
    values : mapping
        What `limitable` gave.
    sets : sequence of str
        The names of all sets there can be, those without masks included: a gate on a count that
        names no set is held against each of them.

    Notes
    -----
    A number that does not exist (the depth of a set without masks that the gate names, a distance
    that nothing has) fails a gate too: what cannot be judged has not passed. Only a gate that names
    no set leaves sets without masks alone, unless it is on a count, which is 0 there.
    """
    sentences = []
    for gate in gates:
        held = _held_against(gate, values, sets)
        if not held:
            sentences.append(
                f"{gate.value} has no value in any set, so {gate.text!r} cannot be judged."
            )
        for name in held:
            value = values.get(name, dict.fromkeys(COUNTS, 0)).get(gate.value)
            if value is None:
                sentences.append(
                    f"{name}: {gate.value} has no value there, so {gate.text!r} cannot be judged."
                )
            elif OPERATORS[gate.op](value, gate.limit):
                sentences.append(
                    f"{name}: {gate.value} is {value:.6g}; the limit is {gate.op} {gate.limit:g}."
                )
    return sentences


def _held_against(gate: Gate, values: Mapping[str, Values], sets: Sequence[str]) -> Sequence[str]:
    """Return the names of the sets that a gate is held against."""
    if gate.set_name is not None:
        return (gate.set_name,)
    if gate.value in COUNTS:
        return sets
    return [name for name, one in values.items() if gate.value in one]


def raise_failed(sentences: Sequence[str], source: str) -> None:
    """Raise one error for all gates that failed.

    Raises
    ------
    MaskError
    """
    if sentences:
        listed = "\n".join(f"  - {sentence}" for sentence in sentences)
        what = "limit was" if len(sentences) == 1 else "limits were"
        raise MaskError(f"{source}: {len(sentences)} {what} reached:\n{listed}")
