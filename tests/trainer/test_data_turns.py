"""Turns: exact, the same for picture and masks, a pure function of seed, epoch and position."""

import numpy as np
import torch

from dunhuang_trainer.data.turns import BLOCK, Turns, draw_turns


def test_turns_are_numpys_and_leave_the_argument_alone() -> None:
    pixels = torch.arange(8 * 5 * 5 * 3, dtype=torch.int64).reshape(8, 5, 5, 3)
    before = pixels.clone()
    turns = Turns(np.arange(8) % 4, np.arange(8) >= 4)
    turned = turns.apply(pixels).numpy()
    for place in range(8):
        expected = np.rot90(before[place].numpy(), place % 4)  # counter-clockwise
        expected = np.fliplr(expected) if place >= 4 else expected
        assert np.array_equal(turned[place], expected), place
    assert torch.equal(pixels, before)
    assert np.array_equal(turns.apply(pixels[..., 0]).numpy(), turned[..., 0])  # a mask alike


def test_a_draw_depends_on_its_position_alone() -> None:
    positions = np.arange(BLOCK - 40, BLOCK + 60)
    whole = draw_turns(3, 1, positions, 0.5, True)
    assert whole is not None
    for part in (positions[::3], positions[50:70], positions[::-1]):
        drawn = draw_turns(3, 1, part, 0.5, True)
        assert drawn is not None
        places = part - positions[0]
        assert drawn.quarters.tolist() == whole.quarters[places].tolist()
        assert drawn.flip.tolist() == whole.flip[places].tolist()
    for seed, epoch in ((4, 1), (3, 2)):
        other = draw_turns(seed, epoch, positions, 0.5, True)
        assert other is not None
        assert other.quarters.tolist() != whole.quarters.tolist()


def test_turns_are_drawn_as_often_as_asked() -> None:
    positions = np.arange(20_000)
    drawn = draw_turns(0, 0, positions, 0.3, True)
    assert drawn is not None
    assert abs(drawn.flip.mean() - 0.3) < 0.015  # 4.6 standard deviations
    counts = np.bincount(drawn.quarters, minlength=4)
    assert (abs(counts - 5000) < 300).all()  # 4.9 standard deviations
    flipped = np.bincount(drawn.quarters[drawn.flip], minlength=4) / drawn.flip.sum()
    assert (abs(flipped - 0.25) < 0.03).all()  # one does not tell the other


def test_nothing_is_drawn_that_is_not_asked_for() -> None:
    positions = np.arange(500)
    assert draw_turns(0, 0, positions, 0.0, False) is None
    only_flips, only_turns = (
        draw_turns(0, 0, positions, 1.0, False),
        draw_turns(0, 0, positions, 0.0, True),
    )
    assert only_flips is not None
    assert only_flips.flip.all()
    assert not only_flips.quarters.any()
    assert only_turns is not None
    assert not only_turns.flip.any()
    assert only_turns.quarters.any()
