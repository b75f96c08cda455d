"""make-masks continues, import-masks and fit-masks speak in sentences."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drawings import save_picture
from dunhuang_data.mask_bank import open_bank

Invoke = Callable[..., Any]
FEW = ("--candidates", 4)
MAKE = ("make-masks", "--size", "21x34", "--steps", 80, "--count", 260)


def test_ctrl_c_prints_the_line_that_goes_on_and_it_does(invoke: Invoke, tmp_path: Path) -> None:
    script = (
        "import os, signal, dunhuang_data.mask_bank.writing as writing\n"
        # a shell that started this in the background has switched Ctrl-C off
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "whole = writing.make_part\n"
        "def interrupted(job):\n"
        "    part = whole(job)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return part\n"
        "writing.make_part = interrupted\n"
        "from dunhuang_cli.data import main\n"
        "main()\n"
    )
    arguments = list(map(str, (*MAKE, "-o", tmp_path / "masks", "--workers", 1)))
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True
    )
    assert done.returncode == 130
    line = "go on with:\n  dunhuang-data make-masks --size 21x34 --steps 80 --count 260"
    assert line in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["masks.building"]
    assert invoke("dunhuang-data", *arguments, "--resume").code == 0
    assert invoke("dunhuang-data", *MAKE, "-o", tmp_path / "undisturbed").code == 0
    names = ("bank.json", "valid-00000.npy", "valid-00001.npy")
    for name in names:
        one, other = (tmp_path / out / name for out in ("masks", "undisturbed"))
        assert one.read_bytes() == other.read_bytes()
    assert len(open_bank(tmp_path / "masks")) == 260


def test_resume_refuses_to_begin_also_in_a_dry_run(invoke: Invoke, tmp_path: Path) -> None:
    for more in ((), ("--dry-run",)):
        outcome = invoke("dunhuang-data", *MAKE, "-o", tmp_path / "masks", "--resume", *more)
        assert outcome.code == 3
        assert "There is nothing to resume" in outcome.err
        assert "Leave out --resume to begin." in outcome.err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def damage(tmp_path: Path) -> Path:
    """Three masks of 21 x 34 px, holes white; one of them written as 0 and 1."""
    for number, white in enumerate((255, 1, 255)):
        pixels = np.zeros((21, 34), dtype=np.uint8)
        pixels[2 + number : 9, 3:20] = white
        save_picture(tmp_path / "damage" / f"{number}.png", pixels)
    return tmp_path / "damage"


def test_masks_are_imported_and_a_bank_is_drawn_from_them(
    invoke: Invoke, damage: Path, tmp_path: Path
) -> None:
    out, sheet = tmp_path / "real", tmp_path / "sheet.png"
    take = ("import-masks", damage, "-o", out, "--white-is", "hole", "--json")
    dry = invoke("dunhuang-data", *take, "--dry-run")
    assert dry.code == 0
    assert not out.exists()
    outcome = invoke("dunhuang-data", *take, "--sheet", sheet)
    document = json.loads(outcome.out)
    assert document == {**json.loads(dry.out), "dry_run": False}
    assert (document["count"], document["shape_hw"]) == (3, [21, 34])
    assert (document["grey_share_mean"], document["warnings"]) == (0, [])
    assert "1 of 3 files: values 0 and 1 instead of 0 and 255." in outcome.err
    assert sheet.is_file()
    made = tmp_path / "masks"
    draw = ("make-masks", "--family", "files", "--from", out, "--count", 9, "-o", made)
    assert invoke("dunhuang-data", *draw).code == 0
    bank = open_bank(made)
    assert (bank.recipe.shape_hw, len(bank)) == ((21, 34), 9)
    assert bank.recipe.source_sha256 == open_bank(out).sha256
    table = tomllib.loads((made / "run.toml").read_text())["make-masks"]
    assert (table["from"], table["size"]) == (str(out), "21x34")
    again = ("make-masks", "--config", made / "run.toml", "-o", tmp_path / "again")
    assert invoke("dunhuang-data", *again).code == 0
    assert open_bank(tmp_path / "again").sha256 == bank.sha256


def test_the_source_and_the_family_belong_together(
    invoke: Invoke, damage: Path, tmp_path: Path
) -> None:
    for given in (("--family", "files"), ("--from", damage)):
        outcome = invoke("dunhuang-data", *MAKE, "-o", tmp_path / "out", *given)
        assert outcome.code == 2
        assert "--family files and --from MASKS belong together" in outcome.err
    arguments = (*MAKE, "-o", tmp_path / "out", "--family", "files", "--from", damage)
    outcome = invoke("dunhuang-data", *arguments)
    assert outcome.code == 3
    assert "is not a mask bank: there is no bank.json" in outcome.err


def test_import_says_what_it_needs(invoke: Invoke, damage: Path, tmp_path: Path) -> None:
    outcome = invoke("dunhuang-data", "import-masks", damage, "-o", tmp_path / "out")
    assert outcome.code == 2
    assert "Missing option '--white-is'. Choose from" in outcome.err
    save_picture(damage / "wide.png", np.zeros((21, 35), dtype=np.uint8))
    take = ("import-masks", damage, "-o", tmp_path / "out", "--white-is", "known")
    outcome = invoke("dunhuang-data", *take)
    assert outcome.code == 3
    assert "wide.png is 21 x 35 px" in outcome.err
    outcome = invoke("dunhuang-data", *take, "--size", "21x34")
    assert outcome.code == 0
    assert "1 of 4 files: 21x35 to 21x34 px by nearest neighbour." in outcome.err
    assert "Warning: The mean hole ratio is 0.89" in outcome.err
    (tmp_path / "empty").mkdir()
    outcome = invoke("dunhuang-data", "import-masks", tmp_path / "empty", *take[2:])
    assert outcome.code == 4  # the output is there already, found before anything is read
    outcome = invoke("dunhuang-data", "import-masks", tmp_path / "empty", *take[2:], "--overwrite")
    assert outcome.code == 3
    assert "No masks found in" in outcome.err


def test_walks_are_fitted_to_a_bank_and_to_files(invoke: Invoke, tmp_path: Path) -> None:
    out = tmp_path / "masks"
    draw = ("make-masks", "-o", out, "--size", "40x52", "--steps", 400, "--count", 60, "--png")
    assert invoke("dunhuang-data", *draw).code == 0
    outcome = invoke("dunhuang-data", "fit-masks", out, "--json", *FEW)
    document = json.loads(outcome.out)
    assert document["reached"] == (
        max(document["distances"][name] for name in ("hole_ratio", "radius_px")) <= 0.1
    )
    assert "60 masks; " in outcome.err
    files = ("fit-masks", out / "png", "--white-is", "known")
    outcome = invoke("dunhuang-data", *files, *FEW)
    assert outcome.out == document["command"] + "\n"
    line = outcome.out.split()
    assert line[:4] == ["dunhuang-data", "make-masks", "-o", "masks"]
    fitted = ("make-masks", "-o", tmp_path / "fitted", *line[4:], "--count", 5)
    assert invoke("dunhuang-data", *fitted).code == 0
    expected = {**document["recipe"], "count": 5}
    made = json.loads((tmp_path / "fitted" / "bank.json").read_text())["recipe"]
    assert made == expected  # the line draws the recipe that was judged


def test_fit_masks_says_what_it_needs(invoke: Invoke, damage: Path, tmp_path: Path) -> None:
    outcome = invoke("dunhuang-data", "fit-masks", damage)
    assert outcome.code == 2
    assert "give --white-is hole or --white-is known" in outcome.err
    assert invoke("dunhuang-data", *MAKE, "-o", tmp_path / "bank").code == 0
    outcome = invoke("dunhuang-data", "fit-masks", tmp_path / "bank", "--white-is", "hole")
    assert outcome.code == 2
    assert "is a mask bank: what is a hole in it, and its size, are known" in outcome.err
    (tmp_path / "empty").mkdir()
    outcome = invoke("dunhuang-data", "fit-masks", tmp_path / "empty", "--white-is", "hole")
    assert outcome.code == 3
    assert "No masks found in" in outcome.err
    for path in damage.iterdir():
        save_picture(path, np.zeros((21, 34), dtype=np.uint8))
    outcome = invoke("dunhuang-data", "fit-masks", damage, "--white-is", "hole")
    assert outcome.code == 3
    assert "Of 3 masks 3 have no hole" in outcome.err
