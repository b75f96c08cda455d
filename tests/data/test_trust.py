"""Whatever happens to the bytes: verify finds it, and the reader never returns wrong ones."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from drawings import write_pictures
from dunhuang_data.build import build_dataset
from dunhuang_data.convert import convert_dataset
from dunhuang_data.errors import DatasetError
from dunhuang_data.mask_bank import open_bank, write_bank
from dunhuang_data.mask_recipe import MaskRecipe
from dunhuang_data.plan import make_plan
from dunhuang_data.reader import DatasetReader
from dunhuang_data.recipe import BuildRecipe, PlanRecipe
from dunhuang_data.rng import raw_words, rng_for
from dunhuang_data.types import SPLITS, Samples, Split
from dunhuang_data.verify import verify_dataset
from stored import stored_arrays

PATCH = 9  # px: one byte and a bit
SHARD = 5
STORED = [
    ("zarr", "none"),
    ("zarr", "gzip"),
    ("zarr", "lossless"),
    ("hdf5", "none"),
    ("hdf5", "gzip"),
]
TIMES = 100  # corruptions a test
Undo = Callable[[], None]
Contents = dict[Split, Samples]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build 16 samples in four shards."""
    folder = tmp_path_factory.mktemp("trust")
    recipe = PlanRecipe(patch_size=PATCH, per_picture=2, split=(0.5, 0.25, 0.25), seed=1)
    write_bank(MaskRecipe((PATCH, PATCH), (30, 30), 16, seed=5), folder / "masks")
    build_dataset(
        make_plan([write_pictures(folder / "murals")], recipe),
        open_bank(folder / "masks"),
        folder / "shards",
        BuildRecipe("zarr", SHARD),
        documents={"run.toml": "[build]\nseed = 1\n"},
    )
    return folder / "shards"


@pytest.fixture(scope="module")
def make(first: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Return a function that converts it, once."""
    made: dict[tuple[str, str], Path] = {}

    def convert(format: str, codec: str) -> Path:
        if (format, codec) not in made:
            out = tmp_path_factory.mktemp("stored") / "shards"
            recipe = BuildRecipe(format, SHARD, codec)
            convert_dataset(first, out, recipe, documents={"run.toml": "[convert]\n"})
            made[format, codec] = out
        return made[format, codec]

    return convert


def contents(root: Path) -> Contents:
    found = {}
    for split in SPLITS:
        reader = DatasetReader(root, split)
        found[split] = reader.read(range(len(reader)))
    return found


def files_of(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


class Draws:
    """Whole numbers below a bound, one after another, from raw words."""

    def __init__(self, *key: str | int) -> None:
        self._words = iter(raw_words(rng_for(7, "corruption", *key), 4096).tolist())

    def below(self, bound: int) -> int:
        return int(next(self._words)) % bound


def corrupt(root: Path, draws: Draws) -> tuple[str, dict[Path, bytes]]:
    """Do one thing to a dataset; return what was done and the files as they were."""
    files = files_of(root)
    path = files[draws.below(len(files))]
    if draws.below(2):  # most bytes lie in shards; most files do not hold many
        ends = list(itertools.accumulate(one.stat().st_size for one in files))
        at = draws.below(ends[-1])
        path = next(one for one, end in zip(files, ends, strict=True) if at < end)
    kind = ("flip", "flip", "flip", "truncate", "delete", "swap", "zeros", "append")[draws.below(8)]
    data = path.read_bytes()
    before = {path: data}
    what = f"{kind} {path.relative_to(root)}"
    if kind == "flip":
        changed, bit = bytearray(data), draws.below(8 * len(data))
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        what += f" bit {bit}"
    elif kind == "truncate":
        end = draws.below(len(data))
        path.write_bytes(data[:end])
        what += f" at {end}"
    elif kind == "delete":
        path.unlink()
    elif kind == "swap":
        other = next(one for one in itertools.cycle(files) if one.read_bytes() != data)
        for _ in range(draws.below(len(files))):
            candidate = files[draws.below(len(files))]
            other = candidate if candidate.read_bytes() != data else other
        before[other] = other.read_bytes()
        path.write_bytes(before[other])
        other.write_bytes(data)
        what += f" with {other.relative_to(root)}"
    elif kind == "zeros":
        path.write_bytes(bytes(len(data)))
    else:
        path.write_bytes(data + bytes([draws.below(256)]))
    return what, before


def missed(root: Path) -> bool:
    try:
        return verify_dataset(root) == []
    except DatasetError:
        return False


def wrong_bytes(root: Path, expected: Contents) -> Iterator[str]:
    """Read all there is, in every way; yield what is not as it was and raised no error."""
    for split, samples in expected.items():
        stored = stored_arrays(samples)
        count = len(samples.image)
        try:
            reader = DatasetReader(root, split)
            if len(reader) != count:  # a wrong number, which no shard agrees with
                reader.read([len(reader) - 1])
                yield f"{split} has {len(reader)} rows"
        except DatasetError:
            continue
        try:
            found = reader.read(range(count))
            for name in ("image", "valid", "damage"):
                if not np.array_equal(getattr(found, name), getattr(samples, name)):
                    yield f"read {split} {name}"
        except DatasetError:
            pass
        for row in range(count):
            try:
                one = reader.read_stored([row])
            except DatasetError:
                continue
            for name, values in one.items():
                if not np.array_equal(values[0], stored[name][row]):
                    yield f"read_stored {split} {name} {row}"


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize(("format", "codec"), STORED)
def test_a_thousand_corruptions_are_found_and_none_is_read(
    make: Callable[[str, str], Path], format: str, codec: str, part: int
) -> None:
    root = make(format, codec)
    expected, kinds = contents(root), set()
    for number in range(part * TIMES, (part + 1) * TIMES):
        what, before = corrupt(root, Draws(format, codec, number))
        try:
            assert not missed(root), f"{number}: {what}: verify missed it"
            assert list(wrong_bytes(root, expected)) == [], f"{number}: {what}"
        finally:
            for path, data in before.items():
                path.write_bytes(data)
        kinds.add(what.split()[0])
    assert kinds == {"flip", "truncate", "delete", "swap", "zeros", "append"}
    assert verify_dataset(root) == []  # all is as it was
