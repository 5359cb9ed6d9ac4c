"""The seam between Winnow and a form of input, such as NeMo manifests.

A new form is one module with a class that implements `Source`, and its line in `winnow.corpora.registry.SOURCES`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, NamedTuple, Protocol

from winnow.audio.find_missing import find_missing
from winnow.audio.places import parse_place
from winnow.audio.remote.urls import is_url
from winnow.corpora.utterance import Row
from winnow.errors import ManifestError
from winnow.schema import QUARANTINE_REASONS, remedy_for
from winnow.text.languages import row_language

MOUNT_CHECK = 200  # the first so many rows show whether the audio is mounted


@dataclass(frozen=True)
class Shard:
    """A part of an input that is loaded at once: `lines` of it, of which `blank` hold nothing.

    `seconds` is the audio that it states. `locator` is known to its source alone: JSON values from which it finds the
    part again, in another process, and notices that it changed.
    """

    lines: int
    blank: int
    seconds: float
    locator: dict[str, Any]


class CorpusSummary(NamedTuple):
    """Hours of audio that an input states, in total and by language, the longest first."""

    hours: float
    languages: dict[str, float]


class Source(Protocol):
    """One form of input: where its utterances are and how they are parsed.

    A row's `path` says where its audio is: a file, or an entry of one (`winnow.audio.places`).
    """

    form: str = "a form of its own"
    """What the form is called, for users."""

    reads_urls: bool = False
    """Whether it opens URLs itself; of other forms, the files are copied (`winnow.corpora.remote_corpus`)."""

    location: str
    folder: str
    referenced: bool
    columns: str

    def __init__(self, location: str, folder: str, referenced: bool = True, columns: str = "") -> None:
        """`location` is a path or URL, `folder` where relative audio paths start.

        With `referenced`, a row without a text is not an utterance. `columns` names the fields of rows that have other
        names: `text=sentence`.
        """
        self.location, self.folder, self.referenced, self.columns = location, folder, referenced, columns

    @staticmethod
    def claims(location: str) -> bool:
        """Say by the form of a path or URL whether it is this source's, without opening it."""

    def check(self) -> None:
        """Raise ManifestError if the beginning of the input shows that it has another form."""
        return

    def digest(self) -> str:
        """Return a hash of the content. Raises ManifestError if it cannot be read."""

    def shards(self, hours: float) -> Iterator[Shard]:
        """Split the input into shards of about so many hours of audio, in order and without gaps."""

    def rows(self, locator: dict[str, Any]) -> Iterator[Row]:
        """Yield a row for each line of a shard that is not blank, utterance or not, with `id`, its line from 1.

        Raises ManifestError if the input has changed since it was split.
        """

    def scan(self) -> Iterator[Row]:
        """Yield all rows in order, before or without a split: to look at the first ones, or to draw a sample."""
        return chain.from_iterable(self.rows(shard.locator) for shard in self.shards(float("inf")))

    def head(self, most: int) -> Iterator[Row]:
        """Yield the first rows."""
        return islice(self.scan(), most)

    def summary(self) -> CorpusSummary:
        """Count the hours of audio and the languages that the rows state; what they do not state counts as none."""
        return summarize((row_language(row.get("fields")), row.get("duration") or 0.0) for row in self.scan())


def summarize(rows: Iterator[tuple[str | None, float]]) -> CorpusSummary:
    """Add up the seconds of rows, given their language and length."""
    hours: dict[str | None, float] = {}
    for language, seconds in rows:
        hours[language] = hours.get(language, 0.0) + seconds / 3600
    named = sorted((name for name in hours if name), key=lambda name: (-hours[name], name))
    return CorpusSummary(sum(hours.values()), {name: hours[name] for name in named})


def changed(location: object) -> ManifestError:
    """Return the error of an input whose content changed after its digest was recorded."""
    return ManifestError(
        f"{location}: changed during the run: restore it, or choose another output; "
        "winnow incremental curates a manifest that grows"
    )


def check_unchanged(source: Source, digest: str | None) -> None:
    """Raise ManifestError unless an input still has this digest, which says what is read from it."""
    if source.digest() != digest:
        raise changed(source.location)


def unreadable(location: object, error: OSError) -> ManifestError:
    """Return the error of an input that cannot be opened or read."""
    return ManifestError(f"{location}: cannot read the manifest: {error.strerror}")


def check_utterances(source: Source) -> None:
    """Raise ManifestError unless there is an utterance, and half of the first audio files exist."""
    paths: list[str] = []
    lines, usable, reason = 0, False, None
    for row in source.scan():
        lines += 1
        usable, reason = usable or row.get("reason") is None, reason or row.get("reason")
        if row.get("path") and len(paths) < MOUNT_CHECK:
            paths.append(row["path"])
        if usable and len(paths) == MOUNT_CHECK:
            break
    if not usable:
        first = (
            f" in {lines} row{'s'[: lines - 1]}; the first is {reason}: {QUARANTINE_REASONS[reason]}"
            if reason
            else ": empty"
        )
        remedy = remedy_for(reason, source.referenced) if reason else None
        raise ManifestError(f"{source.location}: no utterance{first}" + (f": {remedy}" if remedy else ""))
    found = find_missing(paths)
    if found.mostly_missing:
        path, detail = found.missing[0]
        asked = "is the audio mounted?" if not is_url(parse_place(path).container) else f"{detail}."
        raise ManifestError(
            f"{source.location}: {len(found.missing)} of the first {found.examined} audio files are missing, such as "
            f"{path}: {asked} Relative paths start at {source.folder}"
        )
