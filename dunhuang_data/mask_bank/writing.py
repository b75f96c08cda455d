"""Write a mask bank: part by part, on any number of workers, whole or to be continued.

A part is one file of packed masks. It is a pure function of (recipe, source bank, number), written
under a temporary name and renamed; a record, written last, says that it is whole.
"""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from dunhuang_data.atomic import Progress, no_progress, write_json
from dunhuang_data.executors import cores, run_jobs
from dunhuang_data.growth import STATE, Growth, growing, sweep_partial
from dunhuang_data.mask_bank.files import (
    CONTENTS,
    FORMAT,
    MARKER,
    MASKS_PER_FILE,
    STARTED,
    MaskBank,
    file_name,
    open_bank,
    write_marker,
    write_packed,
)
from dunhuang_data.mask_bank.resampling import drawing_of
from dunhuang_data.mask_recipe import MaskRecipe
from dunhuang_data.pictures import sha256_of_file, write_picture
from dunhuang_data.polarity import pack
from dunhuang_data.walks import use_compiled

WORTH_S = 2.0  # seconds of work left; below, workers do not start in the time they save


@dataclass(frozen=True, slots=True)
class PartJob:
    """Everything one part is made from.

    Attributes
    ----------
    building : Path
    build_id : str
        Of the bank; a part of another one counts as none.
    recipe : MaskRecipe
    source : Path or None
        The bank that family ``files`` is drawn from.
    number : int
        Of the part, from 0.
    first, stop : int
        Its masks: ``range(first, stop)``.
    png : bool
        Also write each mask as a picture.
    share : int
        About how many masks its process makes in all; above some number compiling pays.
    """

    building: Path
    build_id: str
    recipe: MaskRecipe
    source: Path | None
    number: int
    first: int
    stop: int
    png: bool
    share: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """The record of a part that is whole: its masks, and the SHA-256 of each of its files."""

    build_id: str
    number: int
    masks: int
    sha256: dict[str, str]


def write_bank(
    recipe: MaskRecipe,
    out: Path,
    overwrite: bool = False,
    progress: Progress = no_progress,
    *,
    workers: int = 1,
    png: bool = False,
    resume: bool = False,
    source: MaskBank | None = None,
    masks_per_file: int = MASKS_PER_FILE,
) -> None:
    """Make the masks of a recipe and write them as a bank, or continue one that was interrupted.

    Parameters
    ----------
    recipe : MaskRecipe
    out : Path
        The bank's folder; it appears when it is whole.
    overwrite : bool
        Replace an earlier bank, or an interrupted one of another recipe.
    progress : callable
        Called with the masks of each part as it is found or made.
    workers : int
        Processes; 0 = one per core if the first part shows that it pays. The bytes are the same.
    png : bool
        Also write each mask as ``png/NNNNN.png``, white = known.
    resume : bool
        Refuse to begin: there must be something to continue.
    source : MaskBank, optional
        What masks of family ``files`` are drawn from.
    masks_per_file : int
        One part.

    Raises
    ------
    OutputExistsError
        If ``out`` is in use, or ``OUT.building`` is of another recipe.
    DataProblem
        If ``resume`` is asked for and there is nothing to continue.
    MaskError
        If the source does not fit.
    OutputError
        If something cannot be written. Parts that are whole are kept.
    """
    drawing_of(recipe, source)  # refuses before anything is written
    growth = Growth(
        out,
        CONTENTS,
        started=STARTED,
        build_id=_build_id(recipe, png, masks_per_file),
        what="bank",
        made_of="recipe",
        doing="making",
        inputs=() if source is None else (source.root,),
        overwrite=overwrite,
        resume=resume,
    )
    with growing(growth) as building:
        if (building / MARKER).is_file():
            return
        root = None if source is None else source.root.absolute()
        jobs = [
            PartJob(
                building.absolute(), growth.build_id, recipe, root, number,
                first, min(first + masks_per_file, recipe.count), png,
            )
            for number, first in enumerate(range(0, recipe.count, masks_per_file))
        ]  # fmt: skip
        parts = []
        for part in _parts(jobs, workers):
            parts.append(part)
            progress(part.masks)
        sweep_partial(building)
        names = {file_name(part.number): part for part in parts}
        sha256 = {name: part.sha256[name] for name, part in names.items()}
        write_marker(building, recipe, masks_per_file, sha256)


def _build_id(recipe: MaskRecipe, png: bool, masks_per_file: int) -> str:
    text = json.dumps([FORMAT, asdict(recipe), png, masks_per_file])
    return hashlib.sha256(text.encode()).hexdigest()


def _parts(jobs: list[PartJob], workers: int) -> Iterator[Part]:
    """Yield every part: those that an earlier run left whole, then those that are made now."""
    missing = []
    for job in jobs:
        part = found_whole(job)
        if part is None:
            missing.append(job)
        else:
            yield part
    if missing and workers == 0:
        start = time.perf_counter()
        yield make_part(missing.pop(0))
        left_s = (time.perf_counter() - start) * len(missing)
        workers = cores() if left_s > WORTH_S else 1
    share = sum(job.stop - job.first for job in missing) // max(1, workers)
    yield from run_jobs(make_part, [replace(job, share=share) for job in missing], workers)


def make_part(job: PartJob) -> Part:
    """Draw, pack and write one part, its record last; return the record."""
    source = None if job.source is None else open_bank(job.source, check_hashes=False)
    if job.recipe.family == "walk":
        use_compiled(job.share, job.recipe.to_order)
    draw = drawing_of(job.recipe, source)
    packed, sha256 = [], {}
    for index in range(job.first, job.stop):
        valid = draw(index)
        packed.append(pack(valid))
        if job.png:
            name = f"png/{index:05d}.png"
            write_picture(job.building / name, valid)
            sha256[name] = sha256_of_file(job.building / name)
    name = file_name(job.number)
    sha256[name] = write_packed(job.building / name, packed)
    part = Part(job.build_id, job.number, job.stop - job.first, sha256)
    write_json(_record_path(job), asdict(part))
    return part


def _record_path(job: PartJob) -> Path:
    return job.building / STATE / f"{job.number:05d}.json"


def found_whole(job: PartJob) -> Part | None:
    """Return the record of a part that an earlier run left whole, or None."""
    try:
        part = Part(**json.loads(_record_path(job).read_text(encoding="utf-8")))
        files = [(job.building / name, expected) for name, expected in part.sha256.items()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if part.build_id != job.build_id:
        return None
    if any(not path.is_file() or sha256_of_file(path) != expected for path, expected in files):
        return None
    return part
