"""Whether an evaluation set is in the export: the same text, as the run compares texts, or the same audio.

Audio is the same if its file has the same name, or if its samples are equal at the rate of the file. The run has
recorded a hash of the samples that it decoded, so only the evaluation set is decoded here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xxhash

from winnow.audio.decode import load_clip
from winnow.audio.identity import identify
from winnow.audio.measurements import BadAudio
from winnow.corpora.registry import open_source
from winnow.export.rows import KeptRow
from winnow.runs.ledger import files_by_stage
from winnow.runs.shard_files import read_columns
from winnow.schema import AUDIO_IDENTITY
from winnow.text.languages import row_language
from winnow.text.normalize import Normalizer, normalize

LONGEST = 1e6  # seconds
LEAKED_TEXT, LEAKED_AUDIO = "LEAKED_TEXT", "LEAKED_AUDIO"
LEAKS = {
    LEAKED_TEXT: "an evaluation set has the same text",
    LEAKED_AUDIO: "an evaluation set has the same audio",
}
"""Why a row of the run may not be in the export."""


def hash_text(text: str, normalizer: Normalizer, language: str | None) -> int | None:
    """Return 63 bits for a normalized text; None for one without words."""
    words = normalize(text, normalizer, language)
    return xxhash.xxh3_64_intdigest(words.encode()) >> 1 if words else None


@dataclass(frozen=True)
class EvaluationSets:
    """Hashes of what evaluation sets have; `unreadable` is how much of their audio could not be compared by samples."""

    texts: frozenset[int]
    places: frozenset[tuple[str, float | None]]
    samples: frozenset[str]
    unreadable: int

    def leak(self, row: KeptRow, text: int | None, same_samples: bool) -> str | None:
        """Return why a row may not be exported, a key of LEAKS; None if it may."""
        if text in self.texts:
            return LEAKED_TEXT
        place = row.fields["audio_filepath"], row.fields.get("offset")
        return LEAKED_AUDIO if same_samples or place in self.places else None


def read_evaluation_sets(corpora: Iterable[Path], normalizer: Normalizer) -> EvaluationSets:
    """Read what evaluation sets have; raises ManifestError for one that cannot be read."""
    texts: set[int | None] = set()
    places, samples, unreadable = set(), set(), 0
    for corpus in corpora:
        source = open_source(corpus, referenced=False)
        source.check()
        for row in source.scan():
            if text := row.get("text"):
                texts.add(hash_text(text, normalizer, row_language(row.get("fields"))))
            if path := row.get("path"):
                places.add((path, row.get("offset")))
                try:
                    samples.add(samples_of(path, row.get("offset"), row.get("duration"), row.get("audio_channel")))
                except BadAudio:
                    unreadable += 1
    return EvaluationSets(frozenset(texts - {None}), frozenset(places), frozenset(samples), unreadable)  # type: ignore[arg-type]


def samples_of(path: str, offset: float | None, duration: float | None, channel: int | None) -> str:
    """Return the hash of an utterance's samples as a run records it; the stated duration only counts in a slice."""
    duration = duration if offset is not None else None
    clip = load_clip(path, offset, duration, None, LONGEST, channel=channel)
    return samples_in(identify("-", np.ascontiguousarray(clip.samples)))


def samples_in(identity: str) -> str:
    """Return the part of an identity that is the hash of the samples."""
    return identity.split()[-1]


def rows_with_samples(run: Path, samples: frozenset[str]) -> frozenset[int]:
    """Return the ids of kept utterances whose samples, as the run has recorded them, are among these."""
    found: set[int] = set()
    for file in files_by_stage(run).get("filter", []) if samples else []:
        rows = read_columns(file, ["id", AUDIO_IDENTITY, "decision"])
        if AUDIO_IDENTITY in rows.column_names:
            columns = (rows[name].to_pylist() for name in ("id", AUDIO_IDENTITY, "decision"))
            for number, identity, decision in zip(*columns, strict=True):
                if identity and decision == "keep" and samples_in(identity) in samples:
                    found.add(number)
    return frozenset(found)
