"""How NeMo's tokens become words."""

from typing import Any

from winnow.engines.words import WordAssembler


def word_assembler(decoding: Any, frame_seconds: float) -> WordAssembler:
    """Return what assembles the words of a model with this decoding, as NeMo writes them."""

    def text(ids: list[int]) -> str:
        read: str = decoding.decode_ids_to_str(ids)
        if getattr(decoding, "supported_punctuation", None):
            read = decoding.space_before_punct_pattern.sub(r"\2", read)
        return read

    def begins(token: int) -> bool | None:
        (piece,) = decoding.decode_ids_to_tokens([token])
        return None if piece in ("▁", " ", "") else piece.startswith("▁")

    return WordAssembler(text, begins, frame_seconds)
