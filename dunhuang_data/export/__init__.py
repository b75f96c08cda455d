"""Write a dataset as other programs read it: a module a layout, each in its reader's own terms.

`dunhuang_data.export.writing.export_dataset` is the door. Every layout says in its own files what
white means in its masks, for that differs between them.
"""

from dunhuang_data.export.recipe import IMAGE_FORMATS, LAYOUTS, ExportRecipe

__all__ = ["IMAGE_FORMATS", "LAYOUTS", "ExportRecipe"]
