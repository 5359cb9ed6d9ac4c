"""Hypotheses that another system made: a NeMo manifest with `pred_text`."""

import os
from typing import Any

import msgspec

from winnow.engines.batching import BatchBudget
from winnow.engines.checkpoint import Checkpoint
from winnow.engines.recogniser import Batch, MissingTranscript, Request
from winnow.errors import CheckpointError
from winnow.text.hypothesis import Hypothesis


class PrecomputedHypotheses:
    """Texts that another system read: a NeMo manifest with `pred_text`, found by audio file and offset."""

    rate = 16_000
    threads = 1
    batches_per_call = 1

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.path = checkpoint.path
        self.budget = BatchBudget(600)
        self.facts: dict[str, Any] = {}
        self.readings: dict[tuple[str, float], Hypothesis] = {}
        for number, line in enumerate(checkpoint.path.read_bytes().split(b"\n"), 1):
            if not line.strip():
                continue
            place = f"{checkpoint.path}:{number}"
            try:
                row = msgspec.json.decode(line, type=TranscriptLine)
            except msgspec.DecodeError as error:
                raise CheckpointError(f"{place}: no reading (audio_filepath and pred_text): {error}") from error
            key = os.path.normpath(checkpoint.path.parent / row.audio_filepath), row.offset
            if key in self.readings:
                raise CheckpointError(f"{place}: a second reading of {row.audio_filepath} at {row.offset} s")
            self.readings[key] = Hypothesis(row.pred_text, confidence=row.confidence)

    def read(self, batches: list[Batch]) -> list[Hypothesis]:
        return [self.reading(request) for batch in batches for request, _ in batch]

    def reading(self, request: Request) -> Hypothesis:
        found = self.readings.get((os.path.normpath(request.path), request.offset or 0.0))
        if found is None:
            raise MissingTranscript(f"{self.path} has none of {request.path} at {request.offset or 0.0} s")
        return found

    def peak_bytes(self) -> int | None:
        return None


class TranscriptLine(msgspec.Struct):
    """A line of a manifest of readings."""

    audio_filepath: str
    pred_text: str
    offset: float = 0.0
    confidence: float | None = None
