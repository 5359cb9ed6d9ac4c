"""Refilter and sweep: other rules for a complete run decide as if they had been its own."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from cli import run as command
from cli import sweep
from cli.app import app
from flows.refilter import refilter
from tasks.filter import filter
from tests.conftest import published_rows, shard_table
from tests.in_process import curate
from winnow.errors import OutputError, RuleError
from winnow.parameters.curation import Curation
from winnow.parameters.filter import Filter
from winnow.parameters.maintenance import Refilter
from winnow.rules.duplicates import count_duplicates, hash_references
from winnow.rules.rule import Rules, parse
from winnow.runs import ledger
from winnow.runs.completion import complete
from winnow.runs.reuse import input_digests
from winnow.runs.run_record import load_settings, make_record
from winnow.runs.shard_files import store_table
from winnow.runs.verify import verify_run
from winnow.schema import BEFORE_FILTER
from winnow.sweep.outcomes import gather_outcomes, kept_by_run, run_stages, shard_outcomes
from winnow.sweep.threshold_sweep import rule_costs

OTHER_RULES = (
    'BAND: band != "reject"',
    "WER: wer <= 0.5",
    "SLOW: char_rate >= 2",
    "NOISY: dnsmos > 2.5",
    "SAID: copies(text) < 25",
    "CAPS: all_caps(pred_text) == false",
)

OWN = ('BAND: band != "reject"', "wer <= 0.25")


def scored_rows(shard: int) -> pa.Table:
    """Return thirty scored rows with made-up hypotheses, of which a few are quarantined."""
    pick = np.random.default_rng(shard)
    rows = []
    for i in range(30):
        large = pick.random() < 0.4
        row = {
            "id": shard * 30 + i + 1,
            "duration": float(pick.uniform(0.5, 3)),
            "text": str(pick.choice(["good morning", "yes", "to be or not to be", f"{shard} {i}"])),
            "fields": json.dumps({"dnsmos": pick.choice([None, 2.5, 2.75, 3.0, 3.5, 4.5])}),
            "reason": None if i % 7 else "AUDIO_MISSING",
            "band": str(pick.choice(["accept", "escalate", "escalate", "reject"])),
        }
        for role in ("small", *(["large"] if large else [])):
            hits, substitutions = (int(n) for n in pick.integers(0, 4, 2))
            row |= {f"{role}_pred_text": str(pick.choice(["Yes", "Yes", "YES"])), f"{role}_hits": hits}
            row |= {f"{role}_substitutions": substitutions, f"{role}_deletions": 1, f"{role}_insertions": 0}
            row |= {f"{role}_wer": (substitutions + 1) / (hits + substitutions + 1)}
        rows.append(row)
    return pa.Table.from_pylist(rows, BEFORE_FILTER)


@pytest.fixture
def run(tmp_path) -> Path:
    """A finished run of three shards, judged by the default rules."""
    folder = tmp_path / "run"
    (tmp_path / "corpus.jsonl").write_text('{"audio_filepath": "a.wav", "text": "a", "dnsmos": 3}\n')
    settings = Curation(manifest=tmp_path / "corpus.jsonl", output=folder, small="s.nemo", large="l.nemo")
    rules = Rules(rules=tuple(map(str, settings.filter.active_rules)))
    for number in range(3):
        rows = scored_rows(number)
        for stage, table in {"load": rows, "score-large": rows, "filter": filter(rows, rules)}.items():
            file = store_table(folder / "_stages" / stage, f"{number:05}", table)
            ledger.commit(folder, ledger.key_of(stage, number), [file], stage=stage, shard=f"{number:05}")
    (folder / "run.json").write_bytes(make_record(folder, settings, {}, {}).encode())
    complete(folder, dict.fromkeys(("lines", "blank", "kept", "dropped", "quarantined"), 0))
    return folder


def judged_rows(rules: tuple[str, ...]) -> pa.Table:
    """Return the same rows as the filter stage judges them, without those that are quarantined."""
    tables = [scored_rows(number) for number in range(3)]
    again = count_duplicates([hash_references(table, "basic") for table in tables])
    whole = pa.concat_tables([filter(t, Rules(rules=rules), r) for t, r in zip(tables, again, strict=True)])
    return whole.filter(pa.compute.not_equal(whole["decision"], "quarantine"))


def test_sweep_keeps_the_same_rows_as_the_filter_stage(run):
    outcomes = gather_outcomes(run_stages(run), Rules(rules=OTHER_RULES), "basic")
    rows = judged_rows(OTHER_RULES).to_pylist()
    assert outcomes.kept.tolist() == [row["decision"] == "keep" for row in rows]
    assert 0 < outcomes.kept.sum() < len(rows)
    for column, rule in enumerate(outcomes.rules):
        assert outcomes.violations[:, column].tolist() == [rule.name in (row["reasons"] or []) for row in rows]
    kept = [row for row in rows if row["decision"] == "keep"]
    assert outcomes.of(outcomes.kept).hours == pytest.approx(sum(row["duration"] for row in kept) / 3600)
    assert kept_by_run(run_stages(run)).tolist() == [
        decision == "keep" for decision in judged_rows(OWN)["decision"].to_pylist()
    ]


def test_cost_of_a_rule_counts_rows_that_violate_no_other_rule(run):
    rows = judged_rows(OTHER_RULES).to_pylist()
    for cost in rule_costs(gather_outcomes(run_stages(run), Rules(rules=OTHER_RULES), "basic")):
        violating = [row for row in rows if cost.rule.name in (row["reasons"] or [])]
        assert cost.violations.utterances == len(violating)
        assert cost.only_this_rule.utterances == sum(row["reasons"] == [cost.rule.name] for row in violating)


@pytest.mark.parametrize("name", ["WER", "SLOW", "NOISY", "SAID"])
def test_each_point_of_a_curve_counts_the_rows_kept_at_its_threshold(run, name):
    (cost,) = (
        cost
        for cost in rule_costs(gather_outcomes(run_stages(run), Rules(rules=OTHER_RULES), "basic"))
        if cost.rule.name == name
    )
    assert [point.threshold for point in cost.curve if point.current] == [cost.rule.value]
    assert len(cost.curve) > 2
    for point in cost.curve:
        moved = f"{name}: {cost.rule.term} {cost.rule.operator} {point.threshold!r}"
        rules = tuple(moved if parse(rule)[0].name == name else rule for rule in OTHER_RULES)
        outcomes = gather_outcomes(run_stages(run), Rules(rules=rules), "basic")
        assert point.kept.utterances == outcomes.kept.sum()
        assert point.kept.hours == pytest.approx(outcomes.of(outcomes.kept).hours)
        assert point.kept.wer == pytest.approx(outcomes.of(outcomes.kept).wer)


def test_curve_counts_rows_to_which_its_rule_does_not_apply_as_kept():
    columns = {
        "duration": [1.0] * 6,
        "small_pred_text": ["a"] * 6,
        "small_wer": [0.0, 0.2, 0.5, None, None, None],
        "band": ["accept"] * 4 + ["escalate"] * 2,
        "large_pred_text": [None] * 4 + ["a"] * 2,
        "large_agreement": [None] * 4 + [1.0, 0.5],
    }
    rules = Rules(rules=("wer <= 0.25",), unreferenced=("agreement >= 0.8",))
    outcomes = shard_outcomes(shard_table(BEFORE_FILTER, **columns), rules, None)
    assert outcomes.kept.tolist() == [True, True, False, True, True, False]
    kept = [{point.threshold: point.kept.utterances for point in cost.curve} for cost in rule_costs(outcomes)]
    assert kept == [{0.0: 3, 0.2: 4, 0.25: 4, 0.5: 5}, {1.0: 4, 0.8: 4, 0.5: 5}]


def test_sweep_prints_costs_and_writes_curves(run, capsys):
    sweep.compare(str(run), Filter(max_wer=0.5))
    sweep.sweep(str(run), None)
    shown = " ".join(capsys.readouterr().out.split())
    decisions = (judged_rows(rules)["decision"].to_pylist() for rules in (OWN, (OWN[0], "wer <= 0.5")))
    before, after = (decision.count("keep") for decision in decisions)
    assert f"kept by these rules {after} " in shown
    assert f"newly kept {after - before} " in shown
    sweep.compare(str(run), Filter(rules=("duration >= 1000",)))
    assert "winnow: warning: these rules keep 0 of 75 transcribed utterances" in capsys.readouterr().err
    written = json.loads((run / "sweep.json").read_text())
    assert [cost["rule"] for cost in written["rules"]] == [
        "DOUBTFUL: supported != false",
        'REJECTED_BY_GATE: last_band != "reject"',
        "WER_ABOVE_MAX: wer <= 0.25",
    ]
    assert "data:image/png;base64," in (run / "sweep.html").read_text()


def test_preset_replaces_the_rules_of_the_run(run):
    app(["sweep", str(run), "--filter.preset", "none"], result_action="return_value")
    none = json.loads((run / "sweep.json").read_text())
    app(["sweep", str(run), "--filter.preset", "winnow"], result_action="return_value")
    winnow = json.loads((run / "sweep.json").read_text())
    assert [[cost["rule"].partition(":")[0] for cost in costs["rules"]] for costs in (none, winnow)] == [
        ["REJECTED_BY_GATE"],
        ["DOUBTFUL", "REJECTED_BY_GATE", "WER_ABOVE_MAX"],
    ]


def test_invalid_rules_are_refused_before_a_server_is_contacted(run, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    with pytest.raises(RuleError, match="this run has no large9 model"):
        command.refilter(Refilter(run=str(run), output="elsewhere", filter=Filter(rules=("large9_wer < 1",))))


def test_settings_of_a_refiltered_run_load_although_they_contradict_its_gate(run):
    """As refilter leaves one: the gate believed what these rules drop."""
    record = json.loads((run / "run.json").read_text())
    record["parameters"]["gate"]["accept"], record["parameters"]["filter"]["max_wer"] = 0.25, 0.1
    (run / "run.json").write_text(json.dumps(record))
    assert load_settings(run).gates_after_small.limits["wer"].accept == 0.25
    with pytest.raises(ValueError, match=r"must not be above the highest WER that the filter keeps \(0.1\)"):
        Curation(**record["parameters"])


def test_incomplete_run_is_refused(run):
    (run / "_SUCCESS.json").unlink()
    with pytest.raises(OutputError, match="finish it with winnow resume"):
        sweep.compare(str(run), Filter())


def test_refilter_equals_a_new_run_with_the_same_rules(manifest, hears, tmp_path, prefect_server):
    texts = {"a": "good morning", "b": "good night", "c": "no", "d": "good morning to you", "e": "no"}
    transcripts = {"a": "good morning", "b": "good day", "c": "no", "d": "good morning", "e": "no"}
    corpus = manifest(*[{"audio_filepath": f"{n}.wav", "duration": 1.0, "text": t, "snr": 5} for n, t in texts.items()])
    large = {f"{n}.wav": transcripts[n] for n in "bd"}
    models = hears(small={f"{n}.wav": t for n, t in transcripts.items()}, large=large)
    settings = {"manifest": corpus, "shard_hours": 2 / 3600, **models}
    first = curate(output=tmp_path / "first", **settings)
    (tmp_path / "phrases.txt").write_text("thank you\n")
    rules = ["copies(text) <= 1", "snr >= 3", "known_phrase(text) == false"]
    rule_parameters = {"preset": "none", "max_wer": 0.5, "rules": rules, "phrases": tmp_path / "phrases.txt"}
    at_once = curate(output=tmp_path / "at once", filter=rule_parameters, **settings)
    for role in models.values():
        Path(role).unlink()

    report = refilter(run=str(tmp_path / "first"), output=str(tmp_path / "second"), filter=Filter(**rule_parameters))
    assert (first.kept, report.kept, report.dropped) == (3, 3, 2)
    assert published_rows(tmp_path / "second") == published_rows(tmp_path / "at once")
    assert report.reasons == at_once.reasons
    assert input_digests(tmp_path / "second") == input_digests(tmp_path / "at once")
    assert [check.sentence for check in verify_run(tmp_path / "second") if not check.holds] == []
    assert [check.sentence for check in verify_run(tmp_path / "first") if not check.holds] == []
