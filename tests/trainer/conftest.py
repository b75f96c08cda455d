"""The trainer's tests need torch; without it this folder is left out as a whole."""

from importlib.util import find_spec
from pathlib import Path

import pytest

collect_ignore_glob = ["test_*.py"] if find_spec("torch") is None else []


@pytest.fixture(scope="session")
def vgg_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of random weights for VGG-16; no test may change it."""
    import torch

    from random_vgg import random_vgg

    path = tmp_path_factory.mktemp("vgg") / "random.pth"
    torch.save(random_vgg(), path)
    return path
