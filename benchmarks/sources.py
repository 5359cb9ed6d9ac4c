"""Measure what a pass costs whose audio lies in tars, tables or behind HTTP, compared with local files.

    python -m benchmarks.sources                # the demo corpus
    python -m benchmarks.sources --quick        # a quarter of it
    python -m benchmarks.sources --json FILE    # also write the rows as JSON

All forms have the same audio, the demo's as FLAC, and are transcribed in turns by the demo's small model in one
process. What is fetched or written to the cache on disk is there already for a warm pass, and not for a cold one. The
server is a process of its own, which keeps connections and sends at once, as servers do. It has one core to itself, and
the pass has the others, as if the server were another machine. Rows are listed before, once, as in a run.

`cpu` and `wall` are the speed of a pass divided by that over local files: 0.9 means that it takes 1.11 times as long.
"""

import json
import os
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import urlopen

import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from benchmarks.corpora import DEMO, MAX_SECONDS, demo_corpus
from benchmarks.turns import Work, equal_texts, main, ratio, take_turns_here
from demo.fastconformer import SAMPLE_RATE
from winnow.audio.decode import load_clip
from winnow.cache import cache_root
from winnow.corpora.registry import open_source
from winnow.engines.engine import Request
from winnow.engines.isolation import transcribe_here
from winnow.models.resolve import resolve
from winnow.parameters.engine import EngineOptions

SHARDS = 4
FILES = "files"
SERVE = """
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer, test
SimpleHTTPRequestHandler.disable_nagle_algorithm = True
SimpleHTTPRequestHandler.log_message = lambda *_: None
test(SimpleHTTPRequestHandler, ThreadingHTTPServer, "HTTP/1.1", int(sys.argv[1]), "127.0.0.1")
"""

Utterances = list[dict[str, Any]]


def write_audio(folder: Path, every: int) -> Utterances:
    """Write the demo's audio as FLAC files; return the fields of its rows, with their paths."""
    rows = []
    (folder / "audio").mkdir()
    for number, request in enumerate(demo_corpus(every).requests):
        clip = load_clip(request.path, None, None, SAMPLE_RATE, MAX_SECONDS)
        name = f"audio/{number:04}.flac"
        soundfile.write(folder / name, clip.samples, SAMPLE_RATE)
        rows.append({"audio_filepath": name, "duration": clip.seconds, "text": request.texts[0]})
    return rows


def write_files(folder: Path, rows: Utterances) -> str:
    return write_manifest(folder / "files.jsonl", rows)


def write_urls(folder: Path, rows: Utterances, server: str) -> str:
    return write_manifest(
        folder / "urls.jsonl", [row | {"audio_filepath": server + row["audio_filepath"]} for row in rows]
    )


def write_manifest(path: Path, rows: Utterances) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def write_nemo_tars(folder: Path, rows: Utterances) -> str:
    (folder / "nemo").mkdir()
    for shard, part in enumerate(parts_of(rows)):
        named = [row | {"audio_filepath": Path(row["audio_filepath"]).name, "shard_id": shard} for row in part]
        write_manifest(folder / "nemo" / f"manifest_{shard}.json", named)
        with tarfile.open(folder / "nemo" / f"audio_{shard}.tar", "w") as tar:
            for row in part:
                tar.add(folder / row["audio_filepath"], Path(row["audio_filepath"]).name)
    return str(folder / "nemo" / f"manifest__OP_0..{SHARDS - 1}_CL_.json")


def write_webdataset(folder: Path, rows: Utterances) -> str:
    import webdataset

    (folder / "web").mkdir()
    for shard, part in enumerate(parts_of(rows)):
        with webdataset.TarWriter(str(folder / "web" / f"train-{shard:06}.tar")) as writer:
            for row in part:
                path = folder / row["audio_filepath"]
                fields = {"duration": row["duration"]}
                writer.write({"__key__": path.stem, "flac": path.read_bytes(), "txt": row["text"], "json": fields})
    return str(folder / "web" / f"train-{{000000..{SHARDS - 1:06}}}.tar")


def write_shar(folder: Path, rows: Utterances) -> str:
    from lhotse import Recording, SupervisionSegment
    from lhotse.shar import SharWriter

    (folder / "shar").mkdir()
    with SharWriter(folder / "shar", {"recording": "flac"}, shard_size=-(-len(rows) // SHARDS)) as writer:
        for row in rows:
            recording = Recording.from_file(folder / row["audio_filepath"])
            cut = recording.to_cut()
            cut.supervisions = [SupervisionSegment(cut.id, recording.id, 0, recording.duration, text=row["text"])]
            writer.write(cut)
    return str(folder / "shar")


def write_parquet(folder: Path, rows: Utterances) -> str:
    (folder / "parquet").mkdir()
    for shard, part in enumerate(parts_of(rows)):
        pq.write_table(table_of(folder, part), folder / "parquet" / f"train-{shard:05}.parquet", row_group_size=100)
    return str(folder / "parquet")


def write_arrow(folder: Path, rows: Utterances) -> str:
    table = table_of(folder, rows)
    with pa.ipc.new_stream(folder / "corpus.arrow", table.schema) as writer:
        writer.write_table(table, max_chunksize=100)
    return str(folder / "corpus.arrow")


def table_of(folder: Path, rows: Utterances) -> pa.Table:
    """Return a table as Hugging Face's `datasets` has it, with audio in its cells."""
    paths = [folder / row["audio_filepath"] for row in rows]
    audio = [{"bytes": path.read_bytes(), "path": path.name} for path in paths]
    return pa.table({"audio": audio, **{name: [row[name] for row in rows] for name in ("duration", "text")}})


def parts_of(rows: Utterances) -> list[Utterances]:
    size = -(-len(rows) // SHARDS)
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def transcribing(location: str, cold: bool, rows: Utterances) -> Work:
    """Return a pass over a corpus, for which audio is in the cache or, if it is `cold`, is not."""
    source = open_source(location)
    source.summary()
    own = [Request(str(row["path"]), row["offset"], row["duration"]) for row in source.scan()]
    assert len(own) == len(rows), location
    checkpoint = resolve(str(DEMO / "small.nemo"), trust_unpinned=True)

    def work() -> tuple[list[str], dict[str, Any]]:
        results, _ = transcribe_here(checkpoint, EngineOptions(), own)
        return [result.hypothesis.text if result.hypothesis else str(result.reason) for result in results], {}

    return lambda: from_empty_cache(work) if cold else work()


def from_empty_cache(work: Work) -> tuple[list[str], dict[str, Any]]:
    """Do the work while the cache has no audio, and leave it as it was."""
    audio, aside = cache_root() / "audio", Path(tempfile.mkdtemp(dir=cache_root()))
    if audio.exists():
        audio.rename(aside / "warm")
    try:
        return work()
    finally:
        audio.rename(aside / "cold")  # to remove it would count
        if (aside / "warm").exists():
            (aside / "warm").rename(audio)


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder from a process of its own; yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-P", "-c", SERVE, str(port)]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    share_cores_with(process.pid)
    url = f"http://127.0.0.1:{port}/"
    try:
        for _ in range(100):
            try:
                urlopen(url).close()
                break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        process.kill()
        process.wait()


def share_cores_with(server: int) -> None:
    """Give the last core to a server, and the others to all threads of this process; nothing if there is only one."""
    *own, last = sorted(os.sched_getaffinity(0))
    if own:
        os.sched_setaffinity(server, {last})
        for thread in Path("/proc/self/task").iterdir():
            os.sched_setaffinity(int(thread.name), own)


def compare(quick: bool, rounds: int) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as name, serving(Path(name)) as server:
        folder = Path(name)
        os.environ["WINNOW_CACHE"] = str(folder / "cache")
        rows = write_audio(folder, 4 if quick else 1)
        local, urls, parquet = write_files(folder, rows), write_urls(folder, rows, server), write_parquet(folder, rows)
        corpora = {
            FILES: (local, False),
            "NeMo tar": (write_nemo_tars(folder, rows), False),
            "WebDataset": (write_webdataset(folder, rows), False),
            "Shar": (write_shar(folder, rows), False),
            "Arrow": (write_arrow(folder, rows), False),
            "Parquet, cold": (parquet, True),
            "Parquet, warm": (parquet, False),
            "HTTP, cold": (urls, True),
            "HTTP, warm": (urls, False),
        }
        contenders: dict[str, Callable[[Any], Work]] = {
            form: partial(transcribing, location, cold) for form, (location, cold) in corpora.items()
        }
        turns = take_turns_here(contenders, rows, rounds)
        for form, taken in turns.items():
            yield {
                "audio in": form,
                "utterances": len(rows),
                "cpu_seconds": median(turn.cpu for turn in taken),
                "cpu": ratio(turns[FILES], taken, "cpu"),
                "wall": ratio(turns[FILES], taken, "wall"),
                "equal_texts": equal_texts(turns[FILES], taken),
                "load": round(os.getloadavg()[0], 1),
            }


if __name__ == "__main__":
    main(__doc__ or "", compare)
