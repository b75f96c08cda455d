"""The wheel: three packages, and a base installation that passes its tests without torch."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling")
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
         "--no-index", "-w", str(out), str(ROOT)],
        check=True,
    )  # fmt: skip
    return next(out.glob("*.whl"))


def test_exactly_three_top_level_packages(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names}
    info = {name for name in top if name.endswith(".dist-info")}
    assert len(info) == 1
    assert top - info == {"dunhuang_data", "dunhuang_trainer", "dunhuang_cli"}
    for package in top - info:
        assert f"{package}/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def requirements(name: str, found: dict[str, Distribution]) -> dict[str, Distribution]:
    """Collect a distribution and all it needs, extras left out, from this environment."""
    from packaging.requirements import Requirement

    key = name.lower().replace("_", "-")
    if key in found:
        return found
    try:
        found[key] = distribution(name)
    except PackageNotFoundError:  # a requirement of other platforms
        return found
    for text in found[key].requires or []:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            requirements(requirement.name, found)
            for extra in requirement.extras:
                for more in distribution(requirement.name).requires or []:
                    one = Requirement(more)
                    if one.marker is not None and one.marker.evaluate({"extra": extra}):
                        requirements(one.name, found)
    return found


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel, its base requirements, pytest, hypothesis; no more.

    No network: the requirements are linked from this environment, file by top-level file.
    """
    venv = tmp_path_factory.mktemp("base") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    python = venv / "bin" / "python"
    subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", str(wheel)],
        check=True,
    )
    site = Path(sysconfig.get_path("purelib", vars={"base": str(venv)}))
    found: dict[str, Distribution] = {}
    for name in ("dunhuang-data", "pytest", "hypothesis"):
        requirements(name, found)
    found.pop("dunhuang-data")
    for one in found.values():
        for file in one.files or []:
            top = Path(one.locate_file(file.parts[0]))  # type: ignore[arg-type]
            if file.parts[0] not in ("..", "__pycache__") and not (site / top.name).exists():
                (site / top.name).symlink_to(top)
    return venv


def environment() -> dict[str, str]:
    """Return this environment without anything that would reach into the checkout."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}


def test_only_our_names_are_importable(base: Path, tmp_path: Path) -> None:
    code = (
        "import importlib.util as u\n"
        "for name in ('dunhuang_data', 'dunhuang_trainer', 'dunhuang_cli'):\n"
        "    assert u.find_spec(name), name\n"
        "for name in ('trainer', 'cli', 'tests', 'docs', 'torch', 'torchvision'):\n"
        "    assert not u.find_spec(name), name\n"
    )
    subprocess.run(
        [base / "bin" / "python", "-c", code], cwd=tmp_path, env=environment(), check=True
    )


def test_help_answers(base: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [base / "bin" / "dunhuang-data", "--help"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "sample-patches" in done.stdout


def test_training_names_what_to_install(base: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [base / "bin" / "dunhuang-train", "--dataset", "shards", "-o", "run"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 5
    assert "pip install 'dunhuang-data[train]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_base_installation_passes_its_tests_without_torch(base: Path, tmp_path: Path) -> None:
    """The tests as they are, away from the checkout, against the installed wheel."""
    for name in ("tests", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name)
    done = subprocess.run(
        [base / "bin" / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider",
         "tests/data", "tests/cli", "tests/trainer", "tests/test_boundaries.py"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    summary = done.stdout.strip().splitlines()[-1]
    assert int(summary.split(" passed")[0].split()[-1].lstrip("=")) > 150, summary
