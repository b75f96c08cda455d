"""What train, val and test share though they must not: see docs/leaks.md."""

from dunhuang_data.leaks.report import Leak, LeakReport
from dunhuang_data.leaks.search import find_leaks
from dunhuang_data.leaks.views import View, stored_patches, view_of, whole_pictures

__all__ = [
    "Leak",
    "LeakReport",
    "View",
    "find_leaks",
    "stored_patches",
    "view_of",
    "whole_pictures",
]
