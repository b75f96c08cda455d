"""Compositing keeps every known pixel as it is."""

import numpy as np
import torch

from drawings import draw_picture
from dunhuang_trainer.composite import composite, composite_uint8


def test_the_prediction_is_only_in_the_holes() -> None:
    image, predicted = torch.rand(2, 3, 5, 7), torch.rand(2, 3, 5, 7)
    valid = torch.ones(2, 1, 5, 7)
    valid[1, 0, 3, 4] = 0
    result = composite(predicted, image, valid)
    assert torch.equal(result[1, :, 3, 4], predicted[1, :, 3, 4])
    result[1, :, 3, 4] = image[1, :, 3, 4]
    assert torch.equal(result, image)


def test_a_nan_beside_a_known_pixel_does_not_touch_it() -> None:
    image = torch.rand(1, 3, 4, 5)
    result = composite(torch.full_like(image, float("nan")), image, torch.ones(1, 1, 4, 5))
    assert torch.equal(result, image)


def test_eight_bits_round_and_clip_and_keep_the_known() -> None:
    picture = draw_picture(4, 6, "composite")
    valid = np.ones((4, 6), dtype=np.uint8)
    valid[0, :4] = 0
    predicted = np.zeros((4, 6, 3), dtype=np.float32)
    predicted[0, :4, 0] = [-0.5, 1.02, 127.6 / 255, 0.5 / 255 + 1e-4]
    result = composite_uint8(predicted, picture, valid, np.ones((4, 6), dtype=bool))
    assert result[0, :4, 0].tolist() == [0, 255, 128, 1]
    assert np.array_equal(result[1:], picture[1:])
    assert np.array_equal(result[0, 4:], picture[0, 4:])


def test_what_is_out_of_reach_gets_the_mean_of_the_known() -> None:
    picture = np.zeros((2, 3, 3), dtype=np.uint8)
    picture[0] = [10, 20, 31]
    valid = np.array([[1, 1, 1], [1, 0, 0]], dtype=np.uint8)
    reached = np.array([[True, True, True], [True, True, False]])
    result = composite_uint8(np.ones((2, 3, 3), np.float32), picture, valid, reached)
    assert result[1, 1].tolist() == [255, 255, 255]
    assert result[1, 2].tolist() == np.rint(np.array([30, 60, 93]) / 4).tolist()
    nothing = composite_uint8(
        np.ones((2, 3, 3), np.float32), picture, np.zeros_like(valid), np.zeros((2, 3), dtype=bool)
    )
    assert (nothing == 128).all()
