"""make-masks continues, import-masks and fit-masks speak in sentences."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dunhuang_data.mask_bank import open_bank

Invoke = Callable[..., Any]
MAKE = ("make-masks", "--size", "21x34", "--steps", 80, "--count", 260)


def test_ctrl_c_prints_the_line_that_goes_on_and_it_does(invoke: Invoke, tmp_path: Path) -> None:
    script = (
        "import os, signal, dunhuang_data.mask_bank.writing as writing\n"
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
