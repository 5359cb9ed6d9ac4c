"""What a model of transformers writes: texts as the tokens of its tokenizer, and tokens as text."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from winnow.engines.tokens import Ids
from winnow.engines.vocabulary import SPECIAL, same_text, writing_style

SPACES = ("▁", "Ġ")
"""How pieces begin that begin a word, in SentencePiece's and in byte-level vocabularies."""


class TokenizerVocabulary:
    """The tokenizer of a model; `read` returns the text of token ids, as the model's hypotheses are written.

    `before_text` is what models write before the first word, such as a space.
    """

    def __init__(self, tokenizer: Any, read: Callable[[list[int]], str], before_text: str = "") -> None:
        self.tokenizer, self.read, self.before_text = tokenizer, read, before_text
        self.delimiter: str | None = getattr(tokenizer, "word_delimiter_token", None)
        self.unknown: int | None = tokenizer.unk_token_id
        self.style = writing_style(self.pieces())

    def pieces(self) -> Iterable[str]:
        """Return the text of each token by itself."""
        vocabulary = self.tokenizer.get_vocab()
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        if backend is None:
            return [piece for piece in vocabulary if piece != self.delimiter]
        texts: list[str] = backend.decode_batch([[token] for token in vocabulary.values()], skip_special_tokens=True)
        return [text.replace("\ufffd", "") for text in texts if not SPECIAL.fullmatch(text)]

    def write(self, text: str, language: str | None) -> Ids | None:
        text = " ".join(text.split())
        if not text:
            return ()
        ids = self.tokens(text, language)
        return tuple(ids) if self.unknown not in ids and same_text(self.text(ids), text) else None

    def tokens(self, text: str, language: str | None) -> list[int]:
        return list(self.tokenizer(self.before_text + text, add_special_tokens=False)["input_ids"])

    def language_of(self, ids: Sequence[int], language: str | None) -> str | None:
        return None

    def text(self, ids: Sequence[int]) -> str:
        return " ".join(self.read(list(ids)).split())

    def begins(self, token: int) -> bool | None:
        """Tell whether a word begins with this token; None if the token is only a space."""
        piece = str(self.tokenizer.convert_ids_to_tokens(token))
        if piece == self.delimiter or piece in SPACES or not piece.strip():
            return None
        return piece.startswith(SPACES)
