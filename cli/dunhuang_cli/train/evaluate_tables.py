"""The tables of ``evaluate``: on the screen, and as a file."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dunhuang_cli import console

if TYPE_CHECKING:
    from dunhuang_trainer.evaluate.comparison import Comparison, Runs
    from dunhuang_trainer.evaluate.console_tables import ConsoleTable
    from dunhuang_trainer.evaluate.tables import Evaluation


def tables_of(
    evaluation: "Evaluation",
    comparisons: "Sequence[Comparison]",
    runs: "Sequence[Runs]",
    full: bool,
) -> "list[ConsoleTable]":
    """Return the tables: all of them, or what fits a screen or two."""
    from dunhuang_trainer.evaluate.console_tables import (
        bucket_tables,
        overall_tables,
        paired_tables,
        runs_table,
    )
    from dunhuang_trainer.evaluate.tables import CELL_SCORES
    from dunhuang_trainer.metrics import WHY_THEY_DIFFER

    tables = overall_tables(evaluation, WHY_THEY_DIFFER)
    # without the plainer of two, one network beside all fills fits a screen
    shown = [one for one in evaluation.methods if full or one != "push-pull"]
    shown = shown or list(evaluation.methods)
    for score in CELL_SCORES if full else CELL_SCORES[:1]:
        for measure in ("hole ratio", "depth"):
            tables += bucket_tables(evaluation, score, measure, shown, intervals=full)
    for one in comparisons:
        tables += paired_tables(one) if full else paired_tables(one)[:1]
    return [*tables, *map(runs_table, runs)]


def show(tables: "Sequence[ConsoleTable]", said: "Sequence[str]") -> None:
    """Show tables, and say what stands out, on stderr."""
    for table in tables:
        console.table(table.title, table.columns, table.rows)
        for note in table.notes:
            console.say(note)
    for sentence in said:
        console.say(sentence)


def as_text(tables: "Sequence[ConsoleTable]", said: "Sequence[str]") -> str:
    """Return tables and sentences as a text file."""
    parts = [
        console.table_text(table.title, table.columns, table.rows)
        + "".join(f"{note}\n" for note in table.notes)
        for table in tables
    ]
    return "\n".join([*parts, *said]) + "\n"
