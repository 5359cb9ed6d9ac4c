"""The utterances of a manifest that models are measured on: the same ones every time."""

import random
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from winnow.audio.decode import header_duration
from winnow.corpora.nemo_jsonl.line_reader import is_blank, read_lines
from winnow.corpora.nemo_jsonl.parse_line import parse_line
from winnow.engines.engine import Request
from winnow.errors import ManifestError

SEED = 0


class Sample(NamedTuple):
    """What is to be read and its references, in the manifest's order; how long it is, by the manifest or the files.

    `unusable` counts the lines that are no utterance with a reference, by reason.
    """

    requests: list[Request]
    references: list[str]
    seconds: float
    unusable: dict[str, int]


def draw_sample(manifest: Path, folder: Path, hours: float | None) -> Sample:
    """Utterances drawn from all lines until so many hours are full, or all of them."""
    rows, unusable = [], Counter[str]()
    with manifest.open("rb") as file:
        for line in read_lines(file.readline):
            if line is not None and is_blank(line):
                continue
            row = parse_line(line, str(folder))
            if reason := row["reason"] or (None if row["text"].strip() else "EMPTY_REFERENCE"):
                unusable[reason] += 1
            else:
                rows.append(row)
    if not rows:
        raise ManifestError(f"{manifest}: no utterance with a reference ({dict(unusable) or 'empty'})")
    order = list(range(len(rows)))
    random.Random(SEED).shuffle(order)
    chosen: list[int] = []
    seconds = 0.0
    for at in order:
        row = rows[at]
        length = row["duration"] or header_duration(row["path"])
        if hours is not None and chosen and seconds + length > hours * 3600:
            break
        seconds += length
        chosen.append(at)
    requests = [Request(rows[at]["path"], rows[at]["offset"], rows[at]["duration"]) for at in sorted(chosen)]
    return Sample(requests, [rows[at]["text"] for at in sorted(chosen)], seconds, dict(unusable))
