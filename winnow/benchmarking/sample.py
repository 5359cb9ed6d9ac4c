"""The utterances of a manifest on which models are measured: the same ones every time."""

import random
from collections import Counter
from typing import NamedTuple

from winnow.audio.decode import header_duration
from winnow.corpora.source import Source
from winnow.corpora.utterance import Row
from winnow.engines.engine import Request
from winnow.errors import ManifestError
from winnow.text.languages import row_languages

SEED = 0


class Sample(NamedTuple):
    """Requests with references and languages, in the manifest's order, and their seconds by the manifest or the audio.

    `unusable` counts the rows without an utterance or a reference, by reason.
    """

    requests: list[Request]
    references: list[str]
    languages: list[str | None]
    seconds: float
    unusable: dict[str, int]


def draw_sample(source: Source, hours: float | None) -> Sample:
    """Draw utterances at random, up to `hours` of audio; None means all of them."""
    rows, unusable = [], Counter[str]()
    for row in source.scan():
        if reason := row.get("reason") or (None if row["text"].strip() else "EMPTY_REFERENCE"):
            unusable[reason] += 1
        else:
            rows.append(row)
    if not rows:
        raise ManifestError(f"{source.location}: no utterance with a reference: {dict(unusable) or 'empty'}")
    order = list(range(len(rows)))
    random.Random(SEED).shuffle(order)
    positions: list[int] = []
    total = 0.0
    for position in order:
        seconds = expected_seconds(rows[position])
        if hours is not None and positions and total + seconds > hours * 3600:
            break
        total += seconds
        positions.append(position)
    drawn = [rows[position] for position in sorted(positions)]
    requests = [
        Request(
            row["path"],
            row.get("offset"),
            row.get("duration"),
            channel=row.get("audio_channel"),
            rounding=row.get("duration_rounding") or 0.0,
        )
        for row in drawn
    ]
    languages = row_languages(row["fields"] for row in drawn)
    return Sample(requests, [row["text"] for row in drawn], languages, total, dict(unusable))


def expected_seconds(row: Row) -> float:
    """Return the seconds that a row states, or else the header of its file."""
    return float(row.get("duration") or header_duration(row["path"]))
