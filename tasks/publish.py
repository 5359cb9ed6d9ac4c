"""What users take away: kept rows and rejects as Parquet, and the kept ones as a NeMo manifest."""

from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.runs import ledger
from winnow.runs.storage import read_table, write_atomically
from winnow.schema import FIELD_TYPES, output_names

INPUT_COLUMNS = ["id", "audio_filepath", "offset", "duration", "text"]
REASON_COLUMNS = ["reason", "reasons", "detail"]
HYPOTHESIS_FIELDS = ("id", "pred_text", "wer", "model")
LABEL_FIELDS = ("confidence", "agreement")
INTERNAL_COLUMNS = ["path", "fields", "audit"]


def publish(judged: pa.Table, fields: dict[str, str]) -> dict[str, pa.Table]:
    """The rows for `data` and for `rejects`, with the manifest's own fields as columns of their own."""
    columns = {name: judged[name] for name in INPUT_COLUMNS}
    rows = [msgspec.json.decode(row) if row else {} for row in judged["fields"].to_pylist()]
    for name, output in output_names(fields, judged.schema.names).items():
        columns[output] = typed_column([row.get(name) for row in rows], fields[name])
    added = [name for name in judged.schema.names if name not in (*INPUT_COLUMNS, *INTERNAL_COLUMNS, *REASON_COLUMNS)]
    columns |= {name: judged[name] for name in [*added, *REASON_COLUMNS]}
    table = pa.table(columns)
    keep = pc.equal(table["decision"], "keep")
    return {"data": table.filter(keep), "rejects": table.filter(pc.invert(keep))}


def typed_column(values: list[Any], kind: str) -> pa.Array:
    """A field's values in a column of its type; those without a simple type as JSON."""
    if kind in FIELD_TYPES:
        return pa.array(values, FIELD_TYPES[kind])
    return pa.array([None if v is None else msgspec.json.encode(v).decode() for v in values], pa.string())


def nemo_lines(judged: pa.Table, fields: dict[str, str]) -> list[bytes]:
    """The kept rows as lines of a NeMo manifest, with absolute paths and every field that they came with.

    A row whose reference could not be compared, since there is none, has the reading that counts for its text, and
    says how good that is.
    """
    names = output_names(fields, judged.schema.names)
    lines = []
    for row in judged.filter(pc.equal(judged["decision"], "keep")).to_pylist():
        slice_ = {} if row["offset"] is None else {"offset": row["offset"]}
        labelled = row["wer"] is None
        text = row["pred_text"] if labelled else row["text"]
        line = {"audio_filepath": row["path"], **slice_, "duration": row["duration"], "text": text}
        line |= {names[name]: value for name, value in msgspec.json.decode(row["fields"]).items()}
        line |= {name: row[name] for name in (*HYPOTHESIS_FIELDS, *(LABEL_FIELDS if labelled else ()))}
        lines.append(msgspec.json.encode(line))
    return lines


def publish_and_commit(shard: Path, fields: dict[str, str]) -> list[Path]:
    """The shard's part of `data` and of `rejects`; one without rows is there as well."""
    run, name = ledger.run_of(shard), ledger.name_of(shard)
    key = ledger.key_of("publish", shard.name, fields)
    if (done := ledger.find_record(run, key)) is None:
        files = [ledger.store_table(run / to, name, rows) for to, rows in publish(read_table(shard), fields).items()]
        done = ledger.commit(run, key, files, stage="publish", shard=name)
    return [run / file for file in done["files"]]


@task(task_run_name="publish {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def publish_shard(shard: Path, fields: dict[str, str]) -> list[Path]:
    return publish_and_commit(shard, fields)


@task(task_run_name="write the manifest of kept rows", cache_policy=NO_CACHE, **RETRY)
def write_manifest(judged: list[Path], fields: dict[str, str], run: Path) -> Path:
    path = run / "manifest.jsonl"
    with write_atomically(path) as file:
        for shard in judged:
            for line in nemo_lines(read_table(shard), fields):
                file.write(line + b"\n")
    return path
