"""The engine against NeMo's own transcribe(), side by side in one run: CPU and wall time, texts, padding, memory.

    python -m benchmarks.engine                 # everything
    python -m benchmarks.engine --quick         # the small checkpoint of the demo only
    python -m benchmarks.engine --json FILE     # the rows for machines

Every contender has a process of its own with one model, loaded and warmed up; they take turns. A ratio says how many
times as long the other one took as the engine. `of wall in model` is how much of the engine's wall time its lanes spent
in the model: the rest is what decoding did not hide.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.corpora import DEMO, LONGEST, Corpus, demo_corpus, librispeech_like, random_weights
from benchmarks.turns import Turn, Work, equal, main, ratio, take
from winnow.audio.decode import load_clip
from winnow.engines.inference import plan_calls, transcribe_requests
from winnow.engines.model_cache import get_model
from winnow.engines.nemo.model import NemoModel, restore_model
from winnow.engines.nemo.precision import bf16_speedup
from winnow.models.resolve import resolve
from winnow.parameters.engine import EngineOptions


@dataclass(frozen=True)
class Case:
    """A corpus read by one branch of a checkpoint; the engine's precision, and what the others are given."""

    corpus: Corpus
    model: str
    checkpoint: Path
    branch: str | None = None
    precision: str = "fp32"
    batch_seconds: float | None = None

    @property
    def options(self) -> EngineOptions:
        return EngineOptions(
            max_seconds=LONGEST, decoder=self.branch, precision=self.precision, batch_seconds=self.batch_seconds
        )


# Each contender is given a case once, and then reads its corpus whenever it is called.


def engine(case: Case) -> Work:
    model = get_model(resolve(str(case.checkpoint), trust_unpinned=True), case.options)

    def read() -> tuple[list[str], dict[str, Any]]:
        heard, spent = transcribe_requests(model, case.corpus.requests, case.options)
        return [one.hypothesis.text if one.hypothesis else "" for one in heard], spent

    return read


def nemo(case: Case) -> Any:
    import torch

    from winnow.engines.nemo.nemo_import import silence_nemo

    with silence_nemo():
        checkpoint = resolve(str(case.checkpoint), trust_unpinned=True)
        model = restore_model(checkpoint, "cuda" if torch.cuda.is_available() else "cpu")
        if case.branch == "ctc":
            model.change_decoding_strategy(decoder_type="ctc", verbose=False)
        if torch.cuda.is_available() and case.precision == "bf16":
            model.to(torch.bfloat16)  # as its users do on a GPU
    return model


def transcribe(case: Case) -> Work:
    model, paths = nemo(case), [request.path for request in case.corpus.requests]
    return lambda: ([h.text for h in model.transcribe(paths, batch_size=32, verbose=False)], {})


def transcribe_presorted(case: Case) -> Work:
    model, requests = nemo(case), case.corpus.requests
    order = sorted(range(len(requests)), key=lambda i: -(requests[i].duration or 0))
    paths = [requests[i].path for i in order]

    def read() -> tuple[list[str], dict[str, Any]]:
        said = [h.text for h in model.transcribe(paths, batch_size=32, verbose=False)]
        return [text for _, text in sorted(zip(order, said, strict=True))], {}

    return read


def waveforms(case: Case) -> Work:
    """NeMo Curator's way: 32 files, as they come, decoded one by one and given to transcribe()."""
    model, requests = nemo(case), case.corpus.requests
    rate = int(model.cfg.sample_rate)

    def read() -> tuple[list[str], dict[str, Any]]:
        texts: list[str] = []
        for at in range(0, len(requests), 32):
            clips = [load_clip(r.path, None, None, rate, LONGEST).samples for r in requests[at : at + 32]]
            texts += [h.text for h in model.transcribe(clips, batch_size=32, verbose=False)]
        return texts, {}

    return read


def forward_only(case: Case) -> Work:
    """The floor: the engine's batches, already on the device, through features and encoder, and no texts."""
    import torch

    model = NemoModel(resolve(str(case.checkpoint), trust_unpinned=True), case.options)
    requests = case.corpus.requests
    groups = plan_calls(requests, model.batch_limits, 1)
    waves = [
        model.to_device([load_clip(requests[i].path, None, None, model.sample_rate, LONGEST).samples for i in group])
        for group in groups
    ]

    def read() -> tuple[list[str], dict[str, Any]]:
        with torch.inference_mode():
            for wave in waves:
                model.encode(*wave)
            torch.cuda.synchronize()
        return [""] * len(requests), {}

    return read


OTHERS: dict[str, Callable[[Case], Work]] = {
    "transcribe(batch_size=32)": transcribe,
    "transcribe, presorted": transcribe_presorted,
    "32 waveforms a call": waveforms,
}


def compare(quick: bool, rounds: int) -> Iterator[dict[str, Any]]:
    import torch

    floor = {"forward only": forward_only} if torch.cuda.is_available() else {}
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(Path(folder), quick):
            turns = take({"engine": engine, **OTHERS, **floor}, case, rounds)
            ours = turns.pop("engine")
            for name, theirs in turns.items():
                yield row(case, name, theirs, ours)


def row(case: Case, name: str, theirs: list[Turn], ours: list[Turn]) -> dict[str, Any]:
    facts = ours[-1].facts
    return {
        "corpus": case.corpus.name,
        "model": f"{case.model}, {case.branch or case.checkpoint.stem}",
        "precision": facts["precision"],
        "against": name,
        "cpu_ratio": ratio(theirs, ours, "cpu"),
        "wall_ratio": ratio(theirs, ours, "wall"),
        "texts_equal": equal(theirs, ours),
        "padding": 1 - facts["audio_seconds"] / facts["padded_seconds"],
        "of_wall_in_model": facts["model_seconds"] / facts["threads"] / facts["seconds"],
        "rtfx": facts["audio_seconds"] / facts["seconds"],
        "mebibytes": ours[-1].mebibytes,
        "their_mebibytes": theirs[-1].mebibytes,
    }


def cases(folder: Path, quick: bool) -> Iterator[Case]:
    import torch

    demo = demo_corpus()
    yield Case(demo, "demo small", DEMO / "small.nemo")
    if quick:
        return
    for branch in (None, "ctc"):
        yield Case(demo, "demo large", DEMO / "large.nemo", branch)
    if torch.cuda.is_available():
        sizes = {"115 M": (4_000, ("bf16",)), "0.6 B": (2_000, ("bf16",))}
    else:
        both = ("fp32", "bf16") if bf16_speedup() >= 1 else ("fp32",)  # slower in bf16, a CPU is not asked to
        sizes = {"14 M": (96, both), "115 M": (32, ("fp32",))}
    for name, (utterances, precisions) in sizes.items():
        place = folder / name.replace(" ", "")
        (place / "audio").mkdir(parents=True)
        corpus = librispeech_like(place / "audio", utterances)
        for kind in ("ctc", "tdt") if torch.cuda.is_available() else ("ctc",):
            checkpoint = random_weights(name, kind, place, corpus)
            for precision in precisions:
                yield Case(corpus, f"{name}, random weights", checkpoint, precision=precision)


if __name__ == "__main__":
    main(__doc__ or "", compare)
