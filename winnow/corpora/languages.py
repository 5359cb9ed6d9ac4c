"""Which language a row is in: `lang` of the manifest's own fields."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from winnow.corpora.nemo_jsonl.line_reader import MAX_LINE, read_lines, strip_line
from winnow.corpora.nemo_jsonl.sharding import MAX_SECONDS, UNDECODABLE
from winnow.errors import ManifestError
from winnow.text.languages import language_tag


class LanguageFields(msgspec.Struct):
    """What a line says of its language and length; whatever is wrong with it is said when it is read."""

    lang: Any = None
    duration: Any = None


class CorpusSummary(NamedTuple):
    """What a manifest says of itself: its hours of audio, and those of each language, the longest first."""

    hours: float
    languages: dict[str, float]


def row_languages(fields: Iterable[str | None]) -> list[str | None]:
    """The language of each row, of its fields as JSON."""
    decode = msgspec.json.Decoder(LanguageFields).decode
    return [language_tag(decode(row).lang) if row else None for row in fields]


def summarize_manifest(manifest: Path, limit: int = MAX_LINE) -> CorpusSummary:
    """What a manifest says of itself; lines that say nothing count for nothing."""
    hours: dict[str | None, float] = {}
    decode = msgspec.json.Decoder(LanguageFields).decode
    try:
        with manifest.open("rb") as file:
            for line in read_lines(file.readline, limit):
                try:
                    row = decode(strip_line(line or b""))
                except UNDECODABLE:
                    continue
                seconds = row.duration if isinstance(row.duration, int | float) else 0.0
                language = language_tag(row.lang)
                hours[language] = hours.get(language, 0.0) + min(max(seconds, 0.0), MAX_SECONDS) / 3600
    except OSError as error:
        raise ManifestError(f"{manifest}: no manifest that can be read ({error.strerror})") from error
    named = sorted((name for name in hours if name), key=lambda name: (-hours[name], name))
    return CorpusSummary(sum(hours.values()), {name: hours[name] for name in named})
