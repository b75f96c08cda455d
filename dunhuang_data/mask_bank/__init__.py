"""A mask bank: a folder of masks from one ``make-masks`` or ``import-masks``, one bit per pixel.

``bank.json`` (recipe, counts, hashes) is written last. The masks lie in ``valid-00000.npy`` …, each
(K, H, ceil(W / 8)) uint8, first pixel in the highest bit, 1 = known, 0 = hole.
"""

from dunhuang_data.mask_bank.files import (
    CONTENTS,
    MARKER,
    MASKS_PER_FILE,
    STARTED,
    MaskBank,
    open_bank,
)
from dunhuang_data.mask_bank.resampling import drawing_of, files_mask
from dunhuang_data.mask_bank.writing import write_bank

__all__ = [
    "CONTENTS",
    "MARKER",
    "MASKS_PER_FILE",
    "STARTED",
    "MaskBank",
    "drawing_of",
    "files_mask",
    "open_bank",
    "write_bank",
]
