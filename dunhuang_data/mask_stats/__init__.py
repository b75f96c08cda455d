"""Statistics of masks, to be looked at before anything is built or trained.

A source of masks is measured set by set (`measure_source`), two sets are compared (`compare`), and
limits are held against what was measured (`read_gate`, `failures`).
"""

from dunhuang_data.mask_stats.comparison import Comparison, compare, kolmogorov_distance
from dunhuang_data.mask_stats.gates import Gate, failures, limitable, raise_failed, read_gate
from dunhuang_data.mask_stats.measuring import depth_and_radius, measure_mask, measure_masks
from dunhuang_data.mask_stats.records import BUCKETS, STATISTICS, RowLabel
from dunhuang_data.mask_stats.report import Report, make_report, title
from dunhuang_data.mask_stats.sets import (
    By,
    MaskSet,
    duplicates,
    measure_source,
    pooled,
    set_names,
)
from dunhuang_data.mask_stats.sources import MaskSource, open_against, open_source
from dunhuang_data.mask_stats.summary import QUANTILES, MaskStats
from dunhuang_data.mask_stats.tables import Table, glossary

__all__ = [
    "BUCKETS",
    "QUANTILES",
    "STATISTICS",
    "By",
    "Comparison",
    "Gate",
    "MaskSet",
    "MaskSource",
    "MaskStats",
    "Report",
    "RowLabel",
    "Table",
    "compare",
    "depth_and_radius",
    "duplicates",
    "failures",
    "glossary",
    "kolmogorov_distance",
    "limitable",
    "make_report",
    "measure_mask",
    "measure_masks",
    "measure_source",
    "open_against",
    "open_source",
    "pooled",
    "raise_failed",
    "read_gate",
    "set_names",
    "title",
]
