"""NeMo's engine compared with its own transcribe(): CPU and wall-clock time, texts, padding and memory.

`benchmarks.libraries` compares the other engines.

    python -m benchmarks.engine                 # everything
    python -m benchmarks.engine --quick         # the demo's checkpoints, a twelfth of its utterances
    python -m benchmarks.engine --json FILE     # also write the rows to a file

Each contender runs in its own process with one model, loaded and warmed up; they take turns. With `--quick` they share
a process, so that their memory is not told apart. A ratio is the other contender's time divided by the engine's.
`of wall in model` is the fraction of the engine's wall-clock time that its threads spend in the model; the rest is
decoding that does not overlap with it.

The engine itself scores no text. `references scored` is the engine as a run has it, which also computes how likely each
reference is; `planted errors scored` has the references and the texts with errors that a run plants into a sample of
some 500 of them. A model of random weights reads nothing right, so it computes all of them.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Literal

from benchmarks.corpora import DEMO, MAX_SECONDS, Corpus, demo_corpus, librispeech_like, random_weights
from benchmarks.turns import Turn, Work, equal_texts, main, ratio, take_turns, take_turns_here
from winnow.audio.decode import load_clip
from winnow.engines.engine import Request
from winnow.engines.inference import expected_seconds, plan_calls, transcribe_requests
from winnow.engines.model_cache import get_model
from winnow.engines.nemo.model import NemoModel, restore_model
from winnow.engines.precision import bf16_speedup
from winnow.evidence.planting import Pool, errors_in, units
from winnow.models.resolve import resolve
from winnow.parameters.engine import EngineOptions


@dataclass(frozen=True)
class Case:
    """A corpus, and how a checkpoint transcribes it; `branch` is the decoder, None for the model's default."""

    corpus: Corpus
    model: str
    checkpoint: Path
    branch: str | None = None
    precision: str = "fp32"
    batch_seconds: float | None = None
    cuda_graphs: bool | None = None

    @property
    def options(self) -> EngineOptions:
        """The options of Winnow's engine for this case."""
        return EngineOptions(
            max_seconds=MAX_SECONDS,
            decoder=self.branch,
            precision=self.precision,
            batch_seconds=self.batch_seconds,
            cuda_graphs=self.cuda_graphs,
        )


# A contender prepares a case once and returns the work of a turn, which transcribes the corpus.


def engine(case: Case, texts: Literal["none", "references", "planted"] = "none") -> Work:
    """Winnow's engine, which scores these texts."""
    model = get_model(resolve(str(case.checkpoint), trust_unpinned=True), case.options)
    requests = case.corpus.requests
    if texts == "none":
        requests = [replace(request, texts=()) for request in requests]
    if texts == "planted":
        requests = with_planted_errors(requests)

    def turn() -> tuple[list[str], dict[str, Any]]:
        results, spent = transcribe_requests(model, requests, case.options)
        return [result.hypothesis.text if result.hypothesis else "" for result in results], spent

    return turn


def with_planted_errors(requests: list[Request]) -> list[Request]:
    """Return requests which also have their references with an error of each kind."""
    references = [text for request in requests for text in request.texts]
    pool = Pool([word for text in references for word in units(text)], references)
    errors = [
        errors_in(request.texts[0], pool, Random(number), request.comparison, request.text_language)
        for number, request in enumerate(requests)
    ]
    return [
        replace(request, texts=(*request.texts, *(error.text for error in own)))
        for request, own in zip(requests, errors, strict=True)
    ]


def load_nemo_model(case: Case) -> Any:
    """Return the checkpoint as NeMo restores it."""
    import torch

    from winnow.engines.nemo.nemo_import import silence_nemo

    with silence_nemo():
        checkpoint = resolve(str(case.checkpoint), trust_unpinned=True)
        model = restore_model(checkpoint, "cuda" if torch.cuda.is_available() else "cpu")
        if case.branch == "ctc":
            model.change_decoding_strategy(decoder_type="ctc", verbose=False)
        if torch.cuda.is_available() and case.precision == "bf16":
            model.to(torch.bfloat16)  # as is usual on a GPU
    return model


def nemo_transcribe(case: Case) -> Work:
    """NeMo's transcribe() on the unsorted files."""
    model, paths = load_nemo_model(case), [request.path for request in case.corpus.requests]
    return lambda: ([h.text for h in model.transcribe(paths, batch_size=32, verbose=False)], {})


def nemo_transcribe_sorted(case: Case) -> Work:
    """NeMo's transcribe() on the files sorted by duration."""
    model, requests = load_nemo_model(case), case.corpus.requests
    order = sorted(range(len(requests)), key=lambda i: -(requests[i].duration or 0))
    paths = [requests[i].path for i in order]

    def turn() -> tuple[list[str], dict[str, Any]]:
        texts = [h.text for h in model.transcribe(paths, batch_size=32, verbose=False)]
        return [text for _, text in sorted(zip(order, texts, strict=True))], {}

    return turn


def nemo_waveforms(case: Case) -> Work:
    """As NeMo Curator does: 32 files in the manifest's order, decoded one after the other, for each transcribe()."""
    model, requests = load_nemo_model(case), case.corpus.requests
    rate = int(model.cfg.sample_rate)

    def turn() -> tuple[list[str], dict[str, Any]]:
        texts: list[str] = []
        for start in range(0, len(requests), 32):
            clips = [load_clip(r.path, None, None, rate, MAX_SECONDS).samples for r in requests[start : start + 32]]
            texts += [h.text for h in model.transcribe(clips, batch_size=32, verbose=False)]
        return texts, {}

    return turn


def forward_only(case: Case) -> Work:
    """Time the lower bound: the engine's batches, already on the device, through features and encoder only."""
    import torch

    model = NemoModel(resolve(str(case.checkpoint), trust_unpinned=True), case.options)
    requests = case.corpus.requests
    groups = plan_calls([expected_seconds(request) for request in requests], model.batch_limits, 1)
    waves = [
        model.to_device(
            [load_clip(requests[i].path, None, None, model.sample_rate, MAX_SECONDS).samples for i in group]
        )
        for group in groups
    ]

    def turn() -> tuple[list[str], dict[str, Any]]:
        with torch.inference_mode():
            for wave in waves:
                model.encode(*wave)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
        return [""] * len(requests), {}

    return turn


WITH_EVIDENCE: dict[str, Callable[[Case], Work]] = {
    "references scored": partial(engine, texts="references"),
    "planted errors scored": partial(engine, texts="planted"),
}

NEMO: dict[str, Callable[[Case], Work]] = {
    "transcribe(batch_size=32)": nemo_transcribe,
    "transcribe, sorted": nemo_transcribe_sorted,
    "32 waveforms per call": nemo_waveforms,
}


def compare(quick: bool, rounds: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each case and contender."""
    import torch

    floor = {"forward only": forward_only} if torch.cuda.is_available() else {}
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(Path(folder), quick):
            if quick:
                turns = take_turns_here({"engine": engine, **WITH_EVIDENCE, **quick_others(case)}, case, rounds)
            else:
                turns = take_turns({"engine": engine, **WITH_EVIDENCE, **NEMO, **floor}, case, rounds)
            ours = turns.pop("engine")
            for name, theirs in turns.items():
                yield result_row(case, name, theirs, ours)


def quick_others(case: Case) -> dict[str, Callable[[Case], Work]]:
    """Return one of NeMo's contenders, for the small model only."""
    return {"transcribe, sorted": nemo_transcribe_sorted} if case.checkpoint.stem == "small" else {}


def result_row(case: Case, name: str, theirs: list[Turn], ours: list[Turn]) -> dict[str, Any]:
    facts = ours[-1].facts
    return {
        "corpus": case.corpus.name,
        "model": f"{case.model}, {case.branch or case.checkpoint.stem}",
        "precision": facts["precision"],
        "against": name,
        "cpu_ratio": ratio(theirs, ours, "cpu"),
        "wall_ratio": ratio(theirs, ours, "wall"),
        "texts_equal": equal_texts(theirs, ours),
        "padding": 1 - facts["audio_seconds"] / facts["padded_seconds"],
        "of_wall_in_model": facts["model_seconds"] / facts["threads"] / facts["seconds"],
        "rtfx": facts["audio_seconds"] / facts["seconds"],
        "mebibytes": ours[-1].mebibytes,
        "their_mebibytes": theirs[-1].mebibytes,
    }


def cases(folder: Path, quick: bool) -> Iterator[Case]:
    """Yield the cases for this device; corpora and models of realistic size are written into the folder."""
    import torch

    demo = demo_corpus(every=12 if quick else 1)
    yield Case(demo, "demo small", DEMO / "small.nemo")
    if quick:
        yield Case(demo, "demo large", DEMO / "large.nemo")
        return
    for branch in (None, "ctc"):
        yield Case(demo, "demo large", DEMO / "large.nemo", branch)
    if torch.cuda.is_available():
        sizes = {"115 M": (4_000, ("bf16",)), "0.6 B": (2_000, ("bf16",))}
    else:
        both = ("fp32", "bf16") if bf16_speedup() >= 1 else ("fp32",)  # bf16 only on a CPU that it makes faster
        sizes = {"14 M": (96, both), "115 M": (32, ("fp32",))}
    for name, (utterances, precisions) in sizes.items():
        case_folder = folder / name.replace(" ", "")
        (case_folder / "audio").mkdir(parents=True)
        corpus = librispeech_like(case_folder / "audio", utterances)
        for kind in ("ctc", "tdt") if torch.cuda.is_available() else ("ctc",):
            checkpoint = random_weights(name, kind, case_folder, corpus)
            for precision in precisions:
                yield Case(corpus, f"{name}, random weights", checkpoint, precision=precision)


if __name__ == "__main__":
    main(__doc__ or "", compare)
