"""Take a network out of a checkpoint, into a file that other programs run."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dunhuang_data.atomic import explained, new_file
from dunhuang_trainer.checkpoint import load_weights
from dunhuang_trainer.model import PartialConvUNet
from dunhuang_trainer.netexport.checking import (
    ALLOWED,
    CheckedSize,
    ExportFault,
    check_export,
    expected_of,
)
from dunhuang_trainer.netexport.documents import network_document
from dunhuang_trainer.netexport.graphs import (
    Run,
    onnx_bytes,
    onnx_runner,
    require,
    torchscript_bytes,
    torchscript_runner,
)
from dunhuang_trainer.netexport.weights import network_of, weights_bytes

__all__ = [
    "ALLOWED",
    "KINDS",
    "CheckedSize",
    "ExportFault",
    "Exported",
    "Kind",
    "check_export",
    "export_network",
]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of exported file.

    Attributes
    ----------
    ending : str
        Of the file's name, beside the checkpoint's.
    write : callable
        The file's bytes, of a network and of what is said of it.
    load : callable
        What runs such a file.
    packages, checked_by : tuple of str
        What writing needs beside torch, and running.
    """

    ending: str
    write: Callable[[PartialConvUNet, dict[str, Any]], bytes]
    load: Callable[[Path], Run]
    packages: tuple[str, ...] = ()
    checked_by: tuple[str, ...] = ()


def _weights_runner(path: Path) -> Run:
    network = network_of(path)
    return lambda image, valid: expected_of(network, image, valid)


KINDS = {
    "safetensors": Kind(".weights.safetensors", weights_bytes, _weights_runner),
    "onnx": Kind(".onnx", onnx_bytes, onnx_runner, ("onnx", "onnxscript"), ("onnxruntime",)),
    "torchscript": Kind(".pt", torchscript_bytes, torchscript_runner),
}


@dataclass(frozen=True, slots=True)
class Exported:
    """An exported file.

    Attributes
    ----------
    path : Path
    size : int
        Bytes.
    sha256 : str
    checked : tuple of CheckedSize
        Empty if it was not checked.
    """

    path: Path
    size: int
    sha256: str
    checked: tuple[CheckedSize, ...]

    @property
    def max_difference(self) -> float | None:
        """The largest difference that the check found, if there was one."""
        return max((one.max_difference for one in self.checked), default=None)


def export_network(checkpoint: Path, to: str, out: Path, check: bool = False) -> Exported:
    """Write the network of a checkpoint as another program wants it.

    Parameters
    ----------
    checkpoint : Path
    to : {"safetensors", "onnx", "torchscript"}
    out : Path
        Replaced if it is there.
    check : bool
        Run the file by its own runtime beside the network; see `check_export`. It gets its name
        only if they agree.

    Raises
    ------
    CheckpointError
        If the checkpoint cannot be read.
    EnvironmentProblem
        If a package is missing; before anything is done.
    ExportFault
        If the check fails. Nothing is written then.
    """
    kind = KINDS[to]
    require(*kind.packages, *(kind.checked_by if check else ()))
    model, info = load_weights(checkpoint)
    document = network_document(info, hashlib.sha256(checkpoint.read_bytes()).hexdigest())
    data = kind.write(model, document)
    checked: tuple[CheckedSize, ...] = ()
    with explained(out, every=True), new_file(out) as temporary:
        temporary.write_bytes(data)
        if check:
            checked = tuple(check_export(model, kind.load(temporary)))
    return Exported(out, len(data), hashlib.sha256(data).hexdigest(), checked)
