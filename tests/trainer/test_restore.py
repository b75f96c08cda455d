"""Whole pictures: known pixels bit for bit, tiles without trace, any size."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from drawings import draw_picture
from dunhuang_data.errors import PictureError, UsageProblem
from dunhuang_trainer.config import ModelConfig
from dunhuang_trainer.model import PartialConvUNet
from dunhuang_trainer.push_pull import push_pull_fill
from dunhuang_trainer.restore import restore_picture
from dunhuang_trainer.restore.coarse import coarse_fill
from dunhuang_trainer.restore.sources import PictureInMemory
from dunhuang_trainer.restore.tiles import spans

CPU = torch.device("cpu")


class Identity(nn.Module):
    """Returns what it is given: shows whether tiling itself changes anything."""

    config = ModelConfig(1, 3)

    def predict(self, image: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        assert image.shape[-2] % 8 == image.shape[-1] % 8 == 0
        return image, torch.ones_like(valid)


@pytest.fixture(scope="module")
def model() -> PartialConvUNet:
    torch.manual_seed(0)
    return PartialConvUNet(ModelConfig(4, 3)).eval()


def some_holes(height: int, width: int) -> np.ndarray:
    valid = (np.random.default_rng(0).random((height, width)) < 0.7).astype(np.uint8)
    valid[height // 3 : height // 2, width // 4 : width // 2] = 0
    return valid


@pytest.mark.parametrize(("height", "width"), [(1, 3), (5, 9), (24, 40), (61, 83)])
def test_known_pixels_are_kept_bit_for_bit(model: PartialConvUNet, height: int, width: int) -> None:
    picture, valid = draw_picture(height, width, "restore"), some_holes(height, width)
    valid[0, 0] = 1
    restored, _ = restore_picture(model, picture, valid, CPU, tile=32, overlap=8)
    assert restored.shape == picture.shape
    assert np.array_equal(restored[valid == 1], picture[valid == 1])


@given(st.integers(1, 70), st.integers(1, 70), st.integers(4, 40), st.data())
def test_tiling_an_identity_changes_nothing(
    height: int, width: int, tile: int, data: st.DataObject
) -> None:
    overlap = data.draw(st.integers(0, tile // 2))
    picture, valid = draw_picture(height, width, "tiles"), some_holes(height, width)
    valid[-1, -1] = 1
    restored, unseen = restore_picture(Identity(), picture, valid, CPU, tile, overlap)  # type: ignore[arg-type]
    assert np.array_equal(restored, picture)
    assert not unseen.any()


@given(st.integers(1, 300), st.integers(2, 64), st.data())
def test_tiles_cover_everything_evenly_and_their_weights_add_up_to_one(
    length: int, tile: int, data: st.DataObject
) -> None:
    overlap = data.draw(st.integers(0, tile // 2))
    tiles = spans(length, tile, overlap)
    total = np.zeros(length)
    for one in tiles:
        assert one.stop - one.start == len(one.weight) == min(tile, length)  # no slivers
        assert one.weight.min() > 0
        total[one.start : one.stop] += one.weight
    assert (tiles[0].start, tiles[-1].stop) == (0, length)
    for one, following in pairwise(tiles):
        assert one.stop - following.start >= overlap
    assert np.abs(total - 1).max() < 3e-7


def test_where_three_tiles_meet_their_weights_add_up_to_one_too() -> None:
    tiles = spans(7, 4, 2)
    assert [(one.start, one.stop) for one in tiles] == [(0, 4), (2, 6), (3, 7)]
    total = np.zeros(7)
    for one in tiles:
        total[one.start : one.stop] += one.weight
    assert total == pytest.approx(np.ones(7), abs=3e-7)


def test_weights_fade_smoothly_towards_the_rim_of_a_tile() -> None:
    first, second = spans(150, 100, 50)
    assert first.weight[:50].tolist() == second.weight[50:].tolist() == [1.0] * 50
    assert np.array_equal(first.weight[50:], second.weight[:50][::-1])
    steps = np.diff(first.weight[50:])
    assert first.weight[-1] < 0.001
    assert (steps < 0).all()
    assert abs(steps[0]) < 0.005 < abs(steps[24])


def test_a_picture_in_one_tile_is_the_networks_own_answer(model: PartialConvUNet) -> None:
    picture, valid = draw_picture(24, 40, "one"), some_holes(24, 40)
    with torch.no_grad():
        image = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
        expected = model(image, torch.from_numpy(valid)[None, None].float())[0].permute(1, 2, 0)
    filled = np.clip(np.rint(expected.numpy() * 255), 0, 255).astype(np.uint8)
    restored, _ = restore_picture(model, picture, valid, CPU)
    assert np.array_equal(restored[valid == 0], filled[valid == 0])


def test_padding_is_hole_and_does_not_show(model: PartialConvUNet) -> None:
    """The same picture, once padded by us with noise that is marked as hole."""
    picture, valid = draw_picture(21, 37, "pad"), some_holes(21, 37)
    alone, _ = restore_picture(model, picture, valid, CPU)
    noise = np.random.default_rng(1).integers(0, 255, (24, 40, 3)).astype(np.uint8)
    noise[:21, :37] = picture
    padded = np.zeros((24, 40), dtype=np.uint8)
    padded[:21, :37] = valid
    assert np.array_equal(restore_picture(model, noise, padded, CPU)[0][:21, :37], alone)


def test_what_the_holes_show_changes_nothing(model: PartialConvUNet) -> None:
    picture, valid = draw_picture(30, 50, "holes"), some_holes(30, 50)
    white = np.where(valid[..., None] == 1, picture, np.uint8(255))
    assert np.array_equal(
        restore_picture(model, white, valid, CPU, 16, 4)[0],
        restore_picture(model, picture, valid, CPU, 16, 4)[0],
    )


def test_without_holes_nothing_is_done(model: PartialConvUNet) -> None:
    picture = draw_picture(30, 50, "whole")
    restored, _ = restore_picture(model, picture, np.ones((30, 50), np.uint8), CPU)
    assert np.array_equal(restored, picture)


def test_bad_masks_and_tiles_are_sentences(model: PartialConvUNet) -> None:
    picture = draw_picture(30, 50, "bad")
    with pytest.raises(
        PictureError, match=r"mask is 50 x 30 px \(height x width\), the picture 30 x"
    ):
        restore_picture(model, picture, np.ones((50, 30), np.uint8), CPU)
    with pytest.raises(PictureError, match=r"no known pixel.*the other --white-is"):
        restore_picture(model, picture, np.zeros((30, 50), np.uint8), CPU)
    with pytest.raises(UsageProblem, match="--tile 16 and --overlap 9 do not fit"):
        restore_picture(model, picture, some_holes(30, 50), CPU, 16, 9)


@pytest.mark.parametrize("levels", [2, 3])
def test_what_no_known_pixel_reaches_is_said_and_filled_smoothly(levels: int) -> None:
    model = PartialConvUNet(ModelConfig(2, levels, base="none")).eval()
    picture = draw_picture(40, 160, "deep")
    valid = np.ones((40, 160), dtype=np.uint8)
    valid[:, 32:] = 0  # a straight edge: the network sees 3 * 2**levels - 1 px beyond it
    restored, out_of_reach = restore_picture(model, picture, valid, CPU)
    reach = 3 * 2**levels - 1
    assert not out_of_reach[:, : 32 + reach].any()
    assert out_of_reach[:, 32 + reach :].all()
    image = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    smooth = push_pull_fill(image, torch.from_numpy(valid)[None, None].float())[0]
    expected = np.rint(255 * smooth.permute(1, 2, 0).numpy())
    difference = restored.astype(int) - expected
    assert np.abs(difference[:, 32 + reach :]).max() <= 1


def test_the_smooth_fill_lies_where_the_picture_does() -> None:
    """A slope, shrunk nine times and read again, is the slope."""
    slope = np.broadcast_to(np.arange(10, 210, dtype=np.uint8)[:, None, None], (200, 90, 3))
    fill = coarse_fill(PictureInMemory(slope), np.ones((200, 90), dtype=np.uint8), longest=23)
    ys = np.arange(10, 190)
    levels = 255 * fill(ys, np.full(180, 40))
    assert np.abs(levels[:, 1] - slope[ys, 40, 1]).max() < 0.6


def test_arrays_of_another_kind_are_refused(model: PartialConvUNet) -> None:
    picture, valid = draw_picture(8, 9, "kind"), np.ones((8, 9), dtype=np.uint8)
    with pytest.raises(ValueError, match="valid must be uint8 of 1 = known and 0 = hole"):
        restore_picture(model, picture, valid * 255, CPU)
    with pytest.raises(ValueError, match=r"picture is uint8 \(8, 9\), expected uint8 \(H, W, 3\)"):
        restore_picture(model, picture[..., 0], valid, CPU)
