import itertools
import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.load import fields, load
from tasks.shard import shard
from winnow.corpora.field_types import merge_types
from winnow.corpora.line_reader import BLOCK, MAX_LINE
from winnow.corpora.nemo_jsonl.duplicates import find_duplicates
from winnow.corpora.nemo_jsonl.new_lines import known_lines, new_lines
from winnow.corpora.nemo_jsonl.sharding import cut_shards
from winnow.corpora.nemo_jsonl.source import NemoJsonl
from winnow.corpora.registry import open_source
from winnow.corpora.utterance import resolve_path
from winnow.errors import ManifestError
from winnow.runs import ledger
from winnow.schema import UTTERANCE

ALL = 1e6  # hours, so that there is one shard


def rows_of(path: Path, content: bytes, hours: float = ALL, limit: int = MAX_LINE, block: int = BLOCK) -> list[dict]:
    """Return the rows of a manifest with this content, whose audio lies in /audio, from shards of this length."""
    path.write_bytes(content)
    source = NemoJsonl(str(path), "/audio", limit=limit, block=block)
    return [row for shard in source.shards(hours) for row in as_utterances(source.rows(shard.locator))]


def as_utterances(rows: Iterable[dict]) -> list[dict]:
    """Return rows as they are stored, with all columns."""
    return pa.Table.from_pylist(list(rows), UTTERANCE).to_pylist()


@pytest.fixture
def rows(tmp_path):
    return lambda *lines, **how: rows_of(tmp_path / "corpus.jsonl", b"\n".join(lines), **how)


def line(**changes: object) -> bytes:
    row = {"audio_filepath": "a.wav", "duration": 1.5, "text": "good morning"} | changes
    return json.dumps({k: v for k, v in row.items() if v is not ...}).encode()


def test_row_keeps_line_number_and_all_fields(rows):
    assert rows(line(offset=2, lang="en", tags=["a"])) == [
        {
            "id": 1,
            "audio_filepath": "a.wav",
            "path": "/audio/a.wav",
            "offset": 2.0,
            "duration": 1.5,
            "text": "good morning",
            "fields": '{"lang":"en","tags":["a"]}',
            "reason": None,
            "detail": None,
        }
        | dict.fromkeys(("found_path", "duration_rounding", "audio_channel", "mended", "same_audio"))
    ]


def test_numbers_are_kept_exactly(rows):
    numbers = {"long": 2**53 + 1, "least": -(2**63), "vast": 2**64 + 1, "many": 10**4000 + 1, "x": 0.1, "tiny": 5e-324}
    assert json.loads(rows(line(**numbers))[0]["fields"]) == numbers


@pytest.mark.parametrize(
    "path",
    ["a.wav", "/a.wav", "./a", "a/./b", "a//b", "a/", "a/.", ".", "..", "../a", "a/../b", ".a", "/", "//a", "a."],
)
@pytest.mark.parametrize("folder", ["/audio", "/"])
def test_paths_are_joined_like_pathlib_does(path, folder):
    assert resolve_path(folder, path) == str(Path(folder) / path)


def test_invalid_row_keeps_its_valid_fields(rows):
    (row,) = rows(line(duration="long", speaker="anna"))
    assert row["text"] == "good morning"
    assert json.loads(row["fields"]) == {"speaker": "anna", "duration": "long"}


def test_shards_have_about_the_requested_hours_in_order(manifest, tmp_path):
    path = manifest(*[{"audio_filepath": f"{i}.wav", "duration": 100.0, "text": "a"} for i in range(10)])
    tables = [
        pq.read_table(ledger.run_stage_on_shard(part, "load", load))
        for part in shard(open_source(path), tmp_path / "run", 0.1).shards
    ]
    assert [table["id"].to_pylist() for table in tables] == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]
    assert all(table.schema == UTTERANCE for table in tables)


@pytest.mark.parametrize("unknown", [{}, {"duration": None}, {"duration": 0.01}, {"duration": "?"}, {"duration": -1e9}])
def test_unknown_or_too_short_durations_count_as_ten_seconds(tmp_path, unknown):
    (tmp_path / "corpus.jsonl").write_bytes((line(**({"duration": ...} | unknown)) + b"\n") * 12)
    slices, _ = cut_shards(tmp_path / "corpus.jsonl", "/audio", 60 / 3600)
    assert [(part.first, part.lines) for part in slices] == [(1, 6), (7, 6)]


def test_extreme_durations_and_shard_lengths_are_sharded(tmp_path):
    (tmp_path / "corpus.jsonl").write_bytes(b"\n".join([line(duration=1e308)] * 3 + [line(duration=1e-308)] * 3))
    assert [part.lines for part in cut_shards(tmp_path / "corpus.jsonl", "/audio", 1)[0]] == [1, 1, 1, 3]
    for hours, lines in [(1e-300, [1] * 6), (float("inf"), [6])]:
        assert [part.lines for part in cut_shards(tmp_path / "corpus.jsonl", "/audio", hours)[0]] == lines


def test_number_of_shards_is_limited(tmp_path):
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(b"\n".join([line()] * 50))
    for most, lines in [(50, [1] * 50), (49, [2] * 25), (12, [8] * 6 + [2]), (1, [50])]:
        assert [part.lines for part in cut_shards(path, "/audio", 1 / 3600, most=most)[0]] == lines


def test_slices_cover_the_manifest_including_a_blank_end(tmp_path):
    path = tmp_path / "corpus.jsonl"
    path.write_bytes((line() + b"\r\n") * 2 + b"\n \n\xef\xbb\xbf\r\n" + line() + b"\n\n")
    slices, _ = cut_shards(path, "/audio", 1 / 3600)
    ends = [0, len(line()) + 2, 2 * len(line()) + 4, path.stat().st_size - 1, path.stat().st_size]
    assert [(part.start, part.end) for part in slices] == list(itertools.pairwise(ends))
    assert [(part.first, part.lines, part.blank) for part in slices] == [(1, 1, 0), (2, 1, 0), (3, 4, 3), (7, 1, 1)]
    shards = list(NemoJsonl(str(path), "/audio").shards(1 / 3600))
    assert [(shard.lines, shard.blank) for shard in shards] == [(1, 0), (1, 0), (4, 3), (1, 1)]


def test_hash_collisions_are_not_duplicates(tmp_path):
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(b"\n".join([line(), line(audio_filepath="b.wav"), line(), line(audio_filepath="c.wav")]))
    _, hashes = cut_shards(path, "/audio", 1)
    hashes[:] = type(hashes)("q", [7]) * 4
    duplicates = find_duplicates(path, "/audio", hashes)
    assert [part.tolist() for part in duplicates.duplicate] == [[3], [1]]
    assert [part.tolist() for part in duplicates.same_audio] == [[], []]


def test_fields_get_the_simplest_type_over_all_shards(manifest, tmp_path):
    first = {"n": 1, "x": 1, "s": "a", "b": True, "mixed": 1, "list": [1], "long": 1, "huge": 2**60, "vast": 2**64}
    second = {"n": 2, "x": 2.5, "s": None, "mixed": "one", "none": None, "long": 2**60, "huge": 0.5}
    path = manifest({"audio_filepath": "a.wav", "text": "a"} | first, {"audio_filepath": "b.wav", "text": "b"} | second)
    kinds = {"n": "integer", "x": "number", "s": "string", "b": "boolean", "mixed": "json", "list": "json"}
    kinds |= {"long": "long", "huge": "json", "vast": "json", "none": "string"}
    for hours, shards in [(1, 1), (1e-9, 2)]:
        files = shard(open_source(path), tmp_path / f"{shards}", hours).shards
        loaded = [ledger.run_stage_on_shard(file, "load", load) for file in files]
        assert len(loaded) == shards
        assert list(fields(loaded).items()) == list(kinds.items())


def test_types_are_merged_in_any_order():
    kinds = [None, "integer", "long", "number", "string", "boolean", "json"]
    for a in kinds:
        for b in kinds:
            for c in kinds:
                merged = merge_types([{"x": a}, merge_types([{"x": b}, {"x": c}])])
                assert merged == merge_types([merge_types([{"x": c}, {"x": a}]), {"x": b}])


def test_sharding_is_done_once_per_run_and_is_deterministic(manifest, tmp_path):
    path = manifest({"audio_filepath": "a.wav", "text": "a"}, b"", {"audio_filepath": "a.wav", "text": "a"})
    first = shard(open_source(path), tmp_path / "run", 1)
    times = [shard.stat().st_mtime_ns for shard in first.shards]
    assert shard(open_source(path), tmp_path / "run", 1) == first
    assert [shard.stat().st_mtime_ns for shard in first.shards] == times
    assert (first.lines, first.blank) == (3, 1)
    other = shard(open_source(path), tmp_path / "other", 1)
    assert [shard.read_bytes() for shard in other.shards] == [shard.read_bytes() for shard in first.shards]
    assert [shard.name for shard in other.shards] == [shard.name for shard in first.shards]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "corpus.jsonl: empty; expected a JSON object on each line"),
        (b"\n\n", "corpus.jsonl: empty; expected a JSON object on each line"),
        (b"nonsense\n", "no utterance in 1 row; the first is BAD_JSON: the line is not a JSON object"),
        (line(text=...) + b"\n", "no utterance in 1 row; the first is BAD_TEXT: the reference text is missing"),
    ],
)
def test_manifest_without_utterances_is_refused(tmp_path, content, message):
    (tmp_path / "corpus.jsonl").write_bytes(content)
    with pytest.raises(ManifestError, match=message):
        shard(open_source(tmp_path / "corpus.jsonl"), tmp_path / "run", 1)


SAME = ({"lang": "en"}, {"offset": 0}, {"duration": "1.5"}, {"audio_filepath": "/audio/./a.wav"}, {"channel": None})
OTHER = ({"offset": 1}, {"duration": 2}, {"text": "hello"}, {"audio_filepath": "b.wav"}, {"channel": 1})


@pytest.mark.parametrize(
    ("changes", "new"), [*((changes, False) for changes in SAME), *((changes, True) for changes in OTHER)], ids=str
)
def test_line_of_a_later_manifest_is_new_unless_it_would_be_a_duplicate_in_one(rows, tmp_path, changes, new):
    earlier, later = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    earlier.write_bytes(line())
    later.write_bytes(line(**changes))
    known = known_lines([earlier], "/audio")
    assert [usable for _, usable in new_lines(later, known, "/audio")] == [True] * new
    assert [row["reason"] for row in rows(line(), line(**changes))] == [None, None if new else "DUPLICATE_UTT"]


def test_missing_manifest_is_refused(tmp_path):
    with pytest.raises(ManifestError, match=r"corpus.jsonl: cannot read the manifest: No such file"):
        open_source(tmp_path / "corpus.jsonl").digest()


@pytest.mark.parametrize("change", [lambda old: old.replace(b"one", b"two"), lambda old: old[:-5], lambda _: b""])
def test_manifest_that_changes_during_the_run_is_refused(manifest, tmp_path, change):
    path = manifest({"audio_filepath": "a.wav", "text": "one"})
    (part,) = shard(open_source(path), tmp_path / "run", 1).shards
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(
        ManifestError, match=r"corpus.jsonl: changed during the run: restore it, or choose another output"
    ) as bad:
        ledger.run_stage_on_shard(part, "load", load)
    assert bad.value.exit_code == 2
    path.unlink()
    with pytest.raises(ManifestError, match="cannot read the manifest"):
        ledger.run_stage_on_shard(part, "load", load)
