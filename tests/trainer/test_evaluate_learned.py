"""LPIPS and FID beside the other scores, with random weights that the test makes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from drawings import draw_picture
from dunhuang_data.errors import DatasetError, EnvironmentProblem
from dunhuang_data.types import UInt8Array
from dunhuang_trainer.evaluate import learned as module
from dunhuang_trainer.evaluate.judging import evaluate
from dunhuang_trainer.evaluate.learned import LearnedScores
from dunhuang_trainer.evaluate.targets import Target
from dunhuang_trainer.metrics.learned import load_lpips, lpips_distances
from dunhuang_trainer.metrics.lpips_network import LpipsNetwork

CPU = torch.device("cpu")


class Drawn:
    """Targets in memory, in which the first four columns are damaged."""

    flawed = problems = ()

    def __init__(self, *shapes: tuple[int, int]) -> None:
        self.targets = []
        for place, shape in enumerate(shapes):
            valid = np.ones(shape, dtype=np.uint8)
            valid[3:9, 5 : 12 + place] = 0
            damage = np.zeros_like(valid)
            damage[:, :4] = 1
            image = draw_picture(*shape, str(place))
            self.targets.append(Target(str(place), str(place), image, valid, damage))
        self.keys = [one.key for one in self.targets]

    def shape_of(self, place: int) -> tuple[int, int]:
        height, width = self.targets[place].valid.shape
        return height, width

    def read(self, places: object) -> list[Target]:
        return [self.targets[place] for place in places]  # type: ignore[attr-defined]


def inverted(targets: object) -> list[UInt8Array]:
    return [255 - one.image for one in targets]  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Random weights of LPIPS by AlexNet."""
    folder = tmp_path_factory.mktemp("lpips")
    generator = torch.Generator().manual_seed(5)
    network = LpipsNetwork("alex")
    backbone = {
        f"features.{name}": torch.randn(one.shape, generator=generator) * 0.05
        for name, one in network.layers.state_dict().items()
    }
    linear = {
        f"lin{place}.model.1.weight": torch.rand(1, len(one), 1, 1, generator=generator)
        for place, one in enumerate(network.linear)
    }
    torch.save(backbone, folder / "alexnet.pth")
    torch.save(linear, folder / "alex.pth")
    return folder / "alexnet.pth", folder / "alex.pth"


@pytest.mark.parametrize("shapes", [[(40, 48)] * 3, [(40, 48), (36, 64), (20, 30)]])
def test_every_sample_has_its_lpips(
    files: tuple[Path, Path], shapes: list[tuple[int, int]]
) -> None:
    targets = Drawn(*shapes)
    scores = evaluate(
        targets, [0, 1, 2], {"theirs": inverted}, baselines=["white"],
        learned=LearnedScores(CPU, lpips="alex", lpips_files=files),
    )  # fmt: skip
    network = load_lpips("alex", *files)
    for score in scores:
        one = targets.targets[int(score.key)]
        made = (
            255 - one.image
            if score.method == "theirs"
            else np.where(one.valid[..., None] == 1, one.image, np.uint8(255))
        )
        (expected,) = lpips_distances(network, made[None], one.image[None], one.damage[None])
        assert score.values["lpips"] == pytest.approx(expected, rel=1e-4, nan_ok=True)
        assert np.isnan(expected) == (min(one.valid.shape) < 31)
        assert "mse_hole" in score.values


class MeanColour(nn.Module):
    """Features that can be told by hand: the mean of every channel."""

    def forward(self, pictures: Tensor) -> tuple[Tensor]:
        return (pictures.float().mean(dim=(2, 3)),)


def test_fid_is_that_of_the_features_of_every_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "load_inception", lambda _weights: MeanColour())
    monkeypatch.setattr("dunhuang_trainer.metrics.frechet.FEWEST", 3)
    targets = Drawn((20, 30), (20, 30), (18, 33), (20, 30), (20, 30))
    learned = LearnedScores(CPU, with_fid=True)
    evaluate(
        targets, range(5), {"theirs": inverted, "same": lambda some: [one.image for one in some]},
        baselines=[], batch_size=2, learned=learned,
    )  # fmt: skip
    found = learned.fid()
    assert set(found) == {"theirs", "same"}
    assert found["same"] == pytest.approx(0, abs=1e-6)
    grey = [
        np.where(one.damage[..., None] == 1, np.uint8(128), one.image) for one in targets.targets
    ]
    other = [
        np.where(one.damage[..., None] == 1, np.uint8(128), 255 - one.image)
        for one in targets.targets
    ]
    (a, b) = (np.array([one.mean(axis=(0, 1)) for one in some]) for some in (grey, other))
    means = np.square(a.mean(axis=0) - b.mean(axis=0)).sum()
    # the covariances are nearly alike, so nearly all of it is the means
    assert found["theirs"] == pytest.approx(means, rel=0.05)
    assert found["theirs"] > 100


def test_fid_of_few_is_refused_before_its_weights_are_there() -> None:
    with pytest.raises(DatasetError, match=r"asked for 1,999 pictures, and needs at least 2,000"):
        LearnedScores.check_count(1999)
    LearnedScores.check_count(2000)


def test_missing_weights_are_said(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match=r"gone\.pth, the weights of .* Download"):
        LearnedScores(CPU, lpips="alex", lpips_files=(tmp_path / "gone.pth", None))


def test_nothing_asked_adds_nothing() -> None:
    scores = evaluate(
        Drawn((20, 30)), [0], {"theirs": inverted}, baselines=[], learned=LearnedScores(CPU)
    )
    assert "lpips" not in scores[0].values
    assert LearnedScores(CPU).fid() == {}
