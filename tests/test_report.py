"""The quality report: its figures, and that what it shows is only shown."""

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pyarrow as pa
import pytest
from markdown_it import MarkdownIt

from winnow.errors import CountMismatch
from winnow.gates.criteria import Gates
from winnow.parameters.curation import Curation
from winnow.parameters.filter import Filter
from winnow.parameters.gate import Bands
from winnow.reports.recommendations import recommend
from winnow.reports.render import escape_markdown, gate_limits, render_markdown, render_page
from winnow.reports.summary import Report, distribution, summarize
from winnow.reports.throughput import Throughput
from winnow.schema import FILTERED, ShardedManifest

HOUR = 3600.0


REPORTED = FILTERED.append(pa.field("large_keeps", pa.bool_()))


def rows(*found: dict) -> pa.Table:
    defaults = {"duration": HOUR, "text": "a b"}
    return pa.Table.from_pylist([{"id": i} | defaults | row for i, row in enumerate(found, 1)], REPORTED)


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


def speed(hours: float, seconds: float) -> Throughput:
    pace = hours * HOUR / seconds
    return Throughput(checkpoint="m.nemo", utterances=1, hours=hours, seconds=seconds, rtfx=pace,
                 model_seconds=seconds, utterances_per_second=1.0, padding=0.1, pinned=True,
                 device="cpu", precision="fp32",
                 peak_device_bytes=None)  # fmt: skip


@pytest.fixture
def report() -> Report:
    return summarize(CASCADE, MANIFEST, {"small": speed(4, 36), "large": speed(2, 72)}, SETTINGS)


def test_figures(report):
    assert (report.lines, report.blank, report.kept, report.dropped, report.quarantined) == (6, 1, 2, 2, 1)
    assert (report.hours, report.kept_hours, report.dropped_hours, report.escalated_hours) == (4, 2, 2, 2)
    assert {name: (band.utterances, band.kept) for name, band in report.bands.items()} == {
        "accept": (1, 1),
        "escalate": (2, 1),
        "reject": (1, 0),
    }
    assert (report.rescued.utterances, report.rescued.hours, report.lost.utterances) == (1, 1, 0)
    assert report.saved_seconds == pytest.approx(72)  # two hours that the large model reads at RTFx 100
    assert report.alike == 1
    assert {name: (n.utterances, n.hours) for name, n in report.reasons.items()} == {
        "WER_ABOVE_MAX": (1, 1.0),
        "REJECTED_BY_GATE": (1, 1.0),
        "AUDIO_MISSING": (1, None),
    }
    assert report.balance == "6 lines = 1 blank + 2 kept + 2 dropped + 1 quarantined"


@pytest.mark.parametrize(
    ("by", "said"),
    [("wer", ["WER"]), ("confidence", ["1 - confidence"]), ("agreement", ["WER"])],  # all have references
)
def test_a_report_says_what_the_first_gate_went_by(report, by, said):
    gates = Gates(by=by, wer=Bands(0.25, 1.05), doubt=Bands(None, None), disagreement=Bands(0.0, None), audit=0.0)
    lines = gate_limits(report.model_copy(update={"gates": gates})).splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"- {name}" for name in said]


def test_each_rule_has_its_condition_and_its_own_cost(report):
    assert {name: (n.rule, n.violations, n.only_this_rule) for name, n in report.reasons.items()} == {
        "WER_ABOVE_MAX": ("wer <= 0.25", 2, 1),
        "REJECTED_BY_GATE": ('last_band != "reject"', 1, 0),
        "AUDIO_MISSING": (None, None, None),
    }


def test_a_rule_that_never_comes_first_is_there_with_its_rows():
    dropped = {"wer": 0.0, "model": "small", "decision": "drop", "reason": "LONG", "reasons": ["LONG", "LOUD"]}
    settings = SETTINGS.model_copy(update={"filter": Filter(rules=("LONG: duration < 1", "LOUD: peak < 0.1"))})
    found = summarize(
        rows(dropped), ShardedManifest(shards=[], seconds=[], lines=1, blank=0), {"small": speed(1, 1)}, settings
    )
    assert {name: (n.utterances, n.hours, n.violations, n.only_this_rule) for name, n in found.reasons.items()} == {
        "LONG": (1, 1.0, 1, 0),
        "LOUD": (0, 0.0, 1, 0),
    }


def test_the_rate_of_the_corpus_that_of_utterances_and_that_with_none_above_one_differ():
    def read(hits: int, substitutions: int, insertions: int) -> dict:
        counts = {"hits": hits, "substitutions": substitutions, "deletions": 0, "insertions": insertions}
        wer = (substitutions + insertions) / (hits + substitutions)
        return {f"small_{name}": n for name, n in counts.items()} | {"wer": wer, "small_wer": wer, "model": "small"}

    found = distribution(rows(read(9, 1, 0), read(0, 1, 2), read(1, 0, 0)))
    assert (found.corpus, found.mean, found.capped) == pytest.approx((4 / 12, 3.1 / 3, 1.1 / 3))
    large = rows(read(9, 1, 0) | {"large_hits": 8, "large_deletions": 2, "model": "large"})
    assert (distribution(large).corpus, distribution(large, "small").corpus) == (0.2, 0.1)


def test_what_both_models_had_right_is_neither_rescued_nor_lost():
    def row(small: float, large: float) -> dict:
        found = {"band": "escalate", "model": "large", "small_wer": small, "large_wer": large, "wer": large}
        return (
            found | {"decision": "keep"} if large <= 0.25 else found | {"decision": "drop", "reason": "WER_ABOVE_MAX"}
        )

    found = rows(row(0.0, 0.0), row(0.1, 0.2), row(0.5, 0.1), row(0.2, 0.6), row(0.9, 0.9))
    manifest = ShardedManifest(shards=[], seconds=[], lines=5, blank=0)
    report = summarize(found, manifest, {"small": speed(5, 50), "large": speed(5, 50)}, SETTINGS)
    assert (report.rescued.utterances, report.lost.utterances) == (1, 1)


def test_levels_include_their_limits():
    found = distribution(rows(*({"wer": wer} for wer in (0.0, 0.10, 0.25, 0.26, 0.5, 0.51, None))))
    assert found.levels == {"excellent": 2, "good": 1, "fair": 2, "poor": 1}
    assert found.utterances == 6
    assert found.median == pytest.approx(0.255)


def test_advice_follows_from_the_figures(report):
    advice = "\n".join(recommend(report))
    for expected in (
        "mean WER is 62%",
        "standard deviation",
        "1 of 2 dropped",
        "20% of the utterances could not be read",
    ):
        assert expected in advice
    good = rows(*[{"wer": 0.0, "small_wer": 0.0, "model": "small", "decision": "keep"}] * 3)
    quiet = summarize(good, ShardedManifest(shards=[], seconds=[], lines=3, blank=0), {"small": speed(3, 30)}, SETTINGS)
    assert recommend(quiet) == ["Nothing stands out."]


def test_a_lost_or_doubled_row_is_an_error():
    with pytest.raises(CountMismatch, match="7 lines less 1 blank ones came out as 5 rows with 5 ids"):
        summarize(CASCADE, replace(MANIFEST, lines=7), {}, SETTINGS)
    doubled = pa.concat_tables([CASCADE.slice(0, 4), CASCADE.slice(0, 1)])
    with pytest.raises(CountMismatch, match="5 rows with 4 ids"):
        summarize(doubled, MANIFEST, {}, SETTINGS)


def test_the_artifact_is_small_and_says_what_became_of_the_rows(report):
    text = render_markdown(report, CASCADE, SETTINGS)
    assert len(text) < 500_000
    for expected in ("**2 of 5 utterances kept**", report.balance, "`WER_ABOVE_MAX`", "data:image/png;base64,"):
        assert expected in text


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
def test_markup_in_a_transcript_is_only_text(text):
    shown = MarkdownIt("commonmark").enable("table").render(f"| A | B |\n|---|---|\n| 1 | {escape_markdown(text)} |\n")
    cell = re.findall(r"<td>(.*?)</td>", shown, re.DOTALL)[1]
    assert "<" not in cell
    assert shown.count("<td>") == 2
    assert unescape(cell).replace("\u2060", "") == " ".join(text.split())
    assert not re.search(r"https?://|www\.|\w@\w", unescape(cell))  # nothing that a viewer makes a link of by itself


def test_a_long_text_is_cut():
    assert len(unescape(escape_markdown("word " * 100_000))) == 202


def test_the_page_fetches_nothing(report):
    html = render_page(render_markdown(report, CASCADE, SETTINGS), "Quality report: <corpus>")
    assert "<title>Quality report: &lt;corpus&gt;</title>" in html
    assert "default-src 'none'" in html
    assert set(re.findall(r'src="(\w+):', html)) == {"data"}
    assert "<table>" in html
