"""NeMo's tarred data: `audio_0.tar` and `sharded_manifests/manifest_0.json` for each shard, as its converter has them.

`tarred_audio_manifest.json` has all lines. With buckets, `bucket1`, `bucket2` and so on each have all of this, with
longer and longer utterances.
"""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from winnow.export.form import Entry, Example, ExportContext, ExportShard, ShardEntries


class NemoTarred:
    """Tar files that NeMo reads in sequence, with a manifest for each."""

    default_part = ""

    def write(
        self, shard: ExportShard, examples: Iterator[Example], root: Path, context: ExportContext
    ) -> Iterator[Entry]:
        folder = root / shard.folder
        manifest = folder / "sharded_manifests" / f"manifest_{shard.number}.json"
        manifest.parent.mkdir(parents=True)
        archive = folder / f"audio_{shard.number}.tar"
        with tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT) as tar, manifest.open("wb") as lines:
            for example in examples:
                assert example.audio is not None
                member = tarfile.TarInfo(f"{example.row.key}.{example.audio.suffix}")  # owner 0, time 0
                member.size = len(example.audio.content)
                tar.addfile(member, io.BytesIO(example.audio.content))
                entry = example.entry(member.name, shard_id=shard.number)
                lines.write(msgspec.json.encode(entry) + b"\n")
                yield entry

    def finish(self, shards: ShardEntries, root: Path, context: ExportContext) -> None:
        for shard, entries in shards:
            file = root / shard.folder / "tarred_audio_manifest.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("ab") as manifest:
                manifest.writelines(msgspec.json.encode(entry) + b"\n" for entry in entries())
