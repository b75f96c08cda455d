"""A folder that grows in ``OUT.building`` and is renamed to ``OUT`` when it is whole.

A marker in it says what it is made of, records in ``state`` which of its parts are whole. A killed
command, run again, goes on there; another one is refused. So nothing unfinished carries a final
name, and nothing finished is made twice.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dunhuang_data.atomic import explained, locked, replace_folder, write_json
from dunhuang_data.errors import DataProblem, OutputError, OutputExistsError
from dunhuang_data.refusals import Contents, refuse_existing

STATE = "state"  # folder of the records; gone when the output is whole


@dataclass(frozen=True, slots=True)
class Growth:
    """One output that is made part by part.

    Attributes
    ----------
    out : Path
        The final name.
    contents : tuple of str
        What the output may hold, the marker that is written last first; ``started`` among it.
    started : str
        Name of the marker of an unfinished output, and the key of its identity is ``build_id``.
    build_id : str
        Says what it is made of; only the same is continued.
    what, made_of, doing : str
        For sentences: "build", "plan, bank or recipe", "building".
    inputs : tuple of Path
        What must not lie in a folder that is replaced.
    overwrite : bool
        Replace an earlier output, or an unfinished one that is made of something else.
    resume : bool
        Refuse to begin: there must be something to continue.
    """

    out: Path
    contents: Contents
    started: str
    build_id: str
    what: str
    made_of: str
    doing: str
    inputs: tuple[Path, ...] = ()
    overwrite: bool = False
    resume: bool = False


def unfinished(out: Path) -> Path:
    """Return where an output grows."""
    final = out.resolve()
    return final.with_name(f"{final.name}.building")


@contextmanager
def growing(growth: Growth) -> Iterator[Path]:
    """Yield the folder an output grows in, held by this process alone; then rename it.

    The block finds or makes the parts, with records in `STATE`, and writes the marker
    ``contents[0]`` last. If that is there already, the block has nothing to do. If the block
    raises, what is whole is kept; if nothing is, no folder is left.

    Raises
    ------
    OutputExistsError
        If ``out`` is in use, or the unfinished one is made of something else.
    DataProblem
        If ``resume`` is asked for and there is nothing to continue.
    OutputError
        If the system refuses to write.
    """
    refuse_existing(growth.out, growth.contents, growth.overwrite, growth.inputs)
    building = unfinished(growth.out)
    if growth.resume:
        refuse_to_begin(growth.out, growth.started)
    with explained(growth.out, every=True):  # the name that was asked for, not a hidden one
        building.mkdir(parents=True, exist_ok=True)
    # the marker is read and written by whoever holds the folder, or two could both begin
    with locked(building, growth.doing):
        try:
            _start_or_continue(building, growth)
        except BaseException:
            with suppress(OSError):  # unless there is something in it
                building.rmdir()
            raise
        with _gone_if_empty(building, growth.contents[0]), _what_is_kept(building):
            yield building
        with explained(growth.out):
            shutil.rmtree(building / STATE, ignore_errors=True)
            refuse_existing(growth.out, growth.contents, growth.overwrite, growth.inputs)
            final = growth.out.resolve()
            replace_folder(building, final)
            (final / growth.started).unlink()


def refuse_to_begin(out: Path, started: str) -> None:
    """Refuse, for ``--resume``, an output that is not half done.

    Raises
    ------
    DataProblem
    """
    if _id_of(unfinished(out) / started) is None:
        raise DataProblem(
            f"There is nothing to resume: {unfinished(out)} is not there, or was not left by this "
            "command. Leave out --resume to begin."
        )


@contextmanager
def _gone_if_empty(building: Path, marker: str) -> Iterator[None]:
    """If nothing comes of it, not even one whole part, leave no folder either."""
    try:
        yield
    except BaseException:
        if (
            building.exists()
            and not (building / STATE).exists()
            and not (building / marker).exists()
        ):
            shutil.rmtree(building, ignore_errors=True)
        raise


@contextmanager
def _what_is_kept(building: Path) -> Iterator[None]:
    """Where writing is refused, say how much is whole, and that it is kept."""
    try:
        yield
    except OutputError as error:
        whole = len(list((building / STATE).glob("*"))) if (building / STATE).exists() else 0
        if not whole:
            raise
        reason = str(error).split(" Make room", 1)[0]
        raise OutputError(
            f"{reason} {whole} parts are whole and kept in {building}. Make room or permission "
            "there, and run the same command again; it continues."
        ) from error


def _start_or_continue(building: Path, growth: Growth) -> None:
    """Mark the folder, unless an earlier run of the same command did; it must be held already."""
    marker = building / growth.started
    if any(".partial-" not in path.name for path in building.iterdir()):
        found = _id_of(marker)
        if found is None:
            raise OutputExistsError(
                f"{building} is in the way and is no interrupted {growth.what}. Move it, or choose "
                "another -o."
            )
        if found == growth.build_id:
            return
        if growth.resume or not growth.overwrite:
            raise OutputExistsError(
                f"{building} is an interrupted {growth.what} of another {growth.made_of}. Run that "
                "one again to finish it, or give --overwrite (without --resume) to drop it."
            )
        with explained(building):
            for path in sorted(building.iterdir(), key=lambda path: path == marker):
                shutil.rmtree(path) if path.is_dir() else path.unlink()  # the marker last
    write_json(marker, {"build_id": growth.build_id})


def _id_of(marker: Path) -> str | None:
    try:
        return str(json.loads(marker.read_text(encoding="utf-8"))["build_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def sweep_partial(building: Path) -> None:
    """Delete the temporary files that killed workers left."""
    with explained(building):
        for leftover in list(building.rglob(".*.partial-*")):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink(missing_ok=True)
