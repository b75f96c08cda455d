"""The score on which the best weights are chosen, against NumPy."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dunhuang_data.types import Samples
from dunhuang_trainer.config import ModelConfig
from dunhuang_trainer.data import DatasetReader, open_split
from dunhuang_trainer.model import PartialConvUNet
from dunhuang_trainer.training.validation import hole_mse

CPU = torch.device("cpu")
SMALL = ModelConfig(width=4, levels=3)


def network() -> PartialConvUNet:
    torch.manual_seed(1)
    return PartialConvUNet(SMALL)


def by_hand(model: PartialConvUNet, samples: Samples) -> float:
    """Return the score as its definition says."""
    target = torch.tensor(samples.image).permute(0, 3, 1, 2).float() / 255
    valid = torch.tensor(samples.valid)[:, None].float()
    with torch.no_grad():
        predicted = model.eval()(target * valid, valid).clamp(0, 1)
    error = 255.0 * (predicted - target).numpy().astype(np.float64)
    counted = np.broadcast_to(((samples.valid == 0) & (samples.damage == 0))[:, None], error.shape)
    return float(np.square(error[counted]).mean())


@pytest.mark.parametrize("batch_size", [2, 5])
def test_it_is_the_mean_over_all_hole_pixels(dataset: Path, batch_size: int) -> None:
    reader, model = open_split(dataset, "val", SMALL), network()
    expected = by_hand(model, reader.read(range(len(reader))))
    assert hole_mse(model, reader, batch_size, CPU) == pytest.approx(expected, rel=1e-5)


def test_damage_does_not_count(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, model = open_split(dataset, "val", SMALL), network()
    whole = hole_mse(model, reader, 4, CPU)
    read = DatasetReader.read_stored

    def damaged(self: DatasetReader, rows: object, out: dict[str, np.ndarray]) -> object:
        result = read(self, rows, out=out)  # type: ignore[arg-type]
        if "damage" in out:
            out["damage"][:, ::2] = 255
        return result

    monkeypatch.setattr(DatasetReader, "read_stored", damaged)
    samples = reader.read(range(len(reader)))
    damage = np.zeros_like(samples.damage)
    damage[:, ::2] = 1
    expected = by_hand(model, Samples(samples.image, samples.valid, damage))
    assert expected != pytest.approx(whole, rel=1e-3)
    assert hole_mse(model, reader, 4, CPU) == pytest.approx(expected, rel=1e-5)


def test_what_is_no_number_is_infinite(dataset: Path) -> None:
    reader, model = open_split(dataset, "val", SMALL), network()
    with torch.no_grad():
        model.get_parameter("decoder.2.conv.bias").fill_(float("nan"))
    assert hole_mse(model, reader, 4, CPU) == float("inf")
