"""``verify`` as it is typed: plans, datasets, and what their splits share."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from drawings import save_picture
from dunhuang_data.splits import split_of
from dunhuang_data.types import UInt8Array

Invoke = Callable[..., Any]


def strokes(number: int, height: int, width: int) -> UInt8Array:
    """Return strokes of many sizes and directions, (H, W, 3) uint8."""
    rng = np.random.default_rng(number)
    canvas = np.full((height, width, 3), 140, np.uint8)
    for _ in range(height * width // 500):
        y, x = int(rng.integers(height)), int(rng.integers(width))
        axes = (int(rng.integers(3, 22)), int(rng.integers(2, 9)))
        color = tuple(int(value) for value in rng.integers(0, 255, 3))
        cv2.ellipse(canvas, (x, y), axes, int(rng.integers(180)), 0, 360, color, -1, cv2.LINE_AA)
    return canvas


def named(stem: str, split: str) -> str:
    names = (f"{stem}-{number}" for number in range(1000))
    return next(name for name in names if split_of(name, (0.8, 0.1, 0.1), 0) == split)


@pytest.fixture
def plan(invoke: Invoke, tmp_path: Path) -> Callable[[], Path]:
    """Return a function that plans the pictures of a folder that holds two unrelated ones."""
    save_picture(tmp_path / "murals" / f"{named('wall', 'train')}.png", strokes(1, 300, 410))
    save_picture(tmp_path / "murals" / f"{named('door', 'test')}.jpg", strokes(2, 260, 330))

    def make() -> Path:
        out = tmp_path / "plan"
        arguments = ("sample-patches", tmp_path / "murals", "-o", out, "--size", 96)
        assert invoke("dunhuang-data", *arguments, "--per-picture", 3).code == 0
        return out

    return make


def crop_in_test(folder: Path) -> None:
    part = np.ascontiguousarray(np.rot90(strokes(1, 300, 410)[40:220, 100:300]))
    save_picture(folder / f"{named('detail', 'test')}.jpg", part)


def test_a_plan_is_checked_against_its_hashes(invoke: Invoke, plan: Callable[[], Path]) -> None:
    root = plan()
    outcome = invoke("dunhuang-data", "verify", root)
    assert (outcome.code, outcome.out) == (0, f"{root}: 2 pictures, 6 patches, sound\n")
    table = root / "patches.csv"
    table.write_text(table.read_text().replace("test", "train"))
    outcome = invoke("dunhuang-data", "verify", root)
    assert outcome.code == 3
    assert "patches.csv is not the table that was written" in outcome.err


def test_no_leak_says_what_was_compared(invoke: Invoke, plan: Callable[[], Path]) -> None:
    outcome = invoke("dunhuang-data", "verify", "--check-leaks", plan())
    assert outcome.code == 0
    assert "2 pictures (1 train, 0 val, 1 test): 1 pairs across splits" in outcome.out
    assert outcome.out.endswith(": no leak.\n")


def test_a_planted_crop_ends_with_3_and_the_pair(
    invoke: Invoke, plan: Callable[[], Path], tmp_path: Path
) -> None:
    crop_in_test(tmp_path / "murals")
    root = plan()
    assert invoke("dunhuang-data", "verify", root).code == 0
    outcome = invoke("dunhuang-data", "verify", "--check-leaks", root, "--json")
    assert outcome.code == 3
    wall, detail = named("wall", "train"), named("detail", "test")
    assert f"- crop: {wall} (train) and {detail} (test): " in outcome.err
    (leak,) = json.loads(outcome.out)["leaks"]
    assert (leak["kind"], leak["ids"]) == ("crop", [wall, detail])
    assert leak["splits"] == ["train", "test"]
    assert "matched points" in leak["evidence"]


def test_the_pictures_may_have_moved(
    invoke: Invoke, plan: Callable[[], Path], tmp_path: Path
) -> None:
    root = plan()
    (tmp_path / "murals").rename(tmp_path / "moved")
    outcome = invoke("dunhuang-data", "verify", "--check-leaks", root)
    assert outcome.code == 3
    assert "Say where the pictures are now with --pictures" in outcome.err
    moved = ("--pictures", tmp_path / "moved")
    assert invoke("dunhuang-data", "verify", "--check-leaks", root, *moved).code == 0
    outcome = invoke("dunhuang-data", "verify", root, *moved)
    assert outcome.code == 2
    assert "give both" in outcome.err


@pytest.mark.parametrize("format", ["zarr", "hdf5"])
def test_how_deep_a_dataset_is_checked(
    invoke: Invoke, make_dataset: Callable[[str], Path], tmp_path: Path, format: str
) -> None:
    root = shutil.copytree(make_dataset(format), tmp_path / "shards")
    outcome = invoke("dunhuang-data", "verify", root, "--quick")
    assert outcome.out == f"{root}: 48 samples, sound as far as --quick looks\n"
    outcome = invoke("dunhuang-data", "verify", root, "--workers", 2, "--json")
    assert json.loads(outcome.out) == {
        "dataset": str(root),
        "depth": "default",
        "sound": True,
        "problems": [],
    }
    shard = next(path for path in sorted((root / "val").rglob("*")) if "0" in path.name)
    data = bytearray(shard.read_bytes())
    data[len(data) * 2 // 3] ^= 1
    shard.write_bytes(data)
    assert invoke("dunhuang-data", "verify", root, "--quick").code == 0  # it reads no samples
    for option in ((), ("--full",), ("--workers", 2)):
        outcome = invoke("dunhuang-data", "verify", root, *option)
        assert outcome.code == 3
        assert f"  - {shard.relative_to(root)} is not the file" in outcome.err
        assert "It is part of shard 0 of val" in outcome.err


def test_full_looks_for_leaks_too(invoke: Invoke, dataset: Path) -> None:
    outcome = invoke("dunhuang-data", "verify", "--full", dataset, "--json")
    document = json.loads(outcome.out)
    assert (document["depth"], document["sound"]) == ("full", True)
    assert document["compared"].startswith("8 pictures")
    outcome = invoke("dunhuang-data", "verify", "--full", "--quick", dataset)
    assert outcome.code == 2
    assert "--quick reads no samples; leave out --full" in outcome.err
