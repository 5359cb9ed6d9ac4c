"""Score a hypothesis against its reference."""

from winnow.text.metrics import ErrorMeasures, compare_texts
from winnow.text.normalize import Normalizer, normalize


def score(reference: str, hypothesis: str, normalizer: Normalizer = "basic") -> ErrorMeasures | None:
    """Compare a hypothesis with its reference; None if the reference has no words to compare.

    Both are normalized first; `basic` ignores case, punctuation and Unicode form. Rates are fractions of the reference,
    so a WER of 0.25 is 25 %, and insertions can bring it above 1. The word counts equal jiwer's.
    """
    return compare_texts(normalize(reference, normalizer), normalize(hypothesis, normalizer))
