"""All that has to be measured on a GPU, in under eight minutes: speed, floor, evidence, memory, shares, graphs, texts.

    python -m benchmarks.gpu                 # into benchmarks/results/gpu-NAME.json, with the name of the GPU
    python -m benchmarks.gpu --quick         # the same on the CPU at toy size, in about two minutes; writes no file
    python -m benchmarks.gpu --parts memory texts

Every part has a process of its own and a budget in seconds, after which it is killed: the rows that it has so far stay.
What fails is a row with its error, and stops nothing. No network is needed: the models are the demo's checkpoints, and
random weights in the published sizes of 115 M and 0.6 B parameters, as CTC, RNNT and TDT models, in bf16.

A ratio is the other contender's time divided by the engine's. `forward only` is the floor: the engine's batches, which
are on the device already, through features and encoder.
"""

import argparse
import json
import multiprocessing
import os
import re
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.corpora import Corpus, demo_corpus, librispeech_like
from benchmarks.gpu_parts import Measure, Row, engine_part, graphs, has_gpu, memory, shares, texts
from benchmarks.turns import device

RESULTS = Path(__file__).parent / "results"
UTTERANCES = 600  # of 1 to 17 s, in every part but that of texts
QUICK_EVERY = 40  # one in so many of the demo's utterances, with --quick


@dataclass(frozen=True)
class Part:
    """A part: what it measures, and the seconds after which it is killed."""

    measure: Measure
    budget: float


PARTS = {
    "115 M ctc": Part(engine_part("115 M", "ctc"), 45),
    "115 M rnnt": Part(engine_part("115 M", "rnnt"), 45),
    "115 M tdt": Part(engine_part("115 M", "tdt"), 45),
    "memory": Part(memory, 45),
    "shares": Part(shares, 40),
    "graphs": Part(graphs, 40),
    "texts": Part(texts, 45),
    "0.6 B ctc": Part(engine_part("0.6 B", "ctc"), 50),
    "0.6 B tdt": Part(engine_part("0.6 B", "tdt"), 55),
    "0.6 B rnnt": Part(engine_part("0.6 B", "rnnt"), 55),
}
"""In the order in which they run: what matters most comes first, in case the machine is needed for something else."""


def run_part(measure: Measure, folder: Path, corpus: Corpus, quick: bool, results: Connection) -> None:
    """Send every row of a part; the process of the part runs this."""
    os.setpgrp()  # so that it is killed with the processes that it started
    try:
        for row in measure(folder, corpus, quick):
            results.send(row)
    except Exception as error:
        results.send({"error": f"{type(error).__name__}: {error}"})
    os._exit(0)  # what a forked process inherits from its parent must not run at its end


def measure_part(part: Part, folder: Path, corpus: Corpus, quick: bool) -> Iterator[Row]:
    """Yield the rows of a part as they come, and at the end how long it took."""
    context = multiprocessing.get_context("fork" if quick else "spawn")  # a forked process cannot use CUDA
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=run_part, args=(part.measure, folder, corpus, quick, sender))
    began = time.monotonic()
    process.start()
    sender.close()
    try:
        while receiver.poll(max(0.0, began + part.budget - time.monotonic())):
            yield receiver.recv()
        yield {"error": f"killed after its {part.budget:g} s"}
    except EOFError:
        process.join()
        if process.exitcode:
            yield {"error": f"its process ended with exit code {process.exitcode}"}
    finally:
        if process.is_alive():
            os.killpg(process.pid or 0, signal.SIGKILL)
        process.join()
    yield {"seconds": round(time.monotonic() - began, 1)}


def measure_all(parts: dict[str, Part], quick: bool) -> Iterator[tuple[Row, list[Row]]]:
    """Yield each row with all rows so far; it replaces an earlier one of the same part, case and contender."""
    rows: dict[tuple[Any, ...], Row] = {}
    with tempfile.TemporaryDirectory() as folder:
        corpus = demo_corpus(QUICK_EVERY) if quick else librispeech_like(Path(folder), UTTERANCES)
        for number, (name, part) in enumerate(parts.items()):
            own = Path(folder) / f"part{number}"
            own.mkdir()
            for row in measure_part(part, own, corpus, quick):
                key = (name, row.get("case"), row.get("against"), *row.keys() & {"error", "seconds"})
                rows[key] = {"part": name} | row
                yield rows[key], list(rows.values())


def describe(row: Row) -> str:
    """Return a row in one line."""
    values = (f"{name.replace('_', ' ')} {shown(value)}" for name, value in row.items() if name != "part")
    return f"{row['part']}: {', '.join(values)}"


def shown(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def result_file(device: str) -> Path:
    """Return the file for the results of a GPU."""
    return RESULTS / f"gpu-{re.sub('[^a-z0-9]+', '-', device.lower()).strip('-')}.json"


def prepare(quick: bool) -> str:
    """Hide the GPU and import NeMo once for all processes, if the CPU is to be tried; return the device's name."""
    if not quick:
        return device()
    from winnow.engines.nemo.nemo_import import import_asr_models

    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import_asr_models()
    return "CPU, at toy size"


def main() -> None:
    """Run the benchmark as a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="everything on the CPU at toy size")
    parser.add_argument("--parts", nargs="+", choices=PARTS, help="only these parts")
    parser.add_argument("--json", type=Path, help="write the rows to this file instead")
    options = parser.parse_args()
    if not options.quick and not has_gpu():
        parser.error("this machine has no GPU: --quick tries everything on the CPU")
    began, console = time.monotonic(), Console(width=200, soft_wrap=True)
    names = options.parts or [name for name in PARTS if not (options.quick and name.startswith("0.6 B"))]
    name = prepare(options.quick)
    target = options.json or (None if options.quick else result_file(name))
    console.print(name, markup=False)
    for row, rows in measure_all({part: PARTS[part] for part in names}, options.quick):
        console.print(describe(row), markup=False, highlight=False)
        if target:
            target.write_text(json.dumps([{"device": name, **each} for each in rows], indent=1) + "\n")
    console.print(f"{time.monotonic() - began:.0f} s in all")


if __name__ == "__main__":
    main()
