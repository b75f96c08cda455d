"""Restore one picture file: checked, restored, written like the input, and recorded."""

import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from dunhuang_data import __version__
from dunhuang_data.atomic import explained, write_json
from dunhuang_data.errors import MaskError
from dunhuang_data.pictures import (
    OwnPicture,
    open_own,
    sha256_of_file,
    write_levels,
    write_like,
)
from dunhuang_data.polarity import hole_ratio
from dunhuang_data.types import UInt8Array
from dunhuang_trainer.restore.bands import Job, Outcome, restore_into
from dunhuang_trainer.restore.given import Given, Task, Tell
from dunhuang_trainer.restore.holes import dilate_holes, largest_radius
from dunhuang_trainer.restore.masks import check_mask, check_size, holes_by_colour, read_strictly
from dunhuang_trainer.restore.outputs import (
    Names,
    check_kept,
    refuse_in_use,
    rows_of,
    write_comparison,
)
from dunhuang_trainer.restore.prediction import TilePredictor
from dunhuang_trainer.restore.records import FORMAT, Settings, difference, is_finished, read_record
from dunhuang_trainer.trained_holes import TrainedHoles

LEAST_OVERLAP = 32  # px; of tiles of 64 px that overlap by 8, seams can be seen
EVERY_S = 30.0  # seconds between two lines on how far a picture is


def restore_one(task: Task, given: Given) -> tuple[dict[str, Any], bool]:
    """Restore one picture, unless that is done.

    Returns
    -------
    record : dict
        What is in the JSON file beside the picture.
    new : bool
        False if it was there already, made of the same and whole.

    Raises
    ------
    DunhuangError
        With the sentence that says why not.
    """
    settings = given.settings
    own = open_own(task.picture, settings.reading)
    folder, name = given.out / Path(task.id).parent, Path(task.id).name
    names = Names(folder, name, own.suffix)
    if task.mask is not None:
        check_size(task.picture, own.shape_hw, task.mask, settings.reading.page)
    made_of = _made_of(task, given)
    found = _finished(names, made_of, given)
    if found is not None:
        return found, False
    warnings: list[str] = []
    known, kept = _planes(own, task, given, warnings)
    radius = largest_radius(known)
    _compare_with_training(radius, given.network.holes, warnings)
    with explained(folder, every=True):
        folder.mkdir(parents=True, exist_ok=True)
        if names.unfinished.exists():  # a process was killed at this picture
            names.sweep()
        names.unfinished.touch()
        names.record.unlink(missing_ok=True)
    predict = TilePredictor(given.network.model, given.network.device, settings.samples)
    job = Job(own, known, kept, predict, settings.tile, settings.overlap)
    outcome = _write(own, names, job, settings, given.tell)
    if outcome.out_of_reach_px:
        warnings.append(
            f"{outcome.out_of_reach_px:,} hole pixels are too far from every known one for this "
            "network to see any; they have a smooth fill. Use a larger --tile, or a network of "
            "more levels."
        )
    for warning in warnings:
        given.tell(f"Warning: {task.picture}: {warning}")
    if settings.samples > 1 and not kept.all():
        given.tell(
            f"{task.picture}: the answers differ by {outcome.deviation_mean:.2f} levels of 255 on "
            f"average, {outcome.deviation_max:.1f} at most (standard deviation)."
        )
    record = _record(made_of, names, own, kept, radius, outcome, warnings, given)
    write_json(names.record, record)
    with suppress(OSError):
        names.unfinished.unlink()
    return record, True


def _finished(names: Names, made_of: dict[str, Any], given: Given) -> dict[str, Any] | None:
    """Return the record of a picture that is done already; refuse to replace what is not ours.

    Raises
    ------
    OutputExistsError
    """
    settings = given.settings
    found = read_record(names.record)
    why = difference(found, made_of) if found is not None else ""
    if found is not None and not why and is_finished(found, names.folder):
        return found
    products = [names.restored, names.record]
    products += [names.uncertainty] if settings.samples > 1 else []
    products += [names.compare] if settings.compare else []
    replace = given.overwrite or names.unfinished.exists() or (found is not None and not why)
    refuse_in_use(products, replace, why, given.inputs)
    return None


def _planes(
    own: OwnPicture, task: Task, given: Given, warnings: list[str]
) -> tuple[UInt8Array, UInt8Array]:
    """Return what the network may see, and what stays as it is: (H, W) uint8 of {0, 1} each."""
    settings = given.settings
    valid = _valid(own, task, given, warnings)
    known = dilate_holes(valid, settings.dilate)
    if not known.any():
        raise MaskError(
            f"--dilate {settings.dilate} leaves no known pixel of {task.picture}, so there is "
            "nothing to restore from. Give less."
        )
    kept = valid if settings.keep_known else known
    if kept.all():
        given.tell(f"Note: the mask of {task.picture} has no hole, so it is only copied.")
    enough = min(max(LEAST_OVERLAP, settings.tile // 8), settings.tile // 2)
    if max(known.shape) > settings.tile and settings.overlap < enough:
        warnings.append(
            f"tiles of {settings.tile} px that overlap by {settings.overlap} px leave seams; give "
            f"--overlap {enough} or more."
        )
    return known, kept


def _made_of(task: Task, given: Given) -> dict[str, Any]:
    """Return what a restoration is made of, by hash; the first part of its record."""
    mask = None
    if task.mask is not None:
        mask = {"path": str(task.mask), "sha256": sha256_of_file(task.mask)}
    network = given.network
    weights = {"path": str(network.path), "sha256": network.sha256, "step": network.step}
    return {
        "input": {"path": str(task.picture), "sha256": sha256_of_file(task.picture)},
        "mask": mask,
        "weights": weights,
        "settings": given.settings.document(),
    }


def _valid(own: OwnPicture, task: Task, given: Given, warnings: list[str]) -> UInt8Array:
    """Read and check the mask."""
    settings = given.settings
    if task.mask is None:
        assert settings.mask_colour is not None  # the command sees to it
        colour = settings.mask_colour
        valid, told = holes_by_colour(own, colour, task.picture, given.trust_mask)
        warnings += told
        named = f"the mask by the colour {settings.mask_colour}"
    else:
        valid, told = read_strictly(task.mask, settings.white_is, settings.grey == "threshold")
        warnings += told
        named = f"the mask {task.mask}"
    warnings += check_mask(own, valid, named, given.trust_mask, settings.dilate)
    return valid


def _compare_with_training(
    radius_px: float, holes: TrainedHoles | None, warnings: list[str]
) -> None:
    """Warn of a hole that is larger than all that the network was trained on."""
    if holes is not None and radius_px > holes.radius_px_max:
        warnings.append(
            f"its largest hole has a radius of {radius_px:.0f} px (from its deepest pixel to the "
            f"nearest known one); the network was trained on holes of up to "
            f"{holes.radius_px_max:.0f} px, in {holes.samples:,} patches of {holes.patch_size} px. "
            "What it paints there is less to be trusted."
        )


class _RowsTold:
    """Says now and then how far a large picture is."""

    def __init__(self, picture: Path, height: int, tell: Tell) -> None:
        self._picture, self._height, self._tell = picture, height, tell
        self._done, self._last = 0, time.monotonic()

    def __call__(self, rows: int) -> None:
        self._done += rows
        if time.monotonic() - self._last >= EVERY_S:
            self._last = time.monotonic()
            self._tell(f"{self._picture}: {self._done:,} of {self._height:,} rows")


def _write(own: OwnPicture, names: Names, job: Job, settings: Settings, tell: Tell) -> Outcome:
    """Restore, and write the picture and what lies beside it."""
    progress = _RowsTold(own.facts.path, own.shape_hw[0], tell)
    shape = (*own.shape_hw, own.channels)
    with rows_of(shape, own.dtype, names.folder) as rows:
        if settings.samples > 1:
            with rows_of(own.shape_hw, np.uint8, names.folder) as deviation:
                outcome = restore_into(job, rows, deviation, progress)
                write_levels(names.uncertainty, deviation)
        else:
            outcome = restore_into(job, rows, progress=progress)
        write_like(own, names.restored, rows)
    check_kept(own, job.kept, names.restored, settings.reading)
    if settings.compare:
        picture = own.facts.path
        write_comparison(names.compare, picture, names.restored, job.kept, settings.reading)
    return outcome


def _record(
    made_of: dict[str, Any],
    names: Names,
    own: OwnPicture,
    kept: UInt8Array,
    radius_px: float,
    outcome: Outcome,
    warnings: list[str],
    given: Given,
) -> dict[str, Any]:
    files = {"restored": names.restored}
    if given.settings.samples > 1:
        files["uncertainty"] = names.uncertainty
    if given.settings.compare:
        files["compare"] = names.compare
    height, width = own.shape_hw
    record = {
        "format": FORMAT,
        "version": __version__,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **made_of,
        "outputs": {
            what: {"file": path.name, "path": str(path), "sha256": sha256_of_file(path)}
            for what, path in files.items()
        },
        "device": str(given.network.device),
        "height": height,
        "width": width,
        "hole_px": int(kept.size - np.count_nonzero(kept)),
        "share_restored": hole_ratio(kept),
        "largest_hole_radius_px": radius_px,
        "out_of_reach_px": outcome.out_of_reach_px,
        "warnings": warnings,
    }
    if given.settings.samples > 1:
        record["uncertainty"] = {
            "mean_levels": outcome.deviation_mean, "max_levels": outcome.deviation_max,
        }  # fmt: skip
    return record
