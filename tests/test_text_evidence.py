"""Evidence for the texts of a request: what every family of models makes of every kind of text."""

import math
from dataclasses import asdict, astuple, replace

import numpy as np
import pytest

from tests.conftest import DEMO, resolve_unpinned
from tests.test_nemo import demo_requests
from winnow.audio.decode import load_clip
from winnow.engines.engine import Request
from winnow.engines.evidence import regions_of
from winnow.engines.inference import Result, transcribe_requests
from winnow.engines.nemo.model import NemoModel
from winnow.engines.scored_texts import REFERENCE, ScoredTexts
from winnow.engines.shard_columns import hypothesis_columns
from winnow.models.resolve import resolve
from winnow.parameters.engine import EngineOptions
from winnow.schema import EVIDENCE
from winnow.text.comparison import BASIC, Comparison
from winnow.text.evidence import NO_EVIDENCE, DoubtfulWords, TextEvidence, compare_likelihoods
from winnow.text.hypothesis import Hypothesis, Word
from winnow.text.spelled_like import Part

NAMES = ("small", "large", "letters", "tdt", "canary")

SCRIPTS = {
    "en": "Good morning, everyone!",
    "de": "Schöne Grüße aus Köln",
    "fr": "L'été dernier, où étais-tu ?",
    "es": "¿Qué hora es, señor?",
    "pl": "Zażółć gęślą jaźń",
    "tr": "Iğdır'da ılık bir gün",
    "ru": "доброе утро",
    "el": "καλημέρα σας",
    "ka": "დილა მშვიდობისა",
    "hy": "բարի լույս",
    "ar": "صَبَاحُ الخَيْر",
    "he": "בוקר טוב",
    "hi": "सुप्रभात मित्रों",
    "bn": "শুভ সকাল",
    "ta": "காலை வணக்கம்",
    "th": "สวัสดีตอนเช้า",
    "zh": "早上好，今天是2024年",
    "ja": "おはようございます",
    "ko": "좋은 아침입니다",
    "am": "እንደምን አደሩ",
    "vi": "Chào buổi sáng",
}

TEXTS = {
    "no words": "...",
    "one word": "yes",
    "empty": "",
    "spaces": " \u00a0\t ",
    "numbers": "it is 42 degrees, i.e. 107.6 °F on 3/4",
    "too long": "again and again " * 300,
    "signs": "<unk> ⁇ ▁ [noise] <|en|> \u0000 \ud7ff \U0001f600",
    "one letter": "a",
    "longest word": "x" * 2_000,
    **SCRIPTS,
}


@pytest.fixture(scope="module")
def network(random_model):
    kept = {}

    def load(name):
        if name not in kept:
            demo = name in ("small", "large")
            kept[name] = NemoModel(
                resolve_unpinned(DEMO / f"{name}.nemo") if demo else random_model(name), EngineOptions()
            )
        return kept[name]

    return load


def hypotheses(model, *requests):
    clips = [load_clip(request.path, None, None, model.sample_rate, 60) for request in requests]
    return model.transcribe([list(zip(requests, clips, strict=True))])


def is_whole(evidence):
    """Return whether evidence has either finite numbers or a reason."""
    numbers = (evidence.gap, evidence.doubt, evidence.evidence)
    if evidence.reason is None:
        return all(math.isfinite(number) for number in numbers)
    return evidence.reason in NO_EVIDENCE and numbers == (None, None, None)


@pytest.mark.parametrize("name", NAMES)
def test_every_text_has_evidence_or_a_reason(network, name):
    speech, *_ = demo_requests(1)
    telephone = Request(str(DEMO / "corpus" / "audio" / "8khz.wav"), None, None)
    texts = tuple(TEXTS.values())
    for hypothesis in hypotheses(network(name), *(replace(request, texts=texts) for request in (speech, telephone))):
        evidence = dict(zip(TEXTS, hypothesis.evidence, strict=True))
        assert [case for case, found in evidence.items() if not is_whole(found)] == []
        assert {evidence[case].reason for case in ("no words", "empty", "spaces")} == {"NO_WORDS"}
        assert evidence["too long"].reason == "TOO_LONG_FOR_AUDIO"
        assert evidence["one word"].words == 1
        assert {evidence[tag].reason for tag in ("zh", "ru", "am")} == {"NOT_WRITABLE"}


@pytest.mark.parametrize("name", NAMES)
def test_silence_has_evidence(network, name):
    from winnow.audio.decode import Clip

    model = network(name)
    clip = replace(load_clip(demo_requests(1)[0].path, None, None, model.sample_rate, 60))
    assert isinstance(clip, Clip)
    silence = replace(clip, samples=np.zeros(2_000, np.float32))
    request = Request("silence", None, None, texts=("yes", "good morning everyone"))
    ((hypothesis),) = model.transcribe([[(request, silence)]])
    assert all(map(is_whole, hypothesis.evidence))


@pytest.mark.parametrize("name", NAMES)
def test_a_text_that_was_read_costs_nothing(network, name):
    (request,) = demo_requests(1)
    text = hypotheses(network(name), request)[0].text
    (again,) = hypotheses(network(name), replace(request, texts=(text, f"{text.upper()}!")))
    assert (again.log_likelihood, again.text) == (None, text)
    assert [(found.gap, found.doubt, found.doubtful) for found in again.evidence] == [(0.0, 0.0, None)] * 2


@pytest.mark.parametrize(
    ("changed", "comparison", "no_gap"),
    [
        ("{0} {1}", BASIC, True),
        ("{0}{1}", BASIC, False),
        ("{0}{1}", Comparison(merge_compounds=True), True),
        ("{0}", Comparison(merge_compounds=True), False),
        ("{0} {1}!", BASIC, True),
        ("{0}{1}", Comparison("none", merge_compounds=True), True),
    ],
)
def test_what_compares_as_equal_has_no_gap(network, changed, comparison, no_gap):
    (request,) = demo_requests(1)
    first, *words = hypotheses(network("small"), request)[0].text.split()
    text = " ".join([first, changed.format(*words), *words[2:]])
    (found,) = hypotheses(network("small"), replace(request, texts=(text,), comparison=comparison))
    assert (found.evidence[0].gap == 0) == no_gap


@pytest.mark.parametrize("name", ["small", "large"])
def test_the_doubtful_words_are_those_that_were_not_said(network, name):
    (request,) = demo_requests(1)
    (read,) = hypotheses(network(name), request)
    words = read.text.split()
    wrong = [*words[:-2], "purple", words[-1], "yes"]
    texts = (" ".join(wrong), " ".join(words[1:]), " ".join([*words[:-1], "zebra"]))
    (found,) = hypotheses(network(name), replace(request, texts=texts))
    assert found.log_likelihood < 0
    assert found.evidence[0].doubtful in ("purple", "yes")
    assert [evidence.doubtful for evidence in found.evidence[1:]] == [None, None]
    assert all(evidence.gap > 1 and evidence.doubt > 1 for evidence in found.evidence)
    (alone,) = hypotheses(network(name), replace(request, texts=texts[1:2]))
    assert alone.evidence[0].doubtful == ""
    assert alone.evidence[0].gap == pytest.approx(found.evidence[1].gap, abs=1e-3)


@pytest.mark.parametrize("name", ["small", "large"])
def test_all_doubtful_words_have_their_place_and_score_where_asked(name):
    model = NemoModel(resolve_unpinned(DEMO / f"{name}.nemo"), EngineOptions(doubtful_words=True))
    (request,) = demo_requests(1)
    (read,) = hypotheses(model, request)
    words = read.text.split()
    text = " ".join([*words[:2], "purple", *words[3:-1], words[-1], "yes"])
    found, same = hypotheses(model, replace(request, texts=(text, text)), replace(request, texts=(read.text,)))
    assert (same.evidence[0].doubtful_words, found.evidence[1].doubtful_words) == ((), None)
    purple, yes = found.evidence[0].doubtful_words
    assert (purple.text, purple.read, purple.place) == ("purple", words[2], 2)
    assert (yes.text, yes.read, yes.place) == ("yes", "", len(words))
    assert min(purple.gap, yes.gap) > 1
    assert 0 < purple.start < purple.end < yes.start
    assert yes.end is None
    (alone,) = hypotheses(model, replace(request, texts=(" ".join(words[1:]),)))
    ((missing,), gap) = alone.evidence[0].doubtful_words, alone.evidence[0].gap
    assert (missing.text, missing.read, missing.place, missing.gap) == ("", words[0], 0, gap)


@pytest.mark.parametrize(
    ("parts", "times", "expected"),
    [
        ([Part("a b", None), Part("c", "d", place=2)], [0, 1, 2], [("d", "c", 2, 2.0, 2.5)]),
        ([Part("", "d"), Part("a", None), Part("", "e", place=2), Part("b", None)], [1, 2],
         [("d", "", 0, 0.0, 1.0), ("e", "", 2, 1.5, 2.0)]),
        ([Part("a", None), Part("", "d", place=1)], [1], [("d", "", 1, 1.5, None)]),
        ([Part("", "d")], [], [("d", "", 0, 0.0, None)]),
        ([Part("a", "d")], None, [("d", "a", 0, None, None)]),
        ([Part("早", None), Part("上", "安", spaced=False, place=1)], [1], [("安", "上", 1, None, None)]),
    ],
)  # fmt: skip
def test_doubtful_words_have_the_times_of_what_was_read_there(parts, times, expected):
    words = None if times is None else [Word("", float(start), start + 0.5) for start in times]
    assert [astuple(found)[:-1] for found in regions_of(parts, words)] == expected


def test_evidence_does_not_depend_on_the_batch(network):
    requests = [replace(request, texts=("good morning", "yes")) for request in demo_requests(5)]
    together = hypotheses(network("large"), *requests)
    alone = [hypotheses(network("large"), request)[0] for request in requests]
    for one, other in zip(together, alone, strict=True):
        assert one.text == other.text
        assert [found.gap for found in one.evidence] == pytest.approx([found.gap for found in other.evidence], rel=1e-3)


def test_transcripts_give_no_evidence(tmp_path):
    path = DEMO / "corpus" / "audio" / "8khz.wav"
    transcripts = tmp_path / "other.jsonl"
    transcripts.write_text(f'{{"audio_filepath": "{path}", "pred_text": "good morning"}}\n')
    checkpoint = resolve(str(transcripts))
    from winnow.engines.model_cache import get_model

    request = Request(str(path), None, None, texts=("good night", "?"))
    ((result,), _) = transcribe_requests(get_model(checkpoint, EngineOptions()), [request], EngineOptions())
    assert result.hypothesis.evidence == (
        TextEvidence(2, reason="NOT_SUPPORTED"),
        TextEvidence(0, reason="NOT_SUPPORTED"),
    )


@pytest.mark.parametrize(
    ("reading", "text", "expected"),
    [
        (-1.0, -5.0, TextEvidence(2, 4.0, 2.0, doubtful="b")),
        (-1.0, -0.5, TextEvidence(2, -0.5, -0.25)),  # the reading was not the likeliest text
        (-5.0, -11.0, TextEvidence(2, 6.0, 2.0, doubtful="b")),  # an uncertain reading counts 1.5 nats a word
        (0.5e-6, -3.0, TextEvidence(2, 3.0000005, 3.0000005, doubtful="b")),  # rounded above one
        (-1.0, -math.inf, TextEvidence(2, reason="TOO_LONG_FOR_AUDIO")),
        (-math.inf, -1.0, TextEvidence(2, reason="UNLIKELY_READING")),
        (-1.0, math.nan, TextEvidence(2, reason="TOO_LONG_FOR_AUDIO")),
    ],
)
def test_doubt_is_the_gap_relative_to_the_uncertainty_of_the_reading(reading, text, expected):
    assert compare_likelihoods(2, reading, text, "b") == expected


def test_columns_hold_the_evidence_for_the_first_text():
    stretch = DoubtfulWords("b", "a", 0, 0.5, 0.75, 4.0)
    evidence = (
        TextEvidence(2, 4.0, 2.0, doubtful="b", doubtful_words=(stretch,)),
        TextEvidence(1, reason="NOT_WRITABLE"),
    )
    results = [Result(Hypothesis("a", evidence=evidence)), Result(Hypothesis("a", evidence=evidence[1:])), None]
    texts = ScoredTexts({REFERENCE: ["b c", "d", None], "small": ["e", None, None]}, [None] * 3, BASIC)
    columns = hypothesis_columns(results, ["m", "m", None], texts)
    assert {name: columns[name].to_pylist() for name in EVIDENCE} == {
        "evidence": [2.0, None, None],
        "gap": [4.0, None, None],
        "doubt": [2.0, None, None],
        "doubtful": ["b", None, None],
        "doubtful_words": [[asdict(stretch)], None, None],
        "no_evidence": [None, "NOT_WRITABLE", None],
    }
