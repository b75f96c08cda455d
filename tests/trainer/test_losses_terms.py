"""The terms of the losses against loops, pixel by pixel."""

import numpy as np
import pytest
import torch
from torch import Tensor

from dunhuang_trainer.losses.terms import dilated, gram, image_mean, pairs, settled, variation


def numbers(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def region(*shape: int, seed: int = 1, share: float = 0.4) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < share


def test_the_mean_of_an_image_counts_its_own_pixels() -> None:
    values, where = numbers(3, 2, 4, 5), region(3, 1, 4, 5)
    where[1] = False
    got, channels = image_mean(values, where), image_mean(values, where, by_channel=True)
    for row in (0, 2):
        picked = values[row][:, where[row, 0]]
        assert float(got[row]) == pytest.approx(float(picked.mean()))
        assert channels[row].tolist() == pytest.approx(picked.mean(dim=1).tolist())
    assert got[1] == 0
    assert not channels[1].any()


def test_damage_is_given_the_mean_colour_of_what_is_left_of_the_target() -> None:
    predicted, target, damage = (
        numbers(2, 3, 4, 5),
        numbers(2, 3, 4, 5, seed=2),
        torch.zeros(2, 1, 4, 5),
    )
    damage[0, 0, 1:3, 2] = 1
    damage[1] = 1
    target[0, 1, 1, 2] = float("nan")
    one, other = settled(predicted, target, damage)
    left = damage[0, 0] == 0
    for channel in range(3):
        colour = target[0, channel][left].mean()
        assert one[0, channel, 1:3, 2].tolist() == pytest.approx([float(colour)] * 2)
        assert torch.equal(one[0, channel][left], predicted[0, channel][left])
        assert torch.equal(other[0, channel][left], target[0, channel][left])
    assert torch.equal(one[:, :, 1:3, 2], other[:, :, 1:3, 2])
    assert not one[1].any()


def test_a_region_grows_by_its_eight_neighbours() -> None:
    hole = torch.zeros(1, 1, 5, 6, dtype=torch.bool)
    hole[0, 0, 1, 1] = hole[0, 0, 4, 5] = True
    expected = [
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [0, 0, 0, 0, 1, 1],
        [0, 0, 0, 0, 1, 1],
    ]
    assert dilated(hole)[0, 0].int().tolist() == expected


@pytest.mark.parametrize("power", [1, 2])
def test_variation_counts_pairs_within_the_region_one_by_one(power: int) -> None:
    picture, where = numbers(2, 3, 5, 7), region(2, 1, 5, 7, share=0.6)
    down, across = variation(picture, where, power)
    pairs_down, pairs_across = pairs(where)
    for row in range(2):
        sums, counts = [0.0, 0.0], [0, 0]
        for y in range(5):
            for x in range(7):
                for way, (to_y, to_x) in enumerate(((y + 1, x), (y, x + 1))):
                    if to_y < 5 and to_x < 7 and where[row, 0, y, x] and where[row, 0, to_y, to_x]:
                        step = picture[row, :, to_y, to_x] - picture[row, :, y, x]
                        sums[way] += float(step.abs().pow(power).sum())
                        counts[way] += 1
        assert [float(down[row]), float(across[row])] == pytest.approx(sums)
        assert [int(pairs_down[row]), int(pairs_across[row])] == counts


@pytest.mark.parametrize("power", [1, 2])
def test_variation_has_no_gradient_outside_the_region(power: int) -> None:
    picture, where = numbers(2, 3, 9, 11).requires_grad_(), dilated(region(2, 1, 9, 11, share=0.05))
    down, across = variation(picture, where, power)
    gradient = torch.autograd.grad((down + across).sum(), picture)[0]
    assert 0 < where.sum() < where.numel() / 2
    assert not gradient[~where.expand_as(gradient)].any()
    assert gradient[where.expand_as(gradient)].any()


def test_gram_is_the_product_of_channels_of_one_image() -> None:
    features = numbers(2, 3, 4, 5)
    for layout in (torch.contiguous_format, torch.channels_last):
        got = gram(features.contiguous(memory_format=layout))
        for row, one in enumerate(features.numpy()):
            for a in range(3):
                for b in range(3):
                    expected = np.sum(one[a] * one[b]) / (3 * 4 * 5)
                    assert float(got[row, a, b]) == pytest.approx(expected, rel=1e-12)
