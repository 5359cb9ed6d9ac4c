"""What Prefect and Dask cost, and what they gain: a whole run against the bare engine, two workers against one.

    python -m benchmarks.orchestration                # the demo corpus eight times over: 3,528 utterances
    python -m benchmarks.orchestration --quick        # twice over, in one round
    python -m benchmarks.orchestration --json FILE    # the rows for machines

`workers`: utterances a second of two local workers of one core each, over those of one, once their models are loaded;
`machine`: the same of bare engines in processes of their own, which is what this machine's two cores have to give.
`cpu`: CPU seconds that all processes of `winnow curate` take for more utterances, over those that the bare engine
takes for them; what both take to start is not in it. `each`: the same of the command, an utterance.
`command`: 600 utterances with the small checkpoint alone, from typing the command to its end, three times a round;
and once more for the memory, the sum over all its processes, shared pages counted once: looking at it takes time too.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from benchmarks.corpora import DEMO, demo_corpus
from benchmarks.turns import main
from winnow.devices.executors import open_executor
from winnow.engines.engine import Checkpoint, Request
from winnow.engines.isolation import transcribe_here
from winnow.models.resolve import resolve
from winnow.parameters.curation import Curation
from winnow.parameters.engine import EngineOptions
from winnow.parameters.placement import Dask, Placement

SMALL = DEMO / "small.nemo"
COPIES, QUICK_COPIES = 8, 2
COMMAND = 600  # utterances
COMMANDS = 3  # in each round
CHUNK = 110  # utterances that a worker is given at once

BARE = """
import json, sys, time
from pathlib import Path
from winnow.engines.isolation import listen_here
from winnow.models.resolve import resolve
from winnow.parameters.engine import EngineOptions
from winnow.engines.recogniser import Request
rows = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
requests = [Request(row["audio_filepath"], None, row["duration"]) for row in rows]
listen_here(resolve(sys.argv[2], trust_unpinned=True), EngineOptions(), requests[:20])
cpu, wall = time.process_time(), time.perf_counter()
listen_here(resolve(sys.argv[2], trust_unpinned=True), EngineOptions(), requests)
print(time.process_time() - cpu, time.perf_counter() - wall)
"""


def written(folder: Path, copies: int, most: int | None = None) -> Path:
    """A manifest of the demo corpus, its audio linked so many times over."""
    lines = []
    for copy in range(copies):
        (folder / f"audio{copy}").mkdir(parents=True, exist_ok=True)
        for request in demo_corpus().requests:
            link = folder / f"audio{copy}" / Path(request.path).name
            if not link.exists():
                os.link(request.path, link)
            lines.append(json.dumps({"audio_filepath": str(link), "duration": request.duration, "text": "a"}))
    path = folder / f"{copies}-{most}.jsonl"
    path.write_text("\n".join(lines[:most]) + "\n")
    return path


def requests_of(manifest: Path) -> list[Request]:
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    return [Request(row["audio_filepath"], None, row["duration"]) for row in rows]


def read(requests: list[Request], checkpoint: Checkpoint, *, device: str, isolated: bool) -> list[str]:
    found, _ = transcribe_here(checkpoint, EngineOptions(), requests)
    return [one.hypothesis.text if one.hypothesis else "" for one in found]


def throughput(workers: int, requests: list[Request]) -> tuple[float, list[str]]:
    """Utterances a second of so many workers of one core each, and the texts."""
    checkpoint = resolve(str(SMALL), trust_unpinned=True)
    os.environ["WINNOW_CORES"] = str(workers)
    settings = Curation(manifest="a", output="a", small="a", devices="local", dask=Dask(workers=workers))
    chunks = [requests[i : i + CHUNK] for i in range(0, len(requests), CHUNK)]
    try:
        with open_executor(settings) as devices, ThreadPoolExecutor(workers) as threads:
            for i in range(workers):
                devices.run(read, requests[:20], checkpoint, placement=Placement(device_id=f"cpu:{i}"))
            began = time.perf_counter()
            texts = list(threads.map(lambda chunk: devices.run(read, chunk, checkpoint), chunks))
            return len(requests) / (time.perf_counter() - began), [text for some in texts for text in some]
    finally:
        del os.environ["WINNOW_CORES"]


def command(manifest: Path, output: Path) -> tuple[float, float]:
    """CPU and wall seconds of a run by the command, over all its processes."""
    before, began = children_seconds(), time.perf_counter()
    finished(started(manifest, output))
    return children_seconds() - before, time.perf_counter() - began


def most_memory(manifest: Path, output: Path) -> float:
    """The most memory (MiB) of a run by the command, over all its processes."""
    process, most = started(manifest, output), 0.0
    while process.poll() is None:
        most = max(most, memory(process.pid))
        time.sleep(0.25)
    finished(process)
    return most


def started(manifest: Path, output: Path) -> subprocess.Popen[bytes]:
    words = ["curate", str(manifest), "--output", str(output), "--small", str(SMALL), "--trust-unpinned"]
    line = [sys.executable, "-m", "cli.app", *words]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finished(process: subprocess.Popen[bytes]) -> None:
    said = process.communicate()[1]
    if process.returncode:
        raise RuntimeError(said.decode())


def children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def memory(pid: int) -> float:
    """MiB of a process and all below it; what they share counts once."""
    total = 0
    with suppress(psutil.Error):
        for process in [(top := psutil.Process(pid)), *top.children(recursive=True)]:
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
    return total / 2**20


def bare(*manifests: Path, cores: int | None = None) -> list[tuple[float, float]]:
    """CPU and wall seconds of the engine by itself, a process for each manifest, all at once."""
    given = os.environ | ({"WINNOW_CORES": str(cores)} if cores else {})
    lines = [[sys.executable, "-c", BARE, str(manifest), str(SMALL)] for manifest in manifests]
    running = [subprocess.Popen(line, env=given, stdout=subprocess.PIPE, text=True) for line in lines]
    said = [process.communicate()[0].split() for process in running]
    return [(float(cpu), float(wall)) for cpu, wall in said]


def halves(manifest: Path) -> list[Path]:
    """Every other line, and the rest."""
    lines = manifest.read_text().splitlines()
    found = [manifest.with_suffix(f".{start}") for start in range(2)]
    for start, path in enumerate(found):
        path.write_text("\n".join(lines[start::2]) + "\n")
    return found


def compare(quick: bool, rounds: int) -> Iterator[dict[str, Any]]:
    copies, rounds = (QUICK_COPIES, 1) if quick else (COPIES, rounds)
    with tempfile.TemporaryDirectory(dir=DEMO) as place:  # links need one disk
        folder = Path(place)
        some, many = written(folder, 1), written(folder, copies)
        few = written(folder, 2, COMMAND)
        requests = requests_of(many)
        more = len(requests) - len(requests_of(some))
        gains, machine, costs, each, walls, sizes, same = [], [], [], [], [], [], True
        for turn in range(rounds):
            one, texts = throughput(1, requests)
            two, others = throughput(2, requests)
            gains.append(two / one)
            same = same and texts == others
            alone, together = bare(many, cores=1), bare(*halves(many), cores=1)
            machine.append(alone[0][1] / max(wall for _, wall in together))
            run = command(many, folder / f"many{turn}")[0] - command(some, folder / f"some{turn}")[0]
            costs.append(run / (bare(many)[0][0] - bare(some)[0][0]))
            each.append(run / more * 1000)
            for again in range(COMMANDS):
                walls.append(command(few, folder / f"few{turn}-{again}")[1])
            sizes.append(most_memory(few, folder / f"few{turn}"))
        hours = sum(request.duration or 0 for request in requests) / 3600
        corpus = f"{len(requests):,} utterances, {hours:.1f} h"
        yield figure(
            "workers", corpus, "two over one, utterances a second", gains, "1.7 or more", f"texts equal: {same}"
        )
        yield figure("machine", corpus, "two bare engines over one, utterances a second", machine, "", "")
        yield figure("cpu", corpus, "a whole run over the bare engine, CPU seconds", costs, "1.25 or less", "")
        yield figure("each", corpus, "an additional utterance, CPU milliseconds", each, "", "")
        minutes = sum(request.duration or 0 for request in requests_of(few)) / 60
        said = f"{COMMAND} utterances, {minutes:.0f} min"
        yield figure("command", said, "from typing it to its end, seconds", walls, "25 or less", "")
        yield figure("command", said, "all processes, MiB", sizes, "2,500 or less", "")


def figure(name: str, corpus: str, what: str, found: list[float], wanted: str, beside: str) -> dict[str, Any]:
    spread = f"{min(found):.3g} to {max(found):.3g}"
    return {"part": name, "corpus": corpus, "what": what, "median": statistics.median(found)} | {
        "spread": spread,
        "wanted": wanted,
        "beside": beside,
    }


if __name__ == "__main__":
    main(__doc__ or "", compare)
