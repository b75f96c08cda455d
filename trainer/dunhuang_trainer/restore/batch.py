"""Many pictures: which, under what names, and what becomes of the others when one fails."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dunhuang_data.errors import (
    DunhuangError,
    EnvironmentProblem,
    PictureError,
    UsageProblem,
    says_out_of_memory,
)
from dunhuang_data.pictures import find_pictures
from dunhuang_data.pictures.find import SUFFIXES
from dunhuang_trainer.restore.given import Given, Task
from dunhuang_trainer.restore.one import restore_one


@dataclass(frozen=True, slots=True)
class Failure:
    """A picture that was not restored.

    Attributes
    ----------
    picture : str
    sentence : str
        Why, and what to do.
    exit_code : int
        Of the class of error.
    """

    picture: str
    sentence: str
    exit_code: int


@dataclass(slots=True)
class Batch:
    """What became of some pictures.

    Attributes
    ----------
    restored, skipped : list of dict
        Records; see `dunhuang_trainer.restore.one`.
    failed : list of Failure
    """

    restored: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[dict[str, Any]] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """Return 0, or that of the failures: of bad input first, for that is the user's to mend."""
        codes = {one.exit_code for one in self.failed}
        return next((code for code in (1, 3, 5, 4, 2) if code in codes), 0)


def find_tasks(
    pictures: Sequence[Path],
    mask: Path | None,
    compare: bool,
    samples: int,
    out: Path | None = None,
) -> tuple[list[Task], list[Failure]]:
    """List what is to be restored: files, and all pictures of folders, each with its mask.

    Parameters
    ----------
    pictures : sequence of Path
        Files and folders.
    mask : Path or None
        A file for a single picture, or a folder with one file for each, of its name; None if the
        holes are known by their colour.
    compare : bool
    samples : int
        They decide which files are written beside the pictures.
    out : Path, optional
        Where they are written. In folders of pictures, what lies in it or in the folder of masks
        is none of the pictures.

    Raises
    ------
    UsageProblem
        If two pictures would be written under one name, or one mask is given for several.
    PictureError
        If the mask does not exist.
    """
    failed: list[Failure] = []
    named: list[tuple[str, Path]] = []
    for path in pictures:
        if not path.is_dir():
            named.append((path.stem, path))
            continue
        try:
            found, problems = find_pictures([path])
        except PictureError as error:
            failed.append(Failure(str(path), str(error), error.exit_code))
            continue
        others = [one.resolve() for one in (mask, out) if one is not None]
        others = [one for one in others if path.resolve() in one.parents]
        named += [
            (one.id, one.path)
            for one in found
            if not any(other in one.path.resolve().parents for other in others)
        ]
        failed += [Failure(str(path), text, PictureError.exit_code) for text in problems]
    if mask is not None and not mask.is_dir() and len(named) > 1:
        raise UsageProblem(
            f"{mask} is one mask for {len(named)} pictures. Name a folder with a mask for each, of "
            "the picture's name."
        )
    _refuse_shared_names([name for name, _ in named], compare, samples)
    if mask is None:
        return [Task(name, path, None) for name, path in named], failed
    if not mask.exists():
        raise PictureError(f"The mask {mask} does not exist. Name a file, or a folder of them.")
    if not mask.is_dir():
        return [Task(name, path, mask) for name, path in named], failed
    tasks = []
    masks = _files_by_id(mask)
    for name, path in named:
        fitting = masks.get(name, [])
        if len(fitting) == 1:
            tasks.append(Task(name, path, fitting[0]))
            continue
        what = ", ".join(one.name for one in fitting) or "none"
        sentence = (
            f"Looking for the mask of {path} in {mask}: expected one file named {name} (with "
            f".png, .jpg, .tif or .webp), found {what}."
        )
        failed.append(Failure(str(path), sentence, PictureError.exit_code))
    return tasks, failed


def _refuse_shared_names(names: Sequence[str], compare: bool, samples: int) -> None:
    endings = ["", *["-compare"] * compare, *["-uncertainty"] * (samples > 1)]
    written = [f"{name}{ending}" for name in names for ending in endings]
    twice = sorted({name for name in written if written.count(name) > 1})
    if twice:
        raise UsageProblem(
            f"Several of the pictures would be restored as {twice[0]}.png. Rename one of them, or "
            "restore them in two calls, into two folders."
        )


def _files_by_id(folder: Path) -> dict[str, list[Path]]:
    """Return a folder's picture files by their path in it, without suffix; hidden ones left out."""
    found: dict[str, list[Path]] = {}
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in sorted(names):
            path = Path(place) / name
            if path.suffix.lower() in SUFFIXES and not name.startswith("."):
                key = path.relative_to(folder).with_suffix("").as_posix()
                found.setdefault(key, []).append(path)
    return found


def restore_batch(
    tasks: Iterable[Task],
    given: Given,
    failed: Sequence[Failure] = (),
    progress: Callable[[int], None] = lambda count: None,
    unexpected: Callable[[BaseException], None] = lambda error: None,
) -> Batch:
    """Restore pictures one after the other; one that fails does not keep the others from it.

    Parameters
    ----------
    tasks : iterable of Task
    given : Given
    failed : sequence of Failure
        Those that are known already.
    progress : callable
        Called with 1 after each picture.
    unexpected : callable
        Called with an error that is no sentence of ours, so that its traceback can be shown.
    """
    batch = Batch(failed=list(failed))
    for task in tasks:
        try:
            record, new = restore_one(task, given)
        except DunhuangError as error:
            batch.failed.append(Failure(str(task.picture), str(error), error.exit_code))
        except OSError as error:
            sentence = f"{error.filename or task.picture}: {error.strerror}."
            batch.failed.append(Failure(str(task.picture), sentence, EnvironmentProblem.exit_code))
        except Exception as error:  # a library may fail on a broken file in ways of its own
            batch.failed.append(_explained(task, error))
            unexpected(error)
        else:
            (batch.restored if new else batch.skipped).append(record)
        progress(1)
    return batch


def _explained(task: Task, error: Exception) -> Failure:
    if isinstance(error, MemoryError) or says_out_of_memory(error):
        sentence = f"The memory did not suffice for {task.picture}. Make --tile smaller."
        return Failure(str(task.picture), sentence, EnvironmentProblem.exit_code)
    sentence = (
        f"{task.picture}: unexpected {type(error).__name__}: {error}. This is a fault of "
        "dunhuang-train; run it again with -v before the command's name and report what it prints."
    )
    return Failure(str(task.picture), sentence, DunhuangError.exit_code)
