"""The blocks of docs/export.md that need other projects' readers run as they stand."""

import re
from pathlib import Path
from typing import Any

import pytest

from dunhuang_data.export import ExportRecipe
from dunhuang_data.export.writing import export_dataset, open_source
from strange_dataset import strange_dataset

PAGE = Path(__file__).parents[2] / "docs" / "export.md"
FENCE = re.compile(r"^```py\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.filterwarnings("ignore")  # of those packages
@pytest.mark.parametrize("package", ["webdataset", "streaming"])
def test_a_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    pytest.importorskip(package)
    blocks = FENCE.findall(PAGE.read_text("utf-8"))
    (block,) = (block for block in blocks if f"import {package}" in block)
    layout, folder = {
        "webdataset": ("webdataset", "export-tars"),
        "streaming": ("mds", "export-mds"),
    }[package]
    root = strange_dataset(tmp_path, "zarr", damage=False)
    recipe = ExportRecipe(layout)
    export_dataset(open_source(root, recipe), tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(block, names)
    assert names["masked"].shape == (33, 33, 3)
    assert names["masked"][names["valid"] == 0].max() == 0
    assert set(names["valid"].flat) == {0, 1}
