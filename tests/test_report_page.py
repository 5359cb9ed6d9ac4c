"""The report's page: its parts, that it is inert, and that all forms of the report have the same figures."""

import json
import re
import shlex
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from docs.generate import report_schema
from tests.test_report import CASCADE, DOUBTED, MANIFEST, SETTINGS, made_report, rows, sentences, throughput
from winnow.evidence.calibration import Calibration, CurvePoint, ModelCalibration
from winnow.evidence.found import FoundRate
from winnow.evidence.languages import OTHERS
from winnow.parameters.ensemble import Ensemble
from winnow.reports.charts import MOST_LIMITS, doubt_histogram, histogram_figure, limits_of_doubt, wer_histogram
from winnow.reports.distributions import DOUBT_EDGES, WER_EDGES, Histogram, count_bins
from winnow.reports.example_marks import mark_words
from winnow.reports.examples import LONGEST, Mark, describe_rows, most_doubtful
from winnow.reports.flow import flow_chart, flow_links
from winnow.reports.follow_up import FollowUp
from winnow.reports.headline import cards, format_duration, headline
from winnow.reports.provenance import provenance
from winnow.reports.recommendations import repairable_audio
from winnow.reports.render import render_markdown, render_page, render_report
from winnow.reports.slices import Slice, SliceCounts, field_columns
from winnow.reports.summary import Report, ReportContext, summarize
from winnow.reports.wer_distribution import EDIT_COUNTS
from winnow.runs.run_record import Derivation, RunRecord
from winnow.schema import INPUT_TEXT, ShardedManifest

SCHEMA = Path(__file__).parent.parent / "docs" / "report.schema.json"
POINT = CurvePoint(limit=2.0, lost=0.01, found={"substitution": 0.9})
CALIBRATION = Calibration(
    lose=0.02,
    lost=0.015,
    models={"small": ModelCalibration(references=9, right=0.9, limit=3.0, doubt=[POINT], wer=[POINT])},
    found={"substitution": FoundRate(planted=40, found=0.95, low=0.84, high=0.99)},
)


class Parsed(HTMLParser):
    """A page's elements with their attributes, and its text outside of styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.text += "" if self.open and self.open[-1] == "style" else data


@pytest.fixture(scope="module")
def report() -> Report:
    speed = {"small": throughput(4, 36), "large": throughput(2, 72)}
    return summarize(CASCADE, MANIFEST, speed, SETTINGS, calibration=CALIBRATION)


@pytest.fixture(scope="module")
def page(report) -> str:
    record = RunRecord(
        parameters={"manifest": "/data/<b>.jsonl", "gate": {"accept": 0.2, "preset": None}},
        sha256={"/data/<b>.jsonl": "a" * 64},
        versions={"winnow": "1.2"},
    )
    return render_report(ReportContext(report, SETTINGS, record))


def test_page_loads_nothing_and_runs_nothing(page):
    parsed = Parsed(page)
    assert {tag for tag, _ in parsed.elements}.isdisjoint({"script", "link", "iframe", "object", "img", "image"})
    assert not re.search(r"@import|url\((?!#)", page)
    addresses = {value for _, attributes in parsed.elements for name, value in attributes.items() if "href" in name}
    assert all(address and address.startswith("#") for address in addresses)
    policies = [attributes.get("content") for tag, attributes in parsed.elements if tag == "meta"]
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in policies


def test_page_is_small_and_names_every_part_once(page):
    assert len(page) < 200_000
    names = [attributes["id"] for _, attributes in Parsed(page).elements if "id" in attributes]
    assert len(names) == len(set(names))
    targets = re.findall(r'href="#([^"]+)"', page) + re.findall(r"url\(#([^)]+)\)", page)
    assert set(targets) <= set(names)


def test_every_chart_has_a_label_and_takes_its_colours_from_the_page(page):
    labels = [attributes.get("aria-label") for tag, attributes in Parsed(page).elements if tag == "svg"]
    assert labels[:2] == ["What became of the audio", "Utterances by word error rate"]
    charts = "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))
    assert "var(--good)" in charts
    assert "#2f9e6e" not in charts


def test_page_markdown_and_json_have_the_same_figures(report, page):
    text = Parsed(page).text
    markdown = render_markdown(report, SETTINGS)
    assert Report.model_validate_json(report.model_dump_json()) == report
    assert report.balance in text
    assert report.balance in markdown
    assert [card.value for card in cards(report)] == ["2.00 h", "2", "5.0%", "1.5%", "108 s"]
    for card in cards(report):
        assert card.value in text
        assert card.detail in text
    for name, count in report.reasons.items():
        assert re.search(rf"{name}\s+{count.utterances:,}\s", text)
        assert f"`{name}` | {count.utterances:,} |" in markdown
    assert "estimated by planted errors (95% interval 1.0% to 16.0%); 95.0% are found" in text
    assert "95.0%" in markdown


def test_page_of_an_empty_run_has_no_empty_chart_and_no_empty_advice():
    nothing = ShardedManifest(shards=[], seconds=[], lines=0, blank=0)
    report = summarize(rows(), nothing, {}, SETTINGS)
    page = render_report(ReportContext(report, SETTINGS))
    assert cards(report)[0].detail == "none of 0.000 h that were transcribed"
    assert "<svg" not in page
    assert "<p>See the warning above.</p>" in page


def test_page_says_where_the_run_comes_from(page):
    text = Parsed(page).text
    assert re.search(r"gate\.accept\s+0\.2\s", text)
    assert "gate.preset" not in text
    assert "/data/<b>.jsonl" in text.replace("\u2060", "")
    assert "a" * 64 in text


def test_all_rules_are_in_the_provenance_and_names_are_inert():
    rules = [f"duration >= {number}" for number in range(40)]
    record = RunRecord(parameters={"filter": {"rules": rules}, "small": {"a`|<b>": "m"}}, sha256={}, versions={})
    text = Parsed(render_page(provenance(record), "Provenance")).text
    assert ", ".join(rules) in text
    assert re.search(r"small\.a`\|<b>\s+m\s", text)


def test_words_are_marked_where_reference_and_reading_differ():
    one_line = ShardedManifest(shards=[], seconds=[], lines=1, blank=0)
    report = summarize(rows(DOUBTED), one_line, {"small": throughput(1, 1)}, SETTINGS)
    page = render_report(ReportContext(report, SETTINGS))
    assert '<p class="words">five <del>nine</del> <ins>two</ins> &lt;b&gt;eight <ins>zero</ins></p>' in page


@pytest.mark.parametrize(
    ("marks", "shown"),
    [
        ([("今日", None), ("は", "が"), ("良い", None)], "今日<del>は</del><ins>が</ins>良い"),
        ([("a", None), ("<b>", "\u202ec")], r"a <del>&lt;b&gt;</del> <ins>\u202ec</ins>"),
        ([("", "a"), ("b", "")], "<ins>a</ins> <del>b</del>"),
        ([("a" * 900, None), ("b", "c")], f"{'a' * 200} … …"),
        ([], ""),
    ],
)
def test_stretches_have_spaces_where_their_scripts_do_and_are_cut(marks, shown):
    assert mark_words([Mark(reference=reference, read=read) for reference, read in marks]) == shown


def test_examples_of_what_was_kept_have_their_doubt_though_nothing_was_dropped():
    doubted = rows(DOUBTED | {"decision": "keep", "reason": None, "reasons": None, "doubt": 2.04, "small_wer": 0.5})
    one_line = ShardedManifest(shards=[], seconds=[], lines=1, blank=0)
    report = summarize(doubted, one_line, {"small": throughput(1, 1)}, SETTINGS)
    page = render_report(ReportContext(report, SETTINGS))
    assert page.count('<p class="about">line 1 · WER 100% · doubt 2.0</p>') == 2  # the most doubtful, and rescued
    assert "Nothing was dropped; `report.html` has examples" in render_markdown(report, SETTINGS)
    without_doubt = report.model_copy(update={"doubtful": []})
    assert 'id="examples"' in render_report(ReportContext(without_doubt, SETTINGS))


@pytest.mark.parametrize("text", ["a" * 5_000, "word " * 1_000, ""])
def test_texts_of_examples_are_bounded_in_all_forms(text):
    long = {"text": text, "pred_text": f"{text} else", "proposal": f"{text} b", "decision": "drop", "reason": "WER"}
    (example,) = describe_rows(rows(long), SETTINGS.comparison)
    assert len(example.model_dump_json()) < 15_000
    assert example.reference.strip() == text[:LONGEST].strip()
    assert [len(example.hypothesis), len(example.proposal)] == [
        min(LONGEST, len(text) + 5),
        min(LONGEST, len(text) + 2),
    ]
    assert all(0 <= start <= end <= len(example.reference) for start, end in example.doubtful)


def test_chart_of_doubt_has_the_limits_of_languages_too():
    spanish = CALIBRATION.model_copy(update={"models": {"small": ModelCalibration(references=9, right=0.9, limit=4.0)}})
    calibration = CALIBRATION.model_copy(update={"languages": {"es": spanish, OTHERS: CALIBRATION}})
    assert limits_of_doubt(calibration) == {"limit of the small model": 3.0, "limit of the small model for es": 4.0}
    many = calibration.model_copy(update={"languages": dict.fromkeys(map(str, range(20)), spanish)})
    assert len(limits_of_doubt(many)) == MOST_LIMITS


def test_most_doubtful_kept_rows_are_examples_the_highest_doubt_first():
    doubts = [1.0, 9.0, None, 3.0, 7.0, 5.0, 8.0, 2.0]
    made = [{"decision": "drop" if doubt == 7 else "keep", "doubt": doubt, "pred_text": "a b"} for doubt in doubts]
    found = most_doubtful(rows(*made)).select(["id", "doubt"]).to_pylist()
    assert [(row["id"], row["doubt"]) for row in found] == [(2, 9.0), (7, 8.0), (6, 5.0), (4, 3.0), (8, 2.0)]
    assert len(most_doubtful(rows())) == 0


def test_hours_flow_from_band_to_band_without_loss(report):
    links = flow_links(report)
    assert [tuple(link) for link in links] == [
        ("transcribed", "accepted by the gate", 1.0),
        ("accepted by the gate", "kept", 1.0),
        ("transcribed", "escalated to a larger model", 2.0),
        ("escalated to a larger model", "kept", 1.0),
        ("escalated to a larger model", "dropped", 1.0),
        ("transcribed", "rejected by the gate", 1.0),
        ("rejected by the gate", "dropped", 1.0),
    ]
    accepted = report.bands["accept"].model_copy(update={"kept_hours": 1 - 1e-16})
    assert len(flow_links(report.model_copy(update={"bands": {"accept": accepted}}))) == 2
    without_gate = flow_links(report.model_copy(update={"bands": {}}))
    assert [tuple(link) for link in without_gate] == [("transcribed", "kept", 2.0), ("transcribed", "dropped", 2.0)]


@pytest.mark.parametrize(
    ("values", "counts"),
    [([], [0, 0]), ([-1.0, 0.0, 0.4], [3, 0]), ([0.5, 1.0, 9.0], [0, 3])],
)
def test_values_beyond_the_edges_are_in_the_outer_bins(values, counts):
    assert count_bins(np.array(values), [0.0, 0.5, 1.0]) == counts


@pytest.mark.parametrize(("highest", "scale"), [(100, "linear"), (10_000, "symlog")])
def test_axis_is_logarithmic_if_one_bar_flattens_the_others(report, highest, scale):
    made = Histogram(edges=[0.0, 0.5, 1.0], counts={"selected hypothesis": [highest, 50]})
    context = ReportContext(report.model_copy(update={"distributions": {"wer": made}}), SETTINGS)
    assert wer_histogram(context).axes[0].get_yscale() == scale


def test_limits_are_named_inside_of_the_chart():
    made = Histogram(edges=WER_EDGES, counts={"selected hypothesis": [1] * (len(WER_EDGES) - 1)})
    figure, axes = histogram_figure(made, {"accept": 0.1, "reject": 1.5, "none": None, "beyond": 2.0})
    axes.set_xlim(0, WER_EDGES[-1])
    assert [text.get_text() for text in axes.texts] == ["accept", "reject"]
    figure.canvas.draw()
    assert all(axes.bbox.x0 <= text.get_window_extent().x0 < text.get_window_extent().x1 for text in axes.texts)
    assert max(text.get_window_extent().x1 for text in axes.texts) <= axes.bbox.x1 + 1


def test_numbers_at_the_end_of_an_axis_are_inside_of_the_chart(report):
    made = Histogram(edges=DOUBT_EDGES, counts={"all that are judged": [1] * (len(DOUBT_EDGES) - 1)})
    figure = doubt_histogram(ReportContext(report.model_copy(update={"distributions": {"doubt": made}}), SETTINGS))
    figure.canvas.draw()
    labels = [label for label in figure.axes[0].get_xticklabels() if label.get_text()]
    assert labels[-1].get_text() == "1000"
    assert labels[-1].get_window_extent().x1 < figure.bbox.x1


def sliced(groups: dict[str | None, tuple[int, int]]) -> pa.Table:
    """Return rows of speakers, of each so many and so many of them kept."""
    made = [
        {"duration": 3.0, "decision": "keep" if number < kept else "drop", "speaker": speaker}
        for speaker, (count, kept) in groups.items()
        for number in range(count)
    ]
    speakers = pa.array([row.pop("speaker") for row in made], pa.string()).dictionary_encode()
    return rows(*made).append_column("field speaker", speakers)


def summarize_slices(transcribed: pa.Table) -> list[Slice]:
    counts = SliceCounts()
    counts.add(transcribed)
    return counts.slices


def test_slices_that_stand_out_come_first_and_small_ones_are_left_out():
    slices = summarize_slices(sliced({"ann": (50, 48), "bob": (40, 5), None: (50, 47), "few": (9, 0)}))
    assert [(part.field, part.value, part.kept, part.utterances, part.stands_out) for part in slices] == [
        ("speaker", "bob", 5, 40, True),
        ("speaker", "ann", 48, 50, True),
        ("speaker", "(not stated)", 47, 50, True),
    ]
    assert slices[0].low < 5 / 40 < slices[0].high


def test_fields_with_few_texts_are_slices_and_all_others_are_not():
    rows = [json.dumps({"speaker": f"s{n % 3}", "id": f"u{n}", "clean": n % 2 == 0, "snr": n / 7}) for n in range(100)]
    columns, crowded = field_columns([*rows, None])
    assert {name: sorted(filter(None, set(values.to_pylist()))) for name, values in columns.items()} == {
        "field speaker": ["s0", "s1", "s2"],
        "field clean": ["false", "true"],
    }
    assert crowded == {"field id", "field snr"}


def test_slice_of_nearly_all_utterances_does_not_stand_out():
    (part,) = summarize_slices(sliced({"ann": (400, 390), "bob": (1, 0)}))
    assert (part.value, part.stands_out) == ("ann", False)


@pytest.mark.parametrize("kept", [0, 22])
def test_no_slice_stands_out_where_all_are_decided_alike(kept):
    slices = summarize_slices(sliced({"ann": (22, kept), "bob": (22, kept)}))
    assert [part.stands_out for part in slices] == [False, False]


@pytest.mark.parametrize(
    ("value", "sliced"),
    [("v" * 100, True), ("v" * 101, False), (["v"], False), (3, True), (10**120, False), (0.5, False)],
)
def test_only_short_texts_whole_numbers_and_truth_values_name_slices(value, sliced):
    columns, crowded = field_columns([json.dumps({"note": value})])
    assert (set(columns), crowded) == (({"field note"}, set()) if sliced else (set(), {"field note"}))


def test_rows_that_each_have_a_field_of_their_own_make_no_columns():
    columns, crowded = field_columns(json.dumps({f"u{n}": "a", "speaker": "ann"}) for n in range(101))
    assert (columns, len(crowded)) == ({}, 102)


def test_equal_slices_are_in_the_order_of_their_names():
    groups = dict.fromkeys("dbeac", (10, 5))
    assert [part.value for part in summarize_slices(sliced(groups))] == list("abcde")


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "under 1 s"), (9, "9 s"), (200, "3.3 min"), (86_400, "24.0 h")])
def test_cost_is_in_a_unit_that_fits(seconds, text):
    assert format_duration(seconds) == text


def test_hours_of_a_short_run_are_as_exact_as_in_the_tables(report):
    short = report.model_copy(update={"hours": 0.042, "kept_hours": 0.0376, "dropped_hours": 0.0044, "bands": {}})
    assert "(0.038 of 0.042 h)" in headline(short)
    assert [card.value for card in cards(short)][:1] == ["0.038 h"]
    assert "0.004 h" in cards(short)[1].detail
    labels = [text.get_text() for text in flow_chart(ReportContext(short, SETTINGS)).axes[0].texts]
    assert labels == ["transcribed, 0.042 h", "kept, 0.038 h", "dropped, 0.004 h"]


def test_wrong_references_are_not_taken_for_a_wrong_domain():
    report = made_report(SETTINGS)
    read_well = report.wer["all"].model_copy(update={"mean": 0.4, "median": 0.03, "std": 0.6})
    advice = sentences(report.model_copy(update={"wer": report.wer | {"all": read_well}}))
    assert not any("domain" in sentence or "try a larger model" in sentence for sentence in advice)
    assert any("probably have wrong references" in sentence for sentence in advice)


def test_audio_of_a_derived_run_is_tried_again_in_the_run_that_it_was_made_from(report):
    derived = Derivation(flow="refilter", run="/runs/first")
    (advice,) = repairable_audio(report, FollowUp(SETTINGS, "/runs/second", derived))
    assert advice.command == "winnow resume /runs/first --retry AUDIO_MISSING"
    assert "after that, `refilter` it again" in advice.sentence
    (advice,) = repairable_audio(report, FollowUp(SETTINGS, "/runs/second"))
    assert advice.command == "winnow resume /runs/second --retry AUDIO_MISSING"
    assert advice.evidence == {"reasons.AUDIO_MISSING.utterances": 1}


def test_relabelling_is_recommended_only_once():
    proposed = rows(DOUBTED | {"proposal": "five two eight zero"})
    one_line = ShardedManifest(shards=[], seconds=[], lines=1, blank=0)
    report = summarize(proposed, one_line, {"small": throughput(1, 1)}, SETTINGS)
    assert any("winnow relabel" in sentence for sentence in sentences(report))
    relabelled = proposed.append_column(INPUT_TEXT, pa.array([None], pa.string()))
    report = summarize(relabelled, one_line, {"small": throughput(1, 1)}, SETTINGS)
    assert not any("winnow relabel" in sentence for sentence in sentences(report))


@pytest.mark.parametrize(
    ("folder", "named"), [("/runs/it's `a` |<b>", True), ("/runs/\u202eb", False), ("/a\nb", False)]
)
def test_command_of_a_recommendation_is_shown_as_it_is_typed_or_not_at_all(report, folder, named):
    (advice,) = repairable_audio(report, FollowUp(SETTINGS, folder))
    assert (advice.command is not None) == named
    advised = report.model_copy(update={"recommendations": [advice]})
    page = Parsed(render_report(ReportContext(advised, SETTINGS)))
    assert (shlex.join(["winnow", "resume", folder]) in page.text) == named
    assert not any(tag == "b" for tag, _ in page.elements)


def test_schema_in_docs_is_that_of_the_report(report):
    """After a change of the report: python -m docs.generate."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(SCHEMA.read_text())
    assert SCHEMA.read_text() == report_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(report.model_dump_json()), schema)


def test_chart_of_an_ensemble_names_models_by_their_roles():
    settings = Ensemble(manifest=Path("corpus.jsonl"), output=Path("out"), models=("a.nemo", "b.nemo"))
    columns = {f"{role}_{name}": 0.5 for role in settings.roles for name in ("wer", *EDIT_COUNTS)}
    kept = rows({"decision": "keep", "wer": 0.5, "agreement": 1.0})
    for name, value in columns.items():
        kept = kept.append_column(name, [[value]])
    one_line = ShardedManifest(shards=[], seconds=[], lines=1, blank=0)
    speed = {role: throughput(1, 1) for role in ("model1", "model2")}
    report = summarize(kept, one_line, speed, settings)
    assert list(report.distributions["wer"].counts) == ["selected hypothesis", "model1", "model2"]
    assert "model2" in render_report(ReportContext(report, settings))
