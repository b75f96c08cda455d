"""``export`` as it is typed."""

import json
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dunhuang_data.export.recipe import ExportRecipe
from dunhuang_data.export.writing import Source, open_source
from dunhuang_data.types import Split

Invoke = Callable[..., Any]


def test_the_folder_is_the_result_and_people_read_the_rest(
    invoke: Invoke, dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "tars"
    line = ("export", dataset, "-o", out, "--to", "webdataset", "--shard-size", 10)
    outcome = invoke("dunhuang-data", *line)
    assert (outcome.code, outcome.out) == (0, f"{out}\n")
    assert "48 samples (24 train, 18 val, 6 test) as webdataset, with png images." in outcome.err
    assert "sha256sum -c SHA256SUMS" in outcome.err
    assert len(list(out.glob("*.tar"))) == 3 + 2 + 1
    values = tomllib.loads((out / "run.toml").read_text())["export"]
    assert (values["to"], values["shard-size"], values["image-format"]) == ("webdataset", 10, "png")
    listed = {line.split("  ", 1)[1] for line in (out / "SHA256SUMS").read_text().splitlines()}
    assert listed == {path.name for path in out.iterdir()} - {"SHA256SUMS"}
    assert "run.toml" in listed


def test_json_and_splits(invoke: Invoke, dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "tree"
    line = ("export", dataset, "-o", out, "--to", "folder", "--split", "test,val", "--json")
    outcome = invoke("dunhuang-data", *line)
    assert outcome.code == 0
    document = json.loads(outcome.out)
    assert document["samples"] == {"val": 18, "test": 6}
    written = [path for path in out.rglob("*") if path.is_file()]
    assert document["files"] == len(written) - 1  # without SHA256SUMS
    assert not (out / "train").exists()
    again = ("--config", out / "run.toml", "-o", tmp_path / "again")
    assert invoke("dunhuang-data", "export", dataset, *again).code == 0
    sums = [
        (folder / "SHA256SUMS").read_text().splitlines() for folder in (out, tmp_path / "again")
    ]
    # run.toml says that the options came from a file now, and nothing else is another
    assert {line.split("  ")[1] for line in {*sums[0]} ^ {*sums[1]}} == {"run.toml"}


def test_as_many_workers_as_cores_that_may_be_used(
    invoke: Invoke, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dunhuang_data.export import writing

    started: list[int] = []

    def seen(source: Source, out: Path, **options: Any) -> tuple[()]:
        started.append(options["workers"])
        return ()

    monkeypatch.setattr(writing, "export_dataset", seen)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 5, 9})
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    counts: dict[Split, int] = {}

    def counted(root: Path, recipe: ExportRecipe) -> Source:
        return replace(open_source(root, recipe), counts=counts)

    monkeypatch.setattr(writing, "open_source", counted)
    line = ("export", dataset, "-o", tmp_path / "out", "--to", "mds")
    for counts["val"], workers in ((999, 1), (1000, 3)):
        assert invoke("dunhuang-data", *line).code == 0
        assert started.pop() == workers
    assert invoke("dunhuang-data", *line, "--workers", 2).code == 0
    assert started == [2]


def test_a_dry_run_writes_nothing_and_refuses_as_the_real_one(
    invoke: Invoke, dataset: Path, tmp_path: Path
) -> None:
    line = ("export", dataset, "-o", tmp_path / "out", "--dry-run", "--to")
    outcome = invoke("dunhuang-data", *line, "mds", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["dry_run"] is True
    outcome = invoke("dunhuang-data", *line, "lama", "--image-format", "jpg")
    assert outcome.code == 2
    assert "readers of lama expect png" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_kept_and_what_is_no_dataset_is_said(
    invoke: Invoke, dataset: Path, tmp_path: Path
) -> None:
    outcome = invoke("dunhuang-data", "export", tmp_path, "-o", tmp_path / "out", "--to", "mds")
    assert outcome.code == 3
    assert "is not a whole dataset" in outcome.err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    line = ("export", dataset, "-o", tmp_path / "mine", "--to", "mds", "--overwrite")
    outcome = invoke("dunhuang-data", *line)
    assert outcome.code == 4
    assert "is not touched" in outcome.err
    outcome = invoke("dunhuang-data", "export", dataset, "-o", tmp_path / "out", "--to", "tar")
    assert outcome.code == 2
    outcome = invoke("dunhuang-data", *line[:3], tmp_path / "out", *line[4:6], "--split", "vol")
    assert outcome.code == 2
    assert "names no splits; write train, val, test" in outcome.err
    assert not (tmp_path / "out").exists()


def test_a_split_without_samples_is_refused(
    invoke: Invoke, pictures: Path, bank_root: Path, tmp_path: Path
) -> None:
    plan, shards = tmp_path / "plan", tmp_path / "shards"
    size = ("--size", 32, "--per-picture", 2, "--split", "1,0,0")
    assert invoke("dunhuang-data", "sample-patches", pictures, "-o", plan, *size).code == 0
    build = ("build", "--plan", plan, "--masks", bank_root, "-o", shards)
    assert invoke("dunhuang-data", *build).code == 0
    line = ("export", shards, "-o", tmp_path / "out", "--to", "folder")
    outcome = invoke("dunhuang-data", *line, "--split", "val")
    assert outcome.code == 3
    assert "has no samples in val; train has some." in outcome.err
    assert invoke("dunhuang-data", *line).code == 0
    assert [path.name for path in (tmp_path / "out").iterdir() if path.is_dir()] == ["train"]
