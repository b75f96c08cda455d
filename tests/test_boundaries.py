"""Who may import whom, seen from a fresh interpreter; import-linter checks the rest by reading."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "torchvision", "cv2", "click", "rich", "pyvips", "matplotlib", "scipy")


def loaded_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_reader_loads_neither_torch_nor_opencv_nor_click() -> None:
    assert loaded_by("dunhuang_data.reader").isdisjoint(HEAVY)


@pytest.mark.parametrize("module", ["recipe", "errors", "atomic"])
def test_what_the_shell_needs_first_loads_no_numpy(module: str) -> None:
    assert loaded_by(f"dunhuang_data.{module}").isdisjoint({*HEAVY, "numpy", "zarr", "h5py"})


def test_the_whole_toolkit_loads_no_torch() -> None:
    import pkgutil

    import dunhuang_data

    names = [f"dunhuang_data.{one.name}" for one in pkgutil.iter_modules(dunhuang_data.__path__)]
    assert "dunhuang_data.build" in names
    assert loaded_by(", ".join(names)).isdisjoint({"torch", "torchvision", "click", "rich"})


def test_the_trainers_settings_load_no_torch() -> None:
    assert "torch" not in loaded_by("dunhuang_trainer.config")
