"""Corpora whose wrong references are known, read by two models that also score the references and planted errors.

Each reference is scored with the errors that a run plants into it, from which its limits follow. To judge those limits,
errors that no run plants are scored as well: errors in what was really said, drawn with seeds of their own.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from benchmarks.ensemble import Spoken, add_noise, demo_speech
from demo.__main__ import pinned
from demo.corpus import CORPUS
from winnow.engines.engine import Request
from winnow.engines.isolation import transcribe_here
from winnow.evidence.planting import ONE_WORD, PlantedError, Pool, errors_in, plant_errors, sample_share, units
from winnow.gates.sampling import Flags
from winnow.models.resolve import resolve
from winnow.parameters.engine import EngineOptions
from winnow.roles import Role
from winnow.schema import PLANTED, PLANTED_ERRORS, PLANTED_SCORES
from winnow.text.evidence import TextEvidence
from winnow.text.hypothesis import Hypothesis
from winnow.text.metrics import word_error_rate
from winnow.text.respell import normalize_pair

SPEECH = Path(__file__).parent.parent.parent / "shared" / "speech"
JUDGED_SEED = 1_000_000  # far from the numbers of utterances, which seed the errors that a run plants
ERRORS_EACH = 2  # of one word, of each kind, in each utterance


@dataclass(frozen=True)
class Corpus:
    """Utterances, their references, and the names of the models that read them."""

    name: str
    spoken: list[Spoken]
    references: list[str]
    models: Mapping[Role, str]


@dataclass(frozen=True)
class ScoredCorpus:
    """What models say of the references, of what was said, and of errors in it.

    Tables have the columns of a scored shard that a gate needs; `references` also those of planted errors. `good` tells
    which references are what was said.
    """

    name: str
    good: Flags
    references: pa.Table
    said: pa.Table
    errors: dict[str, pa.Table]
    hypotheses: dict[Role, list[Hypothesis]]


def corpora(folder: Path) -> Iterator[Corpus]:
    """Yield the demo corpus, the same in more noise, and real digits with their own models if they exist."""
    models: dict[Role, str] = {name: pinned(name) for name in ("small", "large")}
    spoken, references = demo_speech(), demo_references()
    yield Corpus("demo corpus", spoken, references, models)
    yield Corpus("demo corpus in noise", list(add_noise(spoken, folder)), references, models)
    if SPEECH.exists():
        rows = [json.loads(line) for line in (SPEECH / "manifest.jsonl").read_text().splitlines()]
        digits = [Spoken(row["true_text"], SPEECH / row["audio_filepath"], 0.0) for row in rows]
        own: dict[Role, str] = {name: str(SPEECH / f"digits-{name}.nemo") for name in models}
        yield Corpus("spoken digits", digits, [row["text"] for row in rows], own)


def demo_references() -> list[str]:
    """Return the references of the demo's undamaged utterances; a fifth is wrong."""
    lines = (CORPUS / "manifest.jsonl").read_text().splitlines()
    rows = (json.loads(line) for line in lines if line.startswith('{"audio_filepath": "audio/') and line.endswith("}"))
    texts = {CORPUS / row["audio_filepath"]: row["text"] for row in rows}
    return [texts[utterance.path] for utterance in demo_speech()]


def one_word_wrong(corpus: Corpus, share: float = 0.2) -> Corpus:
    """Return the corpus with one wrong word in this share (0 to 1) of its references, and all others right."""
    random, said = Random(JUDGED_SEED), [utterance.text for utterance in corpus.spoken]
    references = list(said)
    for number, at in enumerate(random.sample(range(len(said)), round(share * len(said)))):
        errors = {error.kind: error.text for error in errors_in(said[at], pool_of(said), random, "basic", None)}
        references[at] = errors.get(ONE_WORD[number % len(ONE_WORD)], errors["substitution"])
    return Corpus(f"{corpus.name}, a fifth with one wrong word", corpus.spoken, references, corpus.models)


def pool_of(texts: list[str]) -> Pool:
    return Pool([word for text in texts for word in units(text)], texts)


def errors_to_judge(said: list[str]) -> list[list[PlantedError]]:
    """Return errors in what was said in each utterance: of one word, and the text of another one."""
    pool = pool_of(said)
    return [
        [
            error
            for number in range(ERRORS_EACH)
            for error in errors_in(text, pool, Random(JUDGED_SEED + ERRORS_EACH * row + number), "basic", None)
            if error.kind in ONE_WORD or (error.kind == "other" and number == 0)
        ]
        for row, text in enumerate(said)
    ]


def score_corpus(corpus: Corpus) -> ScoredCorpus:
    """Let both models read everything and score all texts."""
    count, said = len(corpus.spoken), [utterance.text for utterance in corpus.spoken]
    loaded = pa.table({"id": range(1, count + 1), "text": corpus.references, "reason": pa.nulls(count, pa.string())})
    planted = plant_errors(loaded, sample_share(count), "basic", [None] * count)
    judged = errors_to_judge(said)
    texts = [
        (reference, text, *(error.text for error in (*own, *others)))
        for reference, text, own, others in zip(corpus.references, said, planted, judged, strict=True)
    ]
    read = {role: read_all(corpus.spoken, texts, name) for role, name in corpus.models.items()}
    places: dict[str, list[Place]] = {}
    for row, errors in enumerate(judged):
        for at, error in enumerate(errors, 2 + len(planted[row])):
            places.setdefault(error.kind, []).append((row, at))
    references = scores_at(read, [(row, 0) for row in range(count)])
    for name in loaded.schema.names:
        references = references.append_column(name, loaded[name])
    kinds = pa.array([[error._asdict() for error in row] for row in planted], PLANTED_ERRORS)
    references = references.append_column(PLANTED, kinds).append_column("duration", pa.array(read["small"].seconds))
    for role, one in read.items():
        for name in ("doubt", "wer"):
            rows = [
                [getattr(score, name) for score in row[2 : 2 + len(own)]]
                for row, own in zip(one.scores, planted, strict=True)
            ]
            references = references.append_column(f"{role}_planted_{name}", pa.array(rows, PLANTED_SCORES))
    return ScoredCorpus(
        name=corpus.name,
        good=np.array([text == reference for text, reference in zip(said, corpus.references, strict=True)]),
        references=references,
        said=scores_at(read, [(row, 1) for row in range(count)]),
        errors={kind: scores_at(read, where) for kind, where in places.items()},
        hypotheses={role: one.hypotheses for role, one in read.items()},
    )


class Score(NamedTuple):
    """The doubt of a text, its gap [nats], its words and its WER against the hypothesis; None where there is none."""

    doubt: float | None = None
    gap: float | None = None
    words: float | None = None
    wer: float | None = None


def score_text(text: str, evidence: TextEvidence | None, hypothesis: str) -> Score:
    wer = word_error_rate(*normalize_pair(text, hypothesis, "basic", None))
    return Score(evidence.doubt, evidence.gap, evidence.words, wer) if evidence else Score(wer=wer)


class ReadCorpus(NamedTuple):
    """A model's hypotheses, its scores of the texts of each utterance, and the seconds of each."""

    hypotheses: list[Hypothesis]
    scores: list[list[Score]]
    seconds: list[float]


Place = tuple[int, int]
"""Of a text: its utterance, and its position among those that are scored there."""


def read_all(spoken: list[Spoken], texts: list[tuple[str, ...]], name: str) -> ReadCorpus:
    """Let a model read all utterances and score the texts of each."""
    requests = [Request(str(each.path), None, None, texts=row) for each, row in zip(spoken, texts, strict=True)]
    results, _ = transcribe_here(resolve(name, trust_unpinned=True), EngineOptions(), requests)
    hypotheses = [result.hypothesis or Hypothesis("") for result in results]
    scores = [
        [score_text(text, evidence, hypothesis.text) for text, evidence in zip_longest(row, hypothesis.evidence)]
        for row, hypothesis in zip(texts, hypotheses, strict=True)
    ]
    return ReadCorpus(hypotheses, scores, [result.stats.seconds if result.stats else 0.0 for result in results])


def scores_at(read: Mapping[Role, ReadCorpus], places: list[Place]) -> pa.Table:
    """Return what each model says of these texts, in the columns by which a gate judges."""
    columns: dict[str, pa.Array] = {}
    for role, one in read.items():
        for name in Score._fields:
            values = [getattr(one.scores[row][at], name) for row, at in places]
            columns[f"{role}_{name}"] = pa.array(values, pa.float64())
        for name in ("confidence", "log_likelihood"):
            values = [getattr(one.hypotheses[row], name) for row, _ in places]
            columns[f"{role}_{name}"] = pa.array(values, pa.float64())
    return pa.table(columns)
