"""``dunhuang-train export``: names, refusals and what programs are told."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from dunhuang_trainer import netexport
from dunhuang_trainer.checkpoint import CheckpointInfo, save_weights
from dunhuang_trainer.config import ModelConfig, TrainConfig
from dunhuang_trainer.model import PartialConvUNet

Invoke = Callable[..., Any]
MODEL = ModelConfig(width=4, levels=2, base="none")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "best.safetensors"
    info = CheckpointInfo(MODEL, TrainConfig(50), 20, "ab" * 32, 48, {})
    save_weights(path, PartialConvUNet(MODEL), info)
    return path


@pytest.mark.parametrize(
    ("to", "name"), [("torchscript", "best.pt"), ("safetensors", "best.weights.safetensors")]
)
def test_without_a_name_it_lies_beside_the_checkpoint(
    invoke: Invoke, checkpoint: Path, to: str, name: str
) -> None:
    outcome = invoke("dunhuang-train", "export", checkpoint, "--to", to)
    assert outcome.code == 0, outcome.err
    assert outcome.out == f"{checkpoint.with_name(name)}\n"
    assert sorted(path.name for path in checkpoint.parent.iterdir()) == [
        *sorted(["best.safetensors", name])
    ]


def test_programs_get_the_difference(invoke: Invoke, checkpoint: Path) -> None:
    out = checkpoint.parent / "deep" / "a.PT"
    arguments = ("export", checkpoint, "--to", "torchscript", "-o", out, "--check", "--json")
    outcome = invoke("dunhuang-train", *arguments)
    document = json.loads(outcome.out)
    assert document["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert document["bytes"] == out.stat().st_size
    assert document["allowed"] == 1e-4
    assert document["max_difference"] == max(one["max_difference"] for one in document["checked"])
    assert {(one["height"], one["width"]) for one in document["checked"]} > {(4, 4), (1, 1)}
    for text in ("130 x 77 px (height x width), 7 masks: differs by", "0.0001 is allowed"):
        assert text in outcome.err


def test_unchecked_is_said_to_be_unchecked(invoke: Invoke, checkpoint: Path) -> None:
    arguments = ("export", checkpoint, "--to", "torchscript", "--json")
    document = json.loads(invoke("dunhuang-train", *arguments).out)
    assert document["max_difference"] is None
    assert document["checked"] == []


def test_nothing_is_overwritten_unasked(invoke: Invoke, checkpoint: Path) -> None:
    out = checkpoint.with_name("best.pt")
    out.write_text("mine")
    arguments = ("export", checkpoint, "--to", "torchscript")
    outcome = invoke("dunhuang-train", *arguments)
    assert (outcome.code, out.read_text()) == (4, "mine")
    assert "best.pt is already there" in outcome.err
    assert invoke("dunhuang-train", *arguments, "--overwrite").code == 0
    assert out.read_bytes()[:2] == b"PK"
    before = checkpoint.read_bytes()
    onto_itself = ("export", checkpoint, "--to", "safetensors", "-o", checkpoint, "--overwrite")
    outcome = invoke("dunhuang-train", *onto_itself)
    assert outcome.code == 4
    assert "is an input and would be replaced" in outcome.err
    assert checkpoint.read_bytes() == before


@pytest.mark.parametrize(
    ("to", "name", "code", "expected"),
    [
        ("onnx", "a.pt", 2, "does not end in .onnx"),
        ("safetensors", "a.onnx", 2, "does not end in .safetensors"),
        ("tflite", "a.tflite", 2, "'safetensors', 'onnx', 'torchscript'"),
    ],
)
def test_names_and_kinds_belong_together(
    invoke: Invoke, checkpoint: Path, to: str, name: str, code: int, expected: str
) -> None:
    out = checkpoint.with_name(name)
    outcome = invoke("dunhuang-train", "export", checkpoint, "--to", to, "-o", out)
    assert outcome.code == code
    assert expected in " ".join(outcome.err.split())
    assert not out.exists()


def test_what_is_no_checkpoint_is_a_sentence(invoke: Invoke, checkpoint: Path) -> None:
    invoke("dunhuang-train", "export", checkpoint, "--to", "safetensors")
    weights = checkpoint.with_name("best.weights.safetensors")
    for path, expected in (
        (weights, "holds the weights alone"),
        (checkpoint.with_name("gone.safetensors"), "gone.safetensors cannot be read"),
    ):
        outcome = invoke("dunhuang-train", "export", path, "--to", "torchscript")
        assert outcome.code == 3
        assert expected in outcome.err
    assert len(list(checkpoint.parent.iterdir())) == 2


def test_a_failed_check_is_a_fault_and_leaves_no_file(
    invoke: Invoke, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_: object) -> None:
        raise netexport.ExportFault("The exported network differs.")

    monkeypatch.setattr(netexport, "check_export", wrong)
    arguments = ("export", checkpoint, "--to", "torchscript")
    assert invoke("dunhuang-train", *arguments, "--check").code == 1
    assert list(checkpoint.parent.iterdir()) == [checkpoint]
    assert invoke("dunhuang-train", *arguments).code == 0
