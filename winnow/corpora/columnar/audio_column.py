"""Which column of a table has the audio, and whether as bytes or as paths."""

from dataclasses import dataclass

import pyarrow as pa

from winnow.corpora.columnar.features import features_of, is_audio
from winnow.corpora.forms import PATHS

SAMPLES = "array"  # the field of decoded audio in Hugging Face datasets


@dataclass(frozen=True)
class AudioColumn:
    """The column with the audio: `bytes` and `path` are the full names of where each is; None if it has none."""

    name: str
    bytes: str | None
    path: str | None


def find_audio_column(schema: pa.Schema, stated: str | None) -> AudioColumn:
    """Return the column with the audio: the one that is `stated`, else the one that is audio by its type or its name.

    Raises ValueError if there is none, or if several could be meant.
    """
    if stated is not None:
        return stated_column(schema, stated)
    columns = {field.name: column for field in schema if (column := audio_column(field.name, field.type))}
    features = features_of(schema)
    with_bytes = [name for name, column in columns.items() if column.bytes]
    for names in (
        [name for name in columns if is_audio(features.get(name))],
        [name for name in with_bytes if pa.types.is_struct(schema.field(name).type)],
        with_bytes,
        [name for name in columns if schema.field(name).name == "audio_filepath"],
        [name for name in columns if name in PATHS],
    ):
        usual = [name for name in ("audio_filepath", *PATHS) if name in names]
        if len(names) == 1 or usual:
            return columns[names[0] if len(names) == 1 else usual[0]]
        if names:
            raise ValueError(
                f"several columns may have the audio: {', '.join(names)}: choose one, as in "
                f"--columns audio_filepath={names[0]}"
            )
    raise ValueError(
        f"no column with audio; there are {', '.join(map(describe, schema))}: name it, as in "
        "--columns audio_filepath=file, if one has paths or the bytes of files"
    )


def stated_column(schema: pa.Schema, stated: str) -> AudioColumn:
    """Return the column that `--columns` names; `audio.path` is a field of a struct."""
    name, kind = stated, None
    if stated in schema.names:
        kind = schema.field(stated).type
    else:
        name, _, inner = stated.partition(".")
        outer = schema.field(name).type if name in schema.names else None
        if outer is not None and pa.types.is_struct(outer) and outer.get_field_index(inner) >= 0:
            kind = outer.field(inner).type
    if kind is None:
        raise ValueError(f"no column {stated}; there are {', '.join(map(describe, schema))}")
    column = audio_column(stated, kind)
    if column is None:
        raise ValueError(f"the column {stated} has neither paths nor the bytes of files, but {kind}")
    return AudioColumn(name, column.bytes, column.path)


def audio_column(name: str, kind: pa.DataType) -> AudioColumn | None:
    """Return the audio that a column of this type can have; None if it can have none."""
    if is_binary(kind):
        return AudioColumn(name, name, None)
    if is_text(kind):
        return AudioColumn(name, None, name)
    if not pa.types.is_struct(kind):
        return None
    fields = {field.name: field.type for field in kind}
    stored = f"{name}.bytes" if is_binary(fields.get("bytes")) else None
    path = f"{name}.path" if is_text(fields.get("path")) else None
    return AudioColumn(name, stored, path) if stored or path else None


def is_binary(kind: pa.DataType | None) -> bool:
    """Tell whether cells of this type are bytes, and each a range of a buffer."""
    return kind is not None and (pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def is_text(kind: pa.DataType | None) -> bool:
    if kind is not None and pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return kind is not None and (pa.types.is_string(kind) or pa.types.is_large_string(kind))


def holds_bytes(kind: pa.DataType) -> bool:
    """Tell whether a column of this type holds bytes, at any depth."""
    if pa.types.is_dictionary(kind):
        return holds_bytes(kind.value_type)
    if is_binary(kind) or pa.types.is_fixed_size_binary(kind) or pa.types.is_binary_view(kind):
        return True
    return pa.types.is_nested(kind) and any(holds_bytes(kind.field(i).type) for i in range(kind.num_fields))


def describe(field: pa.Field) -> str:
    """Return a column's name, and its type if it is an object of decoded samples."""
    decoded = pa.types.is_struct(field.type) and field.type.get_field_index(SAMPLES) >= 0
    return f"{field.name} (samples, not the bytes of a file)" if decoded else field.name
