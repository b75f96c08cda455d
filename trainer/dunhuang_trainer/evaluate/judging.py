"""Restore every target by every method, and score what comes out."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing import parent_process

import cv2
import numpy as np
import torch

from dunhuang_data.atomic import Progress, no_progress
from dunhuang_data.executors import cores, run_jobs
from dunhuang_data.mask_stats.measuring import depth_and_radius
from dunhuang_data.polarity import hole_ratio
from dunhuang_data.types import UInt8Array
from dunhuang_trainer.baselines import BASELINES, mean_fill
from dunhuang_trainer.composite import composite_uint8
from dunhuang_trainer.evaluate.learned import LearnedScores
from dunhuang_trainer.evaluate.records import SampleScore, ScoreArray
from dunhuang_trainer.evaluate.sheet import Shown, draw_sheet, pick
from dunhuang_trainer.evaluate.targets import Target, Targets
from dunhuang_trainer.metrics import score_pictures
from dunhuang_trainer.model import PartialConvUNet
from dunhuang_trainer.restore import restore_picture

WORTH_A_PROCESS = 2_000_000  # pixels: some ten seconds of filling and scoring

MOST_PIXELS = 4_000_000  # of a batch: as many pictures as there are methods are made of each

Restorer = Callable[[Sequence[Target]], Sequence[UInt8Array]]
"""Takes some targets, and returns one restored picture, (H, W, 3) uint8, for each."""


class Network:
    """A network as a restorer: known pixels are the target's own.

    Parameters
    ----------
    model : PartialConvUNet
        In evaluation mode, on ``device``.
    device : torch.device
    tile, overlap : int
        Of pictures that are larger than a tile, in pixels.
    """

    def __init__(
        self, model: PartialConvUNet, device: torch.device, tile: int = 1024, overlap: int = 128
    ) -> None:
        self._model, self._device = model, device
        self._tile, self._overlap = tile, overlap

    def __call__(self, targets: Sequence[Target]) -> list[UInt8Array]:
        """Restore some targets: at once if they are of one size that suits the network."""
        multiple = self._model.config.multiple
        shapes = {one.valid.shape for one in targets}
        height, width = next(iter(shapes))
        longest = max(height, width)
        if len(shapes) > 1 or height % multiple or width % multiple or longest > self._tile:
            return [self._in_tiles(one) for one in targets]
        images = np.stack([one.image for one in targets])
        valids = np.stack([one.valid for one in targets])
        valid = torch.from_numpy(valids).to(self._device)[:, None].float()
        image = torch.from_numpy(images).to(self._device).permute(0, 3, 1, 2).float() / 255
        with torch.no_grad():
            outputs = self._model.predict(image, valid)  # which looks at no hole
        predicted, reached = (output.permute(0, 2, 3, 1).cpu().numpy() for output in outputs)
        everywhere = (reached[..., 0] > 0) | (valids == 1)
        return [
            composite_uint8(predicted[place], one.image, one.valid, everywhere[place])
            if everywhere[place].all()
            else self._in_tiles(one)  # what is out of sight is filled as `restore` fills it
            for place, one in enumerate(targets)
        ]

    def _in_tiles(self, one: Target) -> UInt8Array:
        if not one.valid.any():  # a sample of a dataset may be; `restore` refuses such a picture
            return mean_fill(one.image, one.valid)
        return restore_picture(
            self._model, one.image, one.valid, self._device, self._tile, self._overlap
        )[0]


def filled_with(name: str) -> Restorer:
    """Return a baseline as a restorer."""
    return lambda targets: [BASELINES[name](one.image, one.valid) for one in targets]


def best_and_worst(
    targets: Targets, array: ScoreArray, method: str, restore: Restorer
) -> UInt8Array | None:
    """Draw a method's best, median and worst samples, restored once more.

    Returns
    -------
    (h, w, 3) uint8, or None
        None if no sample has a hole that counts.
    """
    place_of = {key: place for place, key in enumerate(targets.keys)}
    errors = dict(zip(array.keys, array.of(method, "mse_hole"), strict=True))
    samples = []
    for what, key in pick(array, method):
        (one,) = targets.read([place_of[key]])
        (restored,) = restore([one])
        samples.append(Shown(what, key, one.image, one.valid, restored, errors[key]))
    return draw_sheet(samples, method) if samples else None


def workers_for(shapes: Iterable[tuple[int, int]]) -> int:
    """Return how many processes are worth their start, for targets of so many pixels (H, W)."""
    pixels = sum(height * width for height, width in shapes)
    return max(1, min(cores(), pixels // WORTH_A_PROCESS))


@dataclass(frozen=True, slots=True)
class _Job:
    """Some targets, and what those methods made of them that run in the first process."""

    first: int
    targets: tuple[Target, ...]
    restored: Mapping[str, Sequence[UInt8Array]]
    baselines: tuple[str, ...]
    course: bool


def evaluate(
    targets: Targets,
    places: Sequence[int],
    restorers: Mapping[str, Restorer],
    *,
    baselines: Sequence[str] = tuple(BASELINES),
    batch_size: int = 8,
    workers: int = 1,
    course: bool = False,
    learned: LearnedScores | None = None,
    progress: Progress = no_progress,
) -> list[SampleScore]:
    """Score restorers and baselines on some targets.

    Parameters
    ----------
    targets : Targets
    places : sequence of int
        Which of them.
    restorers : mapping of str to Restorer
        By the names they have in tables.
    baselines : sequence of str
        Names of `dunhuang_trainer.baselines.BASELINES`.
    batch_size : int
        Of memory only; it changes no score beyond float32's last digits.
    workers : int
        Processes that fill and score; 1 = all in this one.
    course : bool
        Also compute what the course's script printed; see `dunhuang_trainer.metrics`.
    learned : LearnedScores, optional
        Also shown everything; then all is done in this process.
    progress : callable
        Called with the targets done.

    Returns
    -------
    list of SampleScore
        By target in the order of ``places``, then by method: restorers, then baselines.
    """
    found: dict[int, list[SampleScore]] = {}
    jobs = _jobs(targets, places, restorers, tuple(baselines), batch_size, course)
    done = (
        run_jobs(_judge, jobs, workers)
        if learned is None
        else (_judge(job, learned) for job in jobs)
    )
    for first, scores in done:
        found[first] = scores
        progress(len(scores) // max(1, len(restorers) + len(baselines)))
    return [score for first in sorted(found) for score in found[first]]


def _jobs(
    targets: Targets,
    places: Sequence[int],
    restorers: Mapping[str, Restorer],
    baselines: tuple[str, ...],
    batch_size: int,
    course: bool,
) -> Iterator[_Job]:
    """Read the targets batch by batch, and let the restorers at them, as jobs are asked for."""
    for first, some in _batches(targets, places, batch_size):
        read = tuple(targets.read(some))
        restored = {name: restore(read) for name, restore in restorers.items()}
        yield _Job(first, read, restored, baselines, course)


def _batches(
    targets: Targets, places: Sequence[int], batch_size: int
) -> Iterator[tuple[int, Sequence[int]]]:
    """Part places into batches, each with where it begins; large pictures are alone in theirs."""
    first = pixels = 0
    for number, place in enumerate(places):
        height, width = targets.shape_of(place)
        full = number - first == batch_size or pixels + height * width > MOST_PIXELS
        if number > first and full:
            yield first, places[first:number]
            first, pixels = number, 0
        pixels += height * width
    if places:
        yield first, places[first:]


def _judge(job: _Job, learned: LearnedScores | None = None) -> tuple[int, list[SampleScore]]:
    """Fill the targets of a job with the baselines, and score all methods."""
    if parent_process() is not None:  # one of several: they share the cores
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
    made = dict(job.restored)
    for name in job.baselines:
        made[name] = [BASELINES[name](one.image, one.valid) for one in job.targets]
    scores = {name: _scored(job, restored) for name, restored in made.items()}
    if learned is not None:
        learned.see_targets(job.targets)
        for name, restored in made.items():
            for values, more in zip(
                scores[name], learned.see(name, restored, job.targets), strict=True
            ):
                values |= more
    found = []
    for place, one in enumerate(job.targets):
        valid = one.valid
        edges = (valid[0], valid[-1], valid[:, 0], valid[:, -1])
        about = (
            one.key,
            one.cluster,
            hole_ratio(valid),
            depth_and_radius(valid)[0],
            any(bool((edge == 0).any()) for edge in edges),
        )
        found += [SampleScore(name, *about, values[place]) for name, values in scores.items()]
    return job.first, found


def _scored(job: _Job, restored: Sequence[UInt8Array]) -> list[dict[str, float]]:
    """Score one method on all targets of a job: at once if they are of one size."""
    if len({one.valid.shape for one in job.targets}) > 1:
        alone = (replace(job, targets=(one,), restored={}) for one in job.targets)
        return [
            _scored(single, [picture])[0] for single, picture in zip(alone, restored, strict=True)
        ]
    return score_pictures(
        np.stack(restored),
        np.stack([one.image for one in job.targets]),
        np.stack([one.valid for one in job.targets]),
        np.stack([one.damage for one in job.targets]),
        course=job.course,
    )
