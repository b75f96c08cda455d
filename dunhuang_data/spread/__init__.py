"""Where patches lie on a picture: as far apart as they can be, and what is known of that."""

from dunhuang_data.spread.bounds import cover_number, distance_bounds, space_of, worth_covering
from dunhuang_data.spread.centers import Allowed, check_possible, spread_centers
from dunhuang_data.spread.coverage import coverage, nearest_distances, pixels_by_depth
from dunhuang_data.spread.peers import METHODS

__all__ = [
    "METHODS",
    "Allowed",
    "check_possible",
    "cover_number",
    "coverage",
    "distance_bounds",
    "nearest_distances",
    "pixels_by_depth",
    "space_of",
    "spread_centers",
    "worth_covering",
]
