"""Give hypotheses the same tokens where they have the same words in other spellings, so that they vote alike.

`25` and `twenty-five`, `e-mail` and `email`: what is equal to the words of an earlier hypothesis gets its tokens.
"""

from collections.abc import Iterator

from rapidfuzz.distance import Levenshtein

from winnow.text.comparison import Comparison
from winnow.text.hypothesis import Hypothesis
from winnow.text.respell import normalize_pair
from winnow.text.vote_tokens import VoteToken
from winnow.text.words import split_words


def unify_spellings(
    hypotheses: list[Hypothesis], tokens: list[list[VoteToken]], comparison: Comparison, language: str | None
) -> list[list[VoteToken]]:
    """Return the tokens of each hypothesis, spelled like those of the hypotheses before it."""
    unified: list[list[VoteToken]] = []
    for hypothesis, own in zip(hypotheses, tokens, strict=True):
        for earlier, others in zip(hypotheses, unified, strict=False):
            if hypothesis.text != earlier.text:
                own = spelled_like_tokens(earlier.text, others, hypothesis.text, own, comparison, language)
        unified.append(own)
    return unified


def spelled_like_tokens(
    earlier: str,
    others: list[VoteToken],
    text: str,
    tokens: list[VoteToken],
    comparison: Comparison,
    language: str | None,
) -> list[VoteToken]:
    """Return the tokens of a text with those of an earlier one in the place of other spellings of the same words."""
    words = [token.word for token in tokens]
    respelled = split_words(normalize_pair(earlier, text, comparison, language)[1])
    if words == respelled:
        return tokens
    spellings = {token.word: token.spelling for token in others}
    unified: list[VoteToken] = []
    at = 0
    for start, end, new in changed_stretches(words, respelled):
        if start < end and new and spellings.keys() >= set(new):
            trust = [token.confidence for token in tokens[start:end] if token.confidence is not None]
            unified += tokens[at:start]
            unified += [VoteToken(word, spellings[word], min(trust, default=None)) for word in new]
            at = end
    return unified + tokens[at:]


def changed_stretches(words: list[str], others: list[str]) -> Iterator[tuple[int, int, list[str]]]:
    """Yield where each stretch that differs begins and ends, with what the others have there."""
    at = other = 0
    for step in Levenshtein.opcodes(words, others):
        if step.tag == "equal":
            if at < step.src_start or other < step.dest_start:
                yield at, step.src_start, others[other : step.dest_start]
            at, other = step.src_end, step.dest_end
    if at < len(words) or other < len(others):
        yield at, len(words), others[other:]
