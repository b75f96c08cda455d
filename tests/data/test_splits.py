"""A picture's split depends on its own id and the seed, on nothing else."""

from collections import Counter

import pytest

from dunhuang_data.splits import first_seed_that_fills, split_of
from dunhuang_data.types import SPLITS

SHARES = (0.7, 0.2, 0.1)
IDS = [f"cave-{number:03d}/wall" for number in range(3000)]


def test_the_shares_are_met_on_average() -> None:
    counted = Counter(split_of(picture_id, SHARES, seed=4) for picture_id in IDS)
    for split, share in zip(SPLITS, SHARES, strict=True):
        assert counted[split] / len(IDS) == pytest.approx(share, abs=0.03)


def test_a_share_of_one_takes_everything() -> None:
    assert {split_of(picture_id, (1.0, 0.0, 0.0), 0) for picture_id in IDS} == {"train"}
    assert {split_of(picture_id, (0.0, 0.0, 1.0), 0) for picture_id in IDS} == {"test"}


def test_another_seed_deals_anew() -> None:
    moved = sum(split_of(one, SHARES, 0) != split_of(one, SHARES, 1) for one in IDS)
    assert moved > len(IDS) / 4


def test_the_seed_that_fills_every_split_is_the_first() -> None:
    few = IDS[:5]
    seed = first_seed_that_fills(few, SHARES)
    assert seed is not None
    filled = [{split_of(one, SHARES, tried) for one in few} for tried in range(seed + 1)]
    assert [len(splits) == 3 for splits in filled] == [False] * seed + [True]
    assert first_seed_that_fills(IDS[:2], SHARES) is None  # two pictures, three splits
