"""README and pages are run as they stand: console blocks in order, then their Python blocks."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from drawings import draw_picture, save_picture

pytest.importorskip("torch")

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# The splits of pictures depend on their names; with these each page's seed fills all three.
README_PICTURES = {
    "wall-1.jpg": (300, 280),
    "wall-2.png": (260, 301),
    "wall-3.tif": (257, 340),
    "wall-4.webp": (310, 270),
    "wall-5.jpg": (275, 299),
    "wall-6.png": (290, 261),
    "wall-7.tif": (263, 281),
    "cave/wall-8.jpg": (320, 266),
}
DOCS_PICTURES = {
    "wall-1.jpg": (300, 220),
    "niche-8.png": (160, 201),
    "niche-9.tif": (157, 340),
    "niche-1.jpg": (175, 199),
    "niche-2.png": (190, 261),
    "niche-3.webp": (163, 181),
    "cave/wall.jpg": (220, 166),
    "cave/niche.png": (150, 206),
}


def run_page(page: Path, folder: Path) -> int:
    """Run a page's blocks in a folder and return how many there were."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "MPLBACKEND": "agg"}
    blocks = FENCE.findall(page.read_text(encoding="utf-8"))
    for language, text in blocks:
        if language == "python":
            command = [sys.executable, "-W", "error", "-c", text]
        else:
            lines = text.splitlines()
            assert all(line.startswith("$ ") for line in lines), f"{page.name}: {text}"
            command = ["bash", "-euc", "\n".join(line.removeprefix("$ ") for line in lines)]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{page.name}:\n{text}\n{done.stdout}\n{done.stderr}"
    return len(blocks)


def test_the_readme_runs_as_it_stands(tmp_path: Path) -> None:
    for name, shape in README_PICTURES.items():
        save_picture(tmp_path / "pictures" / name, draw_picture(*shape, name))
    hole = np.zeros((300, 280), dtype=np.uint8)
    hole[100:130, 60:200] = 255
    save_picture(tmp_path / "holes" / "wall-1.png", hole)
    assert run_page(ROOT / "README.md", tmp_path) >= 6
    for name in ("overlay/cave/wall-8.png", "masks.png", "stats.png", "samples.png",
                 "run/curve.png", "scores/sheet.png", "restored/wall-1-compare.png"):  # fmt: skip
        assert (tmp_path / name).is_file(), name


def test_the_pages_run_as_they_stand(tmp_path: Path) -> None:
    for name, shape in DOCS_PICTURES.items():
        save_picture(tmp_path / "pictures" / name, draw_picture(*shape, name))
    first = ROOT / "docs" / "quickstart.md"
    others = sorted(page for page in (ROOT / "docs").glob("*.md") if page != first)
    counted = {page.name: run_page(page, tmp_path) for page in (first, *others)}
    assert counted["quickstart.md"] == 7
    assert counted["format.md"] >= 3


def test_what_is_not_run_here_is_run_by_ci() -> None:
    """Installation cannot be tried without network; .ci/run calls the same make targets."""
    readme, makefile, ci = (
        (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "Makefile", ".ci/run")
    )
    extras = re.search(r"pip install -e '(\.\[.*?\])' -c constraints\.txt", readme)
    assert extras is not None
    assert f"-e '{extras[1]}' -c constraints.txt" in makefile
    for target in ("make demo", "make test"):
        assert target in readme
        assert target in ci


def test_every_command_has_its_place_in_the_pages() -> None:
    from dunhuang_cli.data import dunhuang_data
    from dunhuang_cli.train import dunhuang_train

    pages = "\n".join(page.read_text() for page in (ROOT / "docs").glob("*.md"))
    for program, group in (("dunhuang-data", dunhuang_data), ("dunhuang-train", dunhuang_train)):
        assert f":prog: {program}" in pages  # sphinx-click: every command, every option
        for name in group.commands:
            assert f"{program} {name}" in pages, f"no page speaks of {program} {name}"
