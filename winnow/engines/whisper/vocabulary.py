"""What Whisper writes: texts as the tokens of its byte-level vocabulary, and tokens as text."""

from collections.abc import Sequence
from typing import Any

from winnow.engines.tokens import Ids
from winnow.text.languages import base_language
from winnow.text.writing_style import style_of

WITHOUT_SPACES = frozenset(("zh", "ja", "th", "lo", "my", "yue"))
"""Languages that Whisper writes without a space before the first word, and between words."""

BYTES_ALONE = "\ufffd"
"""As which bytes are read that are no UTF-8 by themselves."""


class WhisperVocabulary:
    """The tokenizer of a model, which can write any text, in most languages with a space before it."""

    def __init__(self, tokenizer: Any, end: int) -> None:
        """`tokenizer` is one of the package tokenizers; from the token `end` on, none is text."""
        self.tokenizer, self.end = tokenizer, end
        pieces = "".join(tokenizer.decode_batch([[token] for token in range(end)]))
        self.style = style_of(set(pieces) - {BYTES_ALONE})

    def write(self, text: str, language: str | None) -> Ids | None:
        text = " ".join(text.split())
        return tuple(self.tokens(text, language)) if text else ()

    def tokens(self, text: str, language: str | None) -> list[int]:
        space = "" if language in WITHOUT_SPACES else " "
        return list(self.tokenizer.encode(space + text, add_special_tokens=False).ids)

    def language_of(self, ids: Sequence[int], language: str | None) -> str | None:
        return base_language(language)

    def text(self, ids: Sequence[int]) -> str:
        """Return the text of tokens, with bytes that are not UTF-8 as U+FFFD."""
        return " ".join(str(self.tokenizer.decode([token for token in ids if token < self.end])).split())

    def begins(self, token: int) -> bool | None:
        """Tell whether a word begins with this token; None if the token is only a space."""
        piece = str(self.tokenizer.decode([token]))
        return None if piece.isspace() or not piece else piece.startswith(" ")
