"""The comparison of policies: what each keeps and transcribes, and how its limits are chosen."""

import numpy as np
import pytest

from benchmarks.policies import POLICIES, Evidence, choose_limits, measure_policy

ROWS = Evidence(
    ids=np.arange(1.0, 7),
    seconds=np.array([1.0, 1.0, 1.0, 1.0, 1.0, 5.0]),
    good=np.array([True, True, True, False, False, True]),
    small=np.array([0.0, 0.2, 0.6, 0.5, 2.0, 0.3]),
    large=np.array([0.0, 0.3, 0.0, 0.5, 1.0, 0.1]),
    voted=np.array([0.0, 0.2, 0.0, 0.5, 1.0, 0.1]),
)


@pytest.mark.parametrize(
    ("name", "limits", "kept", "transcribed"),
    [
        ("small only", (0.25,), [1, 2], []),
        ("large only", (0.25,), [1, 3, 6], [1, 2, 3, 4, 5, 6]),
        ("the guide's cascade", (0.25,), [1, 6], [1, 2, 4, 6]),
        ("bands, by default", (0.25, 1.05, 0.25), [1, 2, 3, 6], [3, 4, 6]),
        ("ROVER of both", (0.25,), [1, 2, 3, 6], [1, 2, 3, 4, 5, 6]),
    ],
)
def test_policy_keeps_and_transcribes_its_rows(name, limits, kept, transcribed):
    policy_rows = POLICIES[name][0](ROWS, *limits)
    assert [ROWS.ids[flags].astype(int).tolist() for flags in policy_rows] == [kept, transcribed]


def test_limits_are_chosen_by_f1_then_cost():
    policy, choices = POLICIES["bands, chosen"]
    all_rows, later_rows = np.full(6, True), ROWS.ids > 2
    result = measure_policy(policy, (0.25, 1.05, 0.25), ROWS, later_rows)
    assert (result.precision, result.recall, result.bad_kept, result.bad, result.f1) == (1.0, 1.0, 0, 2, 1.0)
    assert result.cost == pytest.approx(7 / 8)
    assert choose_limits(policy, choices, ROWS, all_rows)[:2] == (0.3, 0.8)


def test_policies_keep_their_budget():
    for share in (20, 40):
        kept, transcribed = POLICIES[f"budget of {share}%"][0](ROWS, 0.25)
        assert ROWS.seconds[transcribed].sum() <= share / 100 * ROWS.seconds.sum()
        assert not (kept & ~ROWS.good).any()
