"""torchvision can be imported wherever it is installed."""

import subprocess
import sys

import pytest

pytest.importorskip("torch")


def test_torchvision_is_imported_once_it_is_prepared() -> None:
    script = (
        "from dunhuang_trainer.torchvision_import import prepare_torchvision\n"
        "prepare_torchvision()\n"
        "prepare_torchvision()\n"
        "from torchvision.models import vgg16\n"
        "print(sum(one.numel() for one in vgg16().features.parameters()))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "14714688", done.stderr
