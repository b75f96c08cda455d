"""A tiny dataset, made once a session from pictures that are drawn, never square."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from drawings import SIZE, TINY_PLAN, write_pictures
from dunhuang_data.build import build_dataset
from dunhuang_data.mask_bank import open_bank, write_bank
from dunhuang_data.mask_recipe import MaskRecipe
from dunhuang_data.plan import make_plan, write_plan
from dunhuang_data.recipe import BuildRecipe

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("repeatable")

SHARED = "PYTEST_XDIST_WORKER" in os.environ  # several processes share the tests
if SHARED:  # before torch is loaded: its threads would wait for those of the other process
    os.environ.setdefault("OMP_NUM_THREADS", "1")

LONG = ("test_packaging.py", "test_docs.py", "test_end_to_end.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests of a minute, where several processes share them: they end together."""
    if SHARED:
        items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else 9)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of eight small pictures of four formats; no test may change it."""
    return write_pictures(tmp_path_factory.mktemp("pictures") / "murals")


@pytest.fixture(scope="session")
def plan_root(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plan of TINY_PLAN; every split has pictures."""
    out = tmp_path_factory.mktemp("plan") / "plan"
    plan = make_plan([pictures], TINY_PLAN)
    assert all(plan.count_by_split().values())
    write_plan(plan, out)
    return out


@pytest.fixture(scope="session")
def bank_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bank of 48 masks of 32 px."""
    out = tmp_path_factory.mktemp("bank") / "masks"
    write_bank(MaskRecipe(shape_hw=(SIZE, SIZE), steps=(400, 400), count=48, seed=5), out)
    return out


@pytest.fixture(scope="session")
def make_dataset(
    pictures: Path, bank_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Return a function that builds the tiny dataset in a format, once."""
    made: dict[str, Path] = {}

    def make(format: str) -> Path:
        if format not in made:
            out = tmp_path_factory.mktemp(format) / "shards"
            plan = make_plan([pictures], TINY_PLAN)
            build_dataset(plan, open_bank(bank_root), out, BuildRecipe(format, shard_size=7))
            made[format] = out
        return made[format]

    return make


@pytest.fixture(scope="session")
def dataset(make_dataset: Callable[[str], Path]) -> Path:
    """The tiny dataset as Zarr; no test may change it."""
    return make_dataset("zarr")


@pytest.fixture(scope="session")
def vgg_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of random weights for VGG-16; no test may change it."""
    import torch

    from random_vgg import random_vgg

    path = tmp_path_factory.mktemp("vgg") / "random.pth"
    torch.save(random_vgg(), path)
    return path
