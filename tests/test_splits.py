"""Parts that share nothing, with hours near their shares; shards and buckets of equal hours."""

import numpy as np
import pytest

from winnow.errors import OptionError
from winnow.export.plan import cut_evenly
from winnow.export.splits import find_components, split

SHARES = {"train": 0.8, "dev": 0.1, "test": 0.1}


def corpus(rows: int, speakers: int, texts: int, seed: int = 0):
    random = np.random.default_rng(seed)
    return random.uniform(1, 15, rows), [random.integers(0, speakers, rows), random.integers(0, texts, rows)]


@pytest.mark.parametrize(
    ("labels", "components"),
    [
        ([[0, 0, 1, 1]], [0, 0, 1, 1]),
        ([[0, 0, 1, 1], [5, 6, 6, 7]], [0, 0, 0, 0]),
        ([[0, 1, 2, 3], [5, -1, -1, 5]], [0, 1, 2, 0]),
        ([[-1, -1, -1, -1]], [0, 1, 2, 3]),
        ([], [0, 1, 2, 3]),
    ],
)
def test_rows_with_a_common_label_are_a_component_but_not_those_without(labels, components):
    assert find_components([np.array(codes) for codes in labels], 4).tolist() == components


@pytest.mark.parametrize(("speakers", "texts"), [(300, 5_000), (5_000, 5_000), (2_000, 100_000)])
def test_no_label_is_in_two_parts_and_hours_are_near_the_shares(speakers, texts):
    seconds, labels = corpus(1_000, speakers, texts)
    labels = labels[:1] if speakers == 300 else labels
    parts, cost = split(seconds, labels, SHARES, seed=1)
    for codes in labels:
        for code in np.unique(codes):
            assert len(set(parts[codes == code])) == 1
    for number, share in enumerate(SHARES.values()):
        assert abs(seconds[parts == number].sum() / seconds.sum() - share) <= max(0.005, cost.largest_share)


def test_split_depends_on_the_seed_alone():
    seconds, labels = corpus(500, 100, 10_000)
    once, again, other = (split(seconds, labels[:1], SHARES, seed)[0] for seed in (3, 3, 4))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


def test_large_groups_go_to_the_part_that_lacks_most():
    seconds = np.array([60.0, 20.0, *[1.0] * 20])
    parts, cost = split(seconds, [np.arange(22)], SHARES, seed=0)
    assert parts[:2].tolist() == [0, 0]
    assert [float(seconds[parts == number].sum()) for number in range(3)] == [80.0, 10.0, 10.0]
    assert (cost.components, cost.largest_share) == (22, 0.6)


def test_corpus_of_one_group_is_refused():
    with pytest.raises(OptionError, match=r"nothing is left for dev, test: the largest of 1 groups .* 100\.0% of the"):
        split(np.ones(10), [np.zeros(10, np.int64)], SHARES, seed=0)


@pytest.mark.parametrize(
    ("seconds", "count", "places"),
    [
        ([1, 1, 1, 1], 2, [0, 0, 1, 1]),
        ([1, 1, 1, 1], 4, [0, 1, 2, 3]),
        ([10, 1, 1, 1], 3, [0, 1, 2, 2]),
        ([1, 1, 1, 10], 3, [0, 0, 1, 2]),
        ([1, 300, 300, 1], 3, [0, 0, 1, 2]),
        ([], 1, []),
    ],
)
def test_shards_have_equal_hours_and_none_is_empty(seconds, count, places):
    assert cut_evenly(np.array(seconds, np.float64), count).tolist() == places


def test_shards_of_random_lengths_are_all_there():
    random = np.random.default_rng(0)
    for rows in range(1, 60):
        seconds = random.lognormal(0, 2, rows)
        for count in range(1, rows + 1):
            assert sorted(set(cut_evenly(seconds, count).tolist())) == list(range(count))
