"""Rows of a table in columns as lines of a NeMo manifest, with all that JSON can hold."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from winnow.audio.places import Place
from winnow.corpora.columnar.audio_column import AudioColumn, find_audio_column, holds_bytes
from winnow.corpora.columnar.features import features_of, has_classes, named_classes
from winnow.corpora.columns import name_columns, take
from winnow.corpora.faults import BadUtterance
from winnow.corpora.listing import faulty_line, line_of
from winnow.parameters.column_names import parse_columns

BATCH = 4096  # rows that are listed at once


class TableRows:
    """What the rows of a table are called and which column has their audio.

    `kept` are the names of all other columns. Columns with bytes that are not the audio, such as pictures, are `left`.
    """

    def __init__(self, schema: pa.Schema, columns: str) -> None:
        """Raise ValueError if no column has the audio, or if `columns` does not fit the schema."""
        stated = parse_columns(columns)
        self.audio: AudioColumn = find_audio_column(schema, stated.pop("audio_filepath", None))
        others = [field for field in schema if field.name != self.audio.name]
        self.kept = [field.name for field in others if not holds_bytes(field.type)]
        self.left = [field.name for field in others if holds_bytes(field.type)]
        self.inner = {name: own for name, own in stated.items() if own not in schema.names and "." in own}
        outer = {name: own for name, own in stated.items() if name not in self.inner}
        outer["audio_filepath"] = self.audio.name
        names = name_columns([self.audio.name, *self.kept], ",".join(f"{name}={own}" for name, own in outer.items()))
        self.names = dict(zip(self.kept, names[1:], strict=True))
        features = features_of(schema)
        self.classes = {name: features[name] for name in self.kept if has_classes(features.get(name))}

    def lines(self, batch: pa.RecordBatch, audio: list[Place | str | None]) -> Iterator[bytes]:
        """Yield the line of each row in a batch of the kept columns, given where the audio of each is."""
        for values, place in zip(rows_of(batch), audio, strict=True):
            fault = values.pop("", None)
            inner = {name: take(values, own) for name, own in self.inner.items()}
            outer = {self.names[name]: self.value(name, value) for name, value in values.items()}
            fields = {"audio_filepath": place and str(place), **inner, **outer}
            yield line_of(fields) if fault is None else faulty_line(BadUtterance("NOT_UTF8", fault), fields)

    def value(self, name: str, value: Any) -> Any:
        return named_classes(value, self.classes[name]) if name in self.classes else value


def rows_of(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """Yield the values of each row; one with a text that is not UTF-8 has, under an empty name, what is wrong."""
    try:
        yield from batch.to_pylist(maps_as_pydicts="lossy") if batch.num_columns else ({} for _ in range(len(batch)))
        return
    except UnicodeDecodeError:
        pass
    for row in range(len(batch)):
        values: dict[str, Any] = {}
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            try:
                values[name] = column[row].as_py(maps_as_pydicts="lossy")
            except UnicodeDecodeError:
                values[""] = f"a value of the column {name}"
        yield values


def texts_of(array: pa.Array) -> list[str | None]:
    """Return the texts of an array, in which bytes that are not UTF-8 are surrogates."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = pa.large_binary() if pa.types.is_large_string(array.type) else pa.binary()
    values = array.cast(kind).to_pylist()
    return [value if value is None else value.decode(errors="surrogateescape") for value in values]
