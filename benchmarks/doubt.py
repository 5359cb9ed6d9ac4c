"""The form of doubt and the doubt of misread references, measured on speech that no table is made of.

300 sentences by the demo's voices at other pitch and speed, at a signal-to-noise ratio of 0 to 10 dB (seed 7), read by
the demo's small CTC model and its large transducer. Needs espeak-ng.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.ensemble import other_speech
from benchmarks.evidence_policies import compare_audits
from benchmarks.scored_corpora import Corpus, ScoredCorpus, score_corpus
from demo.__main__ import pinned
from winnow.evidence.mixture import MISREAD
from winnow.evidence.planting import ONE_WORD
from winnow.gates.sampling import Numbers
from winnow.roles import Role
from winnow.text.evidence import MOST_UNCERTAINTY

LOST = 0.02
STEPS = 1000
Exponentials = list[tuple[float, float]]
"""Shares and means of exponential distributions."""

FORMS: dict[str, Callable[[Numbers, Numbers, Numbers], Numbers]] = {
    "gap": lambda gap, reading, words: gap,
    "gap / words": lambda gap, reading, words: gap / words,
    "gap / (1 - log P)": lambda gap, reading, words: gap / (1 - reading),
    **{
        f"gap / min(1 - log P, {most:g} words)": lambda gap, reading, words, most=most: (
            gap / np.minimum(1 - reading, most * words)
        )
        for most in (1.0, 1.5, 2.0)
    },
}
"""Forms of doubt: of the gap [nats], the log-likelihood of the reading, and the number of words."""


def score_other_speech() -> ScoredCorpus:
    """Score other speech, whose references are all right."""
    models: dict[Role, str] = {name: pinned(name) for name in ("small", "large")}
    with tempfile.TemporaryDirectory() as folder:
        spoken = list(other_speech(Path(folder)))
        return score_corpus(Corpus("other speech", spoken, [utterance.text for utterance in spoken], models))


def values_of(texts: pa.Table, role: Role, form: str) -> Numbers:
    """Return a form of doubt of each text; infinity where the model cannot write it."""
    gap, reading, words = (texts[f"{role}_{name}"].to_numpy() for name in ("gap", "log_likelihood", "words"))
    return np.nan_to_num(FORMS[form](gap, np.minimum(reading, 0.0), words), nan=np.inf)


def found_by(corpus: ScoredCorpus, role: Role, form: str) -> list[float]:
    """Return the share found of each kind of errors of one word, where 2 % of what was said is lost."""
    limit = np.quantile(values_of(corpus.said, role, form), 1 - LOST, method="higher")
    return [float((values_of(corpus.errors[kind], role, form) > limit).mean()) for kind in ONE_WORD]


def fit_exponentials(doubts: list[Numbers]) -> Exponentials:
    """Fit two exponential distributions to samples of equal weight, by expectation maximisation."""
    values = np.concatenate(doubts)
    weights = np.concatenate([np.full(len(sample), 1 / len(sample) / len(doubts)) for sample in doubts])
    shares, means = np.array([0.5, 0.5]), np.array([0.5, 2.0]) * float((weights * values).sum())
    for _ in range(STEPS):
        joint = shares / means * np.exp(-values[:, np.newaxis] / means)
        counts = weights[:, np.newaxis] * joint / joint.sum(axis=1, keepdims=True)
        shares = counts.sum(axis=0)
        means = (counts * values[:, np.newaxis]).sum(axis=0) / shares
    return [(float(share), float(mean)) for share, mean in zip(shares, means, strict=True)]


def misread(corpus: ScoredCorpus) -> Exponentials:
    """Fit the doubt of what was said where a model read something else."""
    doubts = [corpus.said[f"{role}_doubt"].drop_null().to_numpy() for role in corpus.hypotheses]
    return fit_exponentials([sample[sample > 0] for sample in doubts])


def tune() -> Iterator[list[str]]:
    """Yield what each form of doubt finds, the constants beside what they are fitted to, and what audits promise."""
    corpus = score_other_speech()
    yield ["", *(f"{role}: {kind}" for role in corpus.hypotheses for kind in ONE_WORD)]
    yield ["---"] * (1 + len(ONE_WORD) * len(corpus.hypotheses))
    for form in FORMS:
        yield [form, *(f"{share:.1%}" for role in corpus.hypotheses for share in found_by(corpus, role, form))]
    yield []
    yield ["constant", "in the code", "on other speech"]
    yield ["---"] * 3
    yield ["MOST_UNCERTAINTY", f"{MOST_UNCERTAINTY:g}", "see above"]
    fitted = ", ".join(f"({share:.2f}, {mean:.2f})" for share, mean in misread(corpus))
    yield ["MISREAD", ", ".join(f"({share:g}, {mean:g})" for share, mean in MISREAD), fitted]
    yield []
    head, *audits = compare_audits(corpus)
    yield from (head, ["---"] * len(head), *audits)
