"""Family files: every mask equally often, in every way that keeps its shape before one repeats."""

import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dunhuang_data.errors import MaskError
from dunhuang_data.mask_bank import MaskBank, drawing_of, files_mask, open_bank, write_bank
from dunhuang_data.mask_bank.resampling import symmetry
from dunhuang_data.mask_recipe import MaskRecipe
from dunhuang_data.polarity import pack
from dunhuang_data.types import UInt8Array

MASKS = 5


def bank_of(shape_hw: tuple[int, int], out: Path) -> MaskBank:
    write_bank(MaskRecipe(shape_hw=shape_hw, steps=(60, 60), count=MASKS, seed=3), out)
    return open_bank(out)


def ways_of(valid: UInt8Array) -> set[bytes]:
    """Return the mask turned and mirrored, as bytes, in every way that keeps its shape."""
    turned = [np.rot90(valid, quarter) for quarter in range(4)]
    found = [one for mask in turned for one in (mask, mask[:, ::-1])]
    return {one.tobytes() for one in found if one.shape == valid.shape}


@pytest.mark.parametrize(("shape_hw", "ways"), [((24, 24), 8), ((20, 31), 4)])
def test_each_round_has_every_mask_once_and_each_cycle_every_way(
    tmp_path: Path, shape_hw: tuple[int, int], ways: int
) -> None:
    bank = bank_of(shape_hw, tmp_path / "source")
    recipe = MaskRecipe(
        shape_hw=shape_hw, count=1000, seed=7, family="files", source_sha256=bank.sha256
    )
    originals = [bank.read(row) for row in range(MASKS)]
    row_of = {way: row for row, valid in enumerate(originals) for way in ways_of(valid)}
    assert len(row_of) == ways * MASKS  # so that a mask tells which it is
    drawn = [files_mask(recipe, bank, index) for index in range(2 * ways * MASKS)]
    assert {mask.shape for mask in drawn} == {shape_hw}
    rounds = [
        [row_of[mask.tobytes()] for mask in drawn[first : first + MASKS]]
        for first in range(0, len(drawn), MASKS)
    ]
    assert all(sorted(rows) == list(range(MASKS)) for rows in rounds)
    assert len({tuple(rows) for rows in rounds}) > ways  # each in its own order
    as_they_are = {valid.tobytes() for valid in originals}
    assert {mask.tobytes() for mask in drawn[:MASKS]} == as_they_are
    for cycle in (drawn[: ways * MASKS], drawn[ways * MASKS :]):
        assert set(Counter(mask.tobytes() for mask in cycle).values()) == {1}


def test_the_symmetries_are_those_of_the_square() -> None:
    valid = np.zeros((6, 6), dtype=np.uint8)
    valid[0, 1] = valid[0, 2] = valid[3, 1] = 1
    assert {symmetry(valid, way).tobytes() for way in range(8)} == ways_of(valid)
    assert np.array_equal(symmetry(valid, 0), valid)


def test_a_bank_is_drawn_from_a_bank_on_any_number_of_workers(tmp_path: Path) -> None:
    source = bank_of((20, 31), tmp_path / "source")
    recipe = MaskRecipe((20, 31), count=13, seed=7, family="files", source_sha256=source.sha256)
    for workers in (1, 2):
        out = tmp_path / f"made-{workers}"
        write_bank(recipe, out, source=source, workers=workers, masks_per_file=4)
    one, two = open_bank(tmp_path / "made-1"), open_bank(tmp_path / "made-2")
    assert one.sha256 == two.sha256
    draw = drawing_of(recipe, source)
    assert all(np.array_equal(valid, draw(index)) for index, valid in enumerate(one))


def test_a_source_that_does_not_fit_is_a_sentence(tmp_path: Path) -> None:
    source = bank_of((20, 31), tmp_path / "source")
    recipe = MaskRecipe((20, 31), count=13, family="files", source_sha256="0" * 64)
    with pytest.raises(MaskError, match=r"has the SHA-256 .*the recipe draws from 0000"):
        write_bank(recipe, tmp_path / "out", source=source)
    recipe = replace(recipe, shape_hw=(31, 20), source_sha256=source.sha256)
    with pytest.raises(MaskError, match=r"are 20 x 31 px, asked for are 31 x 20 px.*--size 31x20"):
        write_bank(recipe, tmp_path / "out", source=source)
    with pytest.raises(MaskError, match="needs the bank that its masks are drawn from"):
        write_bank(recipe, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_masks_drawn_from_a_bank_never_change(tmp_path: Path) -> None:
    bank = bank_of((20, 31), tmp_path / "source")
    recipe = MaskRecipe(
        shape_hw=(20, 31), count=60, seed=7, family="files", source_sha256=bank.sha256
    )
    digest = hashlib.sha256()
    for index in range(60):
        digest.update(pack(files_mask(recipe, bank, index)).tobytes())
    assert digest.hexdigest()[:16] == "ebc2226b3f27bf29"
