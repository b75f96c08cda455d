"""The two files that hold a whole network, operators and all: ONNX and TorchScript."""

import io
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from dunhuang_data.errors import EnvironmentProblem
from dunhuang_trainer.model import PartialConvUNet
from dunhuang_trainer.netexport.documents import KEY, as_text
from dunhuang_trainer.netexport.fills import (
    MOST_PX,
    ScriptedFill,
    fill_by_operator,
    onnx_fill,
    quiet,
)
from dunhuang_trainer.netexport.network import ExportedNetwork

_jit: Any = torch.jit  # it has no types
OPSET = 20
AXES = {0: "batch", 2: "height", 3: "width"}
Run = Callable[[Tensor, Tensor], Tensor]
"""Takes ``image`` and ``valid``, gives ``restored``."""


def require(*packages: str) -> None:
    """Refuse to go on without packages of the extra ``export``.

    Raises
    ------
    EnvironmentProblem
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise EnvironmentProblem(
            f"This export needs {' and '.join(missing)}, which this installation lacks. Install "
            "with: pip install 'dunhuang-data[export]' (in a clone: pip install -e '.[export]')"
        )


def onnx_bytes(model: PartialConvUNet, document: dict[str, Any]) -> bytes:
    """Return a network as an ONNX file.

    Raises
    ------
    EnvironmentProblem
        If a package is missing.
    """
    require("onnx", "onnxscript")
    axes = {place: torch.export.Dim(name) for place, name in AXES.items()}
    with quiet(), torch.no_grad():
        program = torch.onnx.export(
            ExportedNetwork(model, fill_by_operator),
            # taller than the least size, which the network treats as a case apart: of that height
            # torch would hold every picture to it
            _example(model.config.multiple + 3, model.config.multiple + 5),
            dynamo=True,
            verbose=False,
            optimize=False,  # a third of the time; runtimes do it by themselves, for their machine
            opset_version=OPSET,
            input_names=["image", "valid"],
            output_names=["restored"],
            dynamic_shapes={"image": axes, "valid": axes},
            custom_translation_table={torch.ops.dunhuang.push_pull.default: onnx_fill},
        )
    assert program is not None
    onnx_model = program.model
    for node in onnx_model.graph.all_nodes():
        node.metadata_props.clear()  # stack traces, with the paths of this machine
    if model.config.base != "none":
        document = {**document, "sizes": f"{document['sizes']}, sides to {MOST_PX:,} px"}
    onnx_model.metadata_props.clear()
    onnx_model.metadata_props[KEY] = as_text(document)
    onnx_model.graph.name = "dunhuang"
    for value in (*onnx_model.graph.inputs, *onnx_model.graph.outputs):
        told = {**document["inputs"], **document["outputs"]}
        value.doc_string = told[str(value.name)]
    return cast(bytes, program.model_proto.SerializeToString(deterministic=True))


def torchscript_bytes(model: PartialConvUNet, document: dict[str, Any]) -> bytes:
    """Return a network as a TorchScript file."""
    contents = io.BytesIO()
    with quiet(), torch.no_grad():
        # wider than the least size: what is traced is the general case
        example = _example(model.config.multiple - 1, model.config.multiple + 1)
        network = ExportedNetwork(model, ScriptedFill())
        traced = _jit.trace(network, example, check_trace=False)
        _jit.save(traced, contents, _extra_files={f"{KEY}.json": as_text(document)})
    return _without_paths(contents)


def _without_paths(archive: io.BytesIO) -> bytes:
    """Return a TorchScript file without its ``.debug_pkl``, which hold paths of this machine."""
    kept = io.BytesIO()
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(kept, "w") as target:
        for entry in source.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                target.writestr(zipfile.ZipInfo(entry.filename), source.read(entry))
    return kept.getvalue()


def onnx_runner(path: Path) -> Run:
    """Load an ONNX file by onnxruntime, on the CPU.

    Raises
    ------
    EnvironmentProblem
        If onnxruntime is missing.
    """
    require("onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )

    def run(image: Tensor, valid: Tensor) -> Tensor:
        named = {"image": image.numpy(), "valid": valid.numpy()}
        return torch.from_numpy(session.run(["restored"], named)[0])

    return run


def torchscript_runner(path: Path) -> Run:
    """Load a TorchScript file, on the CPU."""
    with quiet():
        loaded = _jit.load(io.BytesIO(path.read_bytes()), map_location="cpu")

    def run(image: Tensor, valid: Tensor) -> Tensor:
        with quiet(), torch.no_grad():
            return cast(Tensor, loaded(image, valid))

    return run


def _example(height: int, width: int) -> tuple[Tensor, Tensor]:
    return torch.full((2, 3, height, width), 0.5), torch.ones(2, 1, height, width)
