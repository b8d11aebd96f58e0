"""The division of records into shards."""

from __future__ import annotations

import pandas as pd
import pytest

from hybridlesion.batch._shards import ShardPlan


def _sizes(n_records: int, size: int | None = None, **options) -> list[int]:
    plan = ShardPlan(pd.DataFrame({"image_id": range(n_records)}), {}, size, **options)
    sizes = [plan.n_records(number) for number in range(len(plan))]
    assert sizes == [len(plan.shard(number).records) for number in range(len(plan))]
    ids = [name for number in range(len(plan)) for name in plan.shard(number).records["image_id"]]
    assert ids == list(range(n_records))
    return sizes


def test_the_last_shards_are_small():
    assert _sizes(300, least=8)[:4] == [32, 32, 24, 24]
    assert _sizes(300, least=8)[-9:] == [8] * 8 + [4]


def test_whole_batches_stay_whole():
    assert _sizes(100, least=32) == [32, 32, 32, 4]
    assert _sizes(50, least=24) == [24, 24, 2]


def test_a_size_that_is_asked_for_is_kept():
    assert _sizes(7, 3) == [3, 3, 1]


@pytest.mark.parametrize(("n_records", "largest"), [(100_001, 256), (2_000_001, 1024)])
def test_many_records_come_in_few_files(n_records, largest):
    plan = ShardPlan(pd.DataFrame({"image_id": range(n_records)}), {}, None, least=8)
    sizes = [plan.n_records(number) for number in range(len(plan))]
    assert (sum(sizes), sizes[0], sizes[-2]) == (n_records, largest, 8)
    assert len(sizes) < 1.3 * n_records / largest + 200
