"""Datasets as others publish them, read into pictures, masks, damage and groups.

A layout is recognised by the names of its folders; its files are paired by their own names;
pictures are copied, masks thresholded once. What does not fit is told, all together.
"""

from dunhuang_data.layouts.detection import find_layout, photograph_of
from dunhuang_data.layouts.importing import Import, Pairs, pair_layout, read_pairs
from dunhuang_data.layouts.records import LAYOUTS, Layout, Part, PictureRow
from dunhuang_data.layouts.writing import CONTENTS, write_import

__all__ = [
    "CONTENTS",
    "LAYOUTS",
    "Import",
    "Layout",
    "Pairs",
    "Part",
    "PictureRow",
    "find_layout",
    "pair_layout",
    "photograph_of",
    "read_pairs",
    "write_import",
]
