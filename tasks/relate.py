"""Relate: add what measures find by comparing the utterances of a run with each other."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.export.rows import SPEAKER_FIELDS
from winnow.listening.measure import Utterances, Value
from winnow.listening.registry import of_run
from winnow.models.listening import read_heard
from winnow.models.measuring import Measuring
from winnow.runs import ledger
from winnow.runs.shard_files import read_columns, read_table, store_table
from winnow.schema import AUDIO_IDENTITY, HEARD_TYPES, after_listen, append_columns

COMPARED = ["id", "same_audio", "duration", "fields", "reason", AUDIO_IDENTITY]


def describe(rows: pa.Table) -> Utterances:
    """Return rows that are not quarantined as measures compare them."""
    return Utterances(
        rows["id"].to_pylist(),
        pc.coalesce(rows["same_audio"], rows["id"]).to_pylist(),
        rows["duration"].to_pylist(),
        [identity.split()[-1] for identity in rows[AUDIO_IDENTITY].to_pylist()],
        [speaker_of(fields) for fields in rows["fields"].to_pylist()],
    )


def speaker_of(fields: str | None) -> str | None:
    """Return the speaker that the other fields of a row name."""
    known = msgspec.json.decode(fields) if fields else {}
    speakers = (known.get(name) for name in SPEAKER_FIELDS)
    return next((str(speaker) for speaker in speakers if speaker not in (None, "")), None)


def relate(shards: list[Path], measuring: Measuring) -> Iterator[pa.Table]:
    """Yield for each shard the columns of measures that compare utterances; null in quarantined rows."""
    tables = [read_columns(shard, COMPARED) for shard in shards]
    rows = pa.concat_tables(tables)
    usable = pc.indices_nonzero(pc.and_(pc.is_null(rows["reason"]), pc.is_valid(rows[AUDIO_IDENTITY])))
    run, records = describe(rows.take(usable)), ledger.records_by_file(ledger.run_of(shards[0]))
    columns = dict[str, pa.Array]()
    for name, measure in of_run(measuring.measures).items():
        files = [[heard_file(shard, heard) for heard in records[shard]["facts"]["heard"][name]] for shard in shards]
        vectors = pa.chunked_array([read_heard(parts)[measure.vector].combine_chunks() for parts in files])
        found = measure.relate(run, vectors.take(usable).to_pylist())
        for column in measure.relative:
            values: list[Value] = [None] * len(rows)
            for at, value in zip(usable.to_pylist(), found[column.name], strict=True):
                values[at] = value
            columns[column.name] = pa.array(values, HEARD_TYPES[column.kind])
    yield from ledger.split_rows(pa.table(columns), [len(table) for table in tables])


def heard_file(shard: Path, name: str) -> Path:
    """Return a file of a measure, by its folder and name."""
    return ledger.run_of(shard) / ledger.STAGES / name


@task(task_run_name="relate", cache_policy=NO_CACHE, **RETRY)
def relate_run(shards: list[Path], measuring: Measuring) -> list[Path]:
    """Return the shards with the columns of measures that compare the utterances of the run."""
    run, measures = ledger.run_of(shards[0]), of_run(measuring.measures)
    versions = {name: measure.versions() for name, measure in measures.items()}
    key = ledger.key_of("relate", [shard.name for shard in shards], versions)
    if (record := ledger.find_record(run, key)) is None:
        folder, files = run / ledger.STAGES / "relate", []
        relative = [column for measure in measures.values() for column in measure.relative]
        for shard, columns in zip(shards, relate(shards, measuring), strict=True):
            rows = read_table(shard)
            added = {column.name: columns[column.name] for column in relative}
            related = append_columns(rows, after_listen(rows.schema, relative), added)
            files.append(store_table(folder, ledger.name_of(shard), related))
        record = ledger.commit(run, key, files, stage="relate", shard="all")
    return ledger.files_of(shards, record)
