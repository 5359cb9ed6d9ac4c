"""The engine against NeMo's own transcribe(), side by side in one run: CPU and wall time, texts, padding.

    python -m benchmarks.engine                 # everything
    python -m benchmarks.engine --quick         # the small checkpoint of the demo only
    python -m benchmarks.engine --json FILE     # the rows for machines

Every contender has a process of its own with one model, loaded and warmed up; they take turns, and the figures are
medians over the rounds. A ratio says how much longer the other one took than the engine.
"""

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from rich.console import Console
from rich.table import Table

from demo.fastconformer import SAMPLE_RATE, Size, configuration
from tasks.audio import BadAudio, load
from tasks.checkpoint import resolve
from tasks.config import Engine
from tasks.engine import hear
from tasks.recogniser import Request, quiet, resident, restored

DEMO = Path(__file__).parent.parent / "demo"
LONGEST = 60.0
# NeMo's published sizes (examples/asr/conf/fastconformer/fast-conformer_ctc_bpe.yaml)
SIZES = {"14 M": Size(176, 16, 4, 176), "115 M": Size(512, 17, 8, 256)}


@dataclass(frozen=True)
class Corpus:
    """Audio files with their lengths in seconds, in no order."""

    name: str
    requests: list[Request]


@dataclass(frozen=True)
class Case:
    """A corpus read by one branch of a checkpoint."""

    corpus: Corpus
    model: str
    checkpoint: Path
    branch: str


@dataclass(frozen=True)
class Turn:
    """What one reading of a corpus took and gave; padding is the share of the model's seconds without audio."""

    cpu: float
    wall: float
    texts: list[str]
    padding: float | None = None


# Each contender is given a case once, and then reads its corpus whenever it is called.


def engine(case: Case) -> Callable[[], tuple[list[str], float]]:
    model = resident(resolve(str(case.checkpoint)), case.branch, LONGEST)

    def read() -> tuple[list[str], float]:
        heard, spent = hear(model, case.corpus.requests, Engine(max_seconds=LONGEST))
        return [one.text or "" for one in heard], 1 - spent["audio_seconds"] / spent["padded_seconds"]

    return read


def nemo(case: Case) -> Any:
    with quiet():
        model = restored(resolve(str(case.checkpoint)), "cpu")
        if case.branch == "ctc" and hasattr(model, "ctc_decoder"):
            model.change_decoding_strategy(decoder_type="ctc", verbose=False)
    return model


def transcribe(case: Case) -> Callable[[], tuple[list[str], None]]:
    model, paths = nemo(case), [request.path for request in case.corpus.requests]
    return lambda: ([h.text for h in model.transcribe(paths, batch_size=32, verbose=False)], None)


def transcribe_presorted(case: Case) -> Callable[[], tuple[list[str], None]]:
    model, requests = nemo(case), case.corpus.requests
    order = sorted(range(len(requests)), key=lambda i: -(requests[i].duration or 0))
    paths = [requests[i].path for i in order]

    def read() -> tuple[list[str], None]:
        said = [h.text for h in model.transcribe(paths, batch_size=32, verbose=False)]
        return [text for _, text in sorted(zip(order, said, strict=True))], None

    return read


def waveforms(case: Case) -> Callable[[], tuple[list[str], None]]:
    """NeMo Curator's way: 32 files, as they come, decoded one by one and given to transcribe()."""
    model, requests = nemo(case), case.corpus.requests

    def read() -> tuple[list[str], None]:
        texts: list[str] = []
        for at in range(0, len(requests), 32):
            clips = [load(r.path, None, None, SAMPLE_RATE, LONGEST).samples for r in requests[at : at + 32]]
            texts += [h.text for h in model.transcribe(clips, batch_size=32, verbose=False)]
        return texts, None

    return read


CONTENDERS = {
    "engine": engine,
    "transcribe(batch_size=32)": transcribe,
    "transcribe, presorted": transcribe_presorted,
    "32 waveforms a call": waveforms,
}


def serve(name: str, case: Case, orders: Connection) -> None:
    """A contender's process: one turn for each order."""
    read = CONTENDERS[name](case)
    while orders.recv():
        cpu, wall = time.process_time(), time.perf_counter()
        texts, padding = read()
        orders.send(Turn(time.process_time() - cpu, time.perf_counter() - wall, texts, padding))


def compare(case: Case, rounds: int) -> list[dict[str, Any]]:
    """The contenders in turn, a round to warm up and then `rounds` that count."""
    processes, lines = [], {}
    context = multiprocessing.get_context("spawn")
    for name in CONTENDERS:
        lines[name], theirs = context.Pipe()
        processes.append(context.Process(target=serve, args=(name, case, theirs), daemon=True))
        processes[-1].start()
    turns: dict[str, list[Turn]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds + 1):
        for name, line in lines.items():
            line.send(True)
            turns[name].append(line.recv())
    for line, process in zip(lines.values(), processes, strict=True):
        line.send(False)
        process.join()
    ours = turns["engine"]
    return [
        {
            "corpus": case.corpus.name,
            "model": f"{case.model}, {case.branch}",
            "precision": "fp32",
            "against": name,
            "cpu_ratio": middle(theirs, ours, "cpu"),
            "wall_ratio": middle(theirs, ours, "wall"),
            "texts_equal": sum(a == b for a, b in zip(ours[-1].texts, theirs[-1].texts, strict=True))
            / len(ours[-1].texts),
            "padding": ours[-1].padding,
            "engine_cpu_seconds": statistics.median(turn.cpu for turn in ours[1:]),
            "rounds": rounds,
        }
        for name, theirs in turns.items()
        if name != "engine"
    ]


def middle(theirs: list[Turn], ours: list[Turn], figure: str) -> float:
    """The median ratio, round by round, so that a machine whose speed drifts does not matter."""
    return statistics.median(getattr(a, figure) / getattr(b, figure) for a, b in zip(theirs[1:], ours[1:], strict=True))


# The corpora and models


def demo_corpus() -> Corpus:
    found = []
    for line in (DEMO / "corpus" / "manifest.jsonl").read_text().splitlines():
        if line.startswith('{"audio_filepath": "audio/') and line.endswith("}"):
            row = json.loads(line)
            path = str(DEMO / "corpus" / row["audio_filepath"])
            try:
                load(path, row.get("offset"), row.get("duration"), SAMPLE_RATE, LONGEST)
            except BadAudio:
                continue
            if row.get("offset") is None and row["text"]:
                found.append(Request(path, None, row.get("duration")))
    return Corpus("demo", found)


def librispeech_like(folder: Path, utterances: int) -> Corpus:
    """Flac files of demo speech, 1 to 17 s long with most of them long, as in LibriSpeech's training sets."""
    pick = np.random.default_rng(7)
    speech = [load(r.path, None, None, SAMPLE_RATE, LONGEST).samples for r in demo_corpus().requests[:150]]
    requests = []
    for i in range(utterances):
        samples = np.concatenate([speech[j] for j in pick.permutation(len(speech))[:12]])
        samples = samples[: int((1 + 16 * pick.beta(2.5, 1.3)) * SAMPLE_RATE)]
        path = folder / f"{i:04}.flac"
        soundfile.write(path, samples, SAMPLE_RATE)
        requests.append(Request(str(path), None, len(samples) / SAMPLE_RATE))
    return Corpus("LibriSpeech-like", requests)


def random_weights(name: str, folder: Path, corpus: Corpus) -> Path:
    """A FastConformer-CTC of a published size; its blank is as likely as lets three to four tokens a second through."""
    import torch

    with quiet():
        from nemo.collections.asr.models import EncDecCTCModelBPE
        from omegaconf import OmegaConf

        with tarfile.open(DEMO / "small.nemo") as archive:
            archive.extractall(folder, filter="data")
        for file in folder.iterdir():
            if "_tokenizer." in file.name or "_vocab." in file.name:
                file.rename(folder / file.name.partition("_")[2])
        torch.manual_seed(0)
        model = EncDecCTCModelBPE(cfg=OmegaConf.create(configuration(SIZES[name], folder, hybrid=False))).eval()
        clip = load(corpus.requests[0].path, None, None, SAMPLE_RATE, LONGEST)
        wave, length = torch.from_numpy(clip.samples)[None], torch.tensor([len(clip.samples)])
        with torch.inference_mode():
            features, frames = model.preprocessor(input_signal=wave, length=length)
            encoded, _ = model.encoder(audio_signal=features, length=frames)
            scores = model.decoder(encoder_output=encoded)[0]
            margin = (scores[:, :-1].max(-1).values - scores[:, -1]).sort(descending=True).values
            model.decoder.decoder_layers[0].bias[-1] += margin[min(int(3.5 * clip.seconds), len(margin) - 1)]
        path = folder / f"{name.replace(' ', '')}.nemo"
        model.save_to(str(path))
    return path


def cases(folder: Path, quick: bool) -> list[Case]:
    demo = demo_corpus()
    small = Case(demo, "demo small", DEMO / "small.nemo", "ctc")
    if quick:
        return [small]
    large = [Case(demo, "demo large", DEMO / "large.nemo", branch) for branch in ("transducer", "ctc")]
    made = []
    for name, utterances in (("14 M", 96), ("115 M", 32)):
        place = folder / name.replace(" ", "")
        (place / "audio").mkdir(parents=True)
        corpus = librispeech_like(place / "audio", utterances)
        made.append(Case(corpus, f"{name}, random weights", random_weights(name, place, corpus), "ctc"))
    return [small, *large, *made]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the small checkpoint of the demo only, three rounds")
    parser.add_argument("--rounds", type=int, help="rounds that count (5; 3 with --quick)")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args()
    rounds = options.rounds or (3 if options.quick else 5)
    console = Console(width=120)
    console.print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, medians of {rounds} rounds")
    table = Table("corpus", "model", "against", "CPU ratio", "wall ratio", "texts equal", "padding")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(Path(folder), options.quick):
            for row in compare(case, rounds):
                rows.append(row)
                shares = (f"{row['texts_equal']:.1%}", f"{row['padding']:.1%}")
                ratios = (f"{row['cpu_ratio']:.2f}", f"{row['wall_ratio']:.2f}")
                table.add_row(row["corpus"], row["model"], row["against"], *ratios, *shares)
    console.print(table)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
