"""Masks of family ``files``: drawn from the masks of another bank, in rounds."""

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.errors import MaskError
from dunhuang_data.mask_bank.files import MaskBank
from dunhuang_data.mask_orders import make_mask
from dunhuang_data.mask_recipe import MaskRecipe
from dunhuang_data.rng import permutation, rng_for
from dunhuang_data.types import UInt8Array


def drawing_of(recipe: MaskRecipe, source: MaskBank | None) -> Callable[[int], UInt8Array]:
    """Return the function that makes mask ``index`` of a recipe, of any family.

    Parameters
    ----------
    recipe : MaskRecipe
    source : MaskBank or None
        What masks of family ``files`` are drawn from; None for every other family.

    Raises
    ------
    MaskError
        If the source is not the one that the recipe names, or has masks of another size.
    """
    if recipe.family != "files":
        return partial(make_mask, recipe)
    if source is None:
        raise MaskError(
            "Family files needs the bank that its masks are drawn from. Name one, made by "
            "import-masks, with --from."
        )
    if source.sha256 != recipe.source_sha256:
        raise MaskError(
            f"The bank {source.root} has the SHA-256 {source.sha256[:16]}…, the recipe draws from "
            f"{recipe.source_sha256[:16] or 'none'}…. Name the bank that the recipe was made for."
        )
    if source.recipe.shape_hw != recipe.shape_hw:
        (height, width), (wanted_h, wanted_w) = source.recipe.shape_hw, recipe.shape_hw
        raise MaskError(
            f"The masks of {source.root} are {height} x {width} px, asked for are {wanted_h} x "
            f"{wanted_w} px. Leave out --size, or import them in that size: import-masks --size "
            f"{wanted_h}x{wanted_w}."
        )
    return partial(files_mask, recipe, source)


def files_mask(recipe: MaskRecipe, bank: MaskBank, index: int) -> UInt8Array:
    """Draw mask ``index`` from a bank: a pure function of its arguments.

    In each round every mask of the bank comes once, in an order of that round. In round 0 they
    come as they are; in the rounds after that turned and mirrored, each mask in every way that
    keeps its shape (8 of a square, 4 of an oblong) before one comes again.

    Returns
    -------
    valid : (H, W) uint8
        1 = known, 0 = hole.
    """
    height, width = bank.recipe.shape_hw
    ways = 8 if height == width else 4
    turn, place = divmod(index, len(bank))
    row = int(_order(recipe.seed, turn, len(bank))[place])
    cycle, step = divmod(turn, ways)
    valid = bank.read(row)
    if step == 0:
        return valid
    others = permutation(rng_for(recipe.seed, "files-symmetry", row, cycle), ways - 1)
    return symmetry(valid, 1 + int(others[step - 1]))


@lru_cache(maxsize=8)
def _order(seed: int, turn: int, count: int) -> NDArray[np.int64]:
    return permutation(rng_for(seed, "files-order", turn), count)


def symmetry(valid: UInt8Array, way: int) -> UInt8Array:
    """Turn or mirror a mask: bit 0 upside down, bit 1 left to right, bit 2 rows for columns."""
    if way & 1:
        valid = valid[::-1]
    if way & 2:
        valid = valid[:, ::-1]
    return np.ascontiguousarray(valid.T if way & 4 else valid)
