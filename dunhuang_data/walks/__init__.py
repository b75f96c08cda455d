"""Holes drawn by random walks: each step goes to one of the four neighbours, all equally likely."""

from dunhuang_data.walks.backend import use_compiled
from dunhuang_data.walks.drawing import (
    first_visits,
    mask_of_visits,
    random_walk,
    random_walks,
    walk_to_order,
)
from dunhuang_data.walks.rules import WalkRule, start_box
from dunhuang_data.walks.steps import NEVER

__all__ = [
    "NEVER",
    "WalkRule",
    "first_visits",
    "mask_of_visits",
    "random_walk",
    "random_walks",
    "start_box",
    "use_compiled",
    "walk_to_order",
]
