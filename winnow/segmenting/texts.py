"""The words of a text as it is written, and what they are compared by."""

from functools import cached_property

from winnow.segmenting.pairs import Word
from winnow.text.normalize import Normalizer, normalize
from winnow.text.words import split_words

SENTENCE_ENDS = tuple(".?!…。？！।؟")
QUOTES = "\"'»”’)]」』"


class WrittenText:
    """A text; its words lie between white space, or are single characters in scripts without spaces."""

    def __init__(
        self, text: str, normalizer: Normalizer, language: str | None, times: list[tuple[int, int] | None] | None = None
    ) -> None:
        """Keep a text; `times` are when each word is roughly said, in milliseconds, None where that is unknown."""
        self.text, self.words = text, split_words(text)
        self.times = times
        self.normalizer, self.language = normalizer, language

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """The place of each word in the text."""
        spans, place = [], 0
        for word in self.words:
            start = self.text.index(word, place)
            place = start + len(word)
            spans.append((start, place))
        return spans

    @cached_property
    def units(self) -> list[tuple[Word, int]]:
        """What is compared, each with the number of its word: twenty-one has two, and a dash has none."""
        return [
            (Word(unit, ends=number == len(parts) and self.ends_sentence(place), time=self.time_of(place)), place)
            for place, word in enumerate(self.words)
            for parts in [split_words(normalize(word, self.normalizer, self.language))]
            for number, unit in enumerate(parts, 1)
        ]

    @cached_property
    def _units_by_word(self) -> dict[int, list[str]]:
        by_word: dict[int, list[str]] = {}
        for unit, word in self.units:
            by_word.setdefault(word, []).append(unit.text)
        return by_word

    def units_of(self, word: int) -> list[str]:
        """Return what a word is compared by."""
        return self._units_by_word.get(word, [])

    def time_of(self, word: int) -> tuple[int, int] | None:
        return self.times[word] if self.times else None

    def ends_sentence(self, word: int) -> bool:
        return self.words[word].rstrip(QUOTES).endswith(SENTENCE_ENDS)

    def slice(self, first: int, end: int) -> str:
        """Return a range of words as it is written."""
        return self.text[self.spans[first][0] : self.spans[end - 1][1]]
