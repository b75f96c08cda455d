"""The folders that LaMa (github.com/advimman/lama) trains on and evaluates.

Its readers, in ``saicinpainting/training/data/datasets.py`` and ``saicinpainting/evaluation/
data.py``, go by names: training takes every ``*.jpg`` below ``train`` and draws masks by itself;
evaluation takes every ``*mask*.png`` below a folder and, for each, the image whose name is what
stands before the last ``_mask``. In those masks white is the hole: the model sees ``image * (1 -
mask)``. Names are numbers, because a picture's own name might hold the word mask.
"""

from dunhuang_data.export.coding import image_bytes, mask_png
from dunhuang_data.export.files import put
from dunhuang_data.export.samples import HOLE_IS_WHITE, Block, ExportJob, samples_of, table_row

FOLDERS = {"train": "train", "val": "val", "test": "eval"}
CONTENTS = tuple(FOLDERS.values())
MASKS = {"*_mask000.png": HOLE_IS_WHITE}


def write_block(job: ExportJob) -> Block:
    """Write the files of one block: for training a JPEG each, else image and mask as PNG."""
    files, rows = [], []
    for sample in samples_of(job):
        place = f"{FOLDERS[job.split]}/{sample.row:08d}"
        mask = ""
        if job.split == "train":
            image = f"{place}.jpg"
            files.append(put(job.out, image, image_bytes(sample.image, "jpg")))
        else:
            image, mask = f"{place}.png", f"{place}_mask000.png"
            files.append(put(job.out, image, image_bytes(sample.image, "png")))
            # the one place where a mask leaves with the other polarity: here 1 is the hole
            files.append(put(job.out, mask, mask_png(1 - sample.valid)))
        rows.append(table_row(sample, image, mask, ""))
    return Block(job.split, job.number, len(job.patches), tuple(files), tuple(rows))
