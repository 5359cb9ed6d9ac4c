"""What `benchmarks.gpu` measures, part by part, in a process for each."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.corpora import DEMO, Corpus, demo_corpus, random_weights
from benchmarks.engine import Case, engine, forward_only, nemo_transcribe_sorted
from benchmarks.turns import Turn, Work, equal_texts, ratio, take_turn
from winnow.engines.inference import transcribe_requests
from winnow.engines.model_cache import get_model
from winnow.models.resolve import resolve

Row = dict[str, Any]
Measure = Callable[[Path, Corpus, bool], Iterator[Row]]
Contenders = dict[str, Callable[[Case], Work]]
ROUNDS = 3
GIB = 2**30


def has_gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def random_case(size: str, kind: str, folder: Path, corpus: Corpus, quick: bool) -> Case:
    """Return a model of random weights, in bf16 on a GPU; with `quick`, a tiny one."""
    checkpoint = random_weights("toy" if quick else size, kind, folder, corpus)
    return Case(corpus, f"{'toy' if quick else size} {kind}", checkpoint, precision="bf16" if has_gpu() else "fp32")


def engine_part(size: str, kind: str) -> Measure:
    """Return the part that compares the engine with transcribe(), with its floor, and with itself with evidence."""
    return partial(compare_engine, size, kind)


def compare_engine(size: str, kind: str, folder: Path, corpus: Corpus, quick: bool) -> Iterator[Row]:
    case = random_case(size, kind, folder, corpus, quick)
    others = {
        "transcribe, sorted": nemo_transcribe_sorted,
        "forward only": forward_only,
        "references scored": partial(engine, texts="references"),
        "planted errors scored": partial(engine, texts="planted"),
    }
    yield from compare(case, others, 1 if quick else ROUNDS)


def compare(case: Case, others: Contenders, rounds: int, first: Callable[[Case], Work] = engine) -> Iterator[Row]:
    """Yield a row for each contender after each round; one that fails has a row with its error, and is left out."""
    works: dict[str, Work] = {"engine": first(case)}
    take_turn(works["engine"])
    for name, make in others.items():
        try:
            works[name] = make(case)
            take_turn(works[name])
        except Exception as error:
            works.pop(name, None)
            yield {"case": case.model, "against": name, "error": f"{type(error).__name__}: {error}"}
    turns: dict[str, list[Turn]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            turns[name].append(take_turn(work))
        for name in turns.keys() - {"engine"}:
            yield row_of(case, name, turns[name], turns["engine"])


def row_of(case: Case, name: str, theirs: list[Turn], ours: list[Turn]) -> Row:
    """Return what the rounds so far say about a contender and the engine."""
    facts = ours[-1].facts
    return {
        "case": case.model,
        "against": name,
        "precision": facts["precision"],
        "wall_ratio": ratio(theirs, ours, "wall"),
        "cpu_ratio": ratio(theirs, ours, "cpu"),
        "texts_equal": None if name == "forward only" else equal_texts(theirs, ours),
        "rtfx": facts["audio_seconds"] / facts["seconds"],
        "of_wall_in_model": facts["model_seconds"] / facts["threads"] / facts["seconds"],
        "padding": 1 - facts["audio_seconds"] / facts["padded_seconds"],
        "letters_per_second": sum(map(len, ours[-1].texts)) / facts["audio_seconds"],
        "peak_gib": (facts["peak_device_bytes"] or 0) / GIB or None,
        "rounds": len(ours),
    }


def graphs(folder: Path, corpus: Corpus, quick: bool) -> Iterator[Row]:
    """Compare CUDA graphs with none, for a transducer; on a CPU both have none."""
    case = random_case("115 M", "tdt", folder, corpus, quick)

    def without(case: Case) -> Work:
        return engine(replace(case, cuda_graphs=False))

    yield from compare(case, {"no CUDA graphs": without}, 1 if quick else ROUNDS)


def shares(folder: Path, corpus: Corpus, quick: bool) -> Iterator[Row]:
    """Compare two shards that share a model and its device with one shard at a time."""
    case = random_case("115 M", "ctc", folder, corpus, quick)

    def in_two(case: Case) -> Work:
        halves = [replace(corpus, requests=corpus.requests[start::2]) for start in (0, 1)]
        works = [engine(replace(case, corpus=half)) for half in halves]

        def turn() -> tuple[list[str], dict[str, Any]]:
            with ThreadPoolExecutor(len(works)) as pool:
                (even, _), (odd, _) = pool.map(lambda work: work(), works)
            texts = [""] * len(corpus.requests)
            texts[::2], texts[1::2] = even, odd
            return texts, {}

        return turn

    yield from compare(case, {"two shards at once": in_two}, 1 if quick else ROUNDS)


def memory(folder: Path, corpus: Corpus, quick: bool) -> Iterator[Row]:
    """Measure the batch that the engine finds for the device, and what becomes of batches that do not fit.

    Then the process may have less memory than a batch needs. On a CPU, the model itself refuses such batches.
    """
    case = random_case("115 M", "ctc", folder, corpus, quick)
    case = replace(case, batch_seconds=20.0 if quick else None)
    model = get_model(resolve(str(case.checkpoint), trust_unpinned=True), case.options)
    requests = [replace(request, texts=()) for request in corpus.requests]
    model.peak_device_bytes()  # so that it counts from here
    before, spent = transcribe_requests(model, requests, case.options)
    peak = spent["peak_device_bytes"]
    yield {
        "case": case.model,
        "against": "memory",
        "batch_seconds": model.batch_limits.seconds,
        "peak_gib": peak and peak / GIB,
        "of_device_memory": peak and peak / memory_of_device(),
    }
    lift = limit_memory(model, peak, max(request.duration or 0.0 for request in requests))
    try:
        after, _ = transcribe_requests(model, requests, case.options)
    finally:
        lift()
    pairs = list(zip(before, after, strict=True))
    yield {
        "case": case.model,
        "against": "too little memory",
        "batches_that_did_not_fit": len(model.batch_limits.learned),
        "not_transcribed": sum(result.hypothesis is None for result in after),
        "texts_equal": sum(text_of(a) == text_of(b) for a, b in pairs) / len(pairs),
    }


def text_of(result: Any) -> str | None:
    return result.hypothesis.text if result.hypothesis else None


def memory_of_device() -> int:
    """Return the bytes of the GPU's memory."""
    import torch

    return int(torch.cuda.mem_get_info()[1])


def limit_memory(model: Any, peak: int | None, longest: float) -> Callable[[], None]:
    """Let the process have so little memory that full batches do not fit; return what lifts the limit."""
    import torch

    if peak is not None:
        torch.cuda.empty_cache()
        held = torch.cuda.memory_allocated()
        torch.cuda.set_per_process_memory_fraction((held + 0.4 * (peak - held)) / memory_of_device())
        return lambda: torch.cuda.set_per_process_memory_fraction(1.0)
    encode, most = model.encode, max(longest, model.batch_limits.seconds / 2)

    def refuse(waves: Any, lengths: Any) -> Any:
        if len(waves) > 1 and waves.numel() > most * model.sample_rate:
            raise torch.OutOfMemoryError("out of memory (of the benchmark)")
        return encode(waves, lengths)

    model.encode = refuse
    return lambda: setattr(model, "encode", encode)


def texts(folder: Path, corpus: Corpus, quick: bool) -> Iterator[Row]:
    """Compare the texts of the demo's checkpoints on this device with those on a CPU in fp32."""
    corpus = corpus if quick else demo_corpus()
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=hide_gpu) as pool:
        cases = {name: Case(corpus, f"demo {name}", DEMO / f"{name}.nemo") for name in ("small", "large")}
        expected = {name: pool.submit(texts_of, replace(case, precision="fp32")) for name, case in cases.items()}
        for name, case in cases.items():
            for precision in ("fp32", "bf16"):
                read = texts_of(replace(case, precision=precision))
                pairs = list(zip(read, expected[name].result(), strict=True))
                equal = sum(ours == theirs for ours, theirs in pairs) / len(pairs)
                yield {"case": f"{case.model}, {precision}", "against": "CPU, fp32", "texts_equal": equal}


def hide_gpu() -> None:
    os.environ["CUDA_VISIBLE_DEVICES"] = ""


def texts_of(case: Case) -> list[str]:
    """Return the texts that the engine reads."""
    return engine(case)()[0]
