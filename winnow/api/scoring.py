"""Score a hypothesis against its reference."""

from winnow.errors import InputError
from winnow.text.comparison import Comparison
from winnow.text.metrics import ErrorMeasures, compare_texts
from winnow.text.normalize import MAX_TEXT, Normalizer, is_too_long
from winnow.text.respell import normalize_pair


def score(
    reference: str,
    hypothesis: str,
    normalizer: Normalizer = "basic",
    language: str | None = None,
    merge_compounds: bool = False,
) -> ErrorMeasures | None:
    """Compare a hypothesis with its reference; None if the reference has no words to compare.

    Both are normalized first; `basic` ignores case, punctuation and Unicode form, and how words, numbers and signs are
    spelled in a `language`, which is a tag such as `en`; `merge_compounds` takes home page and homepage for equal.
    Rates are fractions of the reference, so a WER of 0.25 is 25 %, and insertions can bring it above 1. The word counts
    equal jiwer's.

    Raises `InputError` for a text of more than 100,000 characters, about two hours of speech.
    """
    for text in (reference, hypothesis):
        if is_too_long(text):
            raise InputError(f"a text of {len(text):,} characters cannot be scored: cut it below {MAX_TEXT:,}")
    return compare_texts(*normalize_pair(reference, hypothesis, Comparison(normalizer, merge_compounds), language))
