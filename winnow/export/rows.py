"""The kept rows of a run, as its NeMo manifest has them, with the place of each line."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from winnow.corpora.utterance import parse_utterance
from winnow.errors import OutputError
from winnow.runs.completion import read_completion
from winnow.runs.storage import sha256_if_exists

MANIFEST = "manifest.jsonl"
SPEAKER_FIELDS = ("speaker", "speaker_id", "spk_id", "spk", "client_id")
"""What fields with the speaker are called, the first that a row has."""

PLACE_FIELDS = ("audio_filepath", "offset", "duration")
CHANNEL_FIELDS = ("channel", "channel_selector")


@dataclass(frozen=True)
class KeptRow:
    """A row of the run's manifest; `start` and `size` are the bytes of its line."""

    start: int
    size: int
    fields: dict[str, Any]

    @property
    def id(self) -> int:
        return int(self.fields["id"])

    @property
    def key(self) -> str:
        """What the utterance is called in the export: its line in the manifest of the run."""
        return f"{self.id:010d}"

    @property
    def text(self) -> str:
        return str(self.fields.get("text") or "")

    @property
    def seconds(self) -> float:
        return float(self.fields["duration"] or 0.0)

    @property
    def speaker(self) -> str | None:
        value = next((self.fields[name] for name in SPEAKER_FIELDS if self.fields.get(name) is not None), None)
        return None if value is None else str(value)

    @property
    def language(self) -> str | None:
        value = self.fields.get("lang")
        return value if isinstance(value, str) else None

    @property
    def channel(self) -> int | None:
        """The channel that was transcribed; None for the mix of all."""
        channel: int | None = parse_utterance(dict(self.fields), "/", referenced=False).get("audio_channel")
        return channel

    @property
    def labels(self) -> dict[str, Any]:
        """All fields that do not say where the audio is."""
        return {name: value for name, value in self.fields.items() if name not in PLACE_FIELDS}


def check_manifest(run: Path) -> str:
    """Return the sha256 of the manifest of a complete run; raises OutputError unless it is as the run wrote it."""
    sha256 = read_completion(run).sha256.get(MANIFEST)
    if sha256 is None or sha256_if_exists(run / MANIFEST) != sha256:
        raise OutputError(f"{run / MANIFEST}: missing or altered since it was written: run winnow resume {run}")
    return sha256


def kept_rows(run: Path) -> Iterator[KeptRow]:
    """Yield the kept rows in the order of the run's manifest."""
    start = 0
    with (run / MANIFEST).open("rb") as lines:
        for line in lines:
            yield KeptRow(start, len(line), msgspec.json.decode(line))
            start += len(line)


def rows_at(run: Path, places: Iterator[tuple[int, int]]) -> Iterator[KeptRow]:
    """Yield the rows whose lines are at these places, given by first byte and size."""
    with (run / MANIFEST).open("rb") as lines:
        for start, size in places:
            lines.seek(start)
            yield KeptRow(start, size, msgspec.json.decode(lines.read(size)))
