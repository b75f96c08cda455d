"""Who walks: all walkers of a mask, and those that follow them."""

from typing import Any

import numpy as np

from dunhuang_data.walks.rules import WalkRule, draw_start
from dunhuang_data.walks.steps import STEPS_PER_WORD, Walker

STEPS_PER_CELL = 500
"""A walk to order ends after so many steps for each cell of a square of its longer side."""


def walkers_of(
    rng: np.random.Generator, rule: WalkRule, cells_hw: tuple[int, int], generation: int
) -> list[Walker]:
    """Return the walkers of a mask, or those that follow them."""
    first = generation * rule.walkers
    stream: Any = rng.bit_generator
    streams = [
        np.random.Generator(stream.jumped(number)) if number else rng
        for number in range(first, first + rule.walkers)
    ]
    # jumps start from where the stream is, so all are made before any word of it is taken
    return [Walker(one, draw_start(cells_hw, rule.start, one)) for one in streams]


class Relay:
    """All walkers of a mask, a stretch at a time; with rule ``drop``, also those that follow."""

    def __init__(self, rng: np.random.Generator, rule: WalkRule, cells_hw: tuple[int, int]) -> None:
        # crossing a strip of length L takes of the order of L * L steps, however narrow it is
        cells = max(cells_hw) ** 2
        self.budget = STEPS_PER_CELL * cells
        self._lifetime = self.budget
        if rule.border == "drop":
            self._lifetime = -(-cells // STEPS_PER_WORD) * STEPS_PER_WORD
        stream: Any = rng.bit_generator
        self._origin = np.random.Generator(stream.jumped(0))  # a copy: walker 0 takes words of rng
        self._rule, self._cells_hw = rule, cells_hw
        self._generation, self._so_far = 0, 0
        self._walkers = walkers_of(rng, rule, cells_hw, 0)

    def next(self, steps: int) -> tuple[list[Walker], int]:
        """Return who walks next, and how many steps: so many or fewer."""
        if self._so_far == self._lifetime:
            self._generation, self._so_far = self._generation + 1, 0
            self._walkers = walkers_of(self._origin, self._rule, self._cells_hw, self._generation)
        steps = min(steps, self._lifetime - self._so_far)
        self._so_far += steps
        self.budget -= steps * self._rule.walkers
        return self._walkers, steps
