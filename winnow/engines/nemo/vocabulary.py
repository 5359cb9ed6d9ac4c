"""What a model can write: texts as the tokens of its vocabulary, and the characters that it has for them."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from winnow.engines.tokens import Ids
from winnow.engines.vocabulary import same_text, writing_style
from winnow.text.languages import match_language

UNKNOWN = "\u2047"  # as which SentencePiece reads what it cannot write
PROMPT_TOKENS = "spl_tokens"  # NeMo's name for the language of special tokens


class Vocabulary:
    """The vocabulary of a model with a tokenizer, perhaps one per language, or of a model of characters.

    `read` returns the text of token ids, as the model's hypotheses are written.
    """

    def __init__(self, model: Any, decoding: Any, read: Callable[[list[int]], str]) -> None:
        self.read = read
        self.tokenizer: Any = getattr(model, "tokenizer", None)
        labels = getattr(decoding, "labels_map", None) or {}
        self.characters = {} if self.tokenizer else {str(label): int(token) for token, label in labels.items()}
        by_token: dict[int, str] = getattr(self.tokenizer, "langs_by_token_id", {})
        self.languages = {token: name for token, name in by_token.items() if name != PROMPT_TOKENS}
        pieces = self.characters if self.tokenizer is None else self.tokenizer.vocab
        self.style = writing_style(str(piece) for piece in pieces)

    def write(self, text: str, language: str | None) -> Ids | None:
        """Return the tokens of a text; None if the vocabulary cannot write it.

        `language` is one of the tokenizer's own, as `language_of` returns it.
        """
        text = " ".join(text.split())
        if not text:
            return ()
        if UNKNOWN in text:
            return None
        ids = self.tokens(text, language)
        return tuple(ids) if -1 not in ids and same_text(self.text_of(ids), text) else None

    def tokens(self, text: str, language: str | None) -> list[int]:
        """Return the tokens of a text with single spaces, whether they say the same or not; -1 for what has none."""
        if self.tokenizer is None:
            return [self.characters.get(character, -1) for character in text]
        ids = self.tokenizer.text_to_ids(text, language) if self.languages else self.tokenizer.text_to_ids(text)
        return list(ids)

    def text_of(self, ids: list[int]) -> str:
        """Return the text of tokens."""
        return self.read(ids) if self.tokenizer is None else str(self.tokenizer.ids_to_text(ids))

    def language_of(self, ids: Sequence[int], language: str | None) -> str | None:
        """Return the tokenizer's language that tokens are mostly in, else the one that a tag means, else its first.

        None for a tokenizer without languages.
        """
        if not self.languages:
            return None
        counts = Counter(self.languages[token] for token in ids if token in self.languages)
        spoken = list(dict.fromkeys(self.languages.values()))
        return counts.most_common(1)[0][0] if counts else match_language(language, spoken) or spoken[0]
