"""What an exported file says of itself: one JSON document in its own metadata."""

import json
from dataclasses import asdict
from typing import Any

import torch

from dunhuang_data import __version__
from dunhuang_trainer.checkpoint import CheckpointInfo

FORMAT = {"name": "dunhuang-network", "version": 1}
KEY = "dunhuang"  # of the document, in a file's metadata
INPUTS = {
    "image": "(batch, 3, height, width) float32: sRGB, red first, in [0, 1]; holes hold anything",
    "valid": "(batch, 1, height, width) float32: 1 = known, 0 = hole, nothing between",
}
OUTPUTS = {
    "restored": "(batch, 3, height, width) float32: known pixels are those of image; holes are "
    "in [0, 1], the mean colour of the known pixels where the network sees none"
}
SIZES = "any batch, height and width from 1"


def network_document(info: CheckpointInfo, checkpoint_sha256: str) -> dict[str, Any]:
    """Return what every kind of exported file says of itself."""
    return {
        "format": FORMAT,
        "inputs": INPUTS,
        "outputs": OUTPUTS,
        "sizes": SIZES,
        "model": asdict(info.model),
        "step": info.step,
        "patch_size": info.patch_size,
        "dataset_sha256": info.dataset_sha256,
        "checkpoint_sha256": checkpoint_sha256,
        "versions": {"dunhuang": __version__, "torch": str(torch.__version__)},
    }


def as_text(document: dict[str, Any]) -> str:
    """Return a document as the text that is stored."""
    return json.dumps(document, ensure_ascii=False)
