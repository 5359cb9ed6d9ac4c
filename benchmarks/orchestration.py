"""The cost and gain of Prefect and Dask: a whole run compared with the bare engine, two workers with one.

    python -m benchmarks.orchestration                # eight copies of the demo corpus: 3,528 utterances
    python -m benchmarks.orchestration --quick        # two copies, one round
    python -m benchmarks.orchestration --json FILE    # also write the rows to a file

- `workers`: throughput of two local workers with one core each, divided by that of one, after their models are loaded.
- `machine`: the same ratio for bare engines in separate processes, which is the most that two cores can gain.
- `cpu`: CPU seconds that all processes of `winnow curate` take for additional utterances, divided by those of the bare
  engine; start-up is excluded from both.
- `each`: CPU milliseconds of `winnow curate` per additional utterance.
- `command`: 600 utterances with the small checkpoint alone, from start to end of the command, three times per round. A
  further run measures memory, because sampling it takes time: the sum over all processes, shared pages counted once.
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
COMMAND_UTTERANCES = 600
COMMANDS_PER_ROUND = 3
CHUNK = 110  # utterances per task of a worker

BARE = """
import json, sys, time
from pathlib import Path
from winnow.engines.isolation import transcribe_here
from winnow.models.resolve import resolve
from winnow.parameters.engine import EngineOptions
from winnow.engines.engine import Request
rows = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
requests = [Request(row["audio_filepath"], None, row["duration"]) for row in rows]
transcribe_here(resolve(sys.argv[2], trust_unpinned=True), EngineOptions(), requests[:20])
cpu, wall = time.process_time(), time.perf_counter()
transcribe_here(resolve(sys.argv[2], trust_unpinned=True), EngineOptions(), requests)
print(time.process_time() - cpu, time.perf_counter() - wall)
"""


def write_manifest(folder: Path, copies: int, most: int | None = None) -> Path:
    """Write a manifest of `copies` of the demo corpus, with links to its audio; `most` limits its lines."""
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


def read_requests(manifest: Path) -> list[Request]:
    """Return the requests for a manifest's utterances."""
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    return [Request(row["audio_filepath"], None, row["duration"]) for row in rows]


def transcribe_chunk(requests: list[Request], checkpoint: Checkpoint, *, device: str, isolated: bool) -> list[str]:
    """Transcribe in a worker."""
    results, _ = transcribe_here(checkpoint, EngineOptions(), requests)
    return [result.hypothesis.text if result.hypothesis else "" for result in results]


def worker_throughput(workers: int, requests: list[Request]) -> tuple[float, list[str]]:
    """Return utterances per second of this many workers with one core each, and the texts."""
    checkpoint = resolve(str(SMALL), trust_unpinned=True)
    os.environ["WINNOW_CORES"] = str(workers)
    settings = Curation(manifest="a", output="a", small="a", devices="local", dask=Dask(workers=workers))
    chunks = [requests[i : i + CHUNK] for i in range(0, len(requests), CHUNK)]
    try:
        with open_executor(settings) as devices, ThreadPoolExecutor(workers) as threads:
            for i in range(workers):
                devices.run(transcribe_chunk, requests[:20], checkpoint, placement=Placement(device_id=f"cpu:{i}"))
            began = time.perf_counter()
            texts = list(threads.map(lambda chunk: devices.run(transcribe_chunk, chunk, checkpoint), chunks))
            return len(requests) / (time.perf_counter() - began), [text for chunk in texts for text in chunk]
    finally:
        del os.environ["WINNOW_CORES"]


def time_command(manifest: Path, output: Path) -> tuple[float, float]:
    """Return CPU and wall-clock seconds of a run of the command, over all its processes."""
    before, began = children_cpu_seconds(), time.perf_counter()
    wait_for(start_command(manifest, output))
    return children_cpu_seconds() - before, time.perf_counter() - began


def peak_memory(manifest: Path, output: Path) -> float:
    """Return the peak memory (MiB) of a run of the command, over all its processes."""
    process, peak = start_command(manifest, output), 0.0
    while process.poll() is None:
        peak = max(peak, memory_of(process.pid))
        time.sleep(0.25)
    wait_for(process)
    return peak


def start_command(manifest: Path, output: Path) -> subprocess.Popen[bytes]:
    """Start `winnow curate`."""
    command = [sys.executable, "-P", "-m", "cli.app"]
    command += ["curate", str(manifest), "--output", str(output), "--small", str(SMALL), "--trust-unpinned"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def wait_for(process: subprocess.Popen[bytes]) -> None:
    """Wait for the command; raises RuntimeError with its output if it fails."""
    _, output = process.communicate()
    if process.returncode:
        raise RuntimeError(output.decode())


def children_cpu_seconds() -> float:
    """Return the CPU seconds of all finished child processes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def memory_of(pid: int) -> float:
    """Return the memory (MiB) of a process and its descendants; shared pages count once."""
    total = 0
    with suppress(psutil.Error):
        for process in [(top := psutil.Process(pid)), *top.children(recursive=True)]:
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
    return total / 2**20


def time_bare_engine(*manifests: Path, cores: int | None = None) -> list[tuple[float, float]]:
    """Return CPU and wall-clock seconds of the bare engine, one process per manifest, all at once."""
    environment = os.environ | ({"WINNOW_CORES": str(cores)} if cores else {})
    commands = [[sys.executable, "-P", "-c", BARE, str(manifest), str(SMALL)] for manifest in manifests]
    processes = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for command in commands]
    outputs = [process.communicate()[0].split() for process in processes]
    return [(float(cpu), float(wall)) for cpu, wall in outputs]


def split_manifest(manifest: Path) -> list[Path]:
    """Split a manifest into two, line by line."""
    lines = manifest.read_text().splitlines()
    halves = [manifest.with_suffix(f".{start}") for start in range(2)]
    for start, path in enumerate(halves):
        path.write_text("\n".join(lines[start::2]) + "\n")
    return halves


def compare(quick: bool, rounds: int) -> Iterator[dict[str, Any]]:
    """Measure everything for some rounds, then yield a row for each figure."""
    copies, rounds = (QUICK_COPIES, 1) if quick else (COPIES, rounds)
    with tempfile.TemporaryDirectory(dir=DEMO) as name:  # hard links must stay on one disk
        folder = Path(name)
        base, large = write_manifest(folder, 1), write_manifest(folder, copies)
        fixed = write_manifest(folder, 2, COMMAND_UTTERANCES)
        requests = read_requests(large)
        additional = len(requests) - len(read_requests(base))
        worker_gains, machine_gains, cpu_ratios, each_ms, command_seconds, command_mib = [], [], [], [], [], []
        texts_equal = True
        for turn in range(rounds):
            one_worker, texts = worker_throughput(1, requests)
            two_workers, other_texts = worker_throughput(2, requests)
            worker_gains.append(two_workers / one_worker)
            texts_equal = texts_equal and texts == other_texts
            alone, together = time_bare_engine(large, cores=1), time_bare_engine(*split_manifest(large), cores=1)
            machine_gains.append(alone[0][1] / max(wall for _, wall in together))
            run = time_command(large, folder / f"large{turn}")[0] - time_command(base, folder / f"base{turn}")[0]
            cpu_ratios.append(run / (time_bare_engine(large)[0][0] - time_bare_engine(base)[0][0]))
            each_ms.append(run / additional * 1000)
            for number in range(COMMANDS_PER_ROUND):
                command_seconds.append(time_command(fixed, folder / f"fixed{turn}-{number}")[1])
            command_mib.append(peak_memory(fixed, folder / f"fixed{turn}"))
        corpus, sample = describe_corpus(requests), describe_corpus(read_requests(fixed))
        yield result_row("workers", corpus, "throughput, two workers / one", worker_gains, "1.7 or more") | {
            "note": f"texts equal: {texts_equal}"
        }
        yield result_row("machine", corpus, "throughput, two bare engines / one", machine_gains)
        yield result_row("cpu", corpus, "CPU seconds, whole run / bare engine", cpu_ratios, "1.25 or less")
        yield result_row("each", corpus, "CPU milliseconds per additional utterance", each_ms)
        yield result_row("command", sample, "seconds from start to end", command_seconds, "25 or less")
        yield result_row("command", sample, "MiB of all processes", command_mib, "2,500 or less")


def describe_corpus(requests: list[Request]) -> str:
    """Return the number of utterances and their hours."""
    return f"{len(requests):,} utterances, {sum(request.duration or 0 for request in requests) / 3600:.1f} h"


def result_row(part: str, corpus: str, figure: str, values: list[float], target: str = "") -> dict[str, Any]:
    """Return a row with the median and spread of a figure over the rounds, and its target."""
    spread = f"{min(values):.3g} to {max(values):.3g}"
    row = {"part": part, "corpus": corpus, "figure": figure, "median": statistics.median(values), "spread": spread}
    return row | {"target": target, "note": ""}


if __name__ == "__main__":
    main(__doc__ or "", compare)
