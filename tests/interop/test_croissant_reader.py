"""``croissant.json`` as mlcroissant reads it: no error, and the rows of the plan."""

import csv
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from dunhuang_data.croissant import croissant
from dunhuang_data.manifest import CROISSANT, read_manifest
from dunhuang_data.plan import read_plan
from strange_dataset import strange_dataset

mlcroissant = pytest.importorskip("mlcroissant")

# NA is how others write "nothing": mlcroissant reads tables with pandas, which takes it so
NOTHING = ("", "NA")


def as_read(text: str, kind: str) -> Any:
    if text in NOTHING:
        return None
    if kind == "sc:Boolean":
        return bool(int(text))
    if kind in ("sc:Integer", "sc:Float"):
        return int(text) if kind == "sc:Integer" else float(text)
    return text.encode()


@pytest.mark.filterwarnings("ignore")  # of rdflib and pandas
@pytest.mark.parametrize("format", ["zarr", "hdf5"])
def test_record_sets_are_the_tables_of_the_plan(
    tmp_path: Path, format: str, caplog: pytest.LogCaptureFixture
) -> None:
    root = strange_dataset(tmp_path, format, damage=format == "zarr")
    document = croissant(read_manifest(root), read_plan(root / "plan").pictures)
    (root / CROISSANT).write_text(json.dumps(document), encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        dataset = mlcroissant.Dataset(jsonld=root / CROISSANT)
    assert dataset.metadata.ctx.issues.errors == set()
    # what only a publisher knows; nothing else is missed
    warned = " ".join(sorted(dataset.metadata.ctx.issues.warnings))
    assert len(dataset.metadata.ctx.issues.warnings) == 2
    assert "citeAs" in warned
    assert "datePublished" in warned
    assert "not standard" not in caplog.text
    for table in ("pictures", "patches"):
        (described,) = (one for one in document["recordSet"] if one["@id"] == table)
        kinds = {one["name"]: one["dataType"] for one in described["field"]}
        with (root / "plan" / f"{table}.csv").open(encoding="utf-8", newline="") as stream:
            expected = [
                {f"{table}/{name}": as_read(text, kinds[name]) for name, text in row.items()}
                for row in csv.DictReader(stream)
            ]
        assert list(dataset.records(table)) == expected
    splits = [record["splits/name"] for record in dataset.records("splits")]
    assert splits == ["train", "val", "test"]


@pytest.mark.filterwarnings("ignore")
def test_file_sets_find_every_shard(tmp_path: Path) -> None:
    root = strange_dataset(tmp_path, "hdf5", damage=False)
    manifest = read_manifest(root)
    document = croissant(manifest, read_plan(root / "plan").pictures)
    for split in ("train", "val", "test"):
        (described,) = (one for one in document["distribution"] if one["@id"] == f"{split}-shards")
        found = {path.relative_to(root).as_posix() for path in root.glob(described["includes"])}
        stored = {file.path for one in manifest.shards if one.split == split for file in one.files}
        assert found == stored
