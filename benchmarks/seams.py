"""Whether the edges of tiles show in restored pictures.

    python -m benchmarks.seams CKPT PICTURE... [--tile 1024] [--overlap 128] [--masks 6]

restores pictures with drawn strokes in tiles, and at once, and prints the mean gradient across the
edges of tiles over that elsewhere, both between hole pixels alone. Done at once a picture has no
edges there, so the same columns and rows of it say what is the picture's own.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.machine import print_machine
from benchmarks.strokes import draw_strokes
from dunhuang_data.pictures import read_picture
from dunhuang_data.types import UInt8Array
from dunhuang_trainer.checkpoint import load_weights
from dunhuang_trainer.restore import restore_picture
from dunhuang_trainer.restore.tiles import spans

CPU = torch.device("cpu")
STROKES = 60  # in a megapixel


def main() -> None:
    """Restore, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--tile", type=int, default=1024)
    parser.add_argument("--overlap", type=int, default=128)
    parser.add_argument("--masks", type=int, default=6, help="of each picture")
    arguments = parser.parse_args()
    print_machine()
    model, _ = load_weights(arguments.checkpoint)
    sums = {"in tiles": np.zeros(4), "at once": np.zeros(4)}
    for path in arguments.pictures:
        picture = read_picture(path)
        height, width = picture.shape[:2]
        count = max(4, STROKES * height * width // 10**6)
        for seed in range(arguments.masks):
            valid = draw_strokes(height, width, count, seed, path.stem)
            for name, tile in (("in tiles", arguments.tile), ("at once", max(valid.shape))):
                restored, _ = restore_picture(model, picture, valid, CPU, tile, arguments.overlap)
                for turn in (0, 1):  # columns, then rows
                    sums[name] += _gradients(
                        np.rot90(restored, turn), np.rot90(valid, turn), arguments
                    )
    for name, (edge, edges, inside, insides) in sums.items():
        ratio = (edge / edges) / (inside / insides)
        print(f"{name}: {ratio:.3f} ({int(edges):,} pairs of hole pixels at edges)")


def _gradients(
    restored: UInt8Array, valid: UInt8Array, arguments: argparse.Namespace
) -> NDArray[np.float64]:
    """Return sums and counts of |difference| of neighbours along a row: at edges, elsewhere."""
    width = valid.shape[1]
    across = np.abs(np.diff(restored.astype(np.float64), axis=1)).mean(axis=-1)
    both = (valid[:, 1:] == 0) & (valid[:, :-1] == 0)
    at_edge = np.zeros(width - 1, dtype=bool)
    for span in spans(width, arguments.tile, arguments.overlap):
        for place in (span.start - 1, span.stop - 1):
            if 0 <= place < width - 1:
                at_edge[place] = True
    edge, inside = both & at_edge, both & ~at_edge
    return np.array([across[edge].sum(), edge.sum(), across[inside].sum(), inside.sum()])


if __name__ == "__main__":
    main()
