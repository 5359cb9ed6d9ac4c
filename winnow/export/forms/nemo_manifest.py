"""A NeMo manifest for each part, `manifest.jsonl`, and the audio beside it, or the names of the original files."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from winnow.audio.places import parse_place
from winnow.errors import OptionError
from winnow.export.form import Entry, Example, ExportContext, ExportShard, ShardEntries
from winnow.export.rows import KeptRow


class NemoManifest:
    """NeMo's manifest: a line of JSON for each utterance."""

    default_part = ""

    def write(
        self, shard: ExportShard, examples: Iterator[Example], root: Path, context: ExportContext
    ) -> Iterator[Entry]:
        for example in examples:
            if example.audio is None:
                check_nameable(example.row)
                yield example.entry("")
            else:
                yield example.entry(save_audio(example, shard, root))

    def finish(self, shards: ShardEntries, root: Path, context: ExportContext) -> None:
        for shard, entries in shards:
            file = root / shard.folder / "manifest.jsonl"
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("ab") as manifest:
                manifest.writelines(msgspec.json.encode(entry) + b"\n" for entry in entries())


def save_audio(example: Example, shard: ExportShard, root: Path) -> str:
    """Write the audio of an example; return its path in the folder of its part."""
    assert example.audio is not None
    name = f"audio/{shard.number:05d}/{example.row.key}.{example.audio.suffix}"
    file = root / shard.folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(example.audio.content)
    return name


def check_nameable(row: KeptRow) -> None:
    """Raise OptionError if the audio of a row is no file of its own, which other programs could open."""
    path = row.fields["audio_filepath"]
    if parse_place(path).kind or "://" in path:
        raise OptionError(f"--audio reference: {path}: not a file on a disk: use --audio original")
