"""Write files and folders so that a final name is only ever carried by a whole thing.

Everything is written under a temporary name in the same folder, flushed to the disk, and renamed.
A killed process leaves at most a hidden ``.*.partial-*`` beside the target, never half an output.
"""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dunhuang_data.errors import OutputError, OutputExistsError

_REFUSALS = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EEXIST,
    errno.EFBIG,
    errno.EIO,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.ENOTEMPTY,
    errno.EPERM,
    errno.EROFS,
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
            "Make room or permission there, or choose another place with -o, and run it again."
        ) from error


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; when the block ends well it becomes ``path``.

    Raises
    ------
    OutputError
        If the system refuses (full disk, no permission). Nothing keeps the final name.
    """
    temporary = path.with_name(f".{path.stem}.partial-{os.getpid()}{path.suffix}")
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
    with new_file(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document, indented, whole or not at all."""
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def refuse_existing(out: Path, marker: str, overwrite: bool) -> None:
    """Refuse an output folder that is in use.

    An empty folder is fine. With ``overwrite``, so is one that holds ``marker``, that is, one that
    this command wrote; any other folder is never replaced.

    Raises
    ------
    OutputExistsError
        Exit code 4, with the ways out.
    """
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir():
        raise OutputExistsError(f"{out} is a file; a folder is written there. Choose another -o.")
    if not any(out.iterdir()):
        return
    if not (out / marker).is_file():
        raise OutputExistsError(
            f"{out} holds files that are not an output of this command (no {marker} in it), so it "
            "is not touched. Choose another folder with -o."
        )
    if not overwrite:
        raise OutputExistsError(
            f"{out} already holds an output ({marker}). Give --overwrite to replace it, or choose "
            "another folder with -o."
        )


def refuse_existing_file(path: Path, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Refuse an output file that is already there, unless it may be replaced.

    A file that is also one of the ``inputs`` is never replaced.

    Raises
    ------
    OutputExistsError
        Exit code 4, with the ways out.
    """
    if path.is_dir():
        raise OutputExistsError(f"{path} is a folder; a file is written there. Name a file.")
    if path.exists() and any(one.exists() and path.samefile(one) for one in inputs):
        raise OutputExistsError(f"{path} is an input and would be replaced. Choose another place.")
    if path.exists() and not overwrite:
        raise OutputExistsError(
            f"{path} is already there. Give --overwrite to replace it, or name another file."
        )


@contextmanager
def new_folder(out: Path, marker: str, overwrite: bool = False) -> Iterator[Path]:
    """Yield a hidden folder beside ``out``; when the block ends well it becomes ``out``.

    Parameters
    ----------
    out : Path
        The final name.
    marker : str
        The file whose presence says that such a folder is whole; see `refuse_existing`.
    overwrite : bool
        Replace an earlier output. The old one is kept until the new one is whole.

    Raises
    ------
    OutputExistsError
        If ``out`` is in use.
    OutputError
        If the system refuses to write.
    """
    refuse_existing(out, marker, overwrite)
    staging: Path | None = None
    try:
        with explained(out, every=True):
            out.parent.mkdir(parents=True, exist_ok=True)
            prefix = f".{out.name}.partial-"
            staging = Path(tempfile.mkdtemp(prefix=prefix, dir=out.parent))
            staging.chmod(0o777 & ~_umask())
        with explained(out):
            yield staging
            replace_folder(staging, out)
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def _umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value


def replace_folder(new: Path, out: Path) -> None:
    """Rename ``new`` to ``out``; an older ``out`` is moved aside first and deleted last."""
    if not out.exists():
        os.rename(new, out)
        return
    old = out.with_name(f".{out.name}.old-{os.getpid()}")
    os.rename(out, old)
    try:
        os.rename(new, out)
    except OSError:
        os.rename(old, out)
        raise
    shutil.rmtree(old, ignore_errors=True)


Progress = Callable[[int], None]
"""Called with the number of items finished since the last call."""


def no_progress(_count: int) -> None:
    """Show nothing."""
