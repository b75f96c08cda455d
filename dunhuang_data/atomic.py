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
from pathlib import Path
from secrets import token_hex
from typing import Any

from dunhuang_data.errors import OutputError, OutputExistsError
from dunhuang_data.refusals import Contents, refuse_existing

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


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last through a loss of power, not only the files."""
    with explained(folder):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_bytes(path: Path, data: bytes | memoryview) -> None:
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
