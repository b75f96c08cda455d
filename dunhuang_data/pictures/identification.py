"""Look at every pixel of a file once, streaming: whether it is whole, how bright, what is there."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dunhuang_data.atomic import Progress, no_progress
from dunhuang_data.errors import DataProblem, PictureError
from dunhuang_data.pictures.decisions import UNDECIDED, decide, open_decisions
from dunhuang_data.pictures.decoding import decoding, open_image
from dunhuang_data.pictures.facts import CHANNELS, PictureFacts, read_facts
from dunhuang_data.pictures.find import FoundPicture
from dunhuang_data.recipe import ReadingRecipe
from dunhuang_data.types import Picture


def measured(facts: PictureFacts) -> PictureFacts:
    """Decode a picture once, from top to bottom, and add what only its pixels tell.

    Raises
    ------
    PictureError
        If it cannot be decoded to its end, or none of its pixels is there.
    """
    with decoding(facts.path):
        image = open_image(facts.path, "sequential", facts.page)
        if facts.sample == "uchar" and facts.alpha is None:
            image.avg()  # touches every pixel, so that a truncated file is found now
            return replace(facts, highest=None, transparent=False)
        table = image.stats().numpy()  # row 0 is all bands, then one a band: minimum, maximum …
    colours = range(facts.channels if facts.unnamed else CHANNELS[facts.colours])
    highest = max(int(table[1 + band, 1]) for band in colours if band != facts.alpha)
    transparent = False
    if facts.alpha is not None:
        least, most = table[1 + facts.alpha, :2]
        full = 65535 if facts.sample == "ushort" else 255
        transparent = bool(least < full)
        if most < full:
            raise PictureError(
                f"No pixel of {facts.path} is there: its alpha is {most:.0f} at most, and full is "
                f"{full}. Save it without alpha."
            )
    return replace(facts, highest=highest, transparent=transparent)


def inspect_picture(
    path: Path, reading: ReadingRecipe = UNDECIDED, headers_only: bool = False
) -> PictureFacts:
    """Return what a picture file is, and what has to be decided before it can be read.

    Parameters
    ----------
    path : Path
    reading : ReadingRecipe
        Decisions that were made; what they settle is no warning.
    headers_only : bool
        Do not decode: quick, but neither damage nor 12 bits in 16 is found.

    Raises
    ------
    PictureError
        If it cannot be read, whatever is decided.
    """
    facts = read_facts(path, reading.page)
    bomb = any(one.name == "tiny-for-its-size" for one in open_decisions(facts, reading))
    if not headers_only and not bomb:
        facts = measured(facts)
    return replace(facts, warnings=open_decisions(facts, reading))


def identify_picture(found: FoundPicture, root: Path, reading: ReadingRecipe) -> Picture:
    """Decode a picture once, streaming, and return its record.

    Raises
    ------
    PictureError
        If the file is no picture, is truncated, or needs a decision.
    """
    facts = read_facts(found.path, reading.page)
    decide(facts, reading)  # what the headers leave open is asked before the long look
    facts = measured(facts)
    steps = decide(facts, reading)
    return Picture(
        id=found.id,
        file=found.path.resolve().relative_to(root).as_posix(),
        height=facts.height,
        width=facts.width,
        sha256=sha256_of_file(found.path),
        reading=steps.words,
        transparent=bool(facts.transparent),
    )


def identify_pictures(
    found: Sequence[FoundPicture],
    root: Path,
    reading: ReadingRecipe = UNDECIDED,
    progress: Progress = no_progress,
) -> tuple[list[Picture], list[str]]:
    """Identify every picture.

    Parameters
    ----------
    found : sequence of FoundPicture
    root : Path
        A folder above all of them; ``Picture.file`` is the path below it.
    reading : ReadingRecipe
        Decisions on what files do not say.
    progress : callable
        Called once per picture.

    Returns
    -------
    pictures : list of Picture
        In the order given.
    problems : list of str
        A sentence for each that cannot be used.
    """
    pictures: list[Picture] = []
    problems: list[str] = []
    for one in found:
        try:
            pictures.append(identify_picture(one, root, reading))
        except PictureError as error:
            problems.append(str(error))
        progress(1)
    return pictures, problems


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal.

    Raises
    ------
    DataProblem
        If the system does not let it be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataProblem(f"Could not read {path}: {error.strerror}.") from error
