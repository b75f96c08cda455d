"""A checkpoint says what holes its network was trained on."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from dunhuang_data.errors import CheckpointError
from dunhuang_trainer.checkpoint import HEADER, CheckpointInfo, load_weights, save_weights
from dunhuang_trainer.config import ModelConfig, TrainConfig
from dunhuang_trainer.data import holes_of, open_split, stored
from dunhuang_trainer.model import PartialConvUNet
from dunhuang_trainer.trained_holes import TrainedHoles, measure_holes
from dunhuang_trainer.training.execution import Execution
from dunhuang_trainer.training.folder import start_run
from dunhuang_trainer.training.loop import Watcher, train
from dunhuang_trainer.training.stopping import StopRequest

SMALL = ModelConfig(4, 3)


def mask(*holes: tuple[slice, slice]) -> np.ndarray:
    valid = np.ones((32, 32), dtype=np.uint8)
    for hole in holes:
        valid[hole] = 0
    return valid


def test_ratio_depth_and_radius_are_those_of_the_masks() -> None:
    line = mask((slice(4, 5), slice(0, 16)))  # 1 px wide
    square = mask((slice(10, 17), slice(10, 17)))  # 7 px: its middle is 4 px from what is known
    # rings of the square: 24 at distance 1, 16 at 2, 8 at 3, 1 at 4
    depth_of_square = (24 * 1 + 16 * 2 + 8 * 3 + 4) / 49
    found = measure_holes([line, square, mask(), mask((slice(None), slice(None)))], 32)
    assert found is not None
    assert asdict(found) == {
        "samples": 4,
        "patch_size": 32,
        "hole_ratio_mean": pytest.approx((16 / 1024 + 49 / 1024 + 0 + 1) / 4),
        "hole_ratio_max": 1.0,
        "depth_px_mean": pytest.approx((1 + depth_of_square) / 2),
        "radius_px_max": 4.0,  # the mask without a known pixel has no depth
    }


def test_no_mask_has_no_holes_to_speak_of() -> None:
    assert measure_holes([], 32) is None


def rewritten(path: Path, version: int, **changes: object) -> Path:
    """Write a checkpoint again, as another version would have."""
    with safe_open(path, framework="pt") as file:
        document = json.loads(file.metadata()[HEADER])
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    document["format"]["version"] = version
    document = {key: value for key, value in (document | changes).items() if value is not Ellipsis}
    save_file(weights, path, metadata={HEADER: json.dumps(document)})
    return path


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    info = CheckpointInfo(SMALL, TrainConfig(7), 5, "ab" * 32, 32, {}, measure_holes([mask()], 32))
    save_weights(tmp_path / "a.safetensors", PartialConvUNet(SMALL), info)
    return tmp_path / "a.safetensors"


def test_a_checkpoint_of_the_version_before_is_read(checkpoint: Path) -> None:
    assert load_weights(checkpoint)[1].holes == TrainedHoles(1, 32, 0.0, 0.0, 0.0, 0.0)
    assert load_weights(rewritten(checkpoint, 2, holes=...))[1].holes is None


@pytest.mark.parametrize("version", [1, 4])
def test_versions_of_another_time_are_refused(checkpoint: Path, version: int) -> None:
    with pytest.raises(CheckpointError, match=rf"'version': {version}}}; this version reads"):
        load_weights(rewritten(checkpoint, version))


def test_holes_that_are_none_are_a_sentence(checkpoint: Path) -> None:
    with pytest.raises(CheckpointError, match=r"a\.safetensors cannot be read: .*'depth'"):
        load_weights(rewritten(checkpoint, 3, holes={"depth": 1}))


def test_a_run_measures_its_training_split_and_says_so(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = open_split(dataset, "train", SMALL)
    masks = list(training.masks())
    out = tmp_path / "run"
    start_run(dataset, out, SMALL, TrainConfig(1, batch_size=4, samples=0))
    train(out, Execution(torch.device("cpu")), StopRequest(), Watcher())
    holes = load_weights(out / "last.safetensors")[1].holes
    assert holes is not None
    assert holes.samples == len(masks) > 4
    assert holes.patch_size == masks[0].shape[0]
    assert holes.hole_ratio_max == pytest.approx(max(1 - one.mean() for one in masks))
    assert holes.radius_px_max >= 1
    monkeypatch.setattr(stored, "MOST_MEASURED", 4)
    spaced = masks[:: -(-len(masks) // 4)]
    found = holes_of(training)
    assert found is not None
    assert found.samples == len(spaced)
    assert found.hole_ratio_mean == pytest.approx(np.mean([1 - one.mean() for one in spaced]))
