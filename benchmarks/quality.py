"""How good fills are: networks, and methods without training, on real pictures, by bucket.

    python -m benchmarks.quality --work DIR [--budget 120] [--pictures DIR] [--only NAME …]

Datasets are built below DIR by our own commands, from the pictures in shared/data beside the
checkout: paintings and mural patches for training, validation and test by picture, photographs for
pretraining. Or from those of --pictures. Every network gets the same CPU seconds on one core, and
the output says how many samples that was. All are scored on the test pictures as they would be
saved: composites of 8 bits, errors in holes alone, by bucket of hole ratio and of depth, with 95 %
intervals that draw whole pictures.
"""

import argparse
import csv
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import print_machine
from benchmarks.quality_data import found_pictures, make_datasets
from benchmarks.quality_networks import CANDIDATES, CPU, OURS, Trained, train, train_in_two
from benchmarks.quality_tables import Scored, Test, print_bars, print_tables, write_scores
from dunhuang_data.mask_stats.measuring import depth_and_radius
from dunhuang_data.polarity import hole_ratio
from dunhuang_data.reader import DatasetReader
from dunhuang_data.types import Samples, UInt8Array
from dunhuang_trainer.baselines import BASELINES, Fill
from dunhuang_trainer.evaluate.judging import Network
from dunhuang_trainer.evaluate.targets import Target
from dunhuang_trainer.metrics import score_pictures

BATCH = 50


def main() -> None:
    """Build, train, score, print."""
    options = _options()
    torch.set_num_threads(1)
    folders = found_pictures(options.pictures)
    if folders is None:
        print("No pictures in shared/data beside the checkout; name a folder with --pictures.")
        return
    print_machine()
    datasets = make_datasets(folders, options.work)
    samples, test = _test_samples(datasets.main)
    print(
        f"{len(samples.image)} test patches of {samples.image.shape[1]} px from "
        f"{len(set(test.pictures))} pictures; {options.budget:g} CPU seconds a network",
        flush=True,
    )
    scored = [_scored(name, samples, partial(_filled, fill)) for name, fill in BASELINES.items()]
    for name in options.only or CANDIDATES:
        candidate = CANDIDATES[name]
        if options.pretrain and datasets.pretraining is not None:
            trained = train_in_two(candidate, datasets, options.budget, options.pretrain)
        else:
            trained = train(candidate, datasets.main, options.budget)
        _say(name, trained)
        scored.append(_scored(name, samples, partial(_predicted, trained)))
        torch.save(trained.model.state_dict(), options.work / f"{name}.pt")
    print_tables(scored, test)
    if OURS in [one.method for one in scored]:
        print_bars(scored, test, OURS, [one.method for one in scored if one.method != OURS])
    write_scores(scored, test, options.work / "scores.csv")


def _filled(fill: Fill, part: Samples) -> list[UInt8Array]:
    return [fill(picture, valid) for picture, valid in zip(part.image, part.valid, strict=True)]


def _predicted(trained: Trained, part: Samples) -> list[UInt8Array]:
    samples = zip(part.image, part.valid, part.damage, strict=True)
    return Network(trained.model.eval(), CPU)([Target("", "", *sample) for sample in samples])


def _test_samples(dataset: Path) -> tuple[Samples, Test]:
    """Return the test split, and what its samples are cut from and how their holes are."""
    reader = DatasetReader(dataset, "test")
    samples = reader.read(range(len(reader)))
    with (dataset / "plan" / "patches.csv").open(encoding="utf-8", newline="") as file:
        pictures = [row["picture_id"] for row in csv.DictReader(file) if row["split"] == "test"]
    ratios = np.array([hole_ratio(valid) for valid in samples.valid])
    depths = np.array([depth_and_radius(valid)[0] for valid in samples.valid])
    return samples, Test(pictures, ratios, depths)


def _scored(name: str, samples: Samples, fill: Callable[[Samples], list[UInt8Array]]) -> Scored:
    """Fill the test samples and score them."""
    scores, spent = [], 0.0
    for first in range(0, len(samples.image), BATCH):
        here = slice(first, first + BATCH)
        part = Samples(samples.image[here], samples.valid[here], samples.damage[here])
        began = time.process_time()
        filled = fill(part)
        spent += time.process_time() - began
        scores += score_pictures(np.stack(filled), part.image, part.valid, part.damage)
    return Scored(
        name,
        np.array([one["mse_hole"] for one in scores]),
        np.array([one["ssim_uniform7_hole"] for one in scores]),
        1000 * spent / len(samples.image),
    )


def _say(name: str, trained: Trained) -> None:
    """Print what a network cost, and how its validation error fell."""
    curve = ", ".join(f"{samples}: {score:.0f}" for samples, score in trained.curve)
    print(
        f"{name}: {trained.model.parameter_count():,} parameters, {trained.samples:,} samples in "
        f"{trained.cpu_s:.0f} CPU s; validation hole MSE by samples: {curve}",
        flush=True,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="where everything is made")
    parser.add_argument("--budget", type=float, default=120, help="CPU seconds a network")
    parser.add_argument("--pretrain", type=float, default=0.0, help="share of it on photographs")
    parser.add_argument("--pictures", type=Path, help="a folder of your own pictures")
    parser.add_argument("--only", nargs="*", choices=list(CANDIDATES), help="networks to train")
    return parser.parse_args()


if __name__ == "__main__":
    main()
