"""``dunhuang-train inspect``: costs of any network, and what a checkpoint says of itself."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from dunhuang_trainer.checkpoint import CheckpointInfo, save_weights
from dunhuang_trainer.config import ModelConfig, TrainConfig
from dunhuang_trainer.model import PartialConvUNet

Invoke = Callable[..., Any]
MODEL = ModelConfig(width=4, levels=3, base="push-pull")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "best.safetensors"
    info = CheckpointInfo(MODEL, TrainConfig(50, seed=7), 20, "ab" * 32, 48, {"val_hole": 412.5})
    save_weights(path, PartialConvUNet(MODEL), info)
    return path


def test_people_get_parameters_operations_and_memory(invoke: Invoke) -> None:
    outcome = invoke("dunhuang-train", "inspect", "--base", "none")
    assert outcome.code == 0
    assert outcome.out == ""
    for text in ("32,859,860", "14.17 GFLOP", "42.17 GFLOP", "34.1 MB", "256 x 256 px"):
        assert text in outcome.err


def test_programs_get_json(invoke: Invoke) -> None:
    arguments = ("--width", 4, "--levels", 3, "--convolution", "plain", "--patch-size", 40)
    document = json.loads(invoke("dunhuang-train", "inspect", *arguments, "--json").out)
    assert document["patch_size"] == 40
    assert document["model"]["convolution"] == "plain"
    assert document["parameters"] == PartialConvUNet(ModelConfig(4, 3)).parameter_count()
    assert document["picture"]["training_flops"] > 2 * document["picture"]["forward_flops"]
    assert "checkpoint" not in document


def test_a_checkpoint_says_what_it_is(invoke: Invoke, checkpoint: Path) -> None:
    outcome = invoke("dunhuang-train", "inspect", checkpoint, "--json")
    document = json.loads(outcome.out)
    assert document["checkpoint"]["step"] == 20
    assert document["checkpoint"]["dataset_sha256"] == "ab" * 32
    assert document["checkpoint"]["train"]["seed"] == 7
    assert document["model"] == {
        "width": 4, "levels": 3, "convolution": "partial", "base": "push-pull", "decoder": "split",
    }  # fmt: skip
    assert document["patch_size"] == 48
    for text in ("20 of 50", "val_hole", "412.5", "abababababab…", "base push-pull", "48 x 48 px"):
        assert text in outcome.err


def test_what_contradicts_itself_is_refused(invoke: Invoke, checkpoint: Path) -> None:
    outcome = invoke("dunhuang-train", "inspect", checkpoint, "--levels", 4)
    assert outcome.code == 2
    assert "--levels describes a network, and so does CKPT; give one of them." in outcome.err
    outcome = invoke("dunhuang-train", "inspect", checkpoint, "--patch-size", 60)
    assert outcome.code == 2
    assert "--patch-size is 60; a network of 3 levels takes multiples of 8 px." in outcome.err


def test_what_is_no_checkpoint_is_a_sentence(invoke: Invoke, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"no weights")
    outcome = invoke("dunhuang-train", "inspect", path)
    assert outcome.code == 3
    assert f"The checkpoint {path} cannot be read" in outcome.err
