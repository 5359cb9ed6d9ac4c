"""The quality report: its figures, its sentences, and that markup in transcripts stays text."""

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import soundfile
from markdown_it import MarkdownIt

from flows.curate import run_curation
from flows.orchestrator import InProcess
from winnow.errors import CountMismatch
from winnow.gates.criteria import CRITERIA, GateLimits, Gates
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Settings
from winnow.parameters.filter import Filter
from winnow.reports.bands import relabelled_rows, rescued_rows
from winnow.reports.cascade_section import gate_limits
from winnow.reports.charts import wer_histogram
from winnow.reports.counts import IdCounts, ReasonCount
from winnow.reports.examples import mark_doubtful
from winnow.reports.follow_up import FollowUp
from winnow.reports.formatting import code_span, escape_markdown
from winnow.reports.heard import heard_columns
from winnow.reports.languages import MOST_LANGUAGES, Languages
from winnow.reports.listening_section import listening_section
from winnow.reports.little_kept import little_kept
from winnow.reports.recommendations import recommend
from winnow.reports.render import render_markdown, render_page
from winnow.reports.sections import SECTIONS, language_name
from winnow.reports.slices import SliceCounts
from winnow.reports.summary import Report, ReportContext, summarize
from winnow.reports.throughput import Throughput
from winnow.reports.wer_distribution import WerCounts
from winnow.schema import FILTERED, ShardedManifest

HOUR = 3600.0


REPORTED = FILTERED.append(pa.field("language", pa.string())).append(pa.field("large_keeps", pa.bool_()))


def rows(*values: dict) -> pa.Table:
    defaults = {"duration": HOUR, "text": "a b"}
    return pa.Table.from_pylist([{"id": i} | defaults | row for i, row in enumerate(values, 1)], REPORTED)


CASCADE = rows(
    {"small_pred_text": "a b", "small_wer": 0.0, "band": "accept", "wer": 0.0, "model": "small", "decision": "keep"},
    {"small_pred_text": "x b", "small_wer": 0.5, "band": "escalate", "large_pred_text": "a b", "large_wer": 0.0,
     "wer": 0.0, "model": "large", "decision": "keep"},
    {"small_pred_text": "X y", "small_wer": 1.0, "band": "escalate", "large_pred_text": "x y.", "large_wer": 1.0,
     "wer": 1.0, "model": "large", "decision": "drop", "reason": "WER_ABOVE_MAX", "reasons": ["WER_ABOVE_MAX"]},
    {"small_pred_text": "p q r", "small_wer": 1.5, "band": "reject", "wer": 1.5, "model": "small",
     "decision": "drop", "reason": "REJECTED_BY_GATE", "reasons": ["REJECTED_BY_GATE", "WER_ABOVE_MAX"]},
    {"duration": 1e12, "decision": "quarantine", "reason": "AUDIO_MISSING"},
)  # fmt: skip
MANIFEST = ShardedManifest(shards=[], seconds=[], lines=6, blank=1)
SETTINGS = Curation(manifest=Path("corpus.jsonl"), output=Path("out"), small="small.nemo", large="large.nemo")


def throughput(hours: float, seconds: float) -> Throughput:
    rtfx = hours * HOUR / seconds
    return Throughput(checkpoint="m.nemo", utterances=1, hours=hours, seconds=seconds, rtfx=rtfx,
                 model_seconds=seconds, utterances_per_second=1.0, padding=0.1, pinned=True,
                 device="cpu", precision="fp32",
                 peak_device_bytes=None)  # fmt: skip


@pytest.fixture
def report() -> Report:
    return summarize(CASCADE, MANIFEST, {"small": throughput(4, 36), "large": throughput(2, 72)}, SETTINGS)


def test_report_counts_bands_rescued_rows_and_saved_time(report):
    assert (report.lines, report.blank, report.kept, report.dropped, report.quarantined) == (6, 1, 2, 2, 1)
    assert (report.hours, report.kept_hours, report.dropped_hours, report.escalated_hours) == (4, 2, 2, 2)
    assert {name: (band.utterances, band.kept) for name, band in report.bands.items()} == {
        "accept": (1, 1),
        "escalate": (2, 1),
        "reject": (1, 0),
    }
    assert (report.rescued.utterances, report.rescued.hours, report.lost.utterances) == (1, 1, 0)
    assert report.saved_seconds == pytest.approx(72)  # two hours not transcribed by the large model, at its RTFx of 100
    assert report.alike == 1
    assert {name: (n.utterances, n.hours) for name, n in report.reasons.items()} == {
        "WER_ABOVE_MAX": (1, 1.0),
        "REJECTED_BY_GATE": (1, 1.0),
        "AUDIO_MISSING": (1, None),
    }
    assert report.balance == "6 lines = 1 blank + 2 kept + 2 dropped + 1 quarantined"


@pytest.mark.parametrize(
    ("by", "limits"),
    [
        ("wer", "- WER: accept up to 0.25, reject above 1.05, escalate the rest"),
        ("confidence", "- confidence: accept nothing, reject nothing, escalate the rest"),
        ("agreement", "- WER: accept up to 0.25, reject above 1.05, escalate the rest"),  # all have references
    ],
)
def test_report_names_the_limits_that_the_first_gate_compared(report, by, limits):
    limits_by_name = dict.fromkeys(CRITERIA, GateLimits()) | {"wer": GateLimits(0.25, 1.05)}
    gates = Gates(by=by, limits=limits_by_name, audit=0.0)
    assert gate_limits(report.model_copy(update={"gates": gates})) == limits


@pytest.mark.parametrize(("by", "drawn"), [("wer", ["accept", "reject"]), ("evidence", []), ("confidence", [])])
def test_limits_of_wer_are_drawn_only_if_the_gate_goes_by_wer(report, by, drawn):
    limits = dict.fromkeys(CRITERIA, GateLimits()) | {"wer": GateLimits(0.25, 1.05)}
    gates = Gates(by=by, limits=limits, audit=0.0)
    chart = wer_histogram(ReportContext(report.model_copy(update={"gates": gates}), SETTINGS))
    assert [text.get_text() for text in chart.axes[0].texts] == drawn


def test_report_shows_each_rules_condition_violations_and_sole_drops(report):
    assert {name: (n.rule, n.violations, n.only_this_rule) for name, n in report.reasons.items()} == {
        "WER_ABOVE_MAX": ("wer <= 0.25", 2, 1),
        "REJECTED_BY_GATE": ('last_band != "reject"', 1, 0),
        "AUDIO_MISSING": (None, None, None),
    }


def test_rule_that_is_never_the_first_reason_is_reported_with_its_violations():
    dropped = {"wer": 0.0, "model": "small", "decision": "drop", "reason": "LONG", "reasons": ["LONG", "LOUD"]}
    settings = SETTINGS.model_copy(update={"filter": Filter(rules=("LONG: duration < 1", "LOUD: peak < 0.1"))})
    report = summarize(
        rows(dropped), ShardedManifest(shards=[], seconds=[], lines=1, blank=0), {"small": throughput(1, 1)}, settings
    )
    assert {name: (n.utterances, n.hours, n.violations, n.only_this_rule) for name, n in report.reasons.items()} == {
        "LONG": (1, 1.0, 1, 0),
        "LOUD": (0, 0.0, 1, 0),
    }


def test_corpus_wer_mean_wer_and_capped_wer_differ():
    def scored(hits: int, substitutions: int, insertions: int) -> dict:
        counts = {"hits": hits, "substitutions": substitutions, "deletions": 0, "insertions": insertions}
        wer = (substitutions + insertions) / (hits + substitutions)
        return {f"small_{name}": n for name, n in counts.items()} | {"wer": wer, "small_wer": wer, "model": "small"}

    wer = WerCounts().add(rows(scored(9, 1, 0), scored(0, 1, 2), scored(1, 0, 0))).distribution
    assert (wer.corpus, wer.mean, wer.capped) == pytest.approx((4 / 12, 3.1 / 3, 1.1 / 3))
    large = rows(scored(9, 1, 0) | {"large_hits": 8, "large_deletions": 2, "model": "large"})
    assert (WerCounts().add(large).distribution.corpus, WerCounts("small").add(large).distribution.corpus) == (0.2, 0.1)


def test_utterance_transcribed_correctly_by_both_models_is_neither_rescued_nor_lost():
    def row(small: float, large: float) -> dict:
        scores = {"band": "escalate", "model": "large", "small_wer": small, "large_wer": large, "wer": large}
        decision = {"decision": "keep"} if large <= 0.25 else {"decision": "drop", "reason": "WER_ABOVE_MAX"}
        return scores | decision

    filtered = rows(row(0.0, 0.0), row(0.1, 0.2), row(0.5, 0.1), row(0.2, 0.6), row(0.9, 0.9))
    manifest = ShardedManifest(shards=[], seconds=[], lines=5, blank=0)
    report = summarize(filtered, manifest, {"small": throughput(5, 50), "large": throughput(5, 50)}, SETTINGS)
    assert (report.rescued.utterances, report.lost.utterances) == (1, 1)


def test_utterance_without_a_reference_is_relabelled_not_rescued():
    escalated = {"band": "escalate", "model": "large", "decision": "keep"}
    filtered = rows(
        escalated | {"small_wer": 0.5, "agreement": 0.5},
        escalated | {"small_wer": None, "agreement": 0.5},
        escalated | {"small_wer": None, "agreement": 1.0},
        escalated | {"small_wer": None, "agreement": 0.5, "model": "small"},
    )
    assert rescued_rows(filtered, 0.25)["id"].to_pylist() == [1]
    assert relabelled_rows(filtered)["id"].to_pylist() == [2]
    settings = SETTINGS.model_copy(update={"references": "optional"})
    report = summarize(filtered, ShardedManifest(shards=[], seconds=[], lines=4, blank=0), {}, settings)
    assert (report.rescued.utterances, report.bands["escalate"].relabelled.utterances) == (1, 1)


def test_wer_levels_include_their_limits():
    wer = WerCounts().add(rows(*({"wer": wer} for wer in (0.0, 0.10, 0.25, 0.26, 0.5, 0.51, None)))).distribution
    assert wer.levels == {"excellent": 2, "good": 1, "fair": 2, "poor": 1}
    assert wer.utterances == 6
    assert wer.median == pytest.approx(0.255)


def test_recommendations_follow_from_the_figures(report):
    assert sentences(report) == [
        "The mean WER is 62%: try a larger model, and listen to some of the audio.",
        "The WER varies widely (standard deviation 65%): look at the examples in the report, and consider a model that "
        "was trained for this domain.",
        "Both models have the same words in 1 of 2 dropped utterances: probably the references are wrong and the audio "
        "is good. `pred_text` in `rejects/` may serve as a new reference.",
        "Some audio could not be used (1 AUDIO_MISSING): once it is there or repaired, `winnow resume` tries only "
        "these utterances again.",
    ]
    good = rows(*[{"wer": 0.0, "small_wer": 0.0, "model": "small", "decision": "keep"}] * 3)
    unremarkable = summarize(
        good, ShardedManifest(shards=[], seconds=[], lines=3, blank=0), {"small": throughput(3, 30)}, SETTINGS
    )
    assert recommend(unremarkable, FollowUp(SETTINGS, "/runs/out")) == []


def sentences(report: Report, settings: Settings = SETTINGS) -> list[str]:
    return [advice.sentence for advice in recommend(report, FollowUp(settings, "/runs/out"))]


def few_kept(kept: int, reason: str, count: int, rule: str | None = None, wer: float | None = None) -> list[str]:
    """Return the warnings of a report on 100 utterances, of which so many have this reason."""
    wers = rows(*[{"wer": wer, "small_wer": wer, "model": "small", "decision": "drop"}] * 3)
    empty = summarize(wers, ShardedManifest(shards=[], seconds=[], lines=3, blank=0), {}, SETTINGS)
    reasons = {reason: ReasonCount(utterances=count, hours=None, rule=rule)} if count else {}
    return list(little_kept(empty.model_copy(update={"lines": 100, "kept": kept, "reasons": reasons})))


@pytest.mark.parametrize(
    ("run", "warning"),
    [
        (
            {"kept": 3, "reason": "WER_ABOVE_MAX", "count": 97, "rule": "wer <= 0.25", "wer": 0.98},
            "Only 3 of 100 utterances were kept. WER_ABOVE_MAX dropped 97%: median WER 0.98: are the references in "
            "another language, or those of other audio, or does the model not fit?",
        ),
        (
            {"kept": 0, "reason": "CER_ABOVE_MAX", "count": 60, "rule": "cer <= 0.01", "wer": 0.3},
            "Nothing was kept. CER_ABOVE_MAX dropped 60%: median WER 0.30: is the limit too strict, or does the model "
            "not fit this speech?",
        ),
        (
            {"kept": 0, "reason": "AUDIO_MISSING", "count": 100},
            "Nothing was kept. AUDIO_MISSING quarantined 100%: there is no such audio file, or several to which the "
            "name may refer; see the column detail in rejects/.",
        ),
        (
            {"kept": 0, "reason": "SPEAKER_NOT_LISTED", "count": 100, "rule": 'speaker in "theo"'},
            "Nothing was kept. SPEAKER_NOT_LISTED dropped 100%: do the utterances have such values? An unknown value "
            "violates a rule, too.",
        ),
        (
            {"kept": 0, "reason": "SILENT_ABOVE_MAX", "count": 90, "rule": "silent <= 0.95"},
            "Nothing was kept. SILENT_ABOVE_MAX dropped 90%: is there speech in the audio, in the channel that was "
            "transcribed?",
        ),
    ],
)
def test_run_that_keeps_little_names_the_likeliest_cause(run, warning):
    assert few_kept(**run) == [warning]


def test_run_that_keeps_a_twentieth_has_no_warning():
    assert few_kept(kept=5, reason="WER_ABOVE_MAX", count=95, rule="wer <= 0.25", wer=0.9) == []


def test_warnings_stand_at_the_top_of_the_report(report):
    warned = report.model_copy(update={"warnings": ["Nothing was kept."]})
    assert render_markdown(warned, SETTINGS).split("\n\n")[2] == "**Warning:** Nothing was kept."


@pytest.mark.parametrize(
    ("gate", "options"),
    [
        ({}, ["a better small model"]),  # gate.accept is at the filter's limit already
        ({"accept": 0.1}, ["a better small model", "a higher `gate.accept` (at most 0.25, the filter's limit)"]),
        (
            {"preset": "everything"},
            ["a better small model", "setting `gate.accept` (at most 0.25, the filter's limit)"],
        ),
        ({"preset": "budget"}, ["a better small model", "a lower `gate.budget`"]),
        ({"by": "confidence"}, ["a better small model", "setting `gate.accept_confidence`"]),
    ],
)
def test_recommended_options_are_accepted_by_a_run(report, gate, options):
    settings = Curation(**SETTINGS.model_dump(include={"manifest", "output", "small", "large"}), gate=gate)
    report = report.model_copy(update={"escalated_hours": 3.0})
    expected = f"75% of the audio was escalated: {' or '.join(options)} would make the cascade faster."
    assert expected in sentences(report, settings)


def test_lost_or_doubled_row_is_an_error():
    lost = r"rows were lost or duplicated: expected 6 \(7 lines, 1 of them blank\), got 5 rows with 5 different ids"
    with pytest.raises(CountMismatch, match=lost):
        summarize(CASCADE, replace(MANIFEST, lines=7), {}, SETTINGS)
    doubled = pa.concat_tables([CASCADE.slice(0, 4), CASCADE.slice(0, 1)])
    with pytest.raises(CountMismatch, match="got 5 rows with 4 different ids"):
        summarize(doubled, MANIFEST, {}, SETTINGS)


def test_markdown_is_small_and_shows_counts_reasons_and_charts(report):
    text = render_markdown(report, SETTINGS)
    assert len(text) < 500_000
    for expected in ("**2 of 5 utterances kept**", report.balance, "`WER_ABOVE_MAX`", "data:image/png;base64,"):
        assert expected in text
    assert re.findall("^## (.*)$", text, re.MULTILINE) == [
        section.heading
        for section in SECTIONS
        if section.heading not in ("Agreement", "Slices", "Evidence", "Listening", "Mended rows", "Languages")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![x](https://example.org/x.png)",
        "[x](javascript:alert(1))",
        "a | b\n\n# heading",
        "`code` **bold** ~~gone~~ &lt;b&gt; <https://example.org> https://example.org www.example.org a@example.org",
    ],
)
def test_markup_in_a_transcript_is_shown_as_text(text):
    shown = MarkdownIt("commonmark").enable("table").render(f"| A | B |\n|---|---|\n| 1 | {escape_markdown(text)} |\n")
    cell = re.findall(r"<td>(.*?)</td>", shown, re.DOTALL)[1]
    assert "<" not in cell
    assert shown.count("<td>") == 2
    assert unescape(cell).replace("\u2060", "") == " ".join(text.split())
    assert not re.search(r"https?://|www\.|\w@\w", unescape(cell))  # viewers link these without any markup


def test_long_text_is_truncated():
    assert len(unescape(escape_markdown("word " * 100_000))) == 202


def test_report_page_fetches_nothing(report):
    html = render_page(render_markdown(report, SETTINGS), "Quality report: <corpus>")
    assert "<title>Quality report: &lt;corpus&gt;</title>" in html
    assert "default-src 'none'" in html
    assert set(re.findall(r'src="(\w+):', html)) == {"data"}
    assert "<table>" in html


@pytest.fixture
def routed(manifest, hears, tmp_path) -> tuple[Report, Path]:
    """German has no large model, French one of its own; two rows state no language, and one has no audio."""
    languages = ["en", "de", "fr", None, "de", "en", "fr", None, "de"]
    texts = {f"{number}.wav": "good morning" for number in range(len(languages))}
    bad = dict.fromkeys(texts, "good evening")
    models = hears(small=bad | {"0.wav": "good morning", "1.wav": "good morning"}, large=texts, third=texts)
    corpus = manifest(
        *(
            {"audio_filepath": name, "duration": 1.0, "text": text, "lang": language}
            for (name, text), language in zip(texts.items(), languages, strict=True)
        ),
        {"audio_filepath": "none/\0.wav", "text": "no audio", "lang": "de"},
        tones=False,
    )
    for name in texts:
        soundfile.write(tmp_path / name, 0.3 * np.sin(np.arange(16_000) / 10), 16_000)
    routes = {"de": {"small": models["small"]}, "fr": {"small": models["small"], "large": models["third"]}}
    parameters = {"manifest": corpus, "small": models["small"], "large": models["large"], "languages": routes}
    settings = Curation(output=str(tmp_path / "out"), **parameters)
    return run_curation(settings, InProcess()), tmp_path / "out"


def test_every_row_of_a_run_with_routed_languages_is_in_a_band(routed):
    report, out = routed
    assert {name: band.utterances for name, band in report.bands.items()} == {
        "accept": 1,
        "escalate": 5,
        "reject": 0,
        "final": 3,
    }
    assert sum(band.utterances for band in report.bands.values()) + report.quarantined == report.utterances == 10
    assert sum(band.kept for band in report.bands.values()) == report.kept
    assert sum(band.hours for band in report.bands.values()) == pytest.approx(report.hours)
    page = (out / "report.html").read_text()
    assert "Final (no larger model for the language; the small model's result is used)" in unescape(page)


def test_figures_by_language_sum_up_to_those_of_the_run(routed):
    report, out = routed
    assert {
        name: (row.utterances, row.kept, row.dropped, row.quarantined) for name, row in report.languages.items()
    } == {
        "de": (4, 1, 2, 1),
        "en": (2, 2, 0, 0),
        "fr": (2, 2, 0, 0),
        "und": (2, 2, 0, 0),
    }
    rows = report.languages.values()
    assert sum(row.utterances for row in rows) == report.utterances
    assert sum(row.hours for row in rows) == pytest.approx(report.hours)
    assert sum(row.kept_hours for row in rows) == pytest.approx(report.kept_hours)
    assert report.languages["de"].wer["small"].corpus == pytest.approx(1 / 3)
    assert report.languages["de"].wer["large"].corpus is None
    assert report.languages["fr"].wer["large"].corpus == 0
    recorded = json.loads((out / "report.json").read_text())
    assert list(recorded["languages"]) == ["de", "en", "fr", "und"]
    assert "<h2>Languages</h2>" in (out / "report.html").read_text()


def test_run_of_one_language_has_no_figures_by_language(report):
    assert report.languages == {}


def test_rare_languages_are_summed_up_and_their_names_are_inert():
    names = [f"x{number}|<b>`" for number in range(MOST_LANGUAGES + 5)]
    many = rows(
        *({"language": name, "wer": 0.0, "small_wer": 0.0, "model": "small", "decision": "keep"} for name in names)
    )
    counted = Languages(["small"])
    counted.add(many)
    figures = counted.figures
    assert len(figures) == MOST_LANGUAGES + 1
    assert figures["mul"].utterances == 5
    assert sum(row.utterances for row in figures.values()) == len(many)
    assert "<b>" not in MarkdownIt("commonmark").render(language_name(names[0]))


@pytest.mark.parametrize("name", ["/data/my-file.nemo", "nvidia/parakeet-tdt_ctc-110m", "C:x (1) [a]*.nemo"])
def test_name_is_shown_as_code_without_backslashes(name):
    assert code_span(name) == f"`{name}`"


@pytest.mark.parametrize(
    "name",
    ["a`b`<script>", "a|b", "<img src=x>", "a\\", "https://host/a.nemo", "a\u202eb", "a\n# b", " ", "``", "&lt;"],
)
def test_hostile_name_is_inert(name):
    shown = MarkdownIt("commonmark").enable("table").render(f"| A | B |\n|---|---|\n| 1 | {code_span(name)} |\n")
    assert shown.count("<td>") == 2
    cell = re.findall(r"<td>(.*?)</td>", shown, re.DOTALL)[1]
    assert not re.search(r"<(?!/?code>)", cell)
    assert "\u202e" not in cell


def made_report(settings: Curation, **figures) -> Report:
    escalated = rows(*[{"small_wer": 0.6, "band": "escalate", "large_wer": 0.9, "wer": 0.9, "model": "large",
                        "decision": "drop", "reason": "WER_ABOVE_MAX", "reasons": ["WER_ABOVE_MAX"]}] * 40)  # fmt: skip
    made = summarize(escalated, replace(MANIFEST, lines=40, blank=0), {"small": throughput(4, 36)}, settings)
    return made.model_copy(update=figures)


OPTION = re.compile(r"(a lower|a higher|setting) `(gate\.\w+)`")


@pytest.mark.parametrize("references", ["required", "optional"])
@pytest.mark.parametrize(
    "gate",
    [
        {},
        {"accept": 0.1},
        {"accept": 0.25, "reject": 0.25},
        {"reject": 0.3},
        {"preset": "guide"},
        {"preset": "everything"},
        {"preset": "budget"},
        {"preset": "budget", "budget": 0.1},
        {"by": "confidence"},
        {"by": "confidence", "accept_confidence": 0.6, "reject_confidence": 0.6},
        {"by": "agreement"},
    ],
)
def test_every_recommended_option_is_accepted(gate, references):
    given = {"manifest": "c.jsonl", "output": "out", "small": "s.nemo", "large": "l.nemo", "references": references}
    extra = {"extra_models": ["x.nemo"]} if gate.get("by") == "agreement" else {}
    settings = Curation(**given, **extra, gate=gate)
    for compared in ({}, {"wer": nothing_compared(settings)}):
        advice = sentences(made_report(Curation(**given), **compared), settings)
        for direction, option in OPTION.findall(" ".join(advice)):
            name = option.partition(".")[2]
            now = getattr(settings.gate, name)
            values = [step / 100 for step in range(101)]
            if now is not None:
                values = [value for value in values if (value < now if direction == "a lower" else value > now)]
            assert any(accepted(settings, name, value) for value in values), (option, advice)


def nothing_compared(settings: Curation) -> dict:
    empty = WerCounts().add(rows({"wer": None})).distribution
    return dict.fromkeys(("all", "kept", *(f"escalated, {role} model" for role in settings.roles)), empty)


def accepted(settings: Curation, name: str, value: float) -> bool:
    gate = settings.gate.model_dump() | {name: value}
    try:
        Curation.model_validate(settings.model_dump() | {"gate": gate})
    except ValueError:
        return False
    return True


DOUBTED = {
    "text": "five nine <b>eight",
    "band": "escalate",
    "small_pred_text": "five two eight zero",
    "small_gap": 12.0,
    "small_doubt": 8.0,
    "large_pred_text": "five to eight zero",
    "large_gap": 30.0,
    "large_doubt": 25.0,
    "large_small_gap": 0.5,
    "pred_text": "five to eight zero",
    "wer": 1.0,
    "model": "large",
    "decision": "drop",
    "reason": "WER_ABOVE_MAX",
    "reasons": ["WER_ABOVE_MAX"],
}
"""A dropped row whose models read different words, of which both prefer the small one's to the reference."""


def test_dropped_row_is_shown_with_its_doubtful_words_and_what_all_models_prefer():
    one_line = ShardedManifest(shards=[], seconds=[], lines=1, blank=0)
    report = summarize(rows(DOUBTED), one_line, {"small": throughput(1, 1)}, SETTINGS)
    assert [example.model_dump() for example in report.examples] == [
        {
            "id": 1,
            "reason": "WER_ABOVE_MAX",
            "wer": 1.0,
            "doubt": None,
            "reference": "five nine <b>eight",
            "doubtful": [(5, 9), (18, 18)],
            "hypothesis": "five to eight zero",
            "preferred": "five two eight zero",
            "margin": 12.0,
            "proposal": None,
            "marks": [
                {"reference": "five", "read": None},
                {"reference": "nine", "read": "two"},
                {"reference": "<b>eight", "read": None},
                {"reference": "", "read": "zero"},
            ],
        }
    ]
    html = render_page(render_markdown(report, SETTINGS), "Report")
    assert "<td>five <strong>nine</strong> &lt;b&gt;eight <strong>^</strong></td>" in html


@pytest.mark.parametrize(
    ("text", "spans", "shown"),
    [
        ("a b c", [(0, 1), (4, 5)], "**a** b **c**"),
        ("a b", [(0, 0), (1, 1), (3, 3)], "**\\^** a **\\^** b **\\^**"),
        ("今天很好", [(2, 3)], "今天**很**好"),
        ("*a* b", [(0, 3)], "**\\*a\\*** b"),
        ("a " * 150, [(0, 1), (296, 297)], f"**a**{' a' * 99} …"),
        ("", [], ""),
        ("", [(0, 0)], "**\\^**"),
    ],
)
def test_doubtful_words_are_marked_in_the_part_of_the_text_that_is_shown(text, spans, shown):
    assert mark_doubtful(text, spans) == shown


def test_section_on_listening_has_distributions_and_what_rules_by_them_cost():
    kinds = {"heard_dnsmos": pa.float64(), "heard_language": pa.string(), "heard_pauses": pa.int32()}
    values = {"dnsmos": [3.0, 2.0, 4.0, None, None], "language": ["en", "en", "de", "<i>", None], "pauses": [None] * 5}
    heard = CASCADE
    for name, kind in kinds.items():
        heard = heard.append_column(name, pa.array(values[name.removeprefix("heard_")], kind))
    settings = SETTINGS.model_copy(update={"filter": Filter(rules=("dnsmos >= 3", "wer <= 1"))})
    report = summarize(heard, MANIFEST, {}, settings)
    reason = ReasonCount(utterances=1, hours=1.0, violations=2, only_this_rule=1)
    report = report.model_copy(update={"reasons": {"DNSMOS_BELOW_MIN": reason}})
    assert report.heard["dnsmos"].model_dump() == {
        "utterances": 3,
        "unknown": 1,
        "quantiles": pytest.approx([2.1, 2.5, 3.0, 3.5, 3.9]),
        "kept_median": 2.5,
        "values": {},
    }
    assert report.heard["language"].values == {"en": 2, "de": 1, "<i>": 1}
    assert (report.heard["pauses"].utterances, report.heard["pauses"].unknown) == (0, 4)
    section = next(section for section in SECTIONS if section.heading == "Listening")
    text = section.render(ReportContext(report, settings))
    assert "| `dnsmos` | 3 | 1 | 2.10 | 2.50 | 3.00 | 3.50 | 3.90 | 2.50 |" in text
    assert "| `pauses` | 0 | 4 |  |  |  |  |  |  |" in text
    assert "| `language` | en | 2 |" in text
    assert "<i>" not in text
    assert [line for line in text.splitlines() if "_BELOW_MIN" in line or "WER" in line] == [
        r"| `DNSMOS_BELOW_MIN` | dnsmos \>\= 3 | 2 | 1 |"
    ]
    assert not section.applies(summarize(CASCADE, MANIFEST, {}, SETTINGS))


def test_section_on_listening_counts_what_it_does_not_name():
    names = pa.array([f"l{number:02}" for number in range(9)] + ["l00", None])
    heard = rows(*[{"decision": "keep"}] * 11).append_column("heard_language", names)
    report = summarize(heard, ShardedManifest(shards=[], seconds=[], lines=11, blank=0), {}, SETTINGS)
    text = listening_section(ReportContext(report, SETTINGS))
    others = [["(all others)", "1 |"], ["(unknown)", "1 |"]]
    shown = [line.split(" | ")[1:] for line in text.splitlines()[2:]]
    assert shown == [["l00", "2 |"], *([f"l{number:02}", "1 |"] for number in range(1, 8)), *others]


SHARDED = {
    "heard_snr": pa.array([3.0, -2.0, 4.0, None, 1.0]),
    "heard_language": pa.array(["en", "en", None, "de", "fr"]),
    "field speaker": pa.array(["ann", "bob", "ann", None, "bob"]).dictionary_encode(),
    "language": pa.array(["en", "de", None, "en", "fr"]),
    "agreement": pa.array([1.0, 0.5, 0.75, None, None]),
    "doubt": pa.array([0.5, 2.0, None, 7.0, None]),
    "mended": pa.array([["NUMBER"], None, ["NUMBER", "BOM"], None, None]),
}


@pytest.mark.parametrize("referenced", [True, False])
def test_report_does_not_depend_on_how_rows_are_divided_into_shards(referenced):
    columns = {name: CASCADE[name] for name in CASCADE.schema.names} | SHARDED
    parts = [pa.table(columns)] * 9  # each value of a field has enough rows for a slice
    whole = pa.concat_tables(parts).set_column(0, "id", pa.array(range(1, 46), pa.int64()))
    settings = SETTINGS if referenced else SETTINGS.model_copy(update={"references": "optional"})
    speed = {"small": throughput(36, 36), "large": throughput(18, 72)}
    manifest = replace(MANIFEST, lines=46)
    at_once, sharded, by_row = (
        summarize((whole.slice(start, rows) for start in range(0, 45, rows)), manifest, speed, settings).model_dump()
        for rows in (45, 7, 1)
    )
    assert at_once["slices"]
    assert sharded == nearly(at_once)
    assert by_row == nearly(at_once)


def nearly(value: Any) -> Any:
    """Return a value that is equal to one whose numbers differ in their last digits."""
    if isinstance(value, dict):
        return {name: nearly(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(nearly, value))
    return pytest.approx(value, rel=1e-12) if isinstance(value, float) else value


def test_field_with_many_values_in_one_shard_has_no_slices():
    few = CASCADE.append_column("field speaker", pa.array(["ann", "bob", "ann", "bob", "ann"]).dictionary_encode())
    many = CASCADE.append_column("field speaker", pa.nulls(5))
    for shards, fields in (([few] * 6, {"speaker"}), ([*[few] * 6, many], set()), ([many, *[few] * 6], set())):
        counts = SliceCounts()
        for rows in shards:
            counts.add(rows.filter(pc.not_equal(rows["decision"], "quarantine")))
        assert {part.field for part in counts.slices} == fields


@pytest.mark.parametrize("ids", [[1, 2, 2, 3], [1, 2, 3], [], [1, 2, 3, 4, 5]])
def test_ids_that_are_missing_repeated_or_too_many_are_noticed(ids):
    counts = IdCounts()
    for first in range(0, len(ids), 2):
        counts.add(pa.chunked_array([pa.array(ids[first : first + 2], pa.int64())]))
    assert (counts.count, counts.distinct) == (len(ids), len(set(ids)))
    with pytest.raises(CountMismatch):
        counts.check(ShardedManifest(shards=[], seconds=[], lines=4, blank=0))


def test_lines_of_the_manifest_have_no_distribution():
    schema = pa.schema([("snr", pa.float64()), ("copy_similarity", pa.float64()), ("copy_of", pa.int32())])
    assert heard_columns(schema) == ["snr", "copy_similarity"]
