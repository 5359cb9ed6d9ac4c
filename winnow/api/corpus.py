"""Read a corpus: its utterances, its hours of audio and its languages."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from winnow.audio.remote.urls import is_url
from winnow.corpora.file_patterns import is_pattern
from winnow.corpora.registry import open_source
from winnow.corpora.source import CorpusSummary, Source
from winnow.corpora.utterance import Row
from winnow.errors import ManifestError
from winnow.parameters.settings import expand_location
from winnow.text.languages import language_tag


@dataclass(frozen=True)
class Utterance:
    """A row of a corpus. None means that the corpus does not say.

    `id` is the line in the manifest, from 1. `path` is `audio_filepath` made absolute. `offset` and `duration` are
    seconds, and `duration_rounding` half a unit of the last digit; without an offset the utterance is the whole file.
    `channel` is from 0. `text` is the reference. `fields` has whatever else the row says. A row that cannot be used has
    a `reason`, one of `winnow.schema.QUARANTINE_REASONS`, and a `detail`. `mended` says how a badly written row was
    read, by keys of `winnow.schema.MENDINGS`.
    """

    id: int
    audio_filepath: str | None = None
    path: str | None = None
    offset: float | None = None
    duration: float | None = None
    duration_rounding: float | None = None
    channel: int | None = None
    text: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    reason: str | None = None
    detail: str | None = None
    mended: tuple[str, ...] = ()

    @property
    def language(self) -> str | None:
        """The language that the row states as `lang`, such as `en` or `de-AT`."""
        return language_tag(self.fields.get("lang"))


def utterance_of(row: Row) -> Utterance:
    """Return a row of a source as an utterance; what several rows have in common is not known to one of them."""
    values = {name: value for name, value in row.items() if name not in ("audio_channel", "found_path", "same_audio")}
    fields, mended = msgspec.json.decode(row.get("fields") or "{}"), tuple(row.get("mended") or ())
    return Utterance(**values | {"channel": row.get("audio_channel"), "fields": fields, "mended": mended})


class Corpus:
    """A corpus that was opened by `open_corpus`; iterating it reads it from the start, in bounded memory."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def __iter__(self) -> Iterator[Utterance]:
        """Yield every row in order, also those that cannot be used."""
        for row in self.source.scan():
            yield utterance_of(row)

    @property
    def hours(self) -> float:
        """Hours of audio, by the durations that the rows state."""
        return self._summary.hours

    @property
    def languages(self) -> dict[str, float]:
        """Hours of audio of each language that rows state as `lang`, the longest first."""
        return self._summary.languages

    @cached_property
    def _summary(self) -> CorpusSummary:
        return self.source.summary()


def open_corpus(
    path: str | Path, *, folder: str | Path | None = None, require_text: bool = True, columns: str = ""
) -> Corpus:
    """Open a corpus: a NeMo manifest, or any other form of input that `winnow curate` reads.

    Relative audio paths start at `folder`, by default the manifest's. With `require_text=False` a row without text is
    usable. `columns` names fields that are called otherwise, such as `text=sentence`. Raises `ManifestError` if there
    is no such corpus.
    """
    location = expand_location(str(path))
    source = open_source(location, folder and expand_location(str(folder)), require_text, columns)
    if not is_url(location) and not is_pattern(location) and not Path(location).exists():
        raise ManifestError(f"{Path(location).absolute()}: no such manifest")
    return Corpus(source)
