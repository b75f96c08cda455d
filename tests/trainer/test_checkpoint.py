"""Checkpoints are whole, strict, and never unpickled."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from dunhuang_data.errors import CheckpointError
from dunhuang_trainer.checkpoint import (
    STATE_KEYS,
    CheckpointInfo,
    load_state,
    load_weights,
    save_state,
    save_weights,
)
from dunhuang_trainer.config import ModelConfig, TrainConfig
from dunhuang_trainer.model import PartialConvUNet

INFO = CheckpointInfo(ModelConfig(4, 3), TrainConfig(7), 5, "ab" * 32, 64, {"val_hole_mse": 1.5})


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_weights(tmp_path / "a.safetensors", PartialConvUNet(INFO.model), INFO)
    return tmp_path / "a.safetensors"


def test_a_network_comes_back_as_it_was(checkpoint: Path) -> None:
    torch.manual_seed(0)
    expected = PartialConvUNet(INFO.model).state_dict()
    model, info = load_weights(checkpoint)
    assert info == INFO
    assert model.state_dict().keys() == expected.keys()
    assert all(torch.equal(model.state_dict()[name], value) for name, value in expected.items())


def test_a_truncated_or_missing_file_is_a_sentence(checkpoint: Path, tmp_path: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:-10])
    with pytest.raises(
        CheckpointError, match=r"a\.safetensors cannot be read: .*dunhuang-train wrote"
    ):
        load_weights(checkpoint)
    with pytest.raises(CheckpointError, match=r"gone\.safetensors cannot be read"):
        load_weights(tmp_path / "gone.safetensors")


def test_somebody_elses_weights_are_refused(tmp_path: Path) -> None:
    save_file({"x": torch.ones(2)}, tmp_path / "x.safetensors")
    with pytest.raises(
        CheckpointError, match=r"has the format None; this version reads .*'dunhuang-checkpoint'"
    ):
        load_weights(tmp_path / "x.safetensors")


def test_weights_that_lack_a_tensor_are_refused(checkpoint: Path) -> None:
    with safe_open(checkpoint, framework="pt") as file:
        header = file.metadata()
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    weights.pop("decoder.0.conv.conv.weight")
    save_file(weights, checkpoint, metadata=header)
    with pytest.raises(CheckpointError, match="its weights are not those that were written"):
        load_weights(checkpoint)
    info = json.loads(header["dunhuang"])
    info["model"]["depth"] = 3
    save_file(weights, checkpoint, metadata={"dunhuang": json.dumps(info)})
    with pytest.raises(CheckpointError, match="unexpected keyword argument 'depth'"):
        load_weights(checkpoint)


class Malice:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("pwned"),)  # type: ignore[return-value]


def test_a_state_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    keys = ("model", "optimizer", "best", "meter", "run")
    save_state(tmp_path / "good.pt", {"step": 3, **{key: torch.ones(2) for key in keys}})
    save_state(tmp_path / "other.pt", {"step": 3})
    assert load_state(tmp_path / "good.pt")["step"] == 3
    torch.save({"step": Malice()}, tmp_path / "evil.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Malice()))
    for name in ("evil.pt", "plain.pt", "gone.pt", "other.pt"):
        with pytest.raises(CheckpointError, match=rf"The state .*{name} cannot be read"):
            load_state(tmp_path / name)
    assert not (tmp_path / "pwned").exists()


def test_a_state_with_a_flipped_bit_is_refused_or_the_same(tmp_path: Path) -> None:
    path, values = tmp_path / "state.pt", torch.arange(400, dtype=torch.float32)
    keys = sorted(STATE_KEYS - {"step"})
    save_state(path, {**dict.fromkeys(keys, values), "step": 3})
    assert load_state(path)["step"] == 3
    whole, refused = path.read_bytes(), 0
    for place in range(0, len(whole), 13):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            state = load_state(path)
        except CheckpointError:
            refused += 1
        else:  # what lies between the parts says nothing
            assert state["step"] == 3
            assert all(torch.equal(state[key], values) for key in keys)
    assert refused > 1600 / 13  # every bit of the values


def test_equal_weights_are_equal_files(checkpoint: Path, tmp_path: Path) -> None:
    for number in range(8):
        torch.manual_seed(0)
        save_weights(tmp_path / f"{number}.safetensors", PartialConvUNet(INFO.model), INFO)
        assert (tmp_path / f"{number}.safetensors").read_bytes() == checkpoint.read_bytes()


@pytest.mark.parametrize("header", ["5", "null", "{", '{"format": 1}'])
def test_a_header_of_another_kind_is_a_sentence(tmp_path: Path, header: str) -> None:
    save_file({"x": torch.ones(2)}, tmp_path / "x.safetensors", metadata={"dunhuang": header})
    with pytest.raises(CheckpointError, match=r"x\.safetensors"):
        load_weights(tmp_path / "x.safetensors")


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    model = PartialConvUNet(INFO.model)
    with torch.no_grad():
        next(model.parameters())[0] = float("nan")
    save_weights(tmp_path / "nan.safetensors", model, INFO)
    with pytest.raises(CheckpointError, match="its weights are not finite numbers"):
        load_weights(tmp_path / "nan.safetensors")


def test_a_flipped_bit_in_the_weights_is_found(checkpoint: Path) -> None:
    data = bytearray(checkpoint.read_bytes())
    data[-2000] ^= 1
    checkpoint.write_bytes(data)
    with pytest.raises(CheckpointError, match="its weights are not those that were written"):
        load_weights(checkpoint)
