"""Restore whole pictures of any size, by overlapping tiles; known pixels stay as they are."""

from dunhuang_trainer.restore.whole import restore_picture

__all__ = ["restore_picture"]
