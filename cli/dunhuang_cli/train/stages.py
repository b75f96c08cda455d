"""Runs that follow each other, each from the weights of the one before: ``fit --stages``.

Every stage is a run like any other, in its own folder, made by the same command as if it had been
typed; so two stages give what two runs give.
"""

import re
import tomllib
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dunhuang_cli import console
from dunhuang_cli.options import PRESET, option_key, resolved_toml
from dunhuang_cli.train import runs

if TYPE_CHECKING:
    from dunhuang_trainer.config import ModelConfig, TrainConfig
    from dunhuang_trainer.training.execution import Execution
    from dunhuang_trainer.training.stopping import StopRequest

MARKER = "stages.json"
CONTENTS = (MARKER, "run.toml", "[0-9]*-*", ".*.partial-*", ".*.old-*")
FORMAT = {"name": "dunhuang-stages", "version": 1}
OF_THE_WHOLE = {
    "out", "stages", "resume", "overwrite", "dry_run", "json", "device", "workers", "time_limit",
    "save_every", "data_on_device",
}  # fmt: skip
Table = dict[str, Any]


def begun(out: Path) -> bool:
    """Whether a folder holds stages."""
    return (out / MARKER).is_file()


def run_all(
    ctx: click.Context, out: Path, execution: "Execution", stop: "StopRequest", again: str
) -> Table:
    """Run the stages of a file, or what is left of them; return what came of the last.

    Each begins from the best weights of the one before, or from its last where none were chosen.
    """
    from dunhuang_trainer.training.folder import alone_in

    if ctx.params["resume"]:
        _refuse_paths(ctx, out)
        stages = _read_marker(out)
    else:
        stages = _read_file(ctx, ctx.params["stages"])
        plans = _checked(ctx, stages, execution)
        if ctx.params["dry_run"]:
            return {"stages": [runs.dry_run(*plan, execution) for plan in plans]}
        if execution.ranks.first:
            _write_marker(ctx, out, stages)
        execution.ranks.wait()
    with alone_in(out, MARKER) if execution.ranks.first else nullcontext():
        return _run_each(ctx, out, stages, execution, stop, again)


def _run_each(
    ctx: click.Context,
    out: Path,
    stages: list[Table],
    execution: "Execution",
    stop: "StopRequest",
    again: str,
) -> Table:
    """Run what is left of the stages; return what came of the last that was under way."""
    document: Table = {}
    for number, stage in enumerate(stages, start=1):
        console.say(f"Stage {number} of {len(stages)}: {stage['name']}")
        folder = out / f"{number}-{stage['name']}"
        before = document.get("checkpoint")
        document = _run_one(ctx, stage, folder, before, execution, stop, again)
        asked = execution.ranks.any(stop.why is not None, execution.device)
        trained = "loss" in document  # or it was finished before this call
        if asked and trained and number < len(stages):  # also one that has just ended
            document["stopped"] = document["stopped"] or stop.why or "another process was asked to"
        if document["stopped"]:
            break
    return document


def _refuse_paths(ctx: click.Context, out: Path) -> None:
    """Refuse to say of several runs where the data of one are."""
    for name in ("dataset", "features"):
        if runs.given(ctx, name):
            raise click.UsageError(
                f"--{name} cannot be given for several stages at a time. Go on with the stage "
                f"alone, then with the others: dunhuang-train fit --resume -o {out}/STAGE "
                f"--{name} …",
                ctx,
            )


def _run_one(
    ctx: click.Context,
    stage: Table,
    folder: Path,
    before: str | None,
    execution: "Execution",
    stop: "StopRequest",
    again: str,
) -> Table:
    """Start or resume one stage."""
    from dunhuang_trainer.training.folder import MARKER as RUN

    if (folder / RUN).is_file():
        return runs.train(ctx, folder, execution, stop, again)
    begins = [] if before is None else ["--init-from", before]
    with _context(ctx, stage, folder, begins) as one:
        model, config = runs.settings(one, execution)
        runs.start(one, folder, model, config, execution)
        return runs.train(one, folder, execution, stop, again)


def _checked(
    ctx: click.Context, stages: list[Table], execution: "Execution"
) -> list[tuple[click.Context, "ModelConfig", "TrainConfig"]]:
    """Check every stage before the first begins; return what each asks for."""
    plans: list[tuple[click.Context, ModelConfig, TrainConfig]] = []
    for number, stage in enumerate(stages, start=1):
        folder = ctx.params["out"] / f"{number}-{stage['name']}"
        one = _context(ctx, stage, folder, [])
        like = plans[-1][1] if plans else None
        plans.append((one, *runs.settings(one, execution, like)))
    return plans


def _context(ctx: click.Context, stage: Table, folder: Path, begins: list[str]) -> click.Context:
    """Parse a stage as if it had been typed: what its table says, then what the call says."""
    arguments = ["--out", str(folder), *stage["arguments"], *begins]
    try:
        return ctx.command.make_context("fit", arguments, parent=ctx.parent)
    except click.UsageError as error:
        raise click.UsageError(
            f"The stage {stage['name']}: {error.format_message()}", ctx
        ) from error


def _read_file(ctx: click.Context, path: Path) -> list[Table]:
    """Return the stages that a file describes, each a name and the arguments of its run."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        tables = document.pop("stage", [])
        if document or not isinstance(tables, list) or not tables:
            raise ValueError("expected tables [[stage]], one or more, and nothing else")
        names = [str(table.pop("name", "")) for table in tables]
        for name in names:
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,60}", name) or names.count(name) > 1:
                raise ValueError(
                    f"a stage has the name {name!r}; expected one of letters, digits, _ and -, "
                    "another for every stage"
                )
    except (AttributeError, OSError, UnicodeDecodeError, ValueError) as error:
        raise click.BadParameter(f"{path} cannot be read as stages: {error}", ctx) from error
    late = [name for name, table in zip(names[1:], tables[1:], strict=True) if "init-from" in table]
    if late:
        raise click.BadParameter(
            f"{path}: the stage {late[0]} has init-from, and begins from the weights of the stage "
            "before. Only the first can begin from others",
            ctx,
        )
    shared = _shared(ctx)
    return [
        {"name": name, "arguments": _arguments(ctx, path, name, _with(shared, table))}
        for name, table in zip(names, tables, strict=True)
    ]


def _with(shared: Table, table: Table) -> Table:
    """Return a stage's options: those of the call, but where its own table says otherwise."""
    lengths = {"steps", "epochs"}  # one stands for the other
    over = set(table) | (lengths if lengths & set(table) else set())
    return {**{key: value for key, value in shared.items() if key not in over}, **table}


def _shared(ctx: click.Context) -> Table:
    """Return the options of this call that hold for every stage, by their long names."""
    shared = {
        option_key(one): ctx.params[str(one.name)]
        for one in _options(ctx)
        if runs.asked_for(ctx, str(one.name))
    }
    if runs.given(ctx, "epochs") and not runs.given(ctx, "steps"):
        shared.pop("steps", None)  # a file's
    preset = ctx.meta.get(PRESET)
    return shared if preset is None else {"preset": preset, **shared}


def _options(ctx: click.Context) -> list[click.Option]:
    """Return the options that a stage may have."""
    return [
        one
        for one in ctx.command.params
        if isinstance(one, click.Option) and one.expose_value and one.name not in OF_THE_WHOLE
    ]


def _arguments(ctx: click.Context, path: Path, name: str, values: Table) -> list[str]:
    """Write options as they would be typed."""
    known = {option_key(one): one for one in _options(ctx)}
    arguments: list[str] = []
    for key, value in values.items():
        option = known.get(key)
        if option is None and key != "preset":
            raise click.BadParameter(
                f"{path}: the stage {name} has the unknown key {key!r}. Known are: preset, "
                f"{', '.join(sorted(known))}",
                ctx,
            )
        if option is not None and option.is_flag:
            if not isinstance(value, bool):
                raise click.BadParameter(
                    f"{path}: {key} of the stage {name} is {value!r}; expected true or false", ctx
                )
            if value or option.secondary_opts:
                arguments.append((option.opts if value else option.secondary_opts)[0])
        else:
            # a later stage may be begun from another folder
            whole = option is not None and isinstance(option.type, click.Path)
            arguments += [f"--{key}", str(Path(value).resolve() if whole else value)]
    return arguments


def _write_marker(ctx: click.Context, out: Path, stages: list[Table]) -> None:
    from dunhuang_data.atomic import new_folder, write_json, write_text
    from dunhuang_trainer.training.folder import alone_in

    # what nobody asked for is settled by each stage, and so is what a preset says
    others = [option_key(one) for one in _options(ctx) if not runs.asked_for(ctx, str(one.name))]
    toml = resolved_toml(ctx, others)
    if PRESET in ctx.meta:
        toml = f"# beside --preset {ctx.meta[PRESET]}\n{toml}"
    overwrite, file = ctx.params["overwrite"], ctx.params["stages"]
    with alone_in(out, MARKER), new_folder(out, CONTENTS, overwrite, [file]) as folder:
        write_text(folder / "run.toml", toml)
        write_json(folder / MARKER, {"format": FORMAT, "stages": stages})


def _read_marker(out: Path) -> list[Table]:
    from dunhuang_data.documents import parsed, read_document
    from dunhuang_data.errors import CheckpointError

    what, again = "stages that can be resumed", "dunhuang-train fit --stages FILE --out RUN"
    document = read_document(out / MARKER, FORMAT, what, again, CheckpointError)
    with parsed(out / MARKER, what, f"Begin with {again}.", CheckpointError):
        return [
            {"name": str(one["name"]), "arguments": [str(each) for each in one["arguments"]]}
            for one in document["stages"]
        ]
