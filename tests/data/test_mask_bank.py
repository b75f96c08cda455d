"""A bank holds the masks its recipe names, whatever its size, and knows when it was touched."""

import json
from pathlib import Path

import numpy as np
import pytest

from dunhuang_data.errors import MaskError, OutputExistsError
from dunhuang_data.mask_bank import open_bank, write_bank
from dunhuang_data.mask_orders import make_mask
from dunhuang_data.mask_recipe import MaskRecipe

RECIPE = MaskRecipe(shape_hw=(21, 34), steps=(80, 80), count=7, seed=2)


def test_the_bank_gives_back_every_mask(tmp_path: Path) -> None:
    write_bank(RECIPE, tmp_path / "masks", masks_per_file=3)
    bank = open_bank(tmp_path / "masks")
    assert len(bank) == 7
    assert bank.recipe == RECIPE
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == [
        "bank.json", "valid-00000.npy", "valid-00001.npy", "valid-00002.npy",
    ]  # fmt: skip
    for index, valid in enumerate(bank):
        assert np.array_equal(valid, make_mask(RECIPE, index))
        assert valid.shape == (21, 34)


def test_a_larger_bank_begins_with_the_smaller_one(tmp_path: Path) -> None:
    write_bank(RECIPE, tmp_path / "few")
    write_bank(MaskRecipe((21, 34), (80, 80), 12, 2), tmp_path / "many")
    few, many = open_bank(tmp_path / "few"), open_bank(tmp_path / "many")
    assert all(np.array_equal(few.read(index), many.read(index)) for index in range(7))
    assert not np.array_equal(few.read(0), few.read(1))


def test_the_same_recipe_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_bank(RECIPE, tmp_path / name)
    for file in ("bank.json", "valid-00000.npy"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_changed_bytes_are_found(tmp_path: Path) -> None:
    write_bank(RECIPE, tmp_path / "masks")
    file = tmp_path / "masks" / "valid-00000.npy"
    data = bytearray(file.read_bytes())
    data[-5] ^= 1
    file.write_bytes(data)
    with pytest.raises(MaskError, match=r"valid-00000\.npy \(masks 0 to 6\) is missing or is not"):
        open_bank(tmp_path / "masks")


def test_a_file_of_another_shape_is_found_without_its_hash(tmp_path: Path) -> None:
    write_bank(RECIPE, tmp_path / "masks")
    np.save(tmp_path / "masks" / "valid-00000.npy", np.zeros((7, 21, 4), dtype=np.uint8))
    bank = open_bank(tmp_path / "masks", check_hashes=False)
    with pytest.raises(MaskError, match=r"holds uint8 \(7, 21, 4\), expected uint8 \(7, 21, 5\)"):
        bank.read(0)


def test_what_is_no_bank_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(MaskError, match=r"is not a mask bank: there is no bank\.json"):
        open_bank(tmp_path)
    write_bank(RECIPE, tmp_path / "masks")
    with pytest.raises(MaskError, match="has masks 0 to 6, no 7"):
        open_bank(tmp_path / "masks").read(7)
    with pytest.raises(OutputExistsError, match="already holds an output"):
        write_bank(RECIPE, tmp_path / "masks")


def test_the_changed_file_is_named_with_its_masks(tmp_path: Path) -> None:
    write_bank(RECIPE, tmp_path / "masks", masks_per_file=3)
    (tmp_path / "masks" / "valid-00001.npy").unlink()
    with pytest.raises(MaskError, match=r"valid-00001\.npy \(masks 3 to 5\) is missing"):
        open_bank(tmp_path / "masks")
    write_bank(RECIPE, tmp_path / "other", masks_per_file=3)
    (tmp_path / "other" / "valid-00002.npy").write_bytes(b"")
    with pytest.raises(MaskError, match=r"valid-00002\.npy \(mask 6\) is missing or is not"):
        open_bank(tmp_path / "other")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"masks_per_file": 0}, "masks_per_file is 0, expected a whole number from 1"),
        ({"masks_per_file": 2}, "7 masks, 2 a file, do not lie in the files it lists"),
        ({"format": {"name": "dunhuang-masks", "version": 1}}, r"has the format .*'version': 1"),
    ],
)
def test_a_marker_that_was_edited_is_a_sentence(
    tmp_path: Path, change: dict[str, object], sentence: str
) -> None:
    write_bank(RECIPE, tmp_path / "masks", masks_per_file=3)
    marker = tmp_path / "masks" / "bank.json"
    marker.write_text(json.dumps({**json.loads(marker.read_text()), **change}))
    with pytest.raises(MaskError, match=sentence):
        open_bank(tmp_path / "masks")
