"""A perceptual hash: 255 signs of a picture's lowest frequencies, alike in all its copies."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from dunhuang_data.types import UInt8Array

SIDE = 16
BITS = SIDE * SIDE - 1
NEAR = 64
"""Bits in which two pictures may differ and still be called copies; see docs/leaks.md."""

PLAIN = 4.0
"""Grey levels: standard deviation of a shrunk picture, below which it is too plain to be hashed."""

_GRID_PX = 64


def is_plain(grey: UInt8Array) -> bool:
    """Whether a picture is so plain that its hash is that of its noise."""
    small = cv2.resize(grey, (_GRID_PX, _GRID_PX), interpolation=cv2.INTER_AREA)
    return float(small.std()) < PLAIN


def perceptual_hashes(grey: UInt8Array) -> UInt8Array:
    """Hash a picture, and the same picture turned by quarters and mirrored.

    The picture is shrunk to 64 x 64 px and transformed (DCT-II); a bit is the sign of one of the
    16 x 16 lowest coefficients, the mean left out. After Zauner 2010, *Implementation and
    benchmarking of perceptual image hash functions*, with more bits, and with zero in place of the
    median: so mirroring only changes signs and a quarter turn only transposes, and one transform
    gives the hashes of all eight pictures.

    Parameters
    ----------
    grey : (H, W) uint8

    Returns
    -------
    (8, 32) uint8
        The bits of each, packed; the first is the picture as it is.
    """
    small = cv2.resize(grey, (_GRID_PX, _GRID_PX), interpolation=cv2.INTER_AREA)
    low = dctn(small.astype(np.float64), norm="ortho")[:SIDE, :SIDE]
    odd = (-1.0) ** np.arange(SIDE)  # mirrored: every odd cosine changes its sign
    images = [
        image * down * across
        for image in (low, low.T)
        for down in (np.ones((SIDE, 1)), odd[:, None])
        for across in (np.ones((1, SIDE)), odd[None, :])
    ]
    signs = np.array([(image > 0).ravel()[1:] for image in images])
    return np.packbits(signs, axis=1)


def hash_distances(hashes: UInt8Array, others: UInt8Array) -> NDArray[np.int64]:
    """Return how far a picture is from others, in the nearest of their eight images.

    Parameters
    ----------
    hashes : (8, 32) uint8
        Of the one; only its first, the picture as it is, counts.
    others : (M, 8, 32) uint8

    Returns
    -------
    (M,) int64
        In bits, 0 … `BITS`; two unrelated pictures are about half of that apart.
    """
    differing = np.bitwise_count(hashes[0] ^ others).sum(axis=-1, dtype=np.int64)
    return np.asarray(differing.min(axis=-1))
