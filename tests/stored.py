"""Samples as a dataset stores them."""

from dunhuang_data.polarity import pack
from dunhuang_data.shards import Stored
from dunhuang_data.types import Samples


def stored_arrays(samples: Samples) -> Stored:
    return {
        "image": samples.image,
        "valid": pack(samples.valid),
        "damage": pack(samples.damage),
    }
