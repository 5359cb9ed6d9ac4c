"""WebDataset: `shard-000000.tar` for each shard, with the audio, text (`txt`) and fields (`json`) of each utterance."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from winnow.export.form import Entry, Example, ExportContext, ExportShard, ShardEntries


class WebDataset:
    """Tar files in which the files of an utterance follow each other and begin alike."""

    default_part = ""

    def write(
        self, shard: ExportShard, examples: Iterator[Example], root: Path, context: ExportContext
    ) -> Iterator[Entry]:
        from webdataset import TarWriter

        path = root / shard.folder / f"shard-{shard.number:06d}.tar"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file, TarWriter(file, user="", group="", encoder=False, mtime=0) as tar:
            for example in examples:
                assert example.audio is not None
                key, audio = example.row.key, example.audio
                entry = example.entry(f"{key}.{audio.suffix}")
                fields, text = msgspec.json.encode(entry), example.row.text.encode()
                tar.write({"__key__": key, audio.suffix: audio.content, "json": fields, "txt": text})
                yield entry

    def finish(self, shards: ShardEntries, root: Path, context: ExportContext) -> None:
        return
