"""Datasets as others publish them, small and drawn."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from drawings import draw_picture, save_picture
from dunhuang_data.rng import raw_words, rng_for
from dunhuang_data.types import UInt8Array

SHAPE = (44, 71)
TRAIN, TEST = ("001", "002", "003"), ("401", "402")


def draw_valid(key: str, shape_hw: tuple[int, int] = SHAPE) -> UInt8Array:
    """Return a few blocks of holes, (H, W) uint8, 1 = known, a function of the key."""
    height, width = shape_hw
    valid = np.ones(shape_hw, dtype=np.uint8)
    for word in raw_words(rng_for(0, "layout", key), 4):
        top, left = (
            int(word % np.uint64(height - 4)),
            int((word >> np.uint64(20)) % np.uint64(width)),
        )
        valid[top : top + 3, left : left + 9] = 0
    return valid


def with_holes(picture: UInt8Array, valid: UInt8Array, colour: int = 255) -> UInt8Array:
    """Return a picture with its holes in one grey."""
    return np.where(valid[..., None] == 1, picture, np.uint8(colour))


def _quality(path: Path) -> dict[str, int]:
    return {"Q": 75} if path.suffix.lower() in (".jpg", ".jpeg") else {}


def save_three(
    key: str, picture: Path, mask: Path, masked: Path | None, white_is: str = "known"
) -> None:
    """Write a picture, its mask and itself with holes, as JPEG of quality 75."""
    pixels, valid = draw_picture(*SHAPE, key), draw_valid(key)
    white = valid if white_is == "known" else 1 - valid
    save_picture(picture, pixels, **_quality(picture))
    save_picture(mask, white * np.uint8(255), **_quality(mask))
    if masked is not None:
        save_picture(masked, with_holes(pixels, valid), Q=75)


def write_course(root: Path, white_is: str = "known") -> Path:
    """Fill a folder as the course handed the challenge out."""
    for split, keys in (("train", TRAIN), ("test", TEST)):
        for key in keys:
            holes = root / split
            targets = root / f"{split}_gt"
            save_three(
                key, targets / f"{key}.jpg", holes / f"{key}_mask.jpg",
                holes / f"{key}_masked.jpg", white_is,
            )  # fmt: skip
    return root


def write_challenge(root: Path, nested: bool = True) -> Path:
    """Fill a folder as the challenge was released again."""
    for split, keys in (("train", TRAIN), ("test", TEST)):
        base = root / split if nested else root
        for key in keys:
            mask = base / f"{split}_mask" / f"{key}_mask.jpg"
            masked = base / f"{split}_masked" / f"{key}_masked.jpg"
            save_three(key, base / f"{split}_GT" / f"{key}.jpg", mask, masked)
    return root


def write_muraldh(root: Path) -> Path:
    """Fill a folder like MuralDH: crops, labelled pictures, pairs for enlarging."""
    for key in ("img_414crop_1_1", "img_414crop_0_1", "img_7crop_0_0"):
        save_picture(root / "Mural512" / f"{key}.png", draw_picture(*SHAPE, key))
    for split, keys in (("train", ("000004", "img_11crop_1_0")), ("test", ("img_414crop_0_0",))):
        for key in keys:
            base = root / "Mural_seg" / split
            save_picture(base / "images" / f"{key}.png", draw_picture(*SHAPE, key))
            label = (1 - draw_valid(key)) * np.uint8(255)
            save_picture(base / "labels" / f"{key}.png", label)
    save_picture(root / "Mural_SR" / "Mural_DataSet" / "0001.png", draw_picture(*SHAPE, "sr"))
    return root


def write_folder(
    root: Path, keys: Iterable[str] = ("a", "cave/b"), names: tuple[str, str] = ("images", "masks")
) -> Path:
    """Fill a folder with pictures and PNG masks, white = hole."""
    for key in keys:
        picture, mask = root / names[0] / f"{key}.png", root / names[1] / f"{key}.png"
        save_three(key, picture.with_suffix(".jpg"), mask, None, "hole")
    return root
