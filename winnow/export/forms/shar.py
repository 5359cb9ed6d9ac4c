"""Lhotse Shar: `cuts.000000.jsonl.gz` and `recording.000000.tar` for each shard, which `CutSet.from_shar` reads.

The parts of Lhotse's writer are used rather than `SharWriter` itself, which would decode and encode all audio again,
and put the time into the compressed file.
"""

import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from winnow.export.form import Entry, Example, ExportContext, ExportShard, ShardEntries
from winnow.export.rows import PLACE_FIELDS


class Shar:
    """Lhotse's cuts, each with one supervision, and their recordings in tar files."""

    default_part = "data"  # Lhotse takes every file in a folder for Shar

    def write(
        self, shard: ExportShard, examples: Iterator[Example], root: Path, context: ExportContext
    ) -> Iterator[Entry]:
        from lhotse.shar.writers.tar import TarWriter

        folder = root / shard.folder
        folder.mkdir(parents=True, exist_ok=True)
        cuts = folder / f"cuts.{shard.number:06d}.jsonl.gz"
        tar_path = folder / f"recording.{shard.number:06d}.tar"
        with (
            TarWriter(str(tar_path), shard_size=None) as tar,
            cuts.open("wb") as compressed,
            gzip.GzipFile("", "wb", fileobj=compressed, mtime=0) as lines,
        ):
            for example in examples:
                assert example.audio is not None
                cut = cut_of(example)
                tar.write(f"{cut.id}.{example.audio.suffix}", io.BytesIO(example.audio.content))
                tar.write(f"{cut.id}.json", io.BytesIO(json_line(cut.recording.to_dict())), count=False)
                lines.write(json_line(cut.to_dict()))
                yield example.entry(f"{cut.id}.{example.audio.suffix}")

    def finish(self, shards: ShardEntries, root: Path, context: ExportContext) -> None:
        return


def cut_of(example: Example) -> Any:
    """Return the cut of a whole recording, whose audio is in the tar under the same name."""
    from lhotse import AudioSource, MonoCut, MultiCut, Recording, SupervisionSegment

    audio, row = example.audio, example.row
    assert audio is not None
    channels = list(range(audio.channels))
    channel: Any = 0 if audio.channels == 1 else channels
    recording = Recording(
        id=row.key,
        sources=[AudioSource(type="shar", channels=channels, source="")],
        sampling_rate=audio.sample_rate,
        num_samples=audio.frames,
        duration=audio.seconds,
        channel_ids=channels,
    )
    supervision = SupervisionSegment(
        id=row.key,
        recording_id=row.key,
        start=0,
        duration=audio.seconds,
        channel=channel,
        text=row.text,
        language=row.language,
        speaker=row.speaker,
    )
    entry = example.entry("")
    labels = {name: value for name, value in entry.items() if name not in (*PLACE_FIELDS, "text", "id")}
    kind = MonoCut if audio.channels == 1 else MultiCut
    return kind(
        id=row.key,
        start=0,
        duration=audio.seconds,
        channel=channel,
        supervisions=[supervision],
        recording=recording,
        custom={"line": row.id} | labels,
    )


def json_line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"
