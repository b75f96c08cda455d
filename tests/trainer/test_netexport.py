"""An exported network computes what the checkpoint's does, at any size, in its own runtime."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from dunhuang_data.errors import EnvironmentProblem
from dunhuang_trainer.checkpoint import CheckpointInfo, load_weights, save_weights
from dunhuang_trainer.config import ModelConfig, TrainConfig
from dunhuang_trainer.model import PartialConvUNet
from dunhuang_trainer.netexport import KINDS, ExportFault, check_export, export_network
from dunhuang_trainer.netexport import graphs as graphs_module
from dunhuang_trainer.netexport.checking import MASKS, draw_case, expected_of
from dunhuang_trainer.netexport.fills import ScriptedFill, quiet
from dunhuang_trainer.netexport.graphs import onnx_runner, torchscript_runner
from dunhuang_trainer.push_pull import push_pull_fill
from dunhuang_trainer.restore import restore_picture

CONFIG = ModelConfig(width=4, levels=2)
OTHERS = [
    CONFIG,
    replace(CONFIG, base="none"),
    replace(CONFIG, convolution="plain", levels=3),
    replace(CONFIG, convolution="plain", base="none", decoder="concat"),
]


def trained(config: ModelConfig) -> PartialConvUNet:
    """Return a network whose every weight and statistic matters."""
    torch.manual_seed(1)
    model = PartialConvUNet(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            scale = 0.3 if parameter.ndim == 1 else (2 / parameter[0].numel()) ** 0.5
            parameter.normal_(0, scale)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
    return model


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[[ModelConfig], Path]:
    def write(config: ModelConfig) -> Path:
        path = tmp_path / "best.safetensors"
        info = CheckpointInfo(config, TrainConfig(7), 5, "ab" * 32, 64, {})
        save_weights(path, trained(config), info)
        return path

    return write


@pytest.mark.parametrize("to", ["safetensors", "torchscript"])
@pytest.mark.parametrize("config", OTHERS)
def test_every_network_comes_out_as_it_is(
    checkpoint: Callable[[ModelConfig], Path], tmp_path: Path, config: ModelConfig, to: str
) -> None:
    done = export_network(checkpoint(config), to, tmp_path / "out", check=True)
    assert done.max_difference is not None
    assert done.max_difference < 1e-5
    assert {(one.height % 8, one.masks) for one in done.checked} >= {(5, 7), (1, 7)}
    assert (1000, 1010, 1) in {(one.height, one.width, one.masks) for one in done.checked}
    assert done.path.stat().st_size == done.size


@pytest.mark.parametrize("base", ["push-pull", "none"])
def test_onnx_takes_any_size_and_says_what_it_takes(
    checkpoint: Callable[[ModelConfig], Path], tmp_path: Path, base: str
) -> None:
    onnx = pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    path = checkpoint(replace(CONFIG, base=base, levels=1))
    done = export_network(path, "onnx", tmp_path / "a.onnx", check=True)
    assert done.max_difference is not None
    assert 0 < done.max_difference < 1e-5
    contents = done.path.read_bytes()
    onnx.checker.check_model(onnx.load_from_string(contents), full_check=True)
    session = onnxruntime.InferenceSession(contents, providers=["CPUExecutionProvider"])
    shapes = {one.name: one.shape for one in (*session.get_inputs(), *session.get_outputs())}
    assert shapes == {
        "image": ["batch", 3, "height", "width"],
        "valid": ["batch", 1, "height", "width"],
        "restored": ["batch", 3, "height", "width"],
    }
    document = json.loads(session.get_modelmeta().custom_metadata_map["dunhuang"])
    assert document["inputs"].keys() == {"image", "valid"}
    assert document["model"]["base"] == base
    assert ("65,536 px" in document["sizes"]) == (base == "push-pull")
    assert b".py" not in contents  # no path of the machine that made it
    model, _ = load_weights(path)
    for height, width in ((1, 40), (50, 1), (33, 71)):  # none of them checked by the export itself
        image, valid = draw_case(height, width, seed=3)
        inputs = {"image": image.numpy(), "valid": valid.numpy()}
        (restored,) = session.run(None, inputs)
        np.testing.assert_allclose(restored, expected_of(model, image, valid).numpy(), atol=1e-5)


def test_it_is_what_restore_writes(
    checkpoint: Callable[[ModelConfig], Path], tmp_path: Path
) -> None:
    """But for what is out of sight of every known pixel: there it has their mean colour."""
    path = checkpoint(replace(CONFIG, base="none"))
    run = torchscript_runner(export_network(path, "torchscript", tmp_path / "a.pt").path)
    picture = np.random.default_rng(0).integers(0, 256, (61, 75, 3), dtype=np.uint8)
    valid = np.zeros((61, 75), dtype=np.uint8)
    valid[:20, :20] = 1
    model, _ = load_weights(path)
    expected, out_of_reach = restore_picture(model, picture, valid, torch.device("cpu"))
    assert out_of_reach.any()
    image = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    restored = run(image, torch.from_numpy(valid)[None, None].float())
    assert torch.equal(restored[..., :20, :20], image[..., :20, :20])
    levels = (restored[0].permute(1, 2, 0) * 255).round().numpy().astype(np.int16)
    seen = ~out_of_reach
    assert np.abs(levels - expected)[seen].max() <= 1
    assert (levels == expected)[seen].mean() > 0.99
    mean = picture[:20, :20].reshape(-1, 3).mean(axis=0)
    assert np.abs(levels[out_of_reach] - mean).max() <= 1


@pytest.mark.parametrize("base", ["push-pull", "none"])
def test_what_lies_in_holes_changes_nothing_not_even_nan(
    checkpoint: Callable[[ModelConfig], Path], tmp_path: Path, base: str
) -> None:
    path = checkpoint(replace(CONFIG, base=base))
    run = torchscript_runner(export_network(path, "torchscript", tmp_path / "a").path)
    image, valid = draw_case(9, 60, seed=0)  # wider than the network sees
    empty = torch.where(valid > 0, image, torch.nan)
    assert torch.equal(run(image, valid), run(empty, valid))


@pytest.mark.parametrize("side", [(1, 1), (1, 7), (5, 3), (2, 9), (33, 64)])
def test_the_compiled_fill_is_the_fill(side: tuple[int, int]) -> None:
    image, valid = draw_case(*side, seed=1)
    with torch.no_grad():
        apart = (ScriptedFill()(image, valid) - push_pull_fill(image, valid)).abs().max()
    assert apart < 2e-6


def test_the_weights_alone_load_without_this_package(
    checkpoint: Callable[[ModelConfig], Path], tmp_path: Path
) -> None:
    path = export_network(checkpoint(CONFIG), "safetensors", tmp_path / "a").path
    with safe_open(path, framework="numpy") as file:
        document = json.loads(file.metadata()["dunhuang"])
        shapes = {name: file.get_tensor(name).shape for name in file.keys()}  # noqa: SIM118
    assert document["format"]["name"] == "dunhuang-network-weights"
    assert [one["name"] for one in document["layers"]] == [
        "encoder.0", "encoder.1", "decoder.0", "decoder.1",
    ]  # fmt: skip
    assert document["layers"][0]["planes"] == [3, 4]
    assert document["correction"] == 0.1
    for layer in document["layers"]:
        outputs, inputs, kernel, _ = shapes.pop(f"{layer['name']}.weight")
        assert (inputs, kernel) == (sum(layer["planes"]), layer["kernel"])
        assert shapes.pop(f"{layer['name']}.bias") == (outputs,)
    assert not shapes


def test_a_torchscript_file_says_what_it_is(
    checkpoint: Callable[[ModelConfig], Path], tmp_path: Path
) -> None:
    path = export_network(checkpoint(CONFIG), "torchscript", tmp_path / "a.pt").path
    told = {"dunhuang.json": ""}
    with quiet():
        torch.jit.load(path, _extra_files=told)  # type: ignore[no-untyped-call]
    document = json.loads(told["dunhuang.json"])
    assert document["format"] == {"name": "dunhuang-network", "version": 1}
    assert document["step"] == 5
    assert str(Path(__file__).parents[2]).encode() not in path.read_bytes()


def test_the_check_draws_the_masks_that_it_names() -> None:
    image, valid = draw_case(40, 50, seed=0)
    assert image.shape == (len(MASKS), 3, 40, 50)
    assert 0 <= image.min() < 0.01
    assert 0.99 < image.max() < 1
    known = valid.sum(dim=(1, 2, 3)).tolist()
    assert known[0::3] == [2000, 1, 0]
    assert known[1] == pytest.approx(1400, abs=80)
    assert known[2] == pytest.approx(40, abs=20)
    assert known[4:6] == [2000 - 38 * 48, 1000]
    assert bool(((valid == 0) | (valid == 1)).all())


@pytest.mark.parametrize("wrong", [0.001, float("nan")])
def test_a_difference_in_one_picture_of_a_batch_is_found(wrong: float) -> None:
    model = trained(CONFIG)

    def run(image: Tensor, valid: Tensor) -> Tensor:
        restored = expected_of(model, image, valid)
        if image.shape[-1] > 1:
            restored[MASKS.index("one pixel known"), 1, -1, -1] += wrong
        return restored

    with pytest.raises(ExportFault, match=r"on 4 x 4 px .*one pixel known; .* at most 0\.0001"):
        check_export(model, run)


def test_other_sizes_out_than_in_are_found() -> None:
    model = trained(CONFIG)

    def run(image: Tensor, valid: Tensor) -> Tensor:
        return nn.functional.pad(expected_of(model, image, valid), (0, -image.shape[-1] % 4))

    with pytest.raises(ExportFault, match=r"gives \(7, 3, 5, 12\) for pictures of 5 x 11 px"):
        check_export(model, run)


def test_what_fails_its_check_gets_no_name(
    checkpoint: Callable[[ModelConfig], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = checkpoint(CONFIG)
    other = trained(CONFIG)
    other.decoder[-1].conv.bias.data += 0.01  # type: ignore[operator, union-attr]
    kind = KINDS["safetensors"]
    monkeypatch.setitem(
        KINDS, "safetensors", replace(kind, write=lambda _m, d: kind.write(other, d))
    )
    with pytest.raises(ExportFault):
        export_network(path, "safetensors", tmp_path / "a", check=True)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("check", "missing", "expected"),
    [(False, "onnxscript", "needs onnxscript, which"), (True, "onnxruntime", "needs onnxruntime")],
)
def test_a_missing_package_is_named_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: bool, missing: str, expected: str
) -> None:
    monkeypatch.setattr(graphs_module, "find_spec", lambda name: None if name == missing else name)
    with pytest.raises(EnvironmentProblem, match=expected):
        export_network(tmp_path / "gone.safetensors", "onnx", tmp_path / "a.onnx", check)


def test_the_mean_colour_of_a_large_picture_is_exact(
    checkpoint: Callable[[ModelConfig], Path], tmp_path: Path
) -> None:
    """Added up one by one, a million colours of four bytes are off by more than is allowed."""
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    path, out = checkpoint(replace(CONFIG, base="none")), tmp_path / "net.onnx"
    export_network(path, "onnx", out)
    rows = torch.linspace(0, 1, 1000).view(1, 1, 1000, 1)
    image = (0.3 + 0.05 * rows).expand(1, 3, 1000, 1000).contiguous()
    valid = torch.ones(1, 1, 1000, 1000)
    valid[..., 450:550, 450:550] = 0
    restored = onnx_runner(out)(image, valid)[0, :, 500, 500]
    mean = image.double()[0, :, valid[0, 0] > 0].mean(dim=1)
    assert (restored.double() - mean).abs().max() < 2e-6
