"""From a dataset to batches: the only package that opens datasets."""

from dunhuang_data.reader import DatasetReader
from dunhuang_trainer.data.batches import Batch, StoredBatch, finished, to_batch
from dunhuang_trainer.data.datasets import PatchDataset, ShardStream
from dunhuang_trainer.data.loader import Loader
from dunhuang_trainer.data.on_device import DeviceSplit
from dunhuang_trainer.data.order import Order
from dunhuang_trainer.data.stored import holes_of, open_split, ordered_batches, pictures_of_rows

__all__ = [
    "Batch",
    "DatasetReader",
    "DeviceSplit",
    "Loader",
    "Order",
    "PatchDataset",
    "ShardStream",
    "StoredBatch",
    "finished",
    "holes_of",
    "open_split",
    "ordered_batches",
    "pictures_of_rows",
    "to_batch",
]
