"""The same rows as a corpus of each form, in a folder, on a web server or in a store.

Rows are NeMo's, with relative paths of files in the folder. A form that has no slices or no channels gets whole files.
"""

import bz2
import csv
import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import webdataset
from lhotse import AudioSource, CutSet, MonoCut, MultiCut, Recording, SupervisionSegment
from lhotse.shar.utils import to_shar_placeholder
from lhotse.shar.writers import TarWriter

from tests.object_store import put_files, running_bucket
from tests.web_server import WebServer, serving
from winnow.audio.places import parse_place
from winnow.corpora.registry import open_source

Rows = list[dict[str, Any]]

ROWS: Rows = [
    {"audio_filepath": "a.wav", "duration": 1.0, "text": "good morning", "lang": "en"},
    {"audio_filepath": "b.wav", "duration": 1.0, "text": 'say "good" night', "lang": "en"},
    {"audio_filepath": "c.wav", "duration": 1.0, "text": "a bad night", "lang": "de"},
    {"audio_filepath": "none.wav", "duration": 1.0, "text": "not there", "lang": "de"},
]

HEARD = {"a.wav": "good morning", "b.wav": "say good night", "c.wav": "good day", "none.wav": "not there"}


@pytest.fixture
def audio(tmp_path: Path, write_tone: Callable[..., Path]) -> Path:
    """Return a folder with the audio of `ROWS`."""
    for name in ("a.wav", "b.wav", "c.wav"):
        write_tone(name)
    return tmp_path


@pytest.fixture(scope="module")
def web() -> Iterator[WebServer]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with running_bucket() as url:
        yield url


def lines(rows: Rows = ROWS) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def halves(rows: Rows) -> tuple[Rows, Rows]:
    return rows[: len(rows) // 2], rows[len(rows) // 2 :]


def content_of(folder: Path, row: dict[str, Any]) -> bytes | None:
    file = folder / row["audio_filepath"]
    return file.read_bytes() if file.exists() else None


def header_of(rows: Rows) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def keys_of(rows: Rows) -> list[str]:
    """Return a name for each utterance: that of its file, numbered where the file has several."""
    stems = [Path(row["audio_filepath"]).stem for row in rows]
    return [stem if stems.count(stem) == 1 else f"{stem}-{number}" for number, stem in enumerate(stems)]


def without_slices(folder: Path, rows: Rows, keys: tuple[str, ...] = ("offset", "channel")) -> Rows:
    """Write each slice, or only what is one channel of a file, into a file of its own, with the same samples."""
    whole = []
    for number, row in enumerate(rows):
        rest: dict[str, Any] = {name: value for name, value in row.items() if name not in keys}
        if rest != row and (folder / row["audio_filepath"]).exists():
            samples, rate = soundfile.read(folder / row["audio_filepath"], dtype="int16", always_2d=True)
            if "channel" in keys and row.get("channel") is not None:
                samples = samples[:, [row["channel"]]]
            if "offset" in keys and row.get("offset") is not None:
                start = round(row["offset"] * rate)
                samples = samples[start : start + round(row["duration"] * rate)]
            rest["audio_filepath"] = f"whole-{number}.wav"
            soundfile.write(folder / rest["audio_filepath"], samples, rate, subtype="PCM_16")
        whole.append(rest)
    return whole


def write_manifest(folder: Path, rows: Rows = ROWS) -> Path:
    (folder / "corpus.jsonl").write_bytes(lines(rows))
    return folder / "corpus.jsonl"


def write_gzip(folder: Path, rows: Rows = ROWS) -> Path:
    (folder / "corpus.jsonl.gz").write_bytes(b"".join(gzip.compress(lines(half)) for half in halves(rows)))
    return folder / "corpus.jsonl.gz"


def write_zstd(folder: Path, rows: Rows = ROWS) -> Path:
    (folder / "corpus.jsonl.zst").write_bytes(pa.compress(lines(rows), codec="zstd", asbytes=True))
    return folder / "corpus.jsonl.zst"


def write_several(folder: Path, rows: Rows = ROWS) -> Path:
    (folder / "part-1.jsonl").write_bytes(lines(rows[:1]).rstrip())
    (folder / "part-2.jsonl.bz2").write_bytes(bz2.compress(lines(rows[1:])))
    return folder / "part-*.jsonl*"


def write_tsv(folder: Path, rows: Rows = ROWS) -> Path:
    names = {"audio_filepath": "path", "text": "sentence"}
    table = [[names.get(name, name) for name in header_of(rows)]]
    table += [[str(row.get(name, "")) for name in header_of(rows)] for row in rows]
    (folder / "validated.tsv").write_text("\n".join("\t".join(cells) for cells in table), encoding="utf-8-sig")
    return folder / "validated.tsv"


def write_csv(folder: Path, rows: Rows = ROWS) -> Path:
    """Quote everything; the third text has a line break in the place of its last space."""
    rows = [row | {"text": "\n".join(row["text"].rsplit(" ", 1))} if row is rows[2] else row for row in rows]
    with (folder / "corpus.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, header_of(rows), delimiter=";", quoting=csv.QUOTE_ALL)
        table.writeheader()
        table.writerows(rows)
    return folder / "corpus.csv"


def write_kaldi(folder: Path, rows: Rows = ROWS) -> Path:
    rows = without_slices(folder, rows, ("channel",))
    keys = [f"utt{number:03}" for number in range(len(rows))]
    by_file = {row["audio_filepath"]: key for key, row in zip(keys, rows, strict=True)}
    lists = {
        "text": [row["text"] for row in rows],
        "utt2dur": [str(row["duration"]) for row in rows],
        "utt2lang": [row["lang"] for row in rows],
    }
    recordings = {key: f"../{name}" for name, key in by_file.items()}
    if any("offset" in row for row in rows):
        starts = [row.get("offset", 0) for row in rows]
        ends = [row["offset"] + row["duration"] if "offset" in row else -1 for row in rows]
        names = [by_file[row["audio_filepath"]] for row in rows]
        lists["segments"] = [" ".join(map(str, words)) for words in zip(names, starts, ends, strict=True)]
    (folder / "train").mkdir()
    (folder / "train" / "wav.scp").write_text("".join(f"{key}\t{path}\n" for key, path in recordings.items()))
    for name, values in lists.items():
        pairs = list(zip(keys, values, strict=True))
        pairs = pairs if name != "text" else [*pairs[2:3], *pairs[:2], *pairs[3:]]  # lists may differ in their order
        (folder / "train" / name).write_text("".join(f"{key}\t{value}\n" for key, value in pairs))
    return folder / "train"


def table_of(folder: Path, rows: Rows) -> pa.Table:
    """Return rows with audio in cells, as Hugging Face's datasets have it."""
    cells = [{"bytes": content_of(folder, row), "path": Path(row["audio_filepath"]).name} for row in rows]
    names = [name for name in header_of(rows) if name != "audio_filepath"]
    return pa.table({"audio": cells, **{name: [row.get(name) for row in rows] for name in names}})


def write_parquet(folder: Path, rows: Rows = ROWS) -> Path:
    (folder / "parts").mkdir()
    table, middle = table_of(folder, rows), len(rows) // 2
    for number, part in enumerate((table[:middle], table[middle:])):
        pq.write_table(part, folder / "parts" / f"train-0000{number}-of-00002.parquet")
    return folder / "parts"


def write_saved_dataset(folder: Path, rows: Rows = ROWS) -> Path:
    import datasets

    datasets.disable_progress_bars()
    table, languages = table_of(folder, rows), ["de", "en"]
    numbers = pa.array([languages.index(row["lang"]) for row in rows])
    table = table.set_column(table.column_names.index("lang"), "lang", numbers)
    train = datasets.Dataset(table.rename_columns(["sentence" if n == "text" else n for n in table.column_names]))
    train = train.cast_column("lang", datasets.ClassLabel(names=languages))
    datasets.DatasetDict(train=train, test=train).save_to_disk(folder / "saved", num_shards={"train": 3, "test": 1})
    return folder / "saved" / "train"


def write_common_voice(folder: Path, rows: Rows = ROWS) -> Path:
    header = "client_id path sentence_id sentence sentence_domain up_votes down_votes age gender accents variant locale"
    (folder / "de" / "clips").mkdir(parents=True)
    table = [[*header.split(" "), "segment"]]
    for row in without_slices(folder, rows):
        name = Path(row["audio_filepath"]).name
        if (content := content_of(folder, row)) is not None:
            (folder / "de" / "clips" / name).write_bytes(content)
        table.append(["c0ffee", name, "5", row["text"], "", "2", "0", *[""] * 4, row["lang"], ""])
    (folder / "de" / "validated.tsv").write_text("".join("\t".join(cells) + "\n" for cells in table))
    return folder / "de" / "validated.tsv"


def write_lj_speech(folder: Path, rows: Rows = ROWS) -> Path:
    """Name every file a WAV file, whatever it is."""
    (folder / "lj" / "wavs").mkdir(parents=True)
    table = []
    for row in without_slices(folder, rows):
        stem = Path(row["audio_filepath"]).stem
        if (content := content_of(folder, row)) is not None:
            (folder / "lj" / "wavs" / f"{stem}.wav").write_bytes(content)
        table.append(f"{stem}|{row['text']} No. 2|{row['text']}\n")
    (folder / "lj" / "metadata.csv").write_text("".join(table))
    return folder / "lj"


def write_audio_folder(folder: Path, rows: Rows = ROWS) -> Path:
    (folder / "audio" / "train").mkdir(parents=True)
    names = {"audio_filepath": "file_name", "text": "transcription"}
    renamed = [{names.get(name, name): value for name, value in row.items()} for row in rows]
    renamed = [row | {"file_name": f"../../{row['file_name']}"} for row in renamed]
    (folder / "audio" / "train" / "metadata.jsonl").write_bytes(lines(renamed))
    return folder / "audio" / "train"


def write_nemo_tarred(folder: Path, rows: Rows = ROWS) -> Path:
    for shard, half in enumerate(halves(rows)):
        (folder / f"manifest_{shard}.json").write_bytes(lines([row | {"shard_id": shard} for row in half]))
        with tarfile.open(folder / f"audio_{shard}.tar", "w") as tar:
            for name in dict.fromkeys(row["audio_filepath"] for row in half):
                if (folder / name).exists():
                    tar.add(folder / name, name)
    return folder / "manifest__OP_0..1_CL_.json"


def write_webdataset(folder: Path, rows: Rows = ROWS) -> Path:
    with webdataset.ShardWriter(str(folder / "train-%06d.tar"), maxcount=(len(rows) + 1) // 2, verbose=0) as writer:
        for number, row in enumerate(rows):
            file, content = Path(row["audio_filepath"]), content_of(folder, row)
            audio = {} if content is None else {file.suffix[1:]: content}
            fields = {name: value for name, value in row.items() if name not in ("audio_filepath", "text")}
            key = keys_of(rows)[number]
            writer.write({"__key__": key, "txt": row["text"], "json": fields, **audio})
    return folder / "train-{000000..000001}.tar"


def write_compressed_tar(folder: Path, rows: Rows = ROWS) -> Path:
    for tar in sorted(folder.glob(write_webdataset(folder, rows).name.replace("{000000..000001}", "*"))):
        (folder / f"{tar.name}.gz").write_bytes(gzip.compress(tar.read_bytes()))
    return folder / "train-*.tar.gz"


def lhotse_cuts(folder: Path, rows: Rows = ROWS) -> list[MonoCut | MultiCut]:
    """Return cuts of the rows, whose audio has relative paths; what is not audio has the length that is stated."""
    cuts = []
    for number, row in enumerate(rows):
        path, key = row["audio_filepath"], keys_of(rows)[number]
        start, seconds = row.get("offset", 0.0), row["duration"]
        try:
            found = soundfile.info(folder / path)
            rate, frames = found.samplerate, max(found.frames, round((start + seconds) * found.samplerate))
            channels = list(range(found.channels))
        except soundfile.LibsndfileError:
            rate, frames, channels = 16_000, round(16_000 * seconds), [0]
        whole = frames / rate if "offset" in row else seconds
        recording = Recording(key, [AudioSource("file", channels, path)], rate, frames, whole)
        stated = row.get("channel", 0 if len(channels) == 1 else channels)
        cut = (MultiCut if isinstance(stated, list) else MonoCut)(key, start, seconds, stated, recording=recording)
        said = SupervisionSegment(key, key, 0, seconds, stated, text=row["text"], language=row["lang"])
        cut.supervisions = [said]
        cuts.append(cut)
    return cuts


def write_lhotse_cuts(folder: Path, rows: Rows = ROWS) -> Path:
    CutSet.from_cuts(lhotse_cuts(folder, rows)).to_file(folder / "cuts.jsonl.gz")
    return folder / "cuts.jsonl.gz"


def write_shar(folder: Path, rows: Rows = ROWS) -> Path:
    """Write the files as they are: Lhotse's own writer encodes samples, and some of the files have none."""
    (folder / "shar").mkdir()
    parts = halves(list(zip(rows, lhotse_cuts(folder, rows), strict=True)))
    for shard, part in enumerate(parts):
        with TarWriter(str(folder / "shar" / f"recording.{shard:06}.tar"), shard_size=None) as tar:
            for row, cut in part:
                cut.recording = to_shar_placeholder(cut.recording)
                if (content := content_of(folder, row)) is not None:
                    suffix = Path(row["audio_filepath"]).suffix
                    tar.write(f"{cut.id}{suffix}", io.BytesIO(content))
                    tar.write(f"{cut.id}.json", io.BytesIO(json.dumps(cut.recording.to_dict()).encode()), count=False)
        (folder / "shar" / f"cuts.{shard:06}.jsonl.gz").write_bytes(
            gzip.compress(lines([cut.to_dict() for _, cut in part]))
        )
    return folder / "shar"


Write = Callable[[Path, Rows], Path]

FORMS: dict[str, Write] = {
    "gzip in two members": write_gzip,
    "zstd": write_zstd,
    "several files": write_several,
    "TSV with other names": write_tsv,
    "CSV with quotes": write_csv,
    "Kaldi": write_kaldi,
    "Common Voice": write_common_voice,
    "LJ Speech": write_lj_speech,
    "audiofolder": write_audio_folder,
    "Parquet in two parts": write_parquet,
    "saved Hugging Face dataset": write_saved_dataset,
    "NeMo tarred": write_nemo_tarred,
    "WebDataset": write_webdataset,
    "compressed tars": write_compressed_tar,
    "Lhotse cuts": write_lhotse_cuts,
    "Lhotse Shar": write_shar,
}

UNSTATED: dict[Write, tuple[str, ...]] = {write_common_voice: ("duration",), write_lj_speech: ("duration", "lang")}
"""Columns that a form does not have."""

RANGES: dict[Write, str] = {
    write_several: "part-{1.jsonl,2.jsonl.bz2}",
    write_parquet: "parts/train-{00000..00001}-of-00002.parquet",
    write_compressed_tar: "train-{000000..000001}.tar.gz",
    write_shar: "shar/cuts.{000000..000001}.jsonl.gz",
}
"""What to give of a web server in place of a folder or wildcard."""


def local(folder: Path, write: Write, rows: Rows, request: pytest.FixtureRequest) -> str:
    return str(write(folder, rows))


def on_the_web(folder: Path, write: Write, rows: Rows, request: pytest.FixtureRequest) -> str:
    corpus = write(folder, rows)
    server = request.getfixturevalue("web")
    server.files |= {f"/{folder.name}/{name}": content for name, content in contents_of(folder).items()}
    name = RANGES.get(write, corpus.relative_to(folder).as_posix() + ("/" if corpus.is_dir() else ""))
    return f"{server.url}/{folder.name}/{name}"


def in_a_store(folder: Path, write: Write, rows: Rows, request: pytest.FixtureRequest) -> str:
    corpus = write(folder, rows)
    url = f"{request.getfixturevalue('bucket')}/{folder.name}"
    put_files(url, contents_of(folder))
    return f"{url}/{corpus.relative_to(folder).as_posix()}"


def contents_of(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


PLACES = {"here": local, "on the web": on_the_web, "in a store": in_a_store}


def heard_in(corpus: str | Path) -> dict[str, str]:
    """Return what is heard in the audio of a corpus: by the names of the files that were put into it."""
    paths = [row["path"] for row in open_source(corpus).scan() if row.get("path")]
    return {path: HEARD[f"{Path(parse_place(path).name or path).stem}.wav"] for path in paths}
