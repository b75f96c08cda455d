"""Write files and folders so that a final name is only ever carried by a whole thing.

Everything is written under a temporary name in the same folder, flushed to the disk, and renamed.
A killed process leaves at most a hidden ``.*.partial-*`` beside the target, never half an output.
"""

import errno
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path
from secrets import token_hex
from typing import Any

from dunhuang_data.errors import OutputError, OutputExistsError, UsageProblem

Contents = tuple[str, ...]
"""The names that a command's output folder may hold, as patterns; the first one marks it whole."""

_REFUSALS = {
    errno.EACCES,
    errno.EBUSY,
    errno.EDQUOT,
    errno.EEXIST,
    errno.EFBIG,
    errno.EINVAL,
    errno.EIO,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.ENOTEMPTY,
    errno.EPERM,
    errno.EROFS,
    errno.ESTALE,
    errno.EXDEV,
}


@contextmanager
def explained(path: Path, every: bool = False) -> Iterator[None]:
    """Turn the system's refusal to write ``path`` into a sentence (exit code 5).

    With ``every``, whatever the system says is such a refusal, also that something does not exist.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _REFUSALS and not every:
            raise
        file = next((parent for parent in path.parents if parent.is_file()), None)
        reason = f"{file} is a file, not a folder" if file else error.strerror or str(error)
        raise OutputError(
            f"Could not write {path}: {reason}. Nothing was left under its final name. "
            "Make room or permission there, or choose another place with -o, and run it again "
            "(with --overwrite where another part of the output is already there)."
        ) from error


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; when the block ends well it becomes ``path``.

    Raises
    ------
    OutputError
        If the system refuses (full disk, no permission). Nothing keeps the final name.
    """
    temporary = path.with_name(f".{path.name}.partial-{token_hex(4)}{path.suffix}")
    try:
        with explained(path, every=True):
            path.parent.mkdir(parents=True, exist_ok=True)
        with explained(path):
            yield temporary
            with temporary.open("rb") as stream:
                os.fsync(stream.fileno())
            os.replace(temporary, path)
    finally:
        with suppress(OSError):  # most often it is gone already, under its final name
            temporary.unlink()


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all.

    Libraries that write files by themselves hide why the system refused; let them write to memory.
    """
    with new_file(path) as temporary, explained(path, every=True):
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document, indented, whole or not at all."""
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def refuse_existing(
    out: Path, contents: Contents, overwrite: bool, inputs: Iterable[Path] = ()
) -> None:
    """Refuse an output folder that is in use.

    An empty folder is fine. With ``overwrite``, so is one that this command wrote: it holds the
    marker, and nothing that is not in ``contents``. A folder that holds anything else, or one of
    the ``inputs``, is never replaced, nor is the folder one works in.

    Raises
    ------
    OutputExistsError
        Exit code 4, with the ways out.
    """
    marker, out = contents[0], out.resolve()
    if out == Path.cwd() or out.is_mount():
        what = "the folder you are in" if out == Path.cwd() else "a mounted disk"
        raise OutputExistsError(f"{out} is {what} and cannot be replaced; name a folder in it.")
    set_aside = sorted(out.parent.glob(f".{out.name}.old-*")) if not out.exists() else []
    if set_aside:
        raise OutputExistsError(
            f"{out} was being replaced when the program was killed; what was there before is kept "
            f"in {set_aside[0]}. Rename it back, or delete it."
        )
    if not out.exists():
        return
    if not out.is_dir():
        raise OutputExistsError(f"{out} is a file; a folder is written there. Choose another -o.")
    names = sorted(path.name for path in out.iterdir())
    if not names:
        return
    if marker not in names:
        raise OutputExistsError(
            f"{out} holds files that are not an output of this command (no {marker} in it), so it "
            "is not touched. Choose another folder with -o."
        )
    if not overwrite:
        raise OutputExistsError(
            f"{out} already holds an output ({marker}). Give --overwrite to replace it, or choose "
            "another folder with -o."
        )
    foreign = [name for name in names if not any(fnmatch(name, one) for one in contents)]
    if foreign:
        raise OutputExistsError(
            f"{out} also holds {', '.join(foreign[:3])}, which this command did not write, so it "
            "is not replaced. Move that away, or choose another folder with -o."
        )
    for one in inputs:
        if one.resolve().is_relative_to(out):
            raise OutputExistsError(
                f"{one} is an input and lies in {out}, which would be replaced. Choose another -o."
            )


def refuse_existing_png(path: Path, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Refuse an output picture that is already there; see `refuse_existing_file`."""
    refuse_existing_file(path, "PNG", overwrite, inputs)


def refuse_existing_file(
    path: Path, kind: str, overwrite: bool, inputs: Iterable[Path] = ()
) -> None:
    """Refuse an output file that is already there, unless it may be replaced.

    A file that is also one of the ``inputs`` is never replaced.

    Parameters
    ----------
    path : Path
    kind : str
        What is written, as its suffix says: ``"PNG"``, ``"CSV"``, ``"HTML"``.
    overwrite : bool
    inputs : iterable of Path

    Raises
    ------
    UsageProblem
        If its name does not end so.
    OutputExistsError
        Exit code 4, with the ways out.
    """
    suffix = f".{kind.lower()}"
    if path.suffix.lower() != suffix:
        raise UsageProblem(
            f"{path} does not end in {suffix}; a {kind} is written there. Name it so."
        )
    if path.is_dir():
        raise OutputExistsError(f"{path} is a folder; a file is written there. Name a file.")
    if path.exists() and any(one.exists() and path.samefile(one) for one in inputs):
        raise OutputExistsError(f"{path} is an input and would be replaced. Choose another place.")
    if path.exists() and not overwrite:
        raise OutputExistsError(
            f"{path} is already there. Give --overwrite to replace it, or name another file."
        )


def refuse_inside(path: Path, folder: Path) -> None:
    """Refuse an output file inside another output, which holds only what belongs to it.

    Raises
    ------
    UsageProblem
    """
    if path.resolve().is_relative_to(folder.resolve()):
        raise UsageProblem(
            f"{path} lies in {folder}, which is written as a whole. Name another place."
        )


@contextmanager
def new_folder(
    out: Path, contents: Contents, overwrite: bool = False, inputs: Iterable[Path] = ()
) -> Iterator[Path]:
    """Yield a hidden folder beside ``out``; when the block ends well it becomes ``out``.

    Parameters
    ----------
    out : Path
        The final name.
    contents : tuple of str
        What such a folder may hold, the marker first; see `refuse_existing`.
    overwrite : bool
        Replace an earlier output. The old one is kept until the new one is whole.
    inputs : iterable of Path
        What must not lie in the folder that is replaced.

    Raises
    ------
    OutputExistsError
        If ``out`` is in use, now or when the block has ended.
    OutputError
        If the system refuses to write.
    """
    inputs = list(inputs)
    refuse_existing(out, contents, overwrite, inputs)
    final = out.resolve()
    staging: Path | None = None
    try:
        with explained(out, every=True):
            final.parent.mkdir(parents=True, exist_ok=True)
            _sweep_abandoned(final)
            prefix = f".{final.name}.partial-"
            staging = Path(tempfile.mkdtemp(prefix=prefix, dir=final.parent))
            staging.chmod(0o777 & ~_umask())
        with explained(out), locked(staging, "writing"):
            yield staging
            refuse_existing(out, contents, overwrite, inputs)
            replace_folder(staging, final)
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def _sweep_abandoned(final: Path) -> None:
    """Delete the hidden folders that killed processes left; a living one holds its own locked."""
    for folder in final.parent.glob(f".{final.name}.partial-*"):
        if folder.is_dir():
            with suppress(OutputExistsError), locked(folder, "writing"):
                shutil.rmtree(folder, ignore_errors=True)


def _umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value


def replace_folder(new: Path, out: Path) -> None:
    """Rename ``new`` to ``out``; an older ``out`` is moved aside first and deleted last.

    Call `refuse_existing` immediately before.
    """
    if not out.exists() or not any(out.iterdir()):
        os.rename(new, out)  # onto an empty folder too; fails if something appears meanwhile
        return
    old = out.with_name(f".{out.name}.old-{token_hex(4)}")
    os.rename(out, old)
    try:
        os.rename(new, out)
    except BaseException:
        os.rename(old, out)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def locked(folder: Path, doing: str) -> Iterator[None]:
    """Hold a folder for this process alone; the system lets go of it if the process dies.

    Raises
    ------
    OutputExistsError
        If another process holds it.
    """
    with explained(folder, every=True):
        descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputExistsError(
                f"Another process is {doing} {folder} right now. Wait for it, or choose another -o."
            ) from error
        yield
    finally:
        os.close(descriptor)


Progress = Callable[[int], None]
"""Called with the number of items finished since the last call."""


def no_progress(_count: int) -> None:
    """Show nothing."""
