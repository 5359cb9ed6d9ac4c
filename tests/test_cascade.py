"""Gates: bands, audit, budget, and cascades of several models."""

import json
import re
from collections import Counter
from dataclasses import replace
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.filter import filter
from tasks.gate import gate
from tests.conftest import published_rows, shard_table
from tests.in_process import curate
from winnow.errors import RunMismatch
from winnow.gates.budget import Budget, BudgetRows, best_band, choose_gates
from winnow.gates.candidates import share_to_sample
from winnow.gates.criteria import CRITERIA, Criterion, GateLimits, Gates
from winnow.gates.sampling import draw_numbers, sample_share, wilson_interval
from winnow.parameters.curation import Curation
from winnow.parameters.filter import Filter
from winnow.parameters.gate import Gate
from winnow.parameters.placement import Placement
from winnow.rules.rule import Rules
from winnow.runs.verify import verify_run
from winnow.schema import UTTERANCE, after_gate, after_sample, after_score, after_transcribe

SMALL_SCORED = after_score(after_transcribe(UTTERANCE, "small"), "small")
LARGE_SCORED = after_score(after_transcribe(after_gate(SMALL_SCORED, "small"), "large"), "large")
WERS = [0.0, 0.25, 0.26, 0.5, 0.51, 1.05, 1.06, None]


def curation(**parameters) -> Curation:
    return Curation(**{"manifest": "a.jsonl", "output": "out", "small": "s.nemo", "large": "l.nemo"} | parameters)


def bands_of(settings: Curation, **columns: list) -> list[str | None]:
    size = len(next(iter(columns.values())))
    rows = shard_table(SMALL_SCORED, **{"small_pred_text": ["a"] * size} | columns)
    return gate(rows, "small", settings.gates_after_small)["band"].to_pylist()


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, ["accept"] * 2 + ["escalate"] * 4 + ["reject", None]),
        ({"gate": Gate(preset="guide")}, ["escalate"] * 4 + ["reject"] * 3 + [None]),
        ({"gate": Gate(preset="everything")}, ["escalate"] * 7 + [None]),
        ({"gate": Gate(accept=0, reject=0.5)}, ["accept"] + ["escalate"] * 3 + ["reject"] * 3 + [None]),
        ({"filter": Filter(max_wer=0.1)}, ["accept"] + ["escalate"] * 5 + ["reject", None]),
        ({"filter": Filter(preset="none", rules=("wer < 0.25",))}, ["accept"] + ["escalate"] * 5 + ["reject", None]),
        ({"gate": Gate(preset="guide", reject=1)}, ["escalate"] * 5 + ["reject"] * 2 + [None]),
    ],
)
def test_gate_assigns_three_bands(parameters, expected):
    missing = [None if wer is None else "a" for wer in WERS]
    assert bands_of(curation(**parameters), small_wer=WERS, small_pred_text=missing) == expected


SURE = {"accept_confidence": 0.9, "reject_confidence": 0.2}


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("auto", ["accept", "escalate", "accept", "escalate", "reject", "escalate"]),
        ("confidence", ["reject", "accept", "accept", "escalate", "reject", "escalate"]),
    ],
)
def test_gate_compares_confidence_without_a_reference(by, expected):
    gated = bands_of(
        curation(gate=Gate(by=by, **SURE), references="optional"),
        small_wer=[0.0, 0.5, None, None, None, None],
        small_confidence=[0.1, 0.95, 0.9, 0.5, 0.1, 0.2],
    )
    assert gated == expected


def test_hypothesis_without_a_confidence_is_not_accepted():
    assert bands_of(curation(references="optional", gate=Gate(accept_confidence=0.1)), small_wer=[None]) == ["escalate"]


def test_small_model_decides_in_languages_without_a_large_model():
    spoken_corpus = ['{"lang": "hy"}', '{"lang": "hy-AM"}', '{"lang": "de"}', "{}"]
    rows = shard_table(SMALL_SCORED, small_wer=[0.0, 0.5, 0.5, 0.5], small_pred_text=["a"] * 4, fields=spoken_corpus)
    gated = gate(rows, "small", curation().gates_after_small, ["hy"])
    assert gated["band"].to_pylist() == [None, None, "escalate", "escalate"]


def test_gate_after_the_large_model_escalates_rows_that_the_filter_would_drop():
    columns = {"large_pred_text": ["a", "a", "a", None], "large_wer": [0.3, 0.31, 1.1, None]}
    settings = curation(gate=Gate(accept=0.1), filter=Filter(max_wer=0.3), extra_models=["b.nemo"])
    rows = shard_table(LARGE_SCORED, **columns)
    assert gate(rows, "large", settings.gates_after_larger)["large_band"].to_pylist() == [
        "accept",
        "escalate",
        "reject",
        None,
    ]
    audited = shard_table(LARGE_SCORED, large_pred_text=["a"], large_wer=[0.4], audit=[True])
    assert gate(audited, "large", settings.gates_after_larger)["large_band"].to_pylist() == [None]
    agreed = curation(gate=Gate(by="agreement", accept_agreement=0.75), extra_models=["b.nemo"])
    rows = shard_table(LARGE_SCORED, large_pred_text=["a", "a", "a"], large_agreement=[1.0, 0.75, 0.5])
    assert gate(rows, "large", agreed.gates_after_larger)["large_band"].to_pylist() == ["accept", "accept", "escalate"]


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        (
            {"gate": Gate(preset="guide", accept=0.2, reject=0.1)},
            "--gate.accept (0.2): must not be above --gate.reject (0.1)",
        ),
        (
            {"gate": Gate(accept=0.2), "filter": Filter(max_wer=0.1)},
            "--gate.accept (0.2): must not be above the highest WER that the filter keeps (0.1)",
        ),
        ({"gate": Gate(budget=0.2)}, "--gate.budget: needs --gate.preset budget"),
        ({"gate": Gate(budget=0.0)}, "--gate.budget: needs --gate.preset budget"),
        (
            {"gate": Gate(preset="budget", reject=0.5)},
            "--gate.reject: not used, because --gate.preset budget chooses this limit",
        ),
        (
            {"gate": Gate(preset="budget", accept_confidence=0.5), "references": "optional"},
            "--gate.accept-confidence: not used, because --gate.preset budget chooses this limit",
        ),
        (
            {"gate": Gate(preset="budget"), "filter": Filter(preset="none")},
            "--gate.preset budget: needs a rule for the highest WER, e.g. --filter.max-wer, or nothing can be rescued",
        ),
        (
            {"gate": Gate(preset="budget"), "languages": {"hy": {"small": "a.nemo"}}},
            "--gate.preset budget: needs a large model for every language of --languages",
        ),
        (
            {"large": None, "gate": Gate(preset="guide")},
            "--gate.preset: not used, because there is no large model to escalate to: add --large",
        ),
        (
            {"large": None, "devices": "local", "large_placement": Placement(share=0.5)},
            "--large-placement.share: not used, because there is no large model: add --large",
        ),
        (
            {"large": None, "extra_models": ["b.nemo"]},
            "--extra-models: needs --large, because extra models come after the large one",
        ),
        (
            {"gate": Gate(accept_confidence=0.5)},
            "--gate.accept-confidence: not used, because the gate compares evidence and wer (--gate.by auto)",
        ),
        (
            {"gate": Gate(accept_agreement=0.5)},
            "--gate.accept-agreement: not used, because the gate compares evidence and wer (--gate.by auto)",
        ),
        (
            {"gate": Gate(by="confidence", accept=0.1)},
            "--gate.accept: not used, because the gate compares confidence (--gate.by confidence)",
        ),
        (
            {"gate": Gate(by="agreement")},
            "--gate.by agreement: needs --extra-models, because it compares the large model with earlier ones",
        ),
        (
            {"gate": Gate(by="wer"), "references": "optional"},
            "--gate.by wer: needs a reference for every utterance, but --references is optional",
        ),
        (
            {"gate": Gate(by="confidence", accept_confidence=0.1, reject_confidence=0.2)},
            "--gate.accept-confidence (0.1): must not be below --gate.reject-confidence (0.2)",
        ),
    ],
)
def test_contradictory_or_unused_gate_options_are_refused(parameters, complaint):
    with pytest.raises(ValueError, match=re.escape(complaint)):
        curation(**parameters)


def test_unknown_criterion_is_refused():
    with pytest.raises(
        ValueError, match="unknown criterion 'noise': expected auto, evidence, wer, confidence, agreement"
    ):
        Gate(by="noise")


def test_audit_is_a_share_of_accepted_and_rejected_rows_drawn_by_id():
    rows = shard_table(SMALL_SCORED, small_wer=[0.0, 0.5, 2.0] * 1000, small_pred_text=["a"] * 3000)
    gates = curation(gate=Gate(audit=0.1)).gates_after_small
    gated = gate(rows, "small", gates)
    bands = Counter(gated.filter(gated["audit"])["band"].to_pylist())
    assert set(bands) == {"accept", "reject"}
    assert 60 < bands["accept"] < 140
    assert gate(rows.slice(7, 50), "small", gates)["audit"].equals(gated["audit"].slice(7, 50))
    more = gate(rows, "small", gates.model_copy(update={"audit": 0.2}))
    assert more["band"].equals(gated["band"])
    assert set(gated.filter(gated["audit"])["id"].to_pylist()) < set(more.filter(more["audit"])["id"].to_pylist())


@pytest.mark.parametrize(
    ("count", "total", "expected"),
    [(0, 0, (0.0, 1.0)), (0, 10, (0.0, 0.2775)), (5, 10, (0.2366, 0.7634)), (1, 100, (0.0018, 0.0545))],
)
def test_wilson_interval(count, total, expected):
    assert wilson_interval(count, total) == pytest.approx(expected, abs=1e-4)


def budget_of(settings: Curation) -> Budget:
    return Budget(
        settings.gate.budget_share, settings.gates_after_small, settings.filter.max_kept_wer, settings.comparison
    )


def budget_rows(values: list[float], seconds: list[float], sampled: list[bool], rescued: list[bool]) -> BudgetRows:
    return BudgetRows(np.array(values), np.array(seconds), np.array(sampled), np.array(rescued))


def test_budget_is_spent_where_the_sample_was_rescued():
    values = [0.3] * 10 + [0.6] * 10 + [2.0] * 10
    sampled = ([True] * 4 + [False] * 6) * 3
    rescued = [False] * 10 + [True] * 4 + [False] * 16
    rows = budget_rows(values, [1.0] * 30, sampled, rescued)
    assert best_band(rows, 0.25, 18.0, 0.5) == (0.3, 0.6)
    assert best_band(rows, 0.25, 17.9, 0.5) == (0.5, 0.5)  # the sample took 12, and one whole value takes 6 more
    assert best_band(rows, 0.25, 100.0, 0.5).reject >= 0.6
    assert best_band(budget_rows([0.1], [1.0], [True], [False]), 0.25, 1.0, 0.5) == (0.5, 0.5)


def test_budget_rejects_nothing_that_would_be_kept_without_it():
    values = [0.3] * 10 + [0.6] * 10 + [0.9] * 10
    sampled = ([True] * 4 + [False] * 6) * 3
    rescued = [True] * 4 + [False] * 26
    rows = budget_rows(values, [1.0] * 30, sampled, rescued)
    assert best_band(rows, 0.0, 18.0, 0.25) == (0.0, 0.3)
    assert best_band(rows, 0.0, 18.0, 0.5) == (0.3, 0.6)  # not (0.0, 0.3): what is between that and 0.5 is kept
    assert best_band(rows, -1.0, 24.0, 1.0) == (0.3, 0.9)


ROW = st.tuples(st.sampled_from([0.0, 0.2, 0.3, 0.5, 1.0, 3.0]), st.floats(0.1, 60), st.booleans(), st.booleans())


@given(st.lists(ROW, min_size=1, max_size=60), st.floats(0, 1))
def test_budget_is_never_exceeded(rows, share):
    seconds = np.array([row[1] for row in rows])
    drawn, wanted = draw_numbers(pa.array(range(1, len(rows) + 1), pa.int64())), np.array([row[3] for row in rows])
    sampled = wanted & (drawn < sample_share(drawn, wanted, seconds, share * seconds.sum()))
    assert seconds[sampled].sum() <= share * seconds.sum() + 1e-9
    values = np.array([row[0] for row in rows])
    rescued = np.array([row[2] for row in rows]) & sampled
    band = best_band(BudgetRows(values, seconds, sampled, rescued), 0.25, share * seconds.sum(), 0.5)
    escalated = (values > band.accept) & (values <= band.reject)
    assert seconds[sampled | escalated].sum() <= share * seconds.sum() + 1e-9


@pytest.mark.parametrize("parameters", [{"references": "optional"}, {"gate": Gate(preset="budget", by="confidence")}])
def test_budget_that_rescues_nothing_rejects_nothing(parameters):
    settings = curation(**{"gate": Gate(preset="budget")} | parameters)
    texts = {name: ["a b"] * 4 for name in ("small_pred_text", "large_pred_text")}
    wers = [None] * 4 if settings.references == "optional" else [0.0] * 4
    references = [None if wer is None else "a b" for wer in wers]
    columns = {"duration": [1.0] * 4, "small_confidence": [0.0, 0.5, None, 1.0], "small_wer": wers, "text": references}
    rows = shard_table(LARGE_SCORED, **texts, **columns)
    gates = choose_gates([rows], budget_of(settings), 0.5)
    assert gate(rows.select(SMALL_SCORED.names), "small", gates)["band"].to_pylist() == ["accept"] * 4


LABELS = Rules(
    rules=tuple(map(str, Filter().active_rules)),
    unreferenced=tuple(map(str, Filter(min_confidence=0.3).unreferenced_rules)),
)


def test_budget_without_references_is_spent_where_the_large_model_differs():
    sure, texts = [0.9] * 20 + [0.5] * 20 + [0.1] * 20, ["a b"] * 40 + ["a c"] * 20
    columns = {"small_pred_text": texts, "small_confidence": sure, "large_pred_text": ["a b"] * 60}
    rows = shard_table(
        after_score(after_transcribe(after_sample(SMALL_SCORED), "large"), "large"), duration=[1.0] * 60, **columns
    )
    settings = curation(references="optional", gate=Gate(preset="budget", budget=0.5))
    budget = budget_of(settings)
    share = share_to_sample([rows], budget.gates, budget.share)
    assert choose_gates([rows], budget, share).limits["confidence"] == GateLimits(0.5, 0.1)
    unaffordable = choose_gates([rows], replace(budget, share=0.0), 0.0)
    assert unaffordable.limits["confidence"] == GateLimits(0.0, 0.0)  # the small model decides


SCORED_ROW = st.fixed_dictionaries(
    {
        "reason": st.sampled_from([None, None, None, "AUDIO_MISSING"]),
        "text": st.sampled_from(["a b", None]),
        "small_pred_text": st.sampled_from([None, "", "a b", "a c"]),
        "small_wer": st.sampled_from([None, 0.0, 0.4, 2.0]),
        "small_confidence": st.sampled_from([None, 0.1, 0.5, 0.9]),
        "duration": st.floats(0.1, 30),
    }
)


@given(
    st.lists(SCORED_ROW, max_size=12),
    st.sampled_from(["auto", "confidence"]),
    st.tuples(st.none() | st.floats(0, 1), st.none() | st.floats(1, 2)),
    st.tuples(st.none() | st.floats(0.5, 1), st.none() | st.floats(0, 0.5)),
    st.floats(0, 1),
)
def test_every_utterance_is_decided_once_under_any_gate(rows, by, wer, confidence, audit):
    table = pa.Table.from_pylist([{"id": i} | row for i, row in enumerate(rows, 1)], SMALL_SCORED)
    limits = {"wer": GateLimits(*wer), "confidence": GateLimits(*confidence), "agreement": GateLimits()}
    gates = Gates(by=by, limits=limits, audit=audit)
    gated = gate(table, "small", gates)
    judged = filter(gated, LABELS).to_pylist()
    assert [row["id"] for row in judged] == list(range(1, len(rows) + 1))
    assert all((row["decision"] == "keep") == (row["reason"] is None) for row in judged)
    assert all(row["decision"] == "quarantine" for row, source in zip(judged, rows, strict=True) if source["reason"])
    assert all(row["decision"] != "keep" for row in judged if row["band"] == "reject")


WORDS = "one two three four five six seven eight".split()


def corpus(utterances: int, seed: int = 1) -> tuple[list[dict], dict[str, dict[str, str]]]:
    """Utterances of eight words, of which a small model has most right and a large one nearly all."""
    pick = Random(seed)
    rows, small, large = [], {}, {}
    for number in range(utterances):
        name = f"{number}.wav"
        words = pick.sample(WORDS, len(WORDS))
        wrong = pick.choice([0, 0, 0, 3, 4, 6, 8])
        rows.append({"audio_filepath": name, "duration": 1.0, "text": " ".join(words)})
        small[name] = " ".join(["no"] * wrong + words[wrong:])
        large[name] = " ".join(words) if wrong in (0, 3, 4) else "something else entirely"
    return rows, {"small": small, "large": large}


@pytest.fixture
def spoken_corpus(manifest, hears):
    def write(utterances: int = 120) -> dict:
        rows, models = corpus(utterances)
        return {"manifest": manifest(*rows), **hears(**models), "shard_hours": 30 / 3600}

    return write


def test_budget_is_kept_and_a_resumed_run_has_the_same_limits(spoken_corpus, tmp_path):
    settings, run = spoken_corpus() | {"gate": {"preset": "budget", "budget": 0.3}}, tmp_path / "run"
    report = curate(output=run, **settings)
    rows = published_rows(run)
    escalated = [row for row in rows if row["large_pred_text"] is not None]
    assert 0.15 * 120 < len(escalated) <= 0.3 * 120
    assert report.gates.limits["wer"].accept >= 0.25
    assert report.rescued.utterances > 10
    assert report.bands["escalate"].kept / report.bands["escalate"].utterances > 0.8  # not spent on the hopeless
    assert {row["decision"] for row in rows if row["band"] == "reject"} == {"drop"}
    assert all(check.holds for check in verify_run(run))

    before = contents(run)
    for record in sorted((run / "_ledger").glob("*.json"))[::2]:
        if json.loads(record.read_bytes()).get("stage") != "gates":
            record.unlink()
    assert curate(output=run, **settings).gates == report.gates
    assert contents(run) == before


def contents(run):
    return {path.relative_to(run): path.read_bytes() for part in ("data", "rejects") for path in (run / part).iterdir()}


def test_audit_changes_only_the_large_models_columns_and_estimates_the_loss(spoken_corpus, tmp_path):
    settings = spoken_corpus() | {"gate": {"reject": 0.45}}
    runs = {}
    for audit in (0.0, 0.6):
        gate_ = settings["gate"] | {"audit": audit}
        runs[audit] = curate(output=tmp_path / f"{audit}", **settings | {"gate": gate_})
    without, with_audit = (
        [
            {name: value for name, value in row.items() if not name.startswith("large_")}
            for row in published_rows(tmp_path / f)
        ]
        for f in ("0.0", "0.6")
    )
    assert without == with_audit
    bands = runs[0.6].bands
    assert runs[0.0].bands["accept"].audit.utterances == 0
    assert "no accepted utterance was drawn" in (tmp_path / "0.0" / "report.html").read_text()
    assert (bands["accept"].audit.wrong, bands["reject"].audit.wrong > 5) == (0, True)
    assert bands["escalate"].audit is None
    audit_result = bands["reject"].audit
    rejected = [row for row in published_rows(tmp_path / "0.6") if row["band"] == "reject"]
    audited = [row for row in rejected if row["large_pred_text"] is not None]
    assert audit_result.utterances == len(audited) < len(rejected)
    assert audit_result.wrong == sum(row["large_wer"] == 0.0 for row in audited)
    assert (audit_result.low, audit_result.high) == wilson_interval(audit_result.wrong, audit_result.utterances)
    assert audit_result.hours == pytest.approx(
        (audit_result.low * len(rejected) / 3600, audit_result.high * len(rejected) / 3600)
    )
    assert "the large model would have kept" in (tmp_path / "0.6" / "report.html").read_text()


def without_large_columns(row: dict) -> dict:
    return {name: value for name, value in row.items() if not name.startswith("large_")}


def test_each_extra_model_transcribes_rows_that_the_previous_model_escalated(manifest, hears, tmp_path):
    text = "one two three four"
    rows = [{"audio_filepath": f"{name}.wav", "duration": 1.0, "text": text} for name in "abcd"]
    models = hears(
        small={"a.wav": text, "b.wav": "one two", "c.wav": "one two", "d.wav": "one two"},
        large={"b.wav": text, "c.wav": "one two three three three", "d.wav": "one two"},
        third={"c.wav": text, "d.wav": "two two"},
        fourth={"d.wav": "one two three four"},
    )
    extra_models = [models.pop("third"), models.pop("fourth")]
    settings = {"manifest": manifest(*rows), "output": tmp_path / "run", "gate": {"audit": 0}} | models
    report = curate(**settings, extra_models=extra_models)
    with pytest.raises(RunMismatch, match="large2 was"):
        curate(**settings, extra_models=extra_models[::-1])
    rows = published_rows(tmp_path / "run")
    names = ("band", "large_band", "large2_band", "model", "wer", "decision")
    assert [[row[name] for name in names] for row in rows] == [
        ["accept", None, None, "small", 0.0, "keep"],
        ["escalate", "accept", None, "large", 0.0, "keep"],
        ["escalate", "escalate", "accept", "large2", 0.0, "keep"],
        ["escalate", "escalate", "escalate", "large3", 0.0, "keep"],
    ]
    assert [row["large2_pred_text"] for row in rows] == [None, None, text, "two two"]
    assert report.rescued.utterances == 3
    assert {role: band["escalate"].utterances for role, band in report.further.items()} == {"large": 2, "large2": 1}
    assert report.speed["large2"].utterances == 2


def test_without_references_hypotheses_become_texts_with_confidence_and_agreement(manifest, tmp_path):
    rows = [
        {"audio_filepath": "sure.wav", "duration": 1.0},
        {"audio_filepath": "alike.wav", "duration": 1.0, "text": None},
        {"audio_filepath": "unlike.wav", "duration": 1.0},
        {"audio_filepath": "silent.wav", "duration": 1.0},
        {"audio_filepath": "known.wav", "duration": 1.0, "text": "good night"},
    ]
    hypotheses = {
        "small": {
            "sure": ("Yes.", 0.9),
            "alike": ("good morning all", 0.4),
            "unlike": ("a b", 0.4),
            "silent": ("", 0.4),
        }
        | {"known": ("good night", 0.1)},
        "large": {"alike": ("Good morning all", 0.7), "unlike": ("see you", 0.7), "silent": ("", 0.3)},
    }
    models = {}
    for role, texts in hypotheses.items():
        lines = [{"audio_filepath": f"{name}.wav", "pred_text": t, "confidence": c} for name, (t, c) in texts.items()]
        models[role] = str(tmp_path / f"{role}.jsonl")
        (tmp_path / f"{role}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    settings = {"references": "optional", "gate": {"accept_confidence": 0.8, "audit": 0}}
    report = curate(manifest=manifest(*rows), output=tmp_path / "run", **models, **settings)
    assert (report.compared, report.agreement.mean, report.rescued.utterances) == (1, 0.75, 0)
    names = ("band", "pred_text", "wer", "confidence", "agreement", "reason")
    assert [[row[name] for name in names] for row in published_rows(tmp_path / "run")] == [
        ["accept", "Yes.", None, 0.9, None, None],
        ["escalate", "Good morning all", None, 0.7, 1.0, None],
        ["escalate", "see you", None, 0.7, 0.5, "AGREEMENT_BELOW_MIN"],
        ["escalate", "", None, 0.3, None, "NOTHING_HEARD"],
        ["accept", "good night", 0.0, 0.1, None, None],
    ]
    lines = [json.loads(line) for line in (tmp_path / "run" / "manifest.jsonl").read_text().splitlines()]
    assert [(line["text"], line.get("confidence"), line.get("agreement")) for line in lines] == [
        ("Yes.", 0.9, None),
        ("Good morning all", 0.7, 1.0),
        ("good night", None, None),
    ]
    assert pq.read_table(tmp_path / "run" / "data").num_rows == 3
    stricter = settings | {"filter": {"min_confidence": 0.8}}
    report = curate(manifest=tmp_path / "corpus.jsonl", output=tmp_path / "strict", **models, **stricter)
    assert report.reasons["CONFIDENCE_BELOW_MIN"].violations == 3


def test_criterion_added_to_the_registry_gates_a_run_and_is_reported(manifest, hears, tmp_path, register):
    cer = Criterion(label="CER", column="cer", unknown=1.0, lower_is_better=True, default_accept=0.2)
    register(CRITERIA, cer, name="cer")
    texts = {"a": "good mornings to you", "b": "could warning to yes"}
    corpus = manifest(
        *({"audio_filepath": f"{name}.wav", "duration": 1.0, "text": "good morning to you"} for name in texts)
    )
    models = hears(small={f"{name}.wav": text for name, text in texts.items()}, large={"b.wav": "good morning to you"})
    report = curate(manifest=corpus, output=tmp_path / "run", **models, gate={"by": "cer", "audit": 0})
    assert [row["band"] for row in published_rows(tmp_path / "run")] == ["accept", "escalate"]
    assert report.gates.limits["cer"] == GateLimits(accept=0.2)
    assert "CER: accept up to 0.2, reject nothing, escalate the rest" in (tmp_path / "run/report.html").read_text()
