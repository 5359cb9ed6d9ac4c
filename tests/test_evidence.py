"""Evidence: planted errors, right references told from wrong ones, limits, and what is promised."""

import numpy as np
import pyarrow as pa
import pytest

from tasks.calibrate import choose_bands
from tasks.plant import plant
from tests.conftest import shard_table
from tests.synthetic_evidence import KINDS as SYNTHETIC
from tests.synthetic_evidence import Corpus, draw_corpus
from winnow.evidence.calibration import Calibration, calibrate
from winnow.evidence.found import Rate, inside, rate_of_easier
from winnow.evidence.gather import ModelEvidence, gather_evidence
from winnow.evidence.limits import Band, choose_band, lowest_limit
from winnow.evidence.mixture import fit_mixture
from winnow.evidence.planting import (
    KINDS,
    LABELS,
    ONE_WORD,
    SampleShares,
    plant_errors,
    sample_share,
)
from winnow.gates.criteria import GateLimits, Gates
from winnow.gates.sampling import is_drawn
from winnow.parameters.curation import Curation
from winnow.parameters.filter import Filter
from winnow.parameters.gate import Gate
from winnow.runs.evidence import escalated_seconds
from winnow.schema import PLANTED, UTTERANCE
from winnow.text.respell import equal_texts
from winnow.text.words import split_words

TEXTS = [
    "we left the house before the sun was up",
    "the river rose two feet in a single night",
    "nobody had told him where the key was kept",
    "her brother works in the shop on the corner",
]


def rows_of(*texts: str | None, **columns: list) -> pa.Table:
    return shard_table(UTTERANCE, text=list(texts), **columns)


def errors_of(*texts: str, share: float = 1.0) -> list[dict[str, str]]:
    planted = plant_errors(rows_of(*texts), share, "basic", [None] * len(texts))
    return [dict(errors) for errors in planted]


def test_each_reference_gets_one_error_of_each_kind_that_the_comparison_sees():
    for text, errors in zip(TEXTS, errors_of(*TEXTS), strict=True):
        assert list(errors) == list(KINDS) == list(LABELS)
        assert not any(equal_texts(text, error, "basic", None) for error in errors.values())
        words = len(text.split())
        lengths = {kind: len(error.split()) for kind, error in errors.items()}
        assert [lengths[kind] for kind in (*ONE_WORD, "several", "cut")] == [
            words, words - 1, words + 1, words, words // 2,
        ]  # fmt: skip
        assert errors["other"] in TEXTS


def test_errors_follow_from_the_ids_of_the_rows_alone():
    rows = rows_of(*TEXTS)
    first = plant_errors(rows, 1.0, "basic", [None] * 4)
    assert plant_errors(rows, 1.0, "basic", [None] * 4) == first
    fewer = plant_errors(rows, 0.5, "basic", [None] * 4)
    assert [errors for errors in fewer if errors] == [errors for errors, kept in zip(first, fewer, strict=True) if kept]


@pytest.mark.parametrize("text", ["今天天气很好", "สวัสดีครับ"])
def test_error_of_one_character_is_planted_in_scripts_without_spaces(text):
    errors, _ = errors_of(text, "我们去北京" if text[0] == "今" else "ขอบคุณมาก")
    assert len(split_words(errors["insertion"])) == len(split_words(text)) + 1
    assert " " not in errors["substitution"]


def test_reference_of_one_word_has_no_word_to_leave_out():
    errors, _ = errors_of("yes", "thank you")
    assert sorted(errors) == ["insertion", "other", "several", "substitution"]


def test_the_only_reference_of_a_shard_has_no_other_text():
    (errors,) = errors_of("good morning everyone")
    assert "other" not in errors
    assert set(ONE_WORD) <= set(errors)


def test_word_that_is_repeated_throughout_is_never_replaced_by_itself():
    (errors,) = errors_of("no no no")
    assert sorted(errors) == ["cut", "deletion", "insertion"]


def test_rows_that_cannot_be_judged_get_no_errors_and_lend_no_words():
    rows = rows_of("good morning", "secret words", None, reason=[None, "AUDIO_MISSING", None])
    planted = plant(rows, SampleShares(others=1.0), "basic")[PLANTED].to_pylist()
    assert [bool(errors) for errors in planted] == [True, False, False]
    assert not any({"secret", "words"} & set(error["text"].split()) for error in planted[0])


@pytest.mark.parametrize(("utterances", "expected"), [(0, 1.0), (12, 1.0), (500, 1.0), (50_000, 0.01)])
def test_some_five_hundred_references_get_errors(utterances, expected):
    assert sample_share(utterances) == expected


@pytest.mark.parametrize("wrong", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("seed", [1, 2])
def test_share_of_right_references_is_found_without_a_label(wrong, seed):
    corpus = draw_corpus(wrong=wrong, seed=seed)
    mixture = corpus.small.mixture
    assert mixture.share == pytest.approx(corpus.right.mean(), abs=0.03)
    right = corpus.small.doubt[corpus.right]
    for limit in (1.0, 3.0, 5.0, 10.0):
        assert mixture.lost(limit) == pytest.approx((right > limit).mean(), abs=0.03)
    assert mixture.right[corpus.right].mean() > 0.88
    assert wrong == 0 or mixture.right[~corpus.right].mean() < 0.5


NOTHING = np.zeros(0)


@pytest.mark.parametrize(
    "doubts",
    [NOTHING, np.zeros(1), np.zeros(100), np.full(100, 5.0), np.full(100, 1e6), np.array([-3.0, 0.0, 500.0])],
)
def test_mixture_of_few_or_equal_doubts_is_finite(doubts):
    for planted in ({}, {"other": (np.zeros(1, int), np.array([90.0]))} if len(doubts) else {}):
        mixture = fit_mixture(doubts, planted)
        assert 0 <= mixture.share <= 1
        assert np.isfinite(mixture.right).all()
        assert 0 < lowest_limit(mixture, 0.02) < 25
        assert 0 <= mixture.lost(1e9) <= mixture.lost(0.0) <= 1


def test_references_that_were_read_as_they_are_are_right():
    mixture = fit_mixture(np.zeros(1000), {"other": (np.arange(1000), np.full(1000, 90.0))})
    assert mixture.share > 0.99


def small_alone(corpus: Corpus, lose: float) -> Calibration:
    return calibrate({"small": corpus.small}, None, lose)


def test_more_is_found_the_more_may_be_lost():
    corpus = draw_corpus()
    strict, default, bold = (small_alone(corpus, lose) for lose in (0.005, 0.02, 0.1))
    assert strict.limits["small"] > default.limits["small"] > bold.limits["small"]
    assert strict.found["substitution"].found < default.found["substitution"].found < bold.found["substitution"].found
    for calibration in (strict, default, bold):
        assert calibration.lost <= calibration.lose


@pytest.mark.parametrize("wrong", [0.0, 0.2])
@pytest.mark.parametrize("seed", [1, 2, 4])
def test_promise_of_the_small_model_is_kept(wrong, seed):
    corpus = draw_corpus(wrong=wrong, seed=seed, planted=2000)
    calibration = small_alone(corpus, 0.02)
    limit = calibration.limits["small"]
    assert (corpus.small.doubt[corpus.right] > limit).mean() == pytest.approx(0.02, abs=0.01)
    for kind in SYNTHETIC:
        assert calibration.found[kind].found == pytest.approx((corpus.errors[kind][0] > limit).mean(), abs=0.03)


@pytest.mark.parametrize("wrong", [0.0, 0.2])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_promise_of_a_cascade_is_kept_within_its_interval(wrong, seed):
    corpus = draw_corpus(wrong=wrong, seed=seed)
    band = choose_band(corpus.small, 0.02, 0.08)
    read = inside(corpus.small.doubt, band) | (np.random.default_rng(seed).random(len(corpus.small)) < 0.02)
    assert read.mean() < 0.105
    calibration = calibrate({"small": corpus.small, "large": corpus.large.only(read)}, band, 0.02)
    limit = calibration.limits["large"]
    lost = (corpus.small.doubt > band.reject) | (inside(corpus.small.doubt, band) & (corpus.large.doubt > limit))
    assert lost[corpus.right].mean() == pytest.approx(calibration.lost, abs=0.01)
    for kind, (small, large) in corpus.errors.items():
        found = ((small > band.reject) | (inside(small, band) & (large > limit))).mean()
        rate = calibration.found[kind]
        assert rate.low - 0.01 <= found <= rate.high + 0.01
        assert rate.found == pytest.approx(found, abs=0.05 if kind == "deletion" else 0.04)


def test_errors_in_wrong_references_do_not_raise_what_is_promised():
    corpus = draw_corpus(wrong=0.5, whole_text=1.0, planted=2000)
    rate = small_alone(corpus, 0.02).found["substitution"].found
    limit = small_alone(corpus, 0.02).limits["small"]
    naive = (corpus.small.planted["substitution"].doubt > limit).mean()
    truth = (corpus.errors["substitution"][0] > limit).mean()
    assert naive > truth + 0.1
    assert rate == pytest.approx(truth, abs=0.03)


def test_larger_model_that_read_few_errors_promises_little():
    corpus = draw_corpus()
    band = Band(1.0, 1000.0)
    few = corpus.large.only(np.arange(len(corpus.large)) < 5)
    many = calibrate({"small": corpus.small, "large": corpus.large}, band, 0.02).found["substitution"]
    rate = calibrate({"small": corpus.small, "large": few}, band, 0.02).found["substitution"]
    assert rate.high - rate.low > 4 * (many.high - many.low)
    nothing = corpus.large.only(np.zeros(len(corpus.large), bool))
    unknown = calibrate({"small": corpus.small, "large": nothing}, band, 0.02).found["substitution"]
    assert unknown.low < 0.3
    assert unknown.high > 0.7


def test_errors_in_easier_references_are_found_more_often_than_in_those_that_were_read():
    hard = Rate(0.7, 0.005)
    unread = rate_of_easier(np.zeros(0, bool), np.zeros(0), hard)
    assert unread.share == pytest.approx(0.85)
    assert hard.variance / 4 < unread.variance < 0.15**2
    few = rate_of_easier(np.array([True, False]), np.ones(2), hard)
    assert few.share == pytest.approx((0.5 + 0.85) / 2)
    many = rate_of_easier(np.arange(1000) % 10 > 0, np.ones(1000), hard)
    assert (many.share, many.variance) == (pytest.approx(0.9, abs=0.001), pytest.approx(0.09 / 1000, rel=0.05))


def test_only_errors_that_every_larger_model_doubts_are_found():
    corpus = draw_corpus(wrong=0.0)
    band = Band(0.0, 1000.0)
    two = {"small": corpus.small, "large": corpus.large}
    three = calibrate(two | {"large2": corpus.large}, band, 0.02)
    assert list(three.models) == ["small", "large", "large2"]
    assert three.found["deletion"].found < calibrate(two, band, 0.02).found["deletion"].found


def test_small_model_has_a_limit_of_its_own_for_languages_without_a_larger_one():
    corpus = draw_corpus()
    alone = small_alone(corpus, 0.02).limits["small"]
    assert (
        calibrate({"small": corpus.small, "large": corpus.large}, Band(-np.inf, np.inf), 0.02).limits["small"] == alone
    )
    assert calibrate({"small": corpus.small, "large": corpus.large}, Band(0.0, 7.0), 0.02).limits["small"] == alone


def test_limit_that_is_given_is_every_models_and_its_finds_are_told():
    corpus = draw_corpus(wrong=0.0)
    alone = calibrate({"small": corpus.small}, None, 0.02, limits={"small": 3.0})
    assert alone.limits == {"small": 3.0}
    assert alone.lost == pytest.approx((corpus.small.doubt > 3.0).mean(), abs=0.02)
    both = calibrate(
        {"small": corpus.small, "large": corpus.large}, Band(1.0, 8.0), 0.02, limits={"small": 3.0, "large": 3.0}
    )
    assert both.limits == {"small": 3.0, "large": 3.0}
    assert both.found["substitution"].found > alone.found["substitution"].found


def few(size: int, planted: bool = True) -> ModelEvidence:
    corpus = draw_corpus(size=size, planted=size if planted else 0)
    return corpus.small


@pytest.mark.parametrize("evidence", [few(0), few(1), few(12), few(12, planted=False)], ids=len)
def test_corpus_of_few_references_has_finite_limits(evidence):
    for models in ({"small": evidence}, {"small": evidence, "large": evidence}):
        calibration = calibrate(models, None if len(models) == 1 else choose_band(evidence, 0.02, 0.1), 0.02)
        assert Calibration.model_validate_json(calibration.model_dump_json()) == calibration
        assert all(0 < limit < 50 for limit in calibration.limits.values())
        assert all(0 <= rate.low <= rate.found <= rate.high <= 1 for rate in calibration.found.values())


@pytest.mark.parametrize("budget", [0.0, 0.02, 0.1, 0.5, 1.0])
def test_larger_model_reads_no_more_than_its_budget(budget):
    corpus = draw_corpus()
    band = choose_band(corpus.small, 0.02, budget)
    assert inside(corpus.small.doubt, band).mean() <= budget
    assert 0 <= band.accept <= band.reject
    assert corpus.small.mixture.lost(band.reject) <= 0.02


def test_budget_includes_the_audit():
    corpus = draw_corpus()
    audited = np.asarray(is_drawn(pa.array(corpus.small.ids), 0.02))
    band = choose_band(corpus.small, 0.02, 0.1, 0.02)
    assert 0.095 < (audited | inside(corpus.small.doubt, band)).mean() <= 0.1


@pytest.mark.parametrize(("spent", "share"), [(0.0, 0.1), (0.03, 0.07), (0.5, 0.05)])
def test_budget_pays_for_what_is_escalated_without_evidence_up_to_its_half(spent, share):
    small = draw_corpus().small
    band = choose_band(small, 0.02, 0.1, spent=spent * float(small.seconds.sum()))
    assert inside(small.doubt, band).mean() == pytest.approx(share, abs=0.002)


def test_seconds_escalated_without_evidence_are_those_of_the_gate():
    rows = pa.table(
        {
            "duration": [1.0, 2.0, 4.0, 8.0, 16.0],
            "reason": pa.array([None, None, None, None, "AUDIO_MISSING"], pa.string()),
            "small_doubt": [2.0, None, None, None, None],
            "small_wer": [0.5, 0.5, 0.0, 2.0, None],
            "small_confidence": pa.array([None] * 5, pa.float64()),
        }
    )
    limits = {"evidence": GateLimits(), "wer": GateLimits(0.25, 1.05), "confidence": GateLimits()}
    assert escalated_seconds(rows, Gates(by="evidence", limits=limits, audit=0.0)) == {None: 2.0}


def bands(gate: Gate, filter: Filter | None = None) -> tuple[float | None, float | None]:
    settings = Curation(
        manifest="a.jsonl", output="out", small="s.nemo", large="l.nemo", gate=gate, filter=filter or Filter()
    )
    limits = choose_bands(draw_corpus().small, settings).limits["evidence"]
    return limits.accept, limits.reject


def test_limits_of_the_gate_that_are_given_stand():
    accept, reject = bands(Gate())
    assert bands(Gate(accept_doubt=1)) == (1, reject)
    assert bands(Gate(accept_doubt=1, reject_doubt=5)) == (1, 5)
    assert bands(Gate(accept_doubt=90)) == (90, 90)
    lowered, given = bands(Gate(reject_doubt=3))
    assert (given, lowered < accept) == (3, True)
    assert bands(Gate(preset="everything")) == (None, None)


def test_gate_accepts_nothing_that_the_filter_drops_and_rejects_nothing_that_it_keeps():
    accept, reject = bands(Gate())
    assert bands(Gate(), Filter(max_doubt=0.5)) == (0.5, reject)
    assert bands(Gate(), Filter(max_doubt=50)) == (accept, 50)


def test_more_may_be_escalated():
    assert bands(Gate(escalate=0.3))[0] < bands(Gate(escalate=0.1))[0] < bands(Gate(escalate=0.03))[0]


def test_evidence_is_gathered_from_rows_that_have_it():
    planted = [{"kind": "substitution", "text": "a"}, {"kind": "other", "text": "b"}]
    shard = pa.table(
        {
            "id": [1, 2, 3, 4],
            "duration": [1.0, 2.0, 3.0, 4.0],
            "reason": pa.array([None, None, "AUDIO_MISSING", None], pa.string()),
            "small_doubt": [0.5, None, 1.0, 2.0],
            "small_wer": [0.0, 1.0, 0.0, 0.5],
            PLANTED: [planted, planted, planted, planted],
            "small_planted_doubt": [[8.0, 9.0], None, [7.0, 7.0], [6.0, None]],
            "small_planted_wer": [[0.2, 1.0], None, [0.2, 1.0], [0.4, 1.0]],
        }
    )
    evidence = gather_evidence([shard, shard], "small")
    assert evidence.ids.tolist() == [1, 4, 1, 4]
    assert evidence.doubt.tolist() == [0.5, 2.0, 0.5, 2.0]
    assert evidence.seconds.tolist() == [1.0, 4.0, 1.0, 4.0]
    at, doubt, wer = evidence.planted["substitution"]
    assert (at.tolist(), doubt.tolist(), wer.tolist()) == ([0, 1, 2, 3], [8.0, 6.0, 8.0, 6.0], [0.2, 0.4, 0.2, 0.4])
    assert evidence.planted["other"].at.tolist() == [0, 2]
    kept = evidence.only(evidence.doubt > 1)
    assert (kept.ids.tolist(), kept.planted["substitution"].at.tolist()) == ([4, 4], [0, 1])
    assert len(gather_evidence([shard], "large")) == 0
