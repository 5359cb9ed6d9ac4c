"""Columns of a shard: they are added by name, never by position."""

import pyarrow as pa
import pytest

from winnow.schema import append_columns, extend_schema

TABLE = pa.table({"id": [1, 2]})
SCHEMA = extend_schema(TABLE.schema, ("wer", pa.float64()), ("hits", pa.int32()))
WER, HITS = pa.array([0.5, None], pa.float64()), pa.array([1, None], pa.int32())


def test_columns_are_appended_by_name_in_the_order_of_the_schema():
    table = append_columns(TABLE, SCHEMA, {"hits": HITS, "wer": WER})
    assert table == pa.table({"id": [1, 2], "wer": WER, "hits": HITS})


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"wer": WER}, r"columns \['wer'\]: expected \['hits', 'wer'\] behind \['id'\]"),
        ({"wer": WER, "hits": HITS, "cer": WER}, r"columns \['cer', 'hits', 'wer'\]: expected \['hits', 'wer'\]"),
        ({"wer": HITS, "hits": WER}, "column wer: expected double, got int32"),
    ],
    ids=["missing", "extra", "swapped"],
)
def test_missing_extra_or_swapped_columns_are_refused(columns, complaint):
    with pytest.raises(ValueError, match=complaint):
        append_columns(TABLE, SCHEMA, columns)


def test_schema_that_does_not_begin_with_the_columns_of_the_table_is_refused():
    with pytest.raises(ValueError, match=r"behind \['id'\]"):
        append_columns(TABLE, pa.schema([("number", pa.int64()), ("wer", pa.float64())]), {"wer": WER})
