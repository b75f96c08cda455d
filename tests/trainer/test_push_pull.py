"""The fill that needs no training: exact where it is known, smooth where it is not, of any size."""

import math

import pytest
import torch

from dunhuang_trainer.push_pull import push_pull_fill


def drawn(*shape: int, known: float = 0.6) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    batch, _, height, width = shape
    return torch.rand(shape), (torch.rand(batch, 1, height, width) < known).float()


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("side", [(1, 1), (1, 7), (5, 3), (2, 9), (33, 64)])
def test_known_pixels_stay_and_holes_are_between_them(side: tuple[int, int], smooth: bool) -> None:
    image, valid = drawn(2, 3, *side)
    valid[..., 0, 0] = 1
    filled = push_pull_fill(image, valid, smooth=smooth)
    assert filled.shape == image.shape
    assert torch.equal(filled[valid.expand_as(image) > 0], image[valid.expand_as(image) > 0])
    for picture in range(2):
        for channel in range(3):
            known = image[picture, channel][valid[picture, 0] > 0]
            assert filled[picture, channel].min() >= known.min()
            assert filled[picture, channel].max() <= known.max()


def test_what_lies_in_the_holes_changes_nothing_not_even_nan() -> None:
    image, valid = drawn(2, 3, 24, 20)
    other = torch.where(valid > 0, image, math.nan)
    assert torch.equal(push_pull_fill(image, valid), push_pull_fill(other, valid))


def test_a_flat_picture_is_filled_flat() -> None:
    _, valid = drawn(1, 1, 40, 24, known=0.2)
    colours = torch.tensor([0.1, 0.5, 0.9]).view(1, 3, 1, 1)
    filled = push_pull_fill(colours * valid, valid)
    torch.testing.assert_close(filled, colours.expand_as(filled), rtol=0, atol=1e-6)


def test_a_thin_hole_follows_slope_and_bend() -> None:
    """What push-pull alone does not, and means of neighbours would do less well by far."""
    wave = 0.5 + 0.4 * torch.sin(torch.arange(48.0) / 5).view(1, 1, 1, 48).expand(1, 3, 32, 48)
    valid = torch.ones(1, 1, 32, 48)
    valid[..., 4:28, 10:15] = 0
    hole = valid.expand_as(wave) == 0
    plain = (push_pull_fill(wave, valid, smooth=False) - wave)[hole].square().mean()
    smooth = (push_pull_fill(wave, valid) - wave)[hole].square().mean()
    assert smooth < plain / 50


def test_pull_is_the_mean_of_the_known_pixels() -> None:
    """Of a 2 x 2 picture all of which lies under one window."""
    image = torch.tensor([[0.0, 0.2], [0.7, 0.9]]).view(1, 1, 2, 2)
    valid = torch.tensor([[1.0, 1.0], [1.0, 0.0]]).view(1, 1, 2, 2)
    filled = push_pull_fill(image, valid, smooth=False)
    assert float(filled[0, 0, 1, 1]) == pytest.approx((0.0 + 0.2 + 0.7) / 3)


def test_nothing_known_is_mid_grey() -> None:
    image, valid = drawn(2, 3, 12, 20)
    valid[1] = 0
    filled = push_pull_fill(image, valid)
    assert (filled[1] == 0.5).all()
    assert not (filled[0] == 0.5).all()


def test_pictures_of_a_batch_do_not_touch() -> None:
    image, valid = drawn(3, 3, 16, 24)
    together = push_pull_fill(image, valid)
    alone = [push_pull_fill(image[n : n + 1], valid[n : n + 1]) for n in range(3)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-6)


def test_mirrored_pictures_have_mirrored_fills() -> None:
    image, valid = drawn(1, 3, 32, 64)
    filled = push_pull_fill(image, valid)
    mirrored = push_pull_fill(image.flip(3), valid.flip(3)).flip(3)
    torch.testing.assert_close(filled, mirrored, rtol=0, atol=1e-5)


def test_it_stays_in_float32_under_autocast() -> None:
    image, valid = drawn(1, 3, 16, 24)
    expected = push_pull_fill(image, valid)
    with torch.autocast("cpu", torch.bfloat16):
        filled = push_pull_fill(image, valid)
    assert filled.dtype == torch.float32
    assert torch.equal(filled, expected)


def test_it_beats_fast_marching_on_a_drawn_wall() -> None:
    import cv2

    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(96.0), indexing="ij")
    wall = 0.5 + 0.25 * torch.sin(rows / 9 + columns / 14) + 0.2 * torch.cos(columns / 6)
    image = wall.clamp(0, 1).expand(1, 3, 64, 96)
    valid = torch.ones(1, 1, 64, 96)
    for row, column, side in ((5, 8, 3), (20, 30, 9), (40, 60, 15)):
        valid[..., row : row + side, column : column + side] = 0
    picture = (image[0].permute(1, 2, 0) * 255).round().byte().numpy()
    telea = cv2.inpaint(picture, 1 - valid[0, 0].byte().numpy(), 3, cv2.INPAINT_TELEA)
    hole = valid[0, 0] == 0
    ours = (push_pull_fill(image, valid)[0].permute(1, 2, 0) * 255 - torch.tensor(picture))[hole]
    theirs = (torch.tensor(telea).float() - torch.tensor(picture))[hole]
    assert ours.square().mean() < theirs.square().mean() / 4
