"""What every score is given: two 8-bit pictures of one shape, and the planes that go with them."""

import numpy as np
from numpy.typing import NDArray

from dunhuang_data.types import UInt8Array

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]


def check_pair(picture: UInt8Array, target: UInt8Array) -> None:
    """Refuse what is not two (H, W, C) uint8 of one shape, with a ValueError."""
    for name, array in (("picture", picture), ("target", target)):
        if array.dtype != np.uint8 or array.ndim != 3:
            raise ValueError(f"{name} is {array.dtype} {array.shape}, expected uint8 (H, W, 3)")
    if picture.shape != target.shape:
        raise ValueError(f"the pictures differ in shape: {picture.shape} and {target.shape}")


def check_batch(
    restored: UInt8Array, target: UInt8Array, valid: UInt8Array, damage: UInt8Array
) -> None:
    """Refuse what is not (B, H, W, 3) and (B, H, W) uint8 of 0 and 1, with a ValueError."""
    if target.ndim != 4 or target.shape[-1] != 3:
        raise ValueError(f"target is {target.dtype} {target.shape}, expected uint8 (B, H, W, 3)")
    expected = {"restored": target.shape, "target": target.shape}
    expected |= dict.fromkeys(("valid", "damage"), target.shape[:3])
    for name, array in zip(expected, (restored, target, valid, damage), strict=True):
        if array.dtype != np.uint8 or array.shape != expected[name]:
            raise ValueError(
                f"{name} is {array.dtype} {array.shape}, expected uint8 {expected[name]}"
            )
    for name, plane in (("valid", valid), ("damage", damage)):
        if plane.size and plane.max() > 1:
            raise ValueError(f"{name} holds {plane.max()}, expected 0 and 1 alone")


def mean_where(values: FloatArray, where: BoolArray | None) -> float:
    """Return the mean of the values that count; NaN if none does."""
    counted = values if where is None else values[where]
    return float(counted.mean()) if counted.size else float("nan")
