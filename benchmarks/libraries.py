"""Engines beside NeMo's compared with the batch calls of their own libraries: CPU and wall-clock time, and texts.

    python -m benchmarks.libraries              # everything
    python -m benchmarks.libraries --quick      # a few utterances and smaller models

Contenders take turns as in `benchmarks.engine`, each in its own process, all in fp32, greedily, and without evidence.
Winnow's engine gets the files; the libraries get their audio already decoded, except where a row says `files`.

transformers' pipeline runs CTC models of published sizes whose weights are random, on utterances of the demo. The model
alone, on inputs that are made before, is what no engine can be faster than in these batches. Whisper
tiny for English (`make real-models`) reads the recordings in English beside the checkout; faster-whisper gets the
language and each recording as one window, without its search for voices and without its fallbacks, as Winnow reads.
"""

import json
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.corpora import MAX_SECONDS, SIZES, Corpus, demo_corpus
from benchmarks.turns import Work, equal_texts, main, ratio, take_turns
from demo.fastconformer import Size
from demo.real_models import tiny_model
from demo.real_speech import shared_speech
from winnow.audio.decode import load_clip
from winnow.engines.engine import Request
from winnow.engines.inference import fill_batches, transcribe_requests
from winnow.engines.model_cache import get_model
from winnow.hardware import cores
from winnow.models.resolve import resolve
from winnow.parameters.engine import EngineOptions

OPTIONS = EngineOptions(max_seconds=MAX_SECONDS, precision="fp32")
RATE = 16_000
WINDOW_SECONDS = 30.0
LETTERS = "abcdefghijklmnopqrstuvwxyz'"
BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
QUICK = {"hidden_size": 192, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 768}


@dataclass(frozen=True)
class Case:
    """A corpus, and the name of the model that transcribes it."""

    corpus: Corpus
    model: str
    size: str

    @property
    def folder(self) -> str:
        """Where the model's files are."""
        return self.model.partition(":")[2]


# A contender prepares a case once and returns the work of a turn, which transcribes the corpus.


def engine(case: Case) -> Work:
    """Run Winnow's engine."""
    model = get_model(resolve(case.model, trust_unpinned=True), OPTIONS)
    requests = [replace(request, texts=()) for request in case.corpus.requests]

    def turn() -> tuple[list[str], dict[str, Any]]:
        results, spent = transcribe_requests(model, requests, OPTIONS)
        return [one_line(result.hypothesis.text if result.hypothesis else "") for result in results], spent

    return turn


def decoded(case: Case) -> list[Any]:
    """Return the samples of each utterance."""
    return [load_clip(r.path, r.offset, r.duration, RATE, MAX_SECONDS).samples for r in case.corpus.requests]


def pipeline_on_files(case: Case) -> Work:
    """Run transformers' pipeline as its documentation does: a list of files, and no options."""
    from transformers import pipeline

    own: Any = pipeline("automatic-speech-recognition", model=case.folder)
    files = [request.path for request in case.corpus.requests]
    return lambda: ([one_line(read["text"]) for read in own(list(files))], {})


def pipeline_on_samples(case: Case, batch_size: int) -> Work:
    """Run transformers' pipeline on decoded utterances in their order."""
    from transformers import pipeline

    own: Any = pipeline("automatic-speech-recognition", model=case.folder)
    audio = decoded(case)
    return lambda: ([one_line(read["text"]) for read in own(list(audio), batch_size=batch_size)], {})


def forward_passes(case: Case) -> Work:
    """Run nothing but the model, on inputs that were made before, in the engine's batches and threads."""
    import torch
    from transformers import AutoFeatureExtractor, AutoModelForCTC

    limits = get_model(resolve(case.model, trust_unpinned=True), OPTIONS).batch_limits
    extractor: Any = AutoFeatureExtractor.from_pretrained(case.folder)
    model: Any = AutoModelForCTC.from_pretrained(case.folder).eval()
    audio = sorted(decoded(case), key=len, reverse=True)
    batches = fill_batches([(index, len(samples) / RATE) for index, samples in enumerate(audio)], limits)
    inputs = [
        extractor(
            [audio[i] for i in batch], sampling_rate=RATE, padding=True, return_attention_mask=True, return_tensors="pt"
        )
        for batch in batches
    ]
    torch.set_num_threads(1)

    def run(features: Any) -> None:
        with torch.inference_mode():
            model(**features)

    def turn() -> tuple[list[str], dict[str, Any]]:
        with ThreadPoolExecutor(cores()) as lanes:
            list(lanes.map(run, inputs))
        return [], {}

    return turn


def faster_whisper_batched(case: Case, workers: int) -> Work:
    """Run faster-whisper's BatchedInferencePipeline on one recording after the other, or on several at once."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    threads = {"cpu_threads": 1, "num_workers": workers} if workers > 1 else {}
    own = BatchedInferencePipeline(WhisperModel(case.folder, device="cpu", compute_type="float32", **threads))

    def read(samples: Any) -> str:
        segments, _ = own.transcribe(
            samples, language="en", beam_size=1, temperature=0.0, without_timestamps=True, vad_filter=False,
            clip_timestamps=[{"start": 0.0, "end": len(samples) / RATE}], no_speech_threshold=None,
            log_prob_threshold=None, compression_ratio_threshold=None,
        )  # fmt: skip
        return one_line(" ".join(segment.text for segment in segments))

    audio = decoded(case)

    def turn() -> tuple[list[str], dict[str, Any]]:
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(read, audio)), {}

    return turn


def one_line(text: str) -> str:
    return " ".join(text.split())


def wav2vec2(folder: Path, size: dict[str, int]) -> str:
    """Save a Wav2Vec2 with random weights; return its name."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

    pieces = ["<pad>", "<s>", "</s>", "<unk>", "|", *LETTERS]
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({piece: number for number, piece in enumerate(pieces)}))
    torch.manual_seed(1)
    Wav2Vec2ForCTC(Wav2Vec2Config(vocab_size=len(pieces), **size)).save_pretrained(folder)
    Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return f"hf:{folder}"


def parakeet(folder: Path, size: Size) -> str:
    """Save a Parakeet-CTC of the size of one of NeMo's FastConformers, with random weights; return its name."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import ParakeetCTCConfig, ParakeetFeatureExtractor, ParakeetForCTC, ParakeetTokenizer

    pieces = ["<unk>", "<pad>", "▁", *LETTERS, *(first + second for first in LETTERS for second in LETTERS)]
    tokenizer = Tokenizer(models.Unigram([(piece, -float(i)) for i, piece in enumerate(pieces)], unk_id=0))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    encoder = {
        "hidden_size": size.width,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "intermediate_size": 4 * size.width,
        "subsampling_conv_channels": size.channels,
    }
    torch.manual_seed(1)
    config = ParakeetCTCConfig(vocab_size=len(pieces), pad_token_id=1, encoder_config=encoder)
    ParakeetForCTC(config).save_pretrained(folder)
    ParakeetTokenizer(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>").save_pretrained(folder)
    ParakeetFeatureExtractor().save_pretrained(folder)
    return f"hf:{folder}"


def real_speech() -> Corpus:
    """Return the recordings in English beside the checkout that fit into a window of Whisper's."""
    requests = [
        Request(str(path), None, None, language="en") for path, _, language in shared_speech() if language == "en"
    ]
    return Corpus("real speech, en", [own for own in requests if fits(own)])


def fits(request: Request) -> bool:
    return load_clip(request.path, None, None, RATE, 3600.0).seconds <= WINDOW_SECONDS


PIPELINES: dict[str, Callable[[Case], Work]] = {
    "pipeline(files)": pipeline_on_files,
    "pipeline(samples)": partial(pipeline_on_samples, batch_size=1),
    "pipeline(samples, batch_size=8)": partial(pipeline_on_samples, batch_size=8),
    "the model alone, in the engine's batches": forward_passes,
}
BATCHED: dict[str, Callable[[Case], Work]] = {
    "BatchedInferencePipeline": partial(faster_whisper_batched, workers=1),
    "the same in 2 threads": partial(faster_whisper_batched, workers=2),
}


def compare(quick: bool, rounds: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each model and contender."""
    with tempfile.TemporaryDirectory() as folder:
        for case, contenders in cases(Path(folder), quick):
            turns = take_turns({"engine": engine, **contenders}, case, rounds)
            ours = turns.pop("engine")
            for name, theirs in turns.items():
                yield {
                    "corpus": case.corpus.name,
                    "utterances": len(case.corpus.requests),
                    "model": case.size,
                    "against": name,
                    "cpu_ratio": ratio(theirs, ours, "cpu"),
                    "wall_ratio": ratio(theirs, ours, "wall"),
                    "texts_equal": equal_texts(theirs, ours) if theirs[-1].texts else None,
                    "rtfx": ours[-1].facts["audio_seconds"] / ours[-1].facts["seconds"],
                }


def cases(folder: Path, quick: bool) -> Iterator[tuple[Case, dict[str, Callable[[Case], Work]]]]:
    """Yield the cases that can be run here, each with the contenders of its library."""
    corpus = demo_corpus(every=36)
    for size in ("14 M",) if quick else ("14 M", "115 M"):
        yield Case(corpus, parakeet(folder / size, SIZES[size]), f"hf: Parakeet-CTC, {size}, random weights"), PIPELINES
    name, width = ("small", QUICK) if quick else ("base", BASE)
    yield Case(corpus, wav2vec2(folder / name, width), f"hf: Wav2Vec2, {name}, random weights"), PIPELINES
    speech, tiny = real_speech(), tiny_model()
    if tiny and speech.requests:
        yield Case(speech, tiny, "whisper: tiny.en"), BATCHED


if __name__ == "__main__":
    main(__doc__ or "", compare)
