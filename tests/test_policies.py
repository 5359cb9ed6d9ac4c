"""The comparison of policies: what each keeps and transcribes, and how its limits are chosen."""

import numpy as np
import pytest

from benchmarks.policies import POLICIES, Evidence, chosen, judged

ROWS = Evidence(
    ids=np.arange(1.0, 7),
    seconds=np.array([1.0, 1.0, 1.0, 1.0, 1.0, 5.0]),
    good=np.array([True, True, True, False, False, True]),
    small=np.array([0.0, 0.2, 0.6, 0.5, 2.0, 0.3]),
    large=np.array([0.0, 0.3, 0.0, 0.5, 1.0, 0.1]),
    voted=np.array([0.0, 0.2, 0.0, 0.5, 1.0, 0.1]),
)


@pytest.mark.parametrize(
    ("name", "limits", "kept", "read"),
    [
        ("small only", (0.25,), [1, 2], []),
        ("large only", (0.25,), [1, 3, 6], [1, 2, 3, 4, 5, 6]),
        ("the guide's cascade", (0.25,), [1, 6], [1, 2, 4, 6]),
        ("bands, by default", (0.25, 1.05, 0.25), [1, 2, 3, 6], [3, 4, 6]),
        ("ROVER of both", (0.25,), [1, 2, 3, 6], [1, 2, 3, 4, 5, 6]),
    ],
)
def test_policy_keeps_and_transcribes_its_rows(name, limits, kept, read):
    found = POLICIES[name][0](ROWS, *limits)
    assert [ROWS.ids[flags].astype(int).tolist() for flags in found] == [kept, read]


def test_limits_are_chosen_by_f1_then_cost():
    policy, choices = POLICIES["bands, chosen"]
    every, some = np.full(6, True), ROWS.ids > 2
    found = judged(policy, (0.25, 1.05, 0.25), ROWS, some)
    assert (found.precision, found.recall, found.bad_kept, found.bad, found.f1) == (1.0, 1.0, 0, 2, 1.0)
    assert found.cost == pytest.approx(7 / 8)
    assert chosen(policy, choices, ROWS, every)[:2] == (0.3, 0.8)


def test_policies_keep_their_budget():
    for share in (20, 40):
        kept, read = POLICIES[f"budget of {share}%"][0](ROWS, 0.25)
        assert ROWS.seconds[read].sum() <= share / 100 * ROWS.seconds.sum()
        assert not (kept & ~ROWS.good).any()
