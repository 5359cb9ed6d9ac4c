"""Listen: add what measures find in the audio and in the text of a shard."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.audio.identity import is_same_audio
from winnow.listening.registry import columns_of, in_order, of_text, own_columns_of, read_text
from winnow.models.listening import measure_shard, read_heard
from winnow.models.measuring import Measuring
from winnow.runs.ledger import Facts, run_stage_on_shard
from winnow.runs.shard_files import read_table
from winnow.schema import AUDIO_IDENTITY, HEARD, HEARD_TYPES, after_listen, append_columns, replace_column, roles_of


def listen(shard: pa.Table, heard: dict[str, pa.Table], texts: Iterable[str] = ()) -> pa.Table:
    """Add the columns of each measure: what those of audio found, and what those of `texts` find now.

    They are null in quarantined rows. Rows whose audio was missing, broken or another one when it was measured are
    quarantined.
    """
    rows = shard.select(["reason", "detail", AUDIO_IDENTITY]).to_pydict()
    for table in heard.values():
        found = zip(rows[AUDIO_IDENTITY], *(table[name].to_pylist() for name in HEARD.names), strict=True)
        for i, (before, now, reason, detail) in enumerate(found):
            if before and now and not is_same_audio(before, now):
                reason, detail = "AUDIO_CHANGED", "a measure heard other samples"
            if rows["reason"][i] is None and reason is not None:
                rows["reason"][i], rows["detail"][i] = reason, detail
    for name in ("reason", "detail"):
        shard = replace_column(shard, name, rows[name])
    usable = pc.is_null(shard["reason"])
    names = in_order([*heard, *texts])
    measured = text_columns(shard, texts)
    for table in heard.values():
        measured |= {name: table[name] for name in table.schema.names if name not in HEARD.names}
    own = own_columns_of(names)
    columns = {column.name: pc.if_else(usable, measured[column.name], None) for column in own}
    return append_columns(shard, after_listen(shard.schema, own), columns)


def text_columns(shard: pa.Table, names: Iterable[str]) -> dict[str, pa.Array | pa.ChunkedArray]:
    """Return the columns of measures of texts: of the reference, else of the last hypothesis with letters."""
    columns = columns_of(names)
    if not columns:
        return {}
    texts = [
        shard[name].to_pylist() for name in ("text", *(f"{role}_pred_text" for role in roles_of(shard.schema)[::-1]))
    ]
    rows = [
        read_text(names, next((text for text in row if has_letters(text)), None)) for row in zip(*texts, strict=True)
    ]
    return {column.name: pa.array([row[column.name] for row in rows], HEARD_TYPES[column.kind]) for column in columns}


def has_letters(text: str | None) -> bool:
    return text is not None and any(map(str.isalpha, text))


def names_of(files: list[Path]) -> list[str]:
    """Return files of measures by their folders and names."""
    return [str(Path(*file.parts[-2:])) for file in files]


@task(task_run_name="listen {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def listen_shard(shard: Path, measuring: Measuring) -> Path:
    files = measure_shard(shard, read_table(shard), measuring)
    texts = of_text(measuring.measures)

    def stage(rows: pa.Table, **_: object) -> tuple[pa.Table, Facts]:
        found = {name: read_heard(parts) for name, parts in files.items()}
        return listen(rows, found, texts), {"heard": {name: names_of(parts) for name, parts in files.items()}}

    heard = [name for parts in files.values() for name in names_of(parts)]
    versions = {name: measure.versions() for name, measure in texts.items()}
    return run_stage_on_shard(shard, "listen", stage, heard=heard, **({"texts": versions} if texts else {}))
