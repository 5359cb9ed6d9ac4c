"""Pack a planned shard: read and encode the audio of its rows on all cores, and have the form write its files."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from winnow.audio.measurements import BadAudio
from winnow.export.divide import columns_of_run
from winnow.export.encoding import EncodedAudio, Encoding, audio_of
from winnow.export.export_dir import draft_folder, move_files
from winnow.export.form import Entry, Example, ExportContext
from winnow.export.plan import LEFT_OUT, shard_of
from winnow.export.record import ExportReport, digest_of, read_record_of
from winnow.export.registry import FORMS
from winnow.export.rows import KeptRow, rows_at
from winnow.hardware import cores
from winnow.parameters.export import Export
from winnow.runs import ledger
from winnow.runs.run_record import load_settings
from winnow.runs.shard_files import read_table, store_table
from winnow.runs.storage import location

ENTRIES = pa.schema([pa.field("entry", pa.binary(), nullable=False)])
"""The entries of a packed shard, as JSON."""

Failures = list[dict[str, Any]]
"""Rows of LEFT_OUT whose audio cannot be read."""


@dataclass(frozen=True)
class Packing:
    """What packing needs besides the plan: the run, where its audio may be, and the digest of `export.json`."""

    run: Path
    settings: Export
    audio_root: str | None
    context: ExportContext
    digest: str

    def context_of(self, report: ExportReport) -> ExportContext:
        """Return what a form may need to know when all shards are packed."""
        return replace(self.context, report=report)


def packing_of(output: Path, settings: Export) -> Packing:
    """Return what packing needs for the export in a folder, whose `export.json` is written."""
    run = location(settings.run)
    context = ExportContext(settings, columns_of_run(run), str(output))
    return Packing(run, settings, load_settings(run).audio_root, context, digest_of(read_record_of(output)))


@dataclass(frozen=True)
class PackedShard:
    """A packed shard: the file with its entries, or none if it was not committed since audio cannot be read."""

    planned: Path
    entries: Path | None
    rows: int
    seconds: float
    left_out: Failures


def pack(planned: Path, packing: Packing) -> PackedShard:
    """Write the files of a planned shard and record them, unless the ledger has them.

    Where audio cannot be read, nothing is committed, unless such rows are to be left out.
    """
    output, name = ledger.run_of(planned), ledger.name_of(planned)
    key = ledger.key_of("pack", planned.name, packing.digest)
    if (record := ledger.find_record(output, key)) is None:
        table, shard = read_table(planned), shard_of(read_table(planned).schema)
        failures: Failures = []
        with draft_folder(output) as drafts:
            examples = read_examples(table, packing, failures)
            entries = list(FORMS[packing.settings.form].write(shard, examples, drafts, packing.context))
            if failures and not packing.settings.drop_unreadable:
                return PackedShard(planned, None, len(entries), 0.0, failures)
            files = move_files(drafts, output)
        lines = pa.table([[msgspec.json.encode(entry) for entry in entries]], schema=ENTRIES)
        files.append(store_table(output / ledger.STAGES / "pack", name, lines))
        facts = {"rows": len(entries), "seconds": sum(entry["duration"] for entry in entries), "left_out": failures}
        record = ledger.commit(output, key, files, stage="pack", shard=name, **facts)
    (stored,) = (output / file for file in record["files"] if file.startswith(f"{ledger.STAGES}/pack/"))
    return PackedShard(planned, stored, record["rows"], record["seconds"], record["left_out"])


def read_examples(table: pa.Table, packing: Packing, failures: Failures) -> Iterator[Example]:
    """Yield the rows of a planned shard with their audio, in order; those that cannot be read go to `failures`."""
    rows = rows_at(packing.run, zip(table["start"].to_pylist(), table["size"].to_pylist(), strict=True))
    if packing.settings.audio == "reference":
        yield from (Example(row, None) for row in rows)
        return
    encoding = Encoding(packing.settings.audio, packing.settings.rate)
    waiting: deque[tuple[KeptRow, Future[EncodedAudio]]] = deque()
    with ThreadPoolExecutor(cores()) as threads:
        for row in rows:
            waiting.append((row, threads.submit(audio_of, row, encoding, packing.audio_root)))
            if len(waiting) > 2 * cores():
                yield from take(waiting, failures)
        while waiting:
            yield from take(waiting, failures)


def take(waiting: deque[tuple[KeptRow, Future[EncodedAudio]]], failures: Failures) -> Iterator[Example]:
    """Yield the first that waits, once it is read."""
    row, audio = waiting.popleft()
    try:
        yield Example(row, audio.result())
    except BadAudio as bad:
        place = row.fields["audio_filepath"]
        failures.append({"id": row.id, "audio_filepath": place, "reason": bad.reason, "detail": bad.detail})


def read_entries(file: Path) -> Iterator[Entry]:
    """Read the entries of a packed shard."""
    for entry in read_table(file)["entry"].to_pylist():
        yield msgspec.json.decode(entry)


def left_out_table(rows: Failures) -> pa.Table:
    return pa.Table.from_pylist(rows, LEFT_OUT)
