"""The comparison of policies: what each keeps and transcribes, and how its limits are chosen."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.doubt import fit_exponentials
from benchmarks.ensemble import Spoken
from benchmarks.evidence_policies import Limits, wer_limit
from benchmarks.policies import error_table, markdown, reference_table
from benchmarks.scored_corpora import Corpus, errors_to_judge, one_word_wrong
from benchmarks.wer_policies import POLICIES, WordErrors, choose_limits, measure_policy
from winnow.evidence.calibration import Calibration, ModelCalibration
from winnow.gates.criteria import GateLimits, Gates

ROWS = WordErrors(
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


def limits_by_doubt(band: tuple[float, float] | None = (1.0, 8.0)) -> Limits:
    roles = {"small": 1.0, "large": 3.0} if band else {"small": 1.0}
    models = {role: ModelCalibration(references=7, right=0.8, limit=limit) for role, limit in roles.items()}
    by_wer = {"wer": GateLimits(0.25, 1.05), "confidence": GateLimits()}
    gates = band and Gates(by="evidence", limits={"evidence": GateLimits(*band)} | by_wer, audit=0.0)
    return Limits(Calibration(lose=0.02, models=models), gates or None)


TEXTS = pa.table(
    {
        "id": range(7),
        "small_doubt": [0.0, 2.0, 2.0, 9.0, None, None, None],
        "small_wer": [0.0, 0.2, 0.2, 0.2, 0.0, 0.5, 2.0],
        "small_confidence": [1.0] * 7,
        "large_doubt": [5.0, 2.0, 4.0, 0.0, 0.0, None, 0.0],
        "large_wer": [0.5, 0.2, 0.2, 0.2, 0.0, 0.2, 0.0],
    }
)


def test_doubt_decides_and_wer_where_there_is_none():
    limits = limits_by_doubt()
    assert np.flatnonzero(limits.keeps(TEXTS)).tolist() == [0, 1, 4, 5]
    assert np.flatnonzero(limits.reads(TEXTS)).tolist() == [1, 2, 5]
    assert limits.describe() == "1 / 8 / 3"


def test_small_model_alone_decides_by_its_own_limit():
    limits = limits_by_doubt(band=None)
    assert np.flatnonzero(limits.keeps(TEXTS)).tolist() == [0, 4]
    assert not limits.reads(TEXTS).any()


SAID = ["wake me up at seven", "turn on the kitchen lights", "stop", "play some music", "what time is it"]


def test_errors_to_judge_are_never_what_was_said():
    judged = errors_to_judge(SAID)
    assert [
        [error.text == said for error in errors].count(True) for said, errors in zip(SAID, judged, strict=True)
    ] == [0] * 5
    assert [error.kind for error in judged[0]] == ["substitution", "deletion", "insertion", "other"] + [
        "substitution",
        "deletion",
        "insertion",
    ]
    assert "deletion" not in {error.kind for error in judged[2]}


def test_one_word_is_wrong_in_a_share_of_the_references():
    corpus = Corpus("said", [Spoken(text, Path("a.wav"), 0.0) for text in SAID], SAID, {})
    references = one_word_wrong(corpus, 0.4).references
    assert sum(text != said for text, said in zip(references, SAID, strict=True)) == 2


@pytest.mark.parametrize(("lost", "limit"), [(0.0, 1.0), (0.25, 0.5), (0.5, 0.0)])
def test_limit_of_wer_loses_no_more_than_it_may(lost, limit):
    assert wer_limit(np.array([0.0, 0.0, 0.5, 1.0]), lost) == limit


def test_two_exponential_distributions_are_found_again():
    random = np.random.default_rng(1)
    doubts = [
        np.where(random.random(size) < 0.8, random.exponential(1.0, size), random.exponential(6.0, size))
        for size in (20_000, 2_000)
    ]
    assert np.array(fit_exponentials(doubts)) == pytest.approx(np.array([[0.8, 1.0], [0.2, 6.0]]), rel=0.15)


def test_tables_have_a_line_for_each_policy():
    facts = {"policy": "bands", "limits": "1 / 8 / 3", "cost": 0.1}
    kept = facts | {"precision": 1.0, "recall": 0.99, "f1": 0.995, "bad_kept": 0, "bad": 43}
    assert (
        markdown(reference_table([kept])).splitlines()[-1]
        == "| bands | 1 / 8 / 3 | 1.000 | 0.990 | 0.995 | 0 of 43 | 10.0% |"
    )
    promise = {"lost_promised": 0.02, "right": 0.8, "right_promised": 0.81, "promised": {"other": 1.0}}
    found = facts | {"lost": 0.01, "found": {"other": 0.99}}
    lines = markdown(error_table([found | promise, found])).splitlines()[2:]
    assert lines == [
        "| bands | 1 / 8 / 3 | 1.0% (2.0%) | 10.0% | 80.0% (81.0%) | 99.0% (100.0%) |",
        "| bands | 1 / 8 / 3 | 1.0% | 10.0% |  | 99.0% |",
    ]
