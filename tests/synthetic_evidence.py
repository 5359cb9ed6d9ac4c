"""Evidence as models have it, drawn from known distributions, with references that are known to be right or wrong."""

from dataclasses import dataclass

import numpy as np

from winnow.evidence.gather import ModelEvidence, PlantedEvidence

KINDS = {"substitution": (2.0, 0.7), "deletion": (1.5, 0.9), "insertion": (2.0, 0.7), "other": (4.2, 0.4)}
"""The doubt of errors of each kind under the small model, as mean and deviation of its logarithm."""


@dataclass(frozen=True)
class Corpus:
    """What two models say of the same references, and which of them are right.

    `errors` has the true doubts of both models for fresh errors of each kind, planted into right references.
    """

    small: ModelEvidence
    large: ModelEvidence
    right: np.ndarray
    errors: dict[str, tuple[np.ndarray, np.ndarray]]


def draw_right(random: np.random.Generator, size: int, read: float) -> np.ndarray:
    """Draw the doubts of right references, of which the share `read` is read as it is."""
    scale = np.where(random.random(size) < 0.85, 1.4, 4.9)
    return np.where(random.random(size) < read, 0.0, random.exponential(scale))


def draw_wrong(random: np.random.Generator, kind: str, size: int, clearer: float = 0.0) -> np.ndarray:
    mean, deviation = KINDS[kind]
    return random.lognormal(mean + clearer, deviation, size)


def draw_corpus(
    size: int = 4000,
    wrong: float = 0.2,
    planted: int = 500,
    seed: int = 1,
    whole_text: float = 0.5,
    read: tuple[float, float] = (0.7, 0.9),
    language: str | None = None,
) -> Corpus:
    """Draw a corpus with a share of wrong references: of one word, or with the text of another utterance.

    Errors are planted into the first `planted` references, whether they are right or not; those planted into wrong ones
    are more doubtful. The larger model is clearer about everything. `read` are the shares of right references that the
    models read as they are.
    """
    random = np.random.default_rng(seed)
    right = random.random(size) >= wrong
    kind = np.where(random.random(size) < whole_text, "other", "substitution")
    doubts = []
    for share_read, clearer in zip(read, (0.0, 1.5), strict=True):
        doubt = draw_right(random, size, share_read)
        for name in ("other", "substitution"):
            rows = ~right & (kind == name)
            doubt[rows] = draw_wrong(random, name, int(rows.sum()), clearer)
        doubts.append(doubt)
    at = np.arange(min(planted, size))
    models = []
    for doubt, clearer in zip(doubts, (0.0, 1.5), strict=True):
        errors = {}
        for name in KINDS:
            drawn = draw_wrong(random, name, len(at), clearer) + np.where(right[at], 0.0, doubt[at])
            errors[name] = PlantedEvidence(at, drawn, np.where(drawn > 0, 0.1, 0.0))
        wer = np.where(doubt > 0, 0.1, 0.0)
        seconds, tags = np.full(size, 3.0), np.full(size, language, object)
        models.append(ModelEvidence(np.arange(size), tags, doubt, wer, seconds, errors if planted else {}))
    fresh = {name: (draw_wrong(random, name, 20_000), draw_wrong(random, name, 20_000, 1.5)) for name in KINDS}
    return Corpus(*models, right, fresh)
