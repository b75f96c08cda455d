"""What is never overwritten: refused before anything is done, with the ways out."""

from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

from dunhuang_data.errors import OutputExistsError, UsageProblem

Contents = tuple[str, ...]
"""The names that a command's output folder may hold, as patterns; the first one marks it whole."""


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
            f"{path} does not end in {suffix}; {_article(kind)} {kind} is written there. Name it "
            "so."
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
    """Refuse an output file in a folder whose files all mean something: an output, or an input.

    Raises
    ------
    UsageProblem
    """
    if path.resolve().is_relative_to(folder.resolve()):
        raise UsageProblem(
            f"{path} lies in {folder}, and would be taken for a part of it. Name another place."
        )


def _article(word: str) -> str:
    return "an" if word[0].upper() in "AEIOU" else "a"
