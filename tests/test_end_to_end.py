"""From pictures to a restored picture through the command line alone, checked with NumPy alone."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from drawings import write_pictures
from dunhuang_data.foreign_masks import read_mask
from dunhuang_data.pictures import read_picture

pytest.importorskip("torch")

SHAPES = {
    "wall-1.jpg": (90, 131),
    "wall-2.png": (77, 101),
    "wall-3.tif": (101, 84),
    "wall-4.png": (120, 87),
    "wall-5.png": (85, 140),
}


def run(program: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    code = f"from dunhuang_cli.{program.removeprefix('dunhuang-')} import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.parametrize("format", ["zarr", "hdf5"])
def test_the_whole_job(tmp_path: Path, format: str) -> None:
    write_pictures(tmp_path / "pictures", SHAPES)
    lines = [
        "dunhuang-data sample-patches pictures -o plan --size 64 --per-picture 6 "
        "--split 0.6,0.2,0.2 --seed 14 --overlay overlay",
        "dunhuang-data make-masks -o masks --steps 1500 --count 30 --size 64 --sheet masks.png",
        f"dunhuang-data build --plan plan --masks masks -o shards --format {format}",
        "dunhuang-data stats shards --figure stats.png",
        "dunhuang-data verify shards",
        "dunhuang-train --dataset shards -o run --width 8 --levels 4 --batch 4 --steps 60 "
        "--lr 3e-3",
        "dunhuang-train evaluate run/best.safetensors --dataset shards --split test -o scores "
        "--json",
        "dunhuang-data make-masks -o hole --size 120x87 --steps 2000 --count 1 --png",
        "dunhuang-train restore run/best.safetensors pictures/wall-4.png "
        "--mask hole/png/00000.png --white-is known -o restored --compare",
    ]
    outputs = {}
    for line in lines:
        program, *arguments = line.split()
        outputs[arguments[0]] = run(program, *arguments, folder=tmp_path).stdout

    found = json.loads(outputs["evaluate"])["methods"]["network"]
    assert found["samples"] > 0
    mse = found["scores"]["mse_hole"]["mean"]
    assert mse < 20_000
    with (tmp_path / "scores" / "scores.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["method"] == "network"]
    mean = np.mean([float(row["mse_hole"]) for row in rows])
    assert mse == pytest.approx(mean)

    picture = read_picture(tmp_path / "pictures" / "wall-4.png")
    restored = read_picture(tmp_path / "restored" / "wall-4.png")
    known = read_mask(tmp_path / "hole" / "png" / "00000.png", "known").valid == 1
    assert 0 < (~known).mean() < 0.5
    assert np.array_equal(restored[known], picture[known])
    assert not np.array_equal(restored[~known], picture[~known])
    for name in ("overlay/wall-1.png", "masks.png", "stats.png", "run/curve.png",
                 "scores/sheet.png", "restored/wall-4-compare.png"):  # fmt: skip
        assert read_picture(tmp_path / name).std() > 5, f"{name} shows nothing"
