"""The seam between an export and a form of data, such as NeMo's tar files.

A new form is one module in `winnow/export/forms/`, its line in `winnow.export.registry.FORMS` and its name in
`winnow.parameters.export.FormName`. It writes local files; whatever it writes is then moved to the output as a whole,
recorded with its hash and verified.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from winnow.export.encoding import EncodedAudio
from winnow.export.record import ExportReport
from winnow.export.rows import CHANNEL_FIELDS, KeptRow
from winnow.parameters.export import Export

Entry = dict[str, Any]
"""An exported utterance: the line of a NeMo manifest whose `audio_filepath` starts at the folder of its part."""


@dataclass(frozen=True)
class ExportShard:
    """Which shard: its part, "" if there is only one, its bucket from 1, 0 if there is only one, its number from 0."""

    part: str
    bucket: int
    number: int
    count: int

    @property
    def folder(self) -> str:
        """The folder of its part and bucket, from that of the export on."""
        return "/".join([*([self.part] if self.part else []), *([f"bucket{self.bucket}"] if self.bucket else [])])


@dataclass(frozen=True)
class Example:
    """An utterance with its audio; without, if the original file is to be named."""

    row: KeptRow
    audio: EncodedAudio | None

    def entry(self, path: str, **more: object) -> Entry:
        """Return the line of a NeMo manifest for audio at a path."""
        if self.audio is None:
            return {**self.row.fields, **more}
        labels = self.row.labels
        if self.audio.channels == 1 and self.row.channel is not None:
            labels = {name: value for name, value in labels.items() if name not in CHANNEL_FIELDS}
        return {"audio_filepath": path, "duration": self.audio.seconds, **labels, **more}


@dataclass(frozen=True)
class ExportContext:
    """What a form may need to know of the whole export.

    `columns` are the fields of the rows with their Arrow types, `final` is the folder in which the files are found in
    the end, `report` counts what was exported, once that is known.
    """

    settings: Export
    columns: list[tuple[str, str]]
    final: str
    report: ExportReport | None = None


ShardEntries = Sequence[tuple[ExportShard, Callable[[], Iterator[Entry]]]]
"""All shards in order, each with what reads its entries."""


class Form(Protocol):
    """One form of data.

    `default_part` is the folder of an export that is not split, "" for that of the export itself.
    """

    default_part: str

    def write(
        self, shard: ExportShard, examples: Iterator[Example], root: Path, context: ExportContext
    ) -> Iterator[Entry]:
        """Write the files of a shard below `root`, and yield the entry of each example as soon as it is written."""

    def finish(self, shards: ShardEntries, root: Path, context: ExportContext) -> None:
        """Write below `root` what needs all shards, such as a common manifest."""
