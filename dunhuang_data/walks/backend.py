"""Whether walks are drawn with NumPy or by the compiled loop; the masks are the same."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

WORTH_COMPILING = {"steps": 20_000, "order": 6_000}
"""Masks of 50,000 steps, or to order, that a process must draw until compiling has paid."""

compiled: Any = None
"""`dunhuang_data.walks.compiled` once `use_compiled` has chosen it."""


def use_compiled(masks: int, to_order: bool) -> bool:
    """Draw with the compiled loop from now on in this process, if it is there and pays.

    Parameters
    ----------
    masks : int
        How many this process is about to draw.
    to_order : bool
        Whether by `walk_to_order`, which saves more.

    Returns
    -------
    bool
        Whether the compiled loop is used. Never without the extra ``[fast]``.
    """
    global compiled
    worth = masks >= WORTH_COMPILING["order" if to_order else "steps"]
    if compiled is None and worth and find_spec("numba") is not None:
        compiled = import_module("dunhuang_data.walks.compiled")
    return compiled is not None
