"""A dataset of real photographs for the benchmarks, made by our own commands, kept in a folder."""

import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.machine import Bytes

PICTURES = Path(__file__).parents[2] / "shared" / "data"
FALLBACK = (
    "astronaut.png", "chelsea.png", "coffee.png", "ihc.png", "hubble_deep_field.jpg",
    "retina.jpg", "rocket.jpg",
)  # fmt: skip
SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp"}


def photographs(folder: Path, work: Path) -> tuple[Path, ...]:
    """Return folders of photographs: kodak and paintings, else those of scikit-image.

    Raises
    ------
    SystemExit
        If there are none.
    """
    found = tuple(folder / name for name in ("kodak", "paintings") if (folder / name).is_dir())
    if not found and folder.is_dir() and any(p.suffix in SUFFIXES for p in folder.iterdir()):
        found = (folder,)
    if found:
        return found
    spec = find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"No photographs in {folder}, and scikit-image is not installed.")
    source, copies = Path(spec.submodule_search_locations[0]) / "data", work / "photographs"
    copies.mkdir(parents=True, exist_ok=True)
    for name in FALLBACK:
        shutil.copyfile(source / name, copies / name)
    return (copies,)


def run_command(*words: object) -> float:
    """Run ``dunhuang-data`` in a process of its own; return the seconds."""
    line = [sys.executable, "-c", "from dunhuang_cli.data import main; main()", *map(str, words)]
    started = time.perf_counter()
    done = subprocess.run(line, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"dunhuang-data {' '.join(map(str, words))}:\n{done.stderr}")
    return time.perf_counter() - started


def plan_and_masks(pictures: Path, work: Path, samples: int) -> tuple[Path, Path]:
    """Make a plan of ``samples`` patches, all for training, and as many masks; once."""
    plan, masks = work / "plan", work / "masks"
    if not (plan / "plan.json").is_file():
        sources = photographs(pictures, work)
        run_command(
            "sample-patches", *sources, "-o", plan, "--total", samples, "--split", "1,0,0",
            "--seed", 5,
        )  # fmt: skip
    if not (masks / "bank.json").is_file():
        run_command(
            "make-masks", "-o", masks, "--count", samples, "--steps", "8000:64000", "--seed", 5
        )
    return plan, masks


def dataset(pictures: Path, work: Path, samples: int, format: str, codec: str = "none") -> Path:
    """Build the dataset in a format and codec, once."""
    out = work / f"{format}-{codec}"
    if not (out / "dataset.json").is_file():
        plan, masks = plan_and_masks(pictures, work, samples)
        run_command(
            "build", "-o", out, "--plan", plan, "--masks", masks, "--format", format,
            "--codec", codec,
        )  # fmt: skip
    return out


class Stored:
    """The samples as they are stored, in two memory maps: what every peer is given.

    Attributes
    ----------
    image : (N, S, S, 3) uint8
    valid : (N, S, ceil(S / 8)) uint8
        Packed, 1 = known.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.image: Bytes = np.load(folder / "image.npy", mmap_mode="r")
        self.valid: Bytes = np.load(folder / "valid.npy", mmap_mode="r")

    def __len__(self) -> int:
        return len(self.image)


def as_memmap(root: Path, folder: Path) -> Stored:
    """Copy the training split of a dataset to two .npy files, once."""
    from dunhuang_data.reader import DatasetReader

    if not (folder / "done").is_file():
        reader = DatasetReader(root, "train")
        size, count = reader.patch_size, len(reader)
        folder.mkdir(parents=True, exist_ok=True)
        shape = {"image": (count, size, size, 3), "valid": (count, size, -(-size // 8))}
        maps = {
            name: np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.uint8, one)
            for name, one in shape.items()
        }
        for first in range(0, count, 256):
            rows = range(first, min(first + 256, count))
            samples = reader.read(rows)
            maps["image"][first : rows.stop] = samples.image
            maps["valid"][first : rows.stop] = np.packbits(samples.valid, axis=-1)
        for one in maps.values():
            one.flush()
        (folder / "done").touch()
    return Stored(folder)
