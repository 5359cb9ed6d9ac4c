"""Finish an export: what needs all shards, the list of what was left out, and the counts, which must add up."""

from collections import Counter
from functools import partial
from pathlib import Path

import msgspec
import pyarrow as pa

from winnow.errors import CountMismatch, OutputError
from winnow.export.divide import Division
from winnow.export.export_dir import draft_folder, move_files
from winnow.export.form import ExportShard
from winnow.export.pack import PackedShard, Packing, left_out_table, read_entries
from winnow.export.plan import shard_of
from winnow.export.record import ExportReport, PartCount, complete_export
from winnow.export.registry import FORMS
from winnow.runs import ledger
from winnow.runs.shard_files import read_schema, read_table

LEFT_OUT_FILE = "left_out.jsonl"

Counted = list[tuple[ExportShard, PackedShard]]


def finish(output: Path, division: Division, packed: list[PackedShard], packing: Packing) -> ExportReport:
    """Write and record the files of the whole export and mark it as complete.

    Raises OutputError if audio cannot be read that is not to be left out, and CountMismatch if rows were lost.
    """
    raise_if_unreadable(packed, division.rows)
    left_out = pa.concat_tables([read_table(division.left_out), *(left_out_table(shard.left_out) for shard in packed)])
    shards = [(shard_of(read_schema(shard.planned)), shard) for shard in packed]
    report = count(division, shards, left_out)
    key = ledger.key_of("finish", packing.digest, [shard.entries and shard.entries.name for shard in packed])
    if ledger.find_record(output, key) is None:
        with draft_folder(output) as drafts:
            lines = (msgspec.json.encode(row) + b"\n" for row in left_out.sort_by("id").to_pylist())
            (drafts / LEFT_OUT_FILE).write_bytes(b"".join(lines))
            readers = [(place, partial(read_entries, shard.entries)) for place, shard in shards if shard.entries]
            FORMS[packing.settings.form].finish(readers, drafts, packing.context_of(report))
            files = move_files(drafts, output)
        ledger.commit(output, key, files, stage="finish", shard="all", rows=division.rows)
    return complete_export(output, report)


def raise_if_unreadable(packed: list[PackedShard], rows: int) -> None:
    """Raise OutputError for audio that cannot be read, if a shard was not committed because of it."""
    failures = [row for shard in packed if shard.entries is None for row in shard.left_out]
    if failures:
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in counts_of(failures).items())
        raise OutputError(
            f"the audio of {len(failures):,} of {rows:,} utterances cannot be read any more ({reasons}), such as "
            f"{failures[0]['audio_filepath']}: restore it, or leave them out with --drop-unreadable"
        )


def count(division: Division, shards: Counted, left_out: pa.Table) -> ExportReport:
    """Return the report, without the hashes that `complete_export` adds; raises CountMismatch."""
    exported = sum(shard.rows for _, shard in shards)
    if exported + len(left_out) != division.rows:
        raise CountMismatch(f"{division.rows:,} kept rows, but {exported:,} exported and {len(left_out):,} left out")
    hours = sum(shard.seconds for _, shard in shards) / 3600
    parts = {}
    for name in dict.fromkeys(place.part for place, _ in shards):
        members = [shard for place, shard in shards if place.part == name]
        utterances, part_hours = sum(shard.rows for shard in members), sum(shard.seconds for shard in members) / 3600
        share = part_hours / hours if hours else 0.0
        parts[name or "all"] = PartCount(utterances=utterances, hours=part_hours, share=share)
    return ExportReport(
        kept=division.rows,
        exported=exported,
        hours=hours,
        left_out=counts_of(left_out.to_pylist()),
        parts=parts,
        components=division.cost.components if division.cost else None,
        largest_share=division.cost.largest_share if division.cost else None,
        not_compared=division.not_compared,
        ledger="",
        sha256="",
    )


def counts_of(rows: list[dict[str, object]]) -> dict[str, int]:
    """Count rows by reason, the most frequent first."""
    return dict(Counter(str(row["reason"]) for row in rows).most_common())
