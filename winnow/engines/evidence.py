"""Evidence for texts under a model: how much less likely each text is than what the model read.

A text is scored as the model would write it. Where it has the words of the reading, the reading stays with its own
tokens, and the other words are spelled with the model's vocabulary, in a few ways of which the likeliest counts.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from operator import itemgetter

from winnow.engines.engine import Request
from winnow.engines.tokens import EncodedBatch, Ids, Tokens, Vocabulary
from winnow.engines.words import WordAssembler
from winnow.text.evidence import DoubtfulWords, TextEvidence, compare_likelihoods
from winnow.text.hypothesis import Hypothesis, Word
from winnow.text.normalize import count_words
from winnow.text.spelled_like import Part, differences, join_parts
from winnow.text.writing_style import candidate_spellings

MAX_SPELLINGS = 4  # of a text that are scored
MAX_REGIONS = 3  # of differences that are scored alone, to find the worst
MAX_LISTED_REGIONS = 30  # that are scored alone where all of them are listed

Likelihoods = dict[Ids, float]
"""The log-likelihoods of an utterance's reading and texts [nats], by their tokens."""


@dataclass(frozen=True)
class Reading:
    """What a model read in an utterance: its text and tokens, and in which of the vocabulary's languages.

    `word_tokens` are the tokens of each word if the vocabulary would write the text with others, else None. `times` are
    the words with their times, if regions are listed and the model gives any.
    """

    text: str
    ids: Ids
    language: str | None
    word_tokens: list[Ids] | None
    times: list[Word] | None = None


@dataclass(frozen=True)
class DifferentText:
    """A text of `words` words that differs from the reading: its spellings, and the words of each region by itself.

    A region has the text's words there, and the tokens of the reading with only these words in it; None where it is not
    scored. If regions are `listed`, each is in the evidence.
    """

    words: int
    spellings: list[Ids]
    regions: list[tuple[DoubtfulWords, Ids | None]] = field(default_factory=list)
    listed: bool = False

    def all_ids(self) -> Iterator[Ids]:
        """Yield all tokens to score."""
        yield from self.spellings
        if len(self.regions) > 1:
            yield from (ids for _, ids in self.regions if ids is not None)

    def evidence(self, reading: Ids, likelihoods: Likelihoods) -> TextEvidence:
        """Return the evidence of the likeliest spelling, and the words of the region that is least likely by itself."""
        best = max(likelihoods[ids] for ids in self.spellings)
        if len(self.regions) == 1:
            alone = [(self.regions[0][0], best)]
        else:
            alone = [(words, likelihoods[ids] if ids is not None else math.inf) for words, ids in self.regions]
        doubtful = min(alone, key=itemgetter(1))[0].text if alone else None
        listed = tuple(with_gap(words, likelihoods[reading] - value) for words, value in alone) if self.listed else None
        return compare_likelihoods(self.words, likelihoods[reading], best, doubtful, listed)


def with_gap(words: DoubtfulWords, gap: float) -> DoubtfulWords:
    return replace(words, gap=gap if math.isfinite(gap) else None)


def regions_of(parts: Sequence[Part], times: Sequence[Word] | None) -> Iterator[DoubtfulWords]:
    """Yield the parts that differ, with their times: those of the reading's words there, or of the pause between two.

    They have no times in a script without spaces, and after the reading's last word no end.
    """
    counts = [len(part.reading.split()) for part in parts]
    timed = times if times is not None and sum(counts) == len(times) else None
    at = 0
    for part, count in zip(parts, counts, strict=True):
        if part.text is not None:
            start, end = (None, None) if timed is None else span(timed, at, at + count)
            yield DoubtfulWords(part.text, part.reading, part.place, start, end)
        at += count


def span(times: Sequence[Word], first: int, end: int) -> tuple[float, float | None]:
    """Return start and end of the words from the first to before the end; without any, those of the pause there."""
    if first < end:
        return times[first].start, times[end - 1].end
    return times[first - 1].end if first else 0.0, times[first].start if first < len(times) else None


class EvidenceFinder:
    """Finds the evidence for texts in decoded batches; that of references may list all regions that differ."""

    def __init__(self, vocabulary: Vocabulary, words: WordAssembler, lists_regions: bool = False) -> None:
        self.vocabulary, self.words, self.lists_regions = vocabulary, words, lists_regions

    def add(
        self,
        hypotheses: list[Hypothesis],
        requests: Sequence[Request],
        tokens: Sequence[Tokens],
        decoded: EncodedBatch,
    ) -> list[Hypothesis]:
        """Return the hypotheses with the evidence for the texts of their requests, if there are any.

        `tokens` are those of the hypotheses, which get their log-likelihood where it was needed. Only
        texts that differ from what was read are computed, and then what was read, all of a batch in one call.
        """
        if not any(request.texts for request in requests):
            return hypotheses
        texts = [hypothesis.text for hypothesis in hypotheses]
        compared = [self.compare_all(*read) for read in zip(requests, texts, tokens, strict=True)]
        needed = {
            (row, ids): None
            for row, comparisons in enumerate(compared)
            for comparison in comparisons
            if isinstance(comparison, DifferentText)
            for ids in (tuple(tokens[row].ids), *comparison.all_ids())
        }
        likelihoods: list[Likelihoods] = [{} for _ in tokens]
        for (row, ids), value in zip(needed, decoded.log_likelihoods(list(needed)), strict=True):
            likelihoods[row][ids] = value
        return [
            replace(
                hypothesis,
                log_likelihood=own.get(tuple(read.ids)),
                evidence=tuple(
                    comparison.evidence(tuple(read.ids), own) if isinstance(comparison, DifferentText) else comparison
                    for comparison in comparisons
                ),
            )
            for hypothesis, read, own, comparisons in zip(hypotheses, tokens, likelihoods, compared, strict=True)
        ]

    def compare_all(self, request: Request, text: str, tokens: Tokens) -> list[DifferentText | TextEvidence]:
        """Compare each text of a request with the reading; only for the first are regions of interest."""
        if not tokens.finite or not request.texts:
            return []
        reading = self.reading(text, tokens.ids, request.text_language or request.language)
        if self.lists_regions:
            reading = replace(reading, times=self.words.hypothesis(tokens, timestamps=True).words)
        return [self.compare(reading, request, other, with_regions=i == 0) for i, other in enumerate(request.texts)]

    def reading(self, text: str, ids: list[int], language: str | None) -> Reading:
        own_language = self.vocabulary.language_of(ids, language)
        usual = self.vocabulary.tokens(text, own_language) == ids
        return Reading(text, tuple(ids), own_language, None if usual else self.word_tokens(text, ids))

    def compare(
        self, reading: Reading, request: Request, text: str, with_regions: bool
    ) -> DifferentText | TextEvidence:
        """Return the spellings of a text to score, or its evidence if that is known without."""
        language = request.text_language
        listed = with_regions and self.lists_regions
        words = count_words(text, request.comparison.normalizer, language)
        if not words:
            return TextEvidence(words, reason="NO_WORDS")
        parts = differences(reading.text, text, request.comparison, language)
        different = [i for i, part in enumerate(parts) if part.text is not None]
        if not different:
            return TextEvidence(words, gap=0.0, doubt=0.0, doubtful_words=() if listed else None)
        spellings = {i: candidate_spellings(parts[i].text or "", language, self.vocabulary.style) for i in different}
        written = self.spellings(reading, parts, spellings)
        if not written:
            return TextEvidence(words, reason="NOT_WRITABLE")
        if not with_regions:
            return DifferentText(words, written)
        regions = dict(zip(different, regions_of(parts, reading.times), strict=True))
        if len(different) == 1:
            return DifferentText(words, written, [(regions[different[0]], written[0])], listed)
        most = MAX_LISTED_REGIONS if listed else MAX_REGIONS
        longest = sorted(different, key=lambda i: -len(parts[i].reading) - len(parts[i].text or ""))[:most]
        alone = {i: next(iter(self.spellings(reading, parts, {i: spellings[i]})), None) for i in longest}
        kept = [i for i in different if listed or alone.get(i) is not None]
        return DifferentText(words, written, [(regions[i], alone.get(i)) for i in kept], listed)

    def spellings(self, reading: Reading, parts: list[Part], spellings: dict[int, list[str]]) -> list[Ids]:
        """Return the tokens of the reading with these spellings in place of some parts, as far as they can be written.

        Every part gets its first spelling, then its second, and so on; one that has fewer keeps its last.
        """
        written: dict[Ids, None] = {}
        for number in range(min(MAX_SPELLINGS, max(map(len, spellings.values()), default=0))):
            texts = [
                part.reading if i not in spellings else (spellings[i] or [""])[min(number, len(spellings[i]) - 1)]
                for i, part in enumerate(parts)
            ]
            ids = self.write(reading, parts, texts, spellings)
            if ids is not None:
                written[ids] = None
        return list(written)

    def write(self, reading: Reading, parts: list[Part], texts: list[str], changed: dict[int, list[str]]) -> Ids | None:
        """Return the tokens of these texts in the place of the parts; unchanged ones keep the reading's own tokens."""
        text = join_parts(parts, texts)
        ids = self.vocabulary.write(text, reading.language)
        if ids is None or reading.word_tokens is None:
            return ids
        usual = self.word_tokens(text, list(ids))
        counts = [len(part_text.split()) for part_text in texts]
        own = [len(part.reading.split()) for part in parts]
        if usual is None or sum(counts) != len(usual) or sum(own) != len(reading.word_tokens):
            return ids
        spliced: list[int] = []
        at = own_at = 0
        for i, (count, own_count) in enumerate(zip(counts, own, strict=True)):
            source = usual[at : at + count] if i in changed else reading.word_tokens[own_at : own_at + own_count]
            spliced += (token for word in source for token in word)
            at, own_at = at + count, own_at + own_count
        return tuple(spliced)

    def word_tokens(self, text: str, ids: list[int]) -> list[Ids] | None:
        """Return the tokens of each word; None if they are not those of the words between spaces."""
        starts = self.words.starts(ids)
        if len(starts) != len(text.split()) or (starts and starts[0]) or None in map(self.words.begins, ids):
            return None
        return [tuple(ids[start:end]) for start, end in pairwise([*starts, len(ids)])]
