"""Languages that are judged apart: which have limits of their own, and what the whole run is said to find."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from cli.sweep import sweep
from flows.curate import run_curation
from flows.orchestrator import InProcess
from flows.refilter import run_refilter
from tasks.calibrate import choose_bands
from tests.conftest import published_rows
from tests.synthetic_evidence import Corpus, draw_corpus
from tests.test_evidence_runs import Scoring
from winnow.api.run import open_run
from winnow.engines.engine import Batch
from winnow.engines.transcripts import TranscriptEngine
from winnow.evidence.by_language import calibrate_languages
from winnow.evidence.calibration import Calibration, calibrate
from winnow.evidence.found import inside
from winnow.evidence.gather import ModelEvidence, PlantedEvidence
from winnow.evidence.languages import OTHERS, language_group, split_by_language
from winnow.evidence.limits import Band, choose_band
from winnow.evidence.planting import ENOUGH, KINDS, SAMPLE, sample_shares
from winnow.parameters.curation import Curation
from winnow.parameters.filter import Filter
from winnow.parameters.maintenance import Refilter
from winnow.runs.evidence import escalated_bands
from winnow.runs.verify import verify_run
from winnow.text.evidence import TextEvidence
from winnow.text.hypothesis import Hypothesis
from winnow.text.languages import name_for


def join(*parts: ModelEvidence) -> ModelEvidence:
    """Put what a model says of several corpora together."""
    offsets = np.cumsum([0, *(len(part) for part in parts)])
    planted = {}
    for kind in parts[0].planted:
        errors = [part.planted[kind] for part in parts]
        at = np.concatenate([error.at + offset for error, offset in zip(errors, offsets, strict=False)])
        planted[kind] = PlantedEvidence(at, *(np.concatenate(values) for values in list(zip(*errors, strict=True))[1:]))
    columns = [
        np.concatenate([getattr(part, name) for part in parts]) for name in ("languages", "doubt", "wer", "seconds")
    ]
    return ModelEvidence(np.arange(offsets[-1]), *columns, planted)


@pytest.fixture(scope="module")
def english() -> Corpus:
    return draw_corpus(size=6000, wrong=0.1, seed=1, read=(0.95, 0.98), language="en")


@pytest.fixture(scope="module")
def german() -> Corpus:
    """A language of 8 % of the run, which the models know less."""
    return draw_corpus(size=500, wrong=0.1, seed=2, read=(0.4, 0.7), language="de-at")


@pytest.fixture(scope="module")
def models(english, german) -> dict[str, ModelEvidence]:
    """What both models say of a run in English and German, and of some rows in other languages."""
    few = [draw_corpus(size=60, wrong=0.1, seed=3, language=tag) for tag in ("hy", None)]
    return {
        role: join(getattr(english, role), getattr(german, role), *(getattr(other, role) for other in few))
        for role in ("small", "large")
    }


@pytest.mark.parametrize(
    ("tag", "group"), [(None, None), ("pt-br", "pt-br"), ("pt-pt", "pt"), ("pt", "pt"), ("en-us", "en")]
)
def test_regions_are_one_language_unless_they_have_models_of_their_own(tag, group):
    assert language_group(tag, ["pt-br"]) == group


def test_each_language_with_enough_utterances_gets_a_sample_of_its_own():
    shares = sample_shares({"en": 50_000, "de": 1_000, "hy": ENOUGH - 1, None: 101})
    assert shares.languages == {"de": SAMPLE / 1_000, "en": SAMPLE / 50_000}
    assert shares.of(["en-us", "de", "hy", None]).tolist() == [0.01, 0.5, 1.0, 1.0]
    assert sample_shares({None: 50_000}).of([None, "en"]).tolist() == [0.01, 0.01]


def test_languages_with_few_rows_share_the_limits_of_all_where_the_rest_is_small(models):
    split = split_by_language(models, {})
    assert (set(split.parts), split.own) == ({"en", "de", OTHERS}, {"en", "de"})
    assert len(split.parts[OTHERS]["small"]) == 120
    assert split.shared is models


def test_limits_of_a_language_lose_what_they_may_of_its_right_references(models, english, german):
    calibration = calibrate_languages({"small": models["small"]}, {}, 0.02, {})
    limits = calibration.limits
    for language, corpus in (("en", english), ("de", german)):
        right = corpus.small.doubt[corpus.right]
        assert (right > limits[f"small for {language}"]).mean() == pytest.approx(0.02, abs=0.012)
    assert (german.small.doubt[german.right] > limits["small for en"]).mean() > 0.1
    assert limits["small for en"] < limits["small"] < limits["small for de"]
    assert list(calibration.languages) == ["de", "en", OTHERS]
    assert calibration.languages[OTHERS].limits == {"small": limits["small"]}


def test_languages_count_in_the_whole_run_by_their_right_references(models):
    calibration = calibrate_languages({"small": models["small"]}, {}, 0.02, {})
    counts = {name: part.models["small"] for name, part in calibration.languages.items()}
    weights = np.array([count.references * count.right for count in counts.values()])
    for kind, rate in calibration.found.items():
        parts = [part.found[kind] for part in calibration.languages.values()]
        assert rate.found == pytest.approx(np.average([part.found for part in parts], weights=weights))
        assert rate.planted == sum(part.planted for part in parts)
        assert rate.low <= rate.found <= rate.high
        assert rate.high - rate.low < max(part.high - part.low for part in parts)


def test_run_in_one_language_is_judged_as_a_whole(english):
    evidence = {"small": english.small, "large": english.large}
    band = Band(1.0, 8.0)
    assert calibrate_languages(evidence, {None: band}, 0.02, {}) == calibrate(evidence, band, 0.02)


def settings(**parameters: object) -> Curation:
    return Curation(manifest="a.jsonl", output="out", small="s.nemo", large="l.nemo", **parameters)


def test_gate_has_limits_of_each_language_and_escalates_the_same_share_of_each(models):
    gates = choose_bands(models["small"], settings())
    bands = escalated_bands(gates)
    assert set(bands) == {None, "de", "en"}
    for language, part in split_by_language(models, {}).parts.items():
        read = inside(part["small"].doubt, bands.get(language, bands[None])).mean()
        assert read <= (0.1 if language != OTHERS else 0.2)
    assert bands["de"].reject > 1.4 * bands["en"].reject


ROUTED = {"hy": ["small"], "de": ["small", "large"]}


def test_small_model_that_decides_alone_in_its_languages_counts_as_such(models):
    """Errors in Armenian are found by the small model alone, however good the large one is in other languages."""
    bands = {None: choose_band(models["small"], 0.02, 0.1)}
    apart = calibrate_languages(models, bands, 0.02, ROUTED)
    assert set(apart.languages) == {"en", "de", "hy", OTHERS}
    armenian = apart.languages["hy"]
    assert list(armenian.models) == ["small"]
    assert armenian.limits["small"] == apart.limits["small for hy"] == apart.limits["small"]
    part = split_by_language(models, ROUTED).parts["hy"]["small"]
    errors, right = part.planted["deletion"], part.mixture.right
    found = np.average(errors.doubt > armenian.limits["small"], weights=right[errors.at])
    assert armenian.found["deletion"].found == pytest.approx(found)
    assert armenian.found["deletion"].found < apart.languages["en"].found["deletion"].found


def test_limits_that_are_given_hold_in_every_language(models):
    calibration = calibrate_languages({"small": models["small"]}, {}, 0.02, {}, {"small": 3.0})
    assert set(calibration.limits.values()) == {3.0}


def test_calibration_is_read_back_as_it_was_written(models):
    calibration = calibrate_languages({"small": models["small"]}, {}, 0.02, {})
    assert Calibration.model_validate_json(calibration.model_dump_json()) == calibration


WORDS = "one two six red blue green cats dogs birds fish walk swim run sing old new".split()
SENTENCES = [f"{first} {second} {third}" for first in WORDS for second in WORDS for third in WORDS][: 2 * ENOUGH + 10]
HEARD = {f"{number}.wav": text for number, text in enumerate(SENTENCES)}


class UnsureOfGerman(Scoring):
    """Finds each text of a fifth of the German utterances a little less likely than what it read."""

    def transcribe(self, batches: list[Batch]) -> list[Hypothesis]:
        unsure = [int(Path(request.path).stem) % 10 == 1 for batch in batches for request, _ in batch]
        return [
            replace(hypothesis, evidence=tuple(map(doubted_more, hypothesis.evidence))) if is_unsure else hypothesis
            for hypothesis, is_unsure in zip(super().transcribe(batches), unsure, strict=True)
        ]


def doubted_more(evidence: TextEvidence) -> TextEvidence:
    return replace(evidence, gap=evidence.gap + 1.5, doubt=evidence.doubt + 1.5)


def language_of(path: str) -> str:
    """Return the language of an utterance: English, German or, for the last ones, Armenian."""
    number = int(Path(path).stem)
    return "hy" if number >= 2 * ENOUGH else ("en", "de")[number % 2]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Iterator[Path]:
    """A run in two languages with enough utterances and one with few."""
    folder = tmp_path_factory.mktemp("languages")
    rows = [
        {"audio_filepath": name, "duration": 0.1, "text": text, "lang": language_of(name)}
        for name, text in HEARD.items()
    ]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    for name in HEARD:
        soundfile.write(folder / name, np.full(1600, 0.1), 16_000)
    lines = [json.dumps({"audio_filepath": name, "pred_text": text}) for name, text in HEARD.items()]
    for number, role in enumerate(("small", "large")):
        (folder / f"{role}.jsonl").write_text("\n".join(lines) + "\n" * number)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TranscriptEngine, "load", lambda self, checkpoint, options: UnsureOfGerman(checkpoint))
        patch.setattr(TranscriptEngine, "scores_texts", True)
        models = {role: str(folder / f"{role}.jsonl") for role in ("small", "large")}
        for name in ("out", "again"):
            settings = Curation(
                manifest=folder / "corpus.jsonl", output=str(folder / name), shard_hours=30 / 3600, **models
            )
            run_curation(settings, InProcess())
        yield folder / "out"


def test_run_judges_each_language_by_its_own_limits(run):
    report = open_run(run).report
    calibration = report.calibration
    assert set(calibration.languages) == {"de", "en", OTHERS}
    assert min(len(part.found) for part in calibration.languages.values()) == len(KINDS)
    assert {"evidence", "evidence for de", "evidence for en"} < set(report.gates.limits)
    assert calibration.limits["small for de"] > calibration.limits["small for en"]
    for row in published_rows(run):
        language = row["lang"] if row["lang"] != "hy" else None
        limit = calibration.limits[name_for(row["model"], language)]
        assert (row["decision"] == "keep") == (row["doubt"] <= limit and row["band"] != "reject")


def test_run_shows_each_language_in_its_report_and_in_the_sweep(run, capsys):
    page = (run / "report.html").read_text()
    assert all(words in page for words in ("In de, doubt", "all others", "have limits of their own"))
    sweep(str(run), None)
    assert "small for de:" in " ".join(capsys.readouterr().out.split())
    curves = json.loads((run / "sweep.json").read_text())["evidence"]
    assert list(curves) == ["small", "large", "small for de", "large for de", "small for en", "large for en"]


def test_no_output_has_planted_errors_and_the_same_corpus_gives_the_same_bytes(run):
    files = [file for part in ("data", "rejects") for file in sorted((run / part).glob("*"))]
    assert [file.name for file in files if "planted" in " ".join(pq.read_schema(file).names)] == []
    names = [file.relative_to(run) for file in [*files, run / "manifest.jsonl"]]
    assert [name for name in names if (run / name).read_bytes() != (run.parent / "again" / name).read_bytes()] == []
    assert [check.sentence for check in verify_run(run) if not check.holds] == []


def test_refilter_finds_limits_of_each_language(run, tmp_path):
    report = run_refilter(Refilter(run=str(run), output=str(tmp_path / "bold"), filter=Filter(lose=0.2)), InProcess())
    assert report.calibration.limits["small for de"] < open_run(run).report.calibration.limits["small for de"]
