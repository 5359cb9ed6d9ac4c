"""Parquet and Arrow files with audio in their cells: rows are listed without it, and audio is decoded as of a file."""

import json
import threading
import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winnow.audio import parquet_cells
from winnow.audio.decode import load_clip
from winnow.audio.measurements import BadAudio
from winnow.audio.places import parse_place
from winnow.corpora.peek import peek
from winnow.corpora.registry import open_source
from winnow.errors import ManifestError

AUDIO = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def samples_at(place: str):
    return load_clip(place, None, None, 16_000, 60.0).samples


def refusal(place: str) -> str:
    with pytest.raises(BadAudio) as caught:
        samples_at(place)
    return caught.value.reason


def rows_in(path: Path, columns: str = "") -> list[dict]:
    return list(open_source(path, columns=columns).scan())


@pytest.fixture
def tones(write_tone):
    """Return the bytes of three WAV files of different lengths."""
    return [
        write_tone(f"{name}.wav", seconds=seconds).read_bytes() for name, seconds in zip("abc", (1, 2, 3), strict=True)
    ]


def audio_table(cells, **columns) -> pa.Table:
    return pa.table({"audio": pa.array(cells, AUDIO), "text": [f"text {row}" for row in range(len(cells))], **columns})


def write_arrow(table: pa.Table, path: Path) -> None:
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def write_arrow_file(table: pa.Table, path: Path) -> None:
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)


WRITERS = {
    "one group": ("a.parquet", pq.write_table),
    "small groups": ("a.parquet", lambda table, path: pq.write_table(table, path, row_group_size=2)),
    "zstd": ("a.parquet", lambda table, path: pq.write_table(table, path, compression="zstd", use_dictionary=True)),
    "second version of pages": ("a.pq", lambda table, path: pq.write_table(table, path, data_page_version="2.0")),
    "without statistics": ("a.parquet", lambda table, path: pq.write_table(table, path, write_statistics=False)),
    "Arrow stream": ("a.arrow", write_arrow),
    "Arrow file": ("a.arrow", write_arrow_file),
}


@pytest.mark.parametrize(("name", "write"), WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()], ids=str)
def test_a_cell_is_decoded_as_its_file_would_be(tmp_path, tones, name, write, kind):
    struct = pa.struct([("bytes", kind), ("path", pa.string())])
    cells = pa.array([{"bytes": tone, "path": f"{i}?ü::.wav"} for i, tone in enumerate(tones)], struct)
    write(pa.table({"audio": cells, "sentence": ["x", "y", "z"]}), tmp_path / name)
    rows = rows_in(tmp_path / name)
    assert [(row["reason"], row["text"]) for row in rows] == [(None, "x"), (None, "y"), (None, "z")]
    assert parse_place(rows[2]["path"]).name == "2?ü::.wav"
    for row, file in zip(rows, "abc", strict=True):
        np.testing.assert_array_equal(samples_at(row["path"]), samples_at(str(tmp_path / f"{file}.wav")))


@pytest.mark.parametrize(("name", "write"), WRITERS.values(), ids=WRITERS)
def test_bytes_come_before_the_path_and_a_row_with_neither_has_a_reason(tmp_path, tones, name, write):
    cells = [
        {"bytes": tones[0], "path": "/home/uploader/a.wav"},
        {"bytes": None, "path": "b.wav"},
        {"bytes": None, "path": "/home/uploader/c.wav"},
        {"bytes": None, "path": None},
        None,
    ]
    write(audio_table(cells), tmp_path / name)
    rows = rows_in(tmp_path / name)
    assert [row["reason"] for row in rows] == [None, None, None, "NO_AUDIO_PATH", "NO_AUDIO_PATH"]
    assert [row["text"] for row in rows] == [f"text {row}" for row in range(5)]
    assert [len(samples_at(row["path"])) for row in rows[:2]] == [16_000, 32_000]
    assert refusal(rows[2]["path"]) == "AUDIO_MISSING"


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_all_fields_are_kept_as_json_but_bytes(tmp_path, name):
    columns = {
        "path": pa.array(["a.wav"]).dictionary_encode(),
        "sentence": pa.array(["x"], pa.large_string()).dictionary_encode(),
        "duration": pa.array([Decimal("2.50")]),
        "day": pa.array([datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)], pa.timestamp("ns", "UTC")),
        "tags": pa.array([["a", None]]),
        "counts": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
        "speaker": pa.array([{"name": "ann", "scores": [0.5, float("nan")]}]),
        "picture": pa.array([b"x"]),
        "pictures": pa.array([[{"bytes": b"x", "path": "p"}]]),
        "nothing": pa.nulls(1),
    }
    (write_arrow if name.endswith("arrow") else pq.write_table)(pa.table(columns), tmp_path / name)
    (row,) = rows_in(tmp_path / name, "audio_filepath=path,who=speaker.name")
    assert (row["reason"], row["text"], row["duration"]) == (None, "x", 2.5)
    assert json.loads(row["fields"]) == {
        "day": "2020-01-02T03:04:05+00:00",
        "tags": ["a", None],
        "counts": {"a": 1},
        "speaker": {"name": "ann", "scores": [0.5, None]},
        "nothing": None,
        "who": "ann",
    }


def test_classes_of_a_hugging_face_dataset_have_their_names(tmp_path):
    datasets = pytest.importorskip("datasets")
    classes = datasets.ClassLabel(names=["en", "de"])
    features = {"file": datasets.Value("string"), "lang": classes, "all": datasets.List(classes)}
    rows = {"file": ["a.wav", "b.wav"], "lang": [1, None], "all": [[0, 1], []]}
    datasets.Dataset.from_dict(rows, datasets.Features(features)).to_parquet(str(tmp_path / "a.parquet"))
    found = [json.loads(row["fields"]) for row in open_source(tmp_path / "a.parquet", referenced=False).scan()]
    assert found == [{"lang": "de", "all": ["en", "de"]}, {"lang": None, "all": []}]


def test_a_text_that_is_not_utf8_affects_its_own_row_only(tmp_path):
    texts = pa.Array.from_buffers(pa.string(), 2, pa.array([b"gr\xfc", b"good"]).buffers())
    pq.write_table(pa.table({"path": ["a.wav", "b.wav"], "text": texts}), tmp_path / "a.parquet")
    assert [row["reason"] for row in rows_in(tmp_path / "a.parquet")] == ["NOT_UTF8", None]


REFUSED = {
    "no audio": ({"text": ["x"], "n": [1]}, "", "no column with audio; there are text, n: name it, as in --columns"),
    "decoded": (
        {"audio": [{"array": [0.5], "sampling_rate": 8000}]},
        "",
        r"audio \(samples, not the bytes of a file\)",
    ),
    "two": ({"mix": [b"x"], "clean": [b"x"]}, "", "several columns may have the audio: mix, clean: choose one"),
    "no such column": ({"mix": [b"x"]}, "audio_filepath=wave", "no column wave; there are mix"),
    "numbers": ({"n": [1]}, "audio_filepath=n", "the column n has neither paths nor the bytes of files, but int64"),
    "two texts": ({"path": ["x"], "text": ["x"], "raw": ["x"]}, "text=raw", "two columns would be called text"),
}


@pytest.mark.parametrize(("columns", "option", "message"), REFUSED.values(), ids=REFUSED)
def test_a_table_without_audio_is_refused_in_one_line(tmp_path, columns, option, message):
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(ManifestError, match=message):
        open_source(tmp_path / "a.parquet", columns=option).check()


def test_of_several_columns_one_that_is_called_audio_is_chosen(tmp_path, tones):
    table = pa.table({"noise": [tones[1]], "audio": [tones[0]], "path": ["b.wav"], "text": ["x"]})
    pq.write_table(table, tmp_path / "a.parquet")
    (row,) = rows_in(tmp_path / "a.parquet")
    assert (len(samples_at(row["path"])), json.loads(row["fields"])) == (16_000, {"path": "b.wav"})
    (row,) = rows_in(tmp_path / "a.parquet", "audio_filepath=noise")
    assert len(samples_at(row["path"])) == 32_000


@pytest.mark.parametrize(("name", "write"), [("a.parquet", pq.write_table), ("a.arrow", write_arrow)])
def test_a_table_that_is_cut_off_is_refused(tmp_path, tones, name, write):
    write(audio_table([{"bytes": tone, "path": None} for tone in tones]), tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[:-40_000])
    with pytest.raises(ManifestError, match=rf"{name}: cut off or corrupt, cannot be read (before|after)"):
        rows_in(tmp_path / name)


def test_an_arrow_file_that_is_cut_off_during_the_run_has_the_cells_before_its_end(tmp_path, tones):
    write_arrow(audio_table([{"bytes": tone, "path": None} for tone in tones]), tmp_path / "a.arrow")
    rows = rows_in(tmp_path / "a.arrow")
    (tmp_path / "a.arrow").write_bytes((tmp_path / "a.arrow").read_bytes()[:-40_000])
    assert len(samples_at(rows[0]["path"])) == 16_000
    assert refusal(rows[2]["path"]) == "AUDIO_UNREADABLE"


def test_a_compressed_arrow_file_and_an_encrypted_parquet_are_refused(tmp_path, tones):
    table = audio_table([{"bytes": tones[0], "path": None}])
    with pa.ipc.new_stream(
        str(tmp_path / "a.arrow"), table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")
    ) as to:
        to.write_table(table)
    (tmp_path / "a.parquet").write_bytes(b"PARE" + bytes(100) + b"\x10\0\0\0PARE")
    for name, message in (("a.arrow", "compressed"), ("a.parquet", "encrypted: decrypt it first")):
        with pytest.raises(ManifestError, match=message):
            rows_in(tmp_path / name)


@pytest.mark.parametrize(("name", "write"), [("a.parquet", pq.write_table), ("a.arrow", write_arrow)])
def test_another_table_in_its_place_is_noticed(tmp_path, tones, name, write):
    write(audio_table([{"bytes": tone, "path": None} for tone in tones]), tmp_path / name)
    place = rows_in(tmp_path / name)[1]["path"]
    assert len(samples_at(place)) == 32_000
    write(audio_table([{"bytes": tone, "path": None} for tone in reversed(tones)]), tmp_path / name)
    assert refusal(place) == "AUDIO_CHANGED"
    (tmp_path / name).unlink()
    assert refusal(place) == "AUDIO_MISSING"


def test_a_row_group_is_decoded_once_for_all_threads(tmp_path, tones, monkeypatch):
    decoded = []
    write = parquet_cells.write_cells
    monkeypatch.setattr(parquet_cells, "write_cells", lambda *given: (decoded.append(given[1]), write(*given)))
    cells = [{"bytes": tone, "path": None} for tone in tones * 4]
    pq.write_table(audio_table(cells), tmp_path / "a.parquet", row_group_size=6)
    rows = rows_in(tmp_path / "a.parquet")
    assert decoded == []
    lengths: dict[int, int] = {}
    threads = [
        threading.Thread(target=lambda row=row: lengths.__setitem__(row["id"], len(samples_at(row["path"]))))
        for row in rows
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [lengths[row["id"]] for row in rows] == [16_000, 32_000, 48_000] * 4
    assert sorted(decoded) == [0, 1]


def test_of_a_corrupt_row_group_the_rows_before_are_read(tmp_path, write_tone):
    tones = [write_tone(f"{row}.wav", seconds=10, rate=16_000 + row).read_bytes() for row in range(12)]
    path = tmp_path / "a.parquet"
    pq.write_table(
        audio_table([{"bytes": tone, "path": None} for tone in tones]),
        path,
        compression="zstd",
        use_dictionary=False,
        write_batch_size=1,
        data_page_size=1,
    )
    rows = rows_in(path)
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(0)
    content = bytearray(path.read_bytes())
    middle = chunk.data_page_offset + chunk.total_compressed_size // 2
    content[middle : middle + 1000] = bytes(1000)
    path.write_bytes(content)
    reasons = []
    for row in rows:
        try:
            samples_at(row["path"])
            reasons.append(None)
        except BadAudio as error:
            reasons.append(error.reason)
    assert reasons[0] is None
    assert reasons[-1] == "AUDIO_UNREADABLE"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("parquet://a.wav?group=9&row=0&column=audio.bytes&footer={footer}::{file}", "NO_AUDIO_PATH"),
        ("parquet://a.wav?group=0&row=9&column=audio.bytes&footer={footer}::{file}", "AUDIO_UNREADABLE"),
        ("parquet://a.wav?group=0&row=0&column=wave&footer={footer}::{file}", "NO_AUDIO_PATH"),
        ("parquet://a.wav?group=0&row=0&footer={footer}::{file}", "NO_AUDIO_PATH"),
        ("parquet://a.wav?group=0&row=x&column=audio.bytes&footer={footer}::{file}", "NO_AUDIO_PATH"),
        ("parquet://a.wav?group=0&row=0&column=audio.bytes&footer=1::{file}", "AUDIO_CHANGED"),
        ("arrow://a.wav?start=1&size=1&entry=1&width=4&header=1::{file}", "AUDIO_CHANGED"),
        ("arrow://a.wav?start=1&size=1::{file}", "NO_AUDIO_PATH"),
    ],
)
def test_cells_that_are_badly_written_have_a_reason(tmp_path, tones, path, reason):
    pq.write_table(audio_table([{"bytes": tones[0], "path": None}]), tmp_path / "a.parquet")
    footer = parse_place(rows_in(tmp_path / "a.parquet")[0]["path"]).facts["footer"]
    assert refusal(path.format(footer=footer, file=tmp_path / "a.parquet")) == reason


def test_huge_cells_are_neither_read_to_list_rows_nor_held_in_memory(tmp_path):
    cell = np.random.default_rng(0).bytes(2**24)
    schema = pa.schema([("audio", AUDIO), ("text", pa.string())])
    with pq.ParquetWriter(tmp_path / "a.parquet", schema, use_dictionary=False) as writer:
        batches = [audio_table([{"bytes": cell, "path": None}], text=["x"]) for _ in range(16)]
        writer.write_table(pa.concat_tables(batches).cast(schema))
    pool, earlier = pa.proxy_memory_pool(pa.default_memory_pool()), pa.default_memory_pool()
    pa.set_memory_pool(pool)
    tracemalloc.start()
    try:
        rows = rows_in(tmp_path / "a.parquet")
        assert len(rows) == 16
        assert pool.max_memory() + tracemalloc.get_traced_memory()[1] < 2**22
        assert refusal(rows[0]["path"]) == "AUDIO_UNREADABLE"
        assert pool.max_memory() + tracemalloc.get_traced_memory()[1] < 4 * len(cell)
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(earlier)


def test_peek_reads_no_more_rows_than_it_shows(tmp_path):
    rows = 200_000
    table = audio_table([{"bytes": b"", "path": "a.wav"}] * rows)
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=1000)
    found = peek(open_source(tmp_path / "a.parquet"), 100)
    assert (found.rows, found.complete, found.form, found.missing) == (100, False, "Parquet", 0)


def test_splits_and_configurations_of_a_folder_are_named(tmp_path):
    for name in ("en/train-00000-of-00001", "de/train-00000-of-00002", "de/train-00001-of-00002", "de/test"):
        path = tmp_path / f"{name}.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table({"path": [f"{name}.wav"], "text": ["x"]}), path)
    (tmp_path / "de" / "_temporary.parquet").touch()
    for folder, message in ((tmp_path, r"has the splits test, train: name one: .*test"), (tmp_path / "de", "splits")):
        with pytest.raises(ManifestError, match=message):
            open_source(folder).check()
    with pytest.raises(ManifestError, match="No such file"):
        open_source(tmp_path / "dev").digest()
    assert [row["audio_filepath"] for row in rows_in(tmp_path / "de" / "train")] == [
        "de/train-00000-of-00002.wav",
        "de/train-00001-of-00002.wav",
    ]
    assert len(rows_in(tmp_path / "en")) == 1
    assert len(rows_in(tmp_path / "de" / "t*.parquet")) == 3
    (tmp_path / "en" / "corpus.jsonl").touch()
    with pytest.raises(ManifestError, match=r"a folder; .*: give a file, such as corpus\.jsonl in it"):
        open_source(tmp_path / "en").check()
