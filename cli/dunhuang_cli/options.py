"""The options that commands share, and the run.toml that feeds them and is written beside outputs.

Precedence: command line, then environment (``DUNHUANG_<COMMAND>_<OPTION>``), then ``--config``,
then the default.
"""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

ORIGINS = {"COMMANDLINE": "command line", "ENVIRONMENT": "environment", "DEFAULT_MAP": "--config"}
FROM_PRESET = "dunhuang_cli.from_preset"  # in a context's meta: options that a preset settled
PRESET = "dunhuang_cli.preset"  # in a context's meta: the name of the preset
NOT_RECORDED = ("json", "dry-run", "overwrite", "resume")
NO_BYTE_CHANGES = ("out", "workers", "scheduler", "max-memory", "keep-going")
FILE = click.Path(path_type=Path)
CONTEXT = {"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 100}


def _read_config(ctx: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    """Take the defaults of this command from its table in a TOML file."""
    if path is None or ctx.resilient_parsing:
        return
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise click.BadParameter(f"{path} cannot be read: {error}", ctx, parameter) from error
    unknown = sorted(set(document) - _tables())
    if unknown:
        raise click.BadParameter(
            f"{path}: unknown tables or keys: {', '.join(unknown)}. A table is named like a "
            f"command: {', '.join(sorted(_tables()))}",
            ctx,
            parameter,
        )
    command = ctx.info_name or ""
    values = document.get(command, {})
    if not isinstance(values, dict):
        raise click.BadParameter(
            f"{path}: {command} is no table; write [{command}]", ctx, parameter
        )
    known = {option_key(one): one for one in ctx.command.params if _configurable(one)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise click.BadParameter(
            f"{path}: the table [{command}] has unknown keys: {', '.join(unknown)}. Known are: "
            f"{', '.join(sorted(known))}",
            ctx,
            parameter,
        )
    for key, value in values.items():
        whole = isinstance(known[key].type, click.types.IntParamType | SeedType)
        if whole and type(value) is not int:
            raise click.BadParameter(
                f"{path}: {key} is {value!r}; expected a whole number", ctx, parameter
            )
    own = {str(known[key].name): value for key, value in values.items()}
    ctx.default_map = {**(ctx.default_map or {}), **own}
    ctx.meta[FROM_PRESET] = ctx.meta.get(FROM_PRESET, set()) - set(own)


def _tables() -> set[str]:
    """Return the names of all commands of both programs."""
    from dunhuang_cli.data import dunhuang_data
    from dunhuang_cli.train import dunhuang_train

    return {*dunhuang_data.commands, *dunhuang_train.commands}


def option_key(parameter: click.Parameter) -> str:
    """Return an option's key in run.toml: its long name, without dashes before it."""
    longest = max(parameter.opts, key=len)
    return longest.lstrip("-")


def _configurable(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option) and not parameter.is_eager


def resolved_toml(ctx: click.Context, without: Sequence[str] = ()) -> str:
    """Return the options of this call as TOML, each with where its value came from.

    ``without`` names those that are left out: of a dataset, what changes no byte of it, for this
    text lies in it.
    """
    lines = [f"# {ctx.command_path}, as it was run; use it again with --config", ""]
    for parameter in ctx.command.params:
        if isinstance(parameter, click.Argument):
            given = ctx.params[str(parameter.name)]
            shown = " ".join(map(str, given)) if isinstance(given, tuple) else str(given)
            shown = shown.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
            lines.insert(1, f"# {parameter.human_readable_name} {shown}")
    lines.append(f"[{ctx.info_name}]")
    for parameter in ctx.command.params:
        if not isinstance(parameter, click.Option) or not _configurable(parameter):
            continue
        value = ctx.params.get(str(parameter.name))
        source = ctx.get_parameter_source(str(parameter.name))
        if value is not None and option_key(parameter) not in (*NOT_RECORDED, *without):
            origin = ORIGINS.get(source.name if source else "", "default")
            if origin == "--config" and parameter.name in ctx.meta.get(FROM_PRESET, ()):
                origin = "--preset"
            shown = _toml_value(value, getattr(parameter.type, "separator", ","))
            lines.append(f"{option_key(parameter)} = {shown}  # {origin}")
    return "\n".join(lines) + "\n"


def _toml_value(value: Any, separator: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    text = separator.join(map(str, value)) if isinstance(value, tuple | list) else str(value)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def write_run_toml(ctx: click.Context, folder: Path) -> None:
    """Write the resolved options beside an output."""
    from dunhuang_data.atomic import write_text

    write_text(folder / "run.toml", resolved_toml(ctx))


class SeedType(click.ParamType[int]):
    """A whole number of 64 bits."""

    name = "INTEGER"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        try:
            number = int(value)
        except ValueError:
            number = -1
        if not 0 <= number < 2**64:
            self.fail(f"{value!r} is no whole number from 0 to 2**64 - 1", param, ctx)
        return number


class WorkersType(click.ParamType[int]):
    """A number of processes, or ``auto``, which is 0 in the code."""

    name = "[auto|N]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        if value in ("auto", 0, "0"):
            return 0
        if not str(value).isascii() or not str(value).isdigit() or isinstance(value, bool):
            self.fail(f"{value!r} is neither auto nor a number of processes", param, ctx)
        return int(value)


class BytesType(click.ParamType[int]):
    """A number of bytes, with a unit: 800MB, 4GB, 4GiB."""

    name = "SIZE"
    units: ClassVar[dict[str, int]] = {
        "": 1, "B": 1,
        "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
        "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
    }  # fmt: skip

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]*)", str(value).strip())
        if not found or found[2].upper() not in self.units:
            self.fail(f"{value!r} is no size; write 800MB or 4GiB", param, ctx)
        return int(float(found[1]) * self.units[found[2].upper()])


def workers_option(help: str) -> Callable[[Function], Function]:
    """Return the option ``--workers auto|N``; ``help`` says what auto is."""
    return click.option(
        "--workers", type=WorkersType(), default="auto", help=f"Processes; auto = {help}."
    )


def all_of(*options: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """Return the options as one decorator; the first is listed first."""

    def add(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return add


class InOrder(click.Group):
    """A group that lists its commands in the order of the work, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order they were added."""
        return list(self.commands)


config_option = click.option(
    "--config",
    type=FILE,
    is_eager=True,
    expose_value=False,
    callback=_read_config,
    help="Take options from this TOML file, from the table named like the command.",
)
json_option = click.option(
    "--json", is_flag=True, help="Print the result as one JSON document on stdout."
)
seed_option = click.option("--seed", type=SeedType(), default=0, help="Every draw depends on it.")
overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Replace an output of this command that is already there."
)
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Check everything and say what would be made; write nothing."
)

device_option = click.option(
    "--device", default="auto", help="auto (a GPU if there is one), cpu, cuda or cuda:N."
)


def require_torch() -> None:
    """Refuse to go on without the packages that training needs."""
    from dunhuang_data.errors import EnvironmentProblem

    missing = [name for name in ("torch", "safetensors") if find_spec(name) is None]
    if missing:
        raise EnvironmentProblem(
            f"dunhuang-train needs {' and '.join(missing)}, which the base installation leaves "
            "out. Install with: pip install 'dunhuang-data[train]' (in a clone: pip install -e "
            "'.[train]')"
        )


def out_option(help_text: str) -> Callable[[Function], Function]:
    """Return the option that names the output."""
    return click.option("-o", "--out", type=FILE, required=True, help=help_text)


def writes_output(function: Function) -> Function:
    """Add what every writing command has: --overwrite, --dry-run, --json, --config."""
    for option in (config_option, json_option, dry_run_option, overwrite_option):
        function = option(function)
    return function


class ShapeType(click.ParamType[tuple[int, int]]):
    """``256`` or ``HEIGHTxWIDTH``."""

    name = "N|HxW"
    separator = "x"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Return (height, width)."""
        if isinstance(value, tuple):
            return value
        try:
            sides = [int(side) for side in str(value).lower().split("x")]
        except ValueError:
            sides = []
        if len(sides) not in (1, 2) or min(sides) < 1:
            self.fail(f"{value!r} is no size; write 256 or 400x600 (height x width)", param, ctx)
        return sides[0], sides[-1]


class NumbersType(click.ParamType[tuple[Any, ...]]):
    """Numbers with colons between them: ``5``, ``LOW:HIGH``, or more where the recipe takes more.

    Parameters
    ----------
    kind : {int, float}
    most : int, optional
        As many numbers as there may be; with 2, one number stands for both.
    """

    name = "LOW[:HIGH]"
    separator = ":"

    def __init__(self, kind: type[int] | type[float], most: int | None = 2) -> None:
        self._kind, self._most = kind, most

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Any, ...]:
        """Return the numbers; the recipe checks their order and range."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(self._kind(one) for one in str(value).split(":"))
        except ValueError:
            numbers = ()
        if not numbers or len(numbers) > (self._most or len(numbers)):
            what = "whole numbers" if self._kind is int else "numbers"
            self.fail(f"{value!r} is no range of {what}; write 5 or 5:20", param, ctx)
        return 2 * numbers if self._most == 2 and len(numbers) == 1 else numbers


def preset_option(presets: Mapping[str, Mapping[str, Any]]) -> Callable[[Function], Function]:
    """Return ``--preset``: a named set of values that stand in for the defaults."""

    def take(ctx: click.Context, _parameter: click.Parameter, name: str | None) -> None:
        if name is None or ctx.resilient_parsing:
            return
        given = ctx.default_map or {}
        ctx.default_map = {**presets[name], **given}
        ctx.meta[FROM_PRESET] = set(presets[name]) - set(given)
        ctx.meta[PRESET] = name

    return click.option(
        "--preset",
        type=click.Choice(list(presets)),
        is_eager=True,
        expose_value=False,
        callback=take,
        help="Named values in place of the defaults; options given beside it count.",
    )


class SharesType(click.ParamType[tuple[float, float, float]]):
    """Three comma-separated shares."""

    name = "TRAIN,VAL,TEST"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float, float]:
        """Return the three shares; the recipe checks that they add up to 1."""
        if isinstance(value, tuple):
            return value
        try:
            train, val, test = (float(share) for share in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not three shares such as 0.8,0.1,0.1", param, ctx)
        return train, val, test
