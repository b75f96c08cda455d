"""The order: a pure function of seed and epoch, shared by ranks without loss or doubling."""

import pickle
from itertools import chain

import numpy as np
import pytest

from dunhuang_data.errors import UsageProblem
from dunhuang_trainer.data.order import Order, steps_per_epoch


def test_an_epoch_holds_every_row_once_and_epochs_and_seeds_differ() -> None:
    order = Order(23, seed=4)
    epochs = [order.rows(epoch).tolist() for epoch in range(3)]
    assert all(sorted(rows) == list(range(23)) for rows in epochs)
    assert len({tuple(rows) for rows in (*epochs, Order(23, seed=5).rows(0).tolist())}) == 4
    assert Order(23, seed=4).rows(2).tolist() == epochs[2]  # whatever was asked for before


def test_the_order_never_changes() -> None:
    """Written down when it was made: a run must be repeatable for years."""
    assert Order(9, seed=7).rows(2).tolist() == ORDER
    assert Order(9, seed=7, masks="per-epoch").mask_rows(2).tolist() == MASKS


ORDER = [4, 7, 0, 5, 8, 3, 6, 2, 1]
MASKS = [6, 1, 8, 7, 4, 2, 5, 0, 3]


@pytest.mark.parametrize("world_size", [1, 2, 3, 5])
def test_ranks_together_take_at_every_step_what_one_takes(world_size: int) -> None:
    alone = Order(31, seed=1)
    ranks = [Order(31, seed=1, rank=rank, world_size=world_size) for rank in range(world_size)]
    assert sum(map(len, ranks)) == 31
    for start in range(0, 31, 6 * world_size):
        stop = start + 6 * world_size
        picked = [order.pick(3, start, stop) for order in ranks]
        together = sorted(chain(*(picks.positions.tolist() for picks in picked)))
        assert together == list(range(start, min(stop, 31)))
        rows = sorted(chain(*(picks.rows.tolist() for picks in picked)))
        assert rows == sorted(alone.pick(3, start, stop).rows.tolist())
        assert max(len(p.rows) for p in picked) - min(len(p.rows) for p in picked) <= 1


def test_masks_are_the_splits_own_each_once_and_drawn_anew_per_epoch() -> None:
    order = Order(40, seed=2, masks="per-epoch")
    masks = [order.mask_rows(epoch) for epoch in range(2)]
    for one in masks:
        assert sorted(one.tolist()) == list(range(40))
    assert masks[0].tolist() != masks[1].tolist()
    picks = order.pick(1, 8, 20)
    assert picks.mask_rows.tolist() == masks[1][picks.rows].tolist()
    fixed = Order(40, seed=2).pick(1, 8, 20)
    assert fixed.rows.tolist() == fixed.mask_rows.tolist() == picks.rows.tolist()


def test_the_mask_of_a_sample_depends_on_the_sample_not_on_its_place() -> None:
    shuffled, stored = (Order(40, seed=2, shuffle=one, masks="per-epoch") for one in (True, False))
    one, other = shuffled.pick(5, 0, 40), stored.pick(5, 0, 40)
    assert other.rows.tolist() == list(range(40))
    pairs = [dict(zip(p.rows.tolist(), p.mask_rows.tolist(), strict=True)) for p in (one, other)]
    assert pairs[0] == pairs[1]


def test_an_order_travels_light() -> None:
    order = Order(100_000)
    rows = order.rows(0)
    sent = pickle.dumps(order)
    assert len(sent) < 1000
    assert np.array_equal(pickle.loads(sent).rows(0), rows)


def test_epochs_end_with_their_last_whole_batch() -> None:
    assert [steps_per_epoch(31, 4), steps_per_epoch(31, 4, 2), steps_per_epoch(7, 8)] == [7, 3, 0]


def test_what_makes_no_order_is_a_sentence() -> None:
    with pytest.raises(UsageProblem, match="rank is 2 of 2; expected 0 to 1"):
        Order(5, rank=2, world_size=2)
    with pytest.raises(UsageProblem, match="--masks is 'random'; expected one of fixed, per-epoch"):
        Order(5, masks="random")
