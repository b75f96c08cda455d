"""Both conventions of SSIM are scikit-image's, whatever the picture and however it is cut."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from drawings import draw_picture
from dunhuang_data.rng import raw_words, rng_for
from dunhuang_trainer.metrics import CONVENTIONS, damage_free_windows, ssim, ssim_map, windows

UInt8Array = NDArray[np.uint8]
SCIKIT = {
    "ssim_uniform7": {},
    "ssim_gauss11": {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False},
}
BOTH = pytest.mark.parametrize("convention", CONVENTIONS)


def noise(height: int, width: int, name: str, bits: int = 8) -> UInt8Array:
    words = raw_words(rng_for(0, "noise", name), height * width * 3) >> np.uint64(64 - bits)
    return words.reshape(height, width, 3).astype(np.uint8)


def painted(height: int, width: int) -> UInt8Array:
    """Smooth colours, hard edges and grain, as of a wall."""
    y, x = np.mgrid[0:height, 0:width] / 11.0
    waves = [110 + 60 * np.sin(x + k) + 50 * np.sign(np.cos(y * 0.7 + k)) for k in range(3)]
    return np.clip(np.stack(waves, axis=-1) + noise(height, width, "grain", 4), 0, 255).astype(
        np.uint8
    )


def pairs() -> dict[str, tuple[UInt8Array, UInt8Array]]:
    wall = painted(45, 61)
    grainy = np.clip(wall.astype(int) + noise(45, 61, "c", 5) - 16, 0, 255)
    flat = np.full((23, 31, 3), 250, np.uint8)
    black_white = (noise(40, 23, "extreme", 1) * 255).astype(np.uint8)
    return {
        "random": (noise(37, 52, "a"), noise(37, 52, "b")),
        "painted": (grainy.astype(np.uint8), wall),
        "flat": (flat, flat - np.uint8(2)),
        "nearly flat and bright": (noise(23, 31, "d", 1) + flat, flat),
        "black and white": (black_white, 255 - black_white),
        "white on black": (np.full((12, 40, 3), 255, np.uint8), np.zeros((12, 40, 3), np.uint8)),
        "one window": (noise(11, 11, "e"), noise(11, 11, "f")),
        "one row of windows": (noise(11, 64, "g"), noise(11, 64, "h")),
        "one column of windows": (noise(64, 11, "i"), noise(64, 11, "j")),
    }


@BOTH
@pytest.mark.parametrize("name", pairs())
def test_it_is_that_of_scikit_image(name: str, convention: str) -> None:
    metrics = pytest.importorskip("skimage.metrics")
    picture, target = pairs()[name]
    mean, full = metrics.structural_similarity(
        picture, target, channel_axis=-1, data_range=255, full=True, **SCIKIT[convention]
    )
    margin = CONVENTIONS[convention].window // 2
    inner = (slice(margin, -margin),) * 2
    values = ssim_map(picture, target, convention)
    assert values[inner] == pytest.approx(full.mean(axis=-1)[inner], abs=1e-10)
    assert np.isnan(values).sum() == values.size - values[inner].size
    assert ssim(picture, target, convention=convention) == pytest.approx(mean, abs=1e-11)


@BOTH
def test_cut_into_bands_it_is_the_same(convention: str, monkeypatch: pytest.MonkeyPatch) -> None:
    picture, target = noise(61, 17, "a"), painted(61, 17)
    whole = ssim_map(picture, target, convention)
    monkeypatch.setattr(windows, "BAND_PIXELS", 1)
    bands = list(windows.similarity_bands(picture, target, CONVENTIONS[convention]))
    assert len(bands) > 2
    assert np.array_equal(ssim_map(picture, target, convention), whole, equal_nan=True)


@BOTH
@pytest.mark.parametrize("band_pixels", [1, 16384])
@pytest.mark.parametrize(
    "changed",
    [np.s_[20:31, 15:19], np.s_[0, 0], np.s_[46, 36], np.s_[3:9, :2], np.s_[40:, 30:], np.s_[9]],
)
def test_where_a_composite_is_its_target_nothing_is_missed(
    changed: tuple[slice, slice], band_pixels: int, convention: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = pytest.importorskip("skimage.metrics")
    monkeypatch.setattr(windows, "BAND_PIXELS", band_pixels)
    target = painted(47, 37)
    composite = target.copy()
    composite[changed] ^= 0x5A
    _, full = metrics.structural_similarity(
        composite, target, channel_axis=-1, data_range=255, full=True, **SCIKIT[convention]
    )
    values = ssim_map(composite, target, convention)
    inside = np.isfinite(values)
    assert inside.sum() == np.prod([side - CONVENTIONS[convention].window + 1 for side in (47, 37)])
    assert values[inside] == pytest.approx(full.mean(axis=-1)[inside], abs=1e-10)
    assert (values[inside] < 1).any()


@BOTH
def test_equal_pictures_have_exactly_one(convention: str) -> None:
    picture = noise(30, 19, "same")
    assert ssim(picture, picture, convention=convention) == 1


@BOTH
def test_it_is_symmetric(convention: str) -> None:
    picture, target = noise(30, 19, "a"), painted(30, 19)
    there, back = (ssim_map(*both, convention) for both in ((picture, target), (target, picture)))
    assert np.array_equal(there, back, equal_nan=True)


@BOTH
@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (1, 1), (0, 9), (9, 0)])
def test_a_picture_below_the_window_has_none(convention: str, shape: tuple[int, int]) -> None:
    picture = np.zeros((*shape, 3), np.uint8)
    assert np.isnan(ssim_map(picture, picture, convention)).all()
    assert np.isnan(ssim(picture, picture, convention=convention))


def test_ten_pixels_are_enough_for_one_convention_only() -> None:
    picture = draw_picture(10, 33, "ten")
    assert ssim(picture, picture, convention="ssim_uniform7") == 1
    assert np.isnan(ssim(picture, picture, convention="ssim_gauss11"))


@BOTH
def test_a_window_is_as_large_as_what_changes_it(convention: str) -> None:
    target = painted(29, 40)
    picture = target.copy()
    picture[14, 17, 1] ^= 128
    damage = np.zeros((29, 40), np.uint8)
    damage[14, 17] = 1
    seen = np.nan_to_num(ssim_map(picture, target, convention), nan=1.0) != 1
    free = damage_free_windows(damage, convention)
    assert np.array_equal(seen, ~free)
    assert seen.sum() == CONVENTIONS[convention].window ** 2
    assert free.sum() == free.size - seen.sum()


@BOTH
def test_pictures_of_one_and_of_four_channels_are_compared_too(convention: str) -> None:
    picture, target = noise(19, 24, "a"), noise(19, 24, "b")
    each = [ssim_map(picture[..., [k]], target[..., [k]], convention) for k in range(3)]
    together = ssim_map(picture, target, convention)
    assert np.mean(each, axis=0) == pytest.approx(together, abs=1e-14, nan_ok=True)
    four = [np.concatenate([one, one[..., :1]], axis=-1) for one in (picture, target)]
    expected = (3 * together + each[0]) / 4
    assert ssim_map(four[0], four[1], convention) == pytest.approx(expected, abs=1e-14, nan_ok=True)


def test_every_thread_has_its_own_memory() -> None:
    way = CONVENTIONS["ssim_uniform7"]
    here = windows._room(9, 20, 3, way)
    assert windows._room(9, 20, 3, way) is here
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(windows._room, 9, 20, 3, way).result() is not here
    other = windows._room(9, 20, 3, CONVENTIONS["ssim_gauss11"])
    assert other is not here
    assert windows._room(9, 20, 3, way) is here
