"""``croissant.json`` says what the dataset is; tests/interop has it read by mlcroissant."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dunhuang_data.croissant import croissant
from dunhuang_data.manifest import DatasetManifest, read_manifest
from dunhuang_data.pictures import sha256_of_file
from dunhuang_data.plan import read_plan
from dunhuang_data.types import Picture


@pytest.fixture
def manifest(dataset: Path) -> DatasetManifest:
    return read_manifest(dataset)


@pytest.fixture
def planned(dataset: Path) -> tuple[Picture, ...]:
    return read_plan(dataset / "plan").pictures


def by_id(nodes: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {node["@id"]: node for node in nodes}


def test_it_is_the_same_every_time_and_holds_no_path_of_this_machine(
    dataset: Path, manifest: DatasetManifest, planned: tuple[Picture, ...]
) -> None:
    text = json.dumps(croissant(manifest, planned))
    assert text == json.dumps(croissant(read_manifest(dataset), list(planned)))
    assert str(dataset.parent) not in text
    assert "date" not in text.lower().replace("update", "")


def test_every_column_of_both_tables_is_a_field(
    dataset: Path, manifest: DatasetManifest, planned: tuple[Picture, ...]
) -> None:
    records = by_id(croissant(manifest, planned)["recordSet"])
    fields = {one["@id"] for record in records.values() for one in record["field"]}
    for table in ("pictures", "patches"):
        with (dataset / "plan" / f"{table}.csv").open(encoding="utf-8", newline="") as stream:
            columns = next(csv.reader(stream))
        described = records[table]["field"]
        assert [one["source"]["extract"]["column"] for one in described] == columns
        assert records[table]["key"]["@id"] in fields
        for one in described:
            assert one["source"]["fileObject"]["@id"] == f"plan/{table}.csv"
    (reference,) = (one["references"] for one in described if "references" in one)
    assert reference["field"]["@id"] in fields
    kinds = {one["name"]: one["dataType"] for one in records["patches"]["field"]}
    assert {kind: [name for name in kinds if kinds[name] == kind] for kind in kinds.values()} == {
        "sc:Integer": ["index", "center_y", "center_x"],
        "sc:Text": ["picture_id", "split"],
        "sc:Boolean": ["flip"],
        "sc:Float": ["angle_deg", "scale", "nearest_px"],
    }


def test_files_and_splits_are_those_that_are_there(
    dataset: Path, manifest: DatasetManifest, planned: tuple[Picture, ...]
) -> None:
    document = croissant(manifest, planned)
    files = by_id(document["distribution"])
    for name in ("plan/pictures.csv", "plan/patches.csv"):
        assert files[name]["sha256"] == sha256_of_file(dataset / name)
        assert files[name]["contentSize"] == f"{(dataset / name).stat().st_size} B"
    assert list(files)[2:] == ["train-shards", "val-shards", "test-shards"]
    some = replace(manifest, shards=tuple(one for one in manifest.shards if one.split != "val"))
    document = croissant(some, planned)
    assert list(by_id(document["distribution"]))[2:] == ["train-shards", "test-shards"]
    splits = by_id(document["recordSet"])["splits"]["data"]
    assert [one["splits/name"] for one in splits] == ["train", "test"]
    assert "30 patches of 32 x 32 pixels (24 train, 0 val, 6 test)" in document["description"]
    assert "1 = known pixel, 0 = hole" in document["description"]


def test_rights_that_all_pictures_share_are_the_licence(
    manifest: DatasetManifest, planned: tuple[Picture, ...]
) -> None:
    assert croissant(manifest, planned)["license"] == "Not stated."
    free = [replace(picture, rights="CC BY 4.0") for picture in planned]
    assert croissant(manifest, free)["license"] == "CC BY 4.0"
    for other in ("", "CC0"):
        mixed = [*free[1:], replace(free[0], rights=other)]
        stated = croissant(manifest, mixed)["license"]
        assert stated == "Per picture: see the column rights of plan/pictures.csv."
