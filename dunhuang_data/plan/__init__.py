"""A patch plan: which patches, from where, how turned, in which split; made, written, read.

A plan is a folder of tables that any spreadsheet opens: ``patches.csv`` (one row per patch),
``pictures.csv`` (one row per picture), ``report.csv`` (how its patches lie on each picture) and
``plan.json`` (the recipe, the counts, the hashes of the tables), written last.
"""

from dunhuang_data.plan.files import CONTENTS, MARKER, TABLES, read_plan, write_plan
from dunhuang_data.plan.making import make_plan
from dunhuang_data.plan.records import Patches, PatchPlan, patch_row
from dunhuang_data.plan.report import PictureReport
from dunhuang_data.plan.sidecars import Sidecars

__all__ = [
    "CONTENTS",
    "MARKER",
    "TABLES",
    "PatchPlan",
    "Patches",
    "PictureReport",
    "Sidecars",
    "make_plan",
    "patch_row",
    "read_plan",
    "write_plan",
]
