"""A folder tree: ``train/image/<picture id>/00000012.png``, and a table of all samples.

Images and masks are in trees of their own with the same names, so that a program which takes every
picture below a folder never takes a mask for an image.
"""

from dunhuang_data.errors import DatasetError
from dunhuang_data.export.coding import image_bytes, mask_png
from dunhuang_data.export.files import put
from dunhuang_data.export.samples import (
    DAMAGE_IS_WHITE,
    KNOWN_IS_WHITE,
    Block,
    ExportJob,
    samples_of,
    table_row,
)

CONTENTS = ("train", "val", "test")
MASKS = {"valid": KNOWN_IS_WHITE, "damage": DAMAGE_IS_WHITE}


def write_block(job: ExportJob) -> Block:
    """Write the files of one block."""
    files, rows = [], []
    for sample in samples_of(job):
        place = f"{_safe(sample.patch.picture_id)}/{sample.row:08d}"
        suffix = job.recipe.image_format
        image = f"{job.split}/image/{place}.{suffix}"
        mask = f"{job.split}/valid/{place}.png"
        files.append(put(job.out, image, image_bytes(sample.image, suffix)))
        files.append(put(job.out, mask, mask_png(sample.valid)))
        damage = f"{job.split}/damage/{place}.png"
        files.append(put(job.out, damage, mask_png(sample.damage)))
        rows.append(table_row(sample, image, mask, damage))
    return Block(job.split, job.number, len(job.patches), tuple(files), tuple(rows))


def _safe(picture_id: str) -> str:
    """Return a picture's id, if it is a path that leads downwards; a plan comes from a disk."""
    if {"", ".", ".."} & set(picture_id.split("/")) or "\0" in picture_id:  # "" where / begins it
        raise DatasetError(
            f"The plan names the picture {picture_id!r}, which is no path below a folder. The "
            "dataset was altered; do not use it."
        )
    return picture_id
