"""A model of transformers as a recogniser: loaded with its options, and run in batches on its device."""

import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from winnow.engines.batching import BatchLimits, batch_seconds_for
from winnow.engines.engine import Batch, Checkpoint, Request
from winnow.engines.evidence import EvidenceFinder
from winnow.engines.transformers.loading import Loaded, load
from winnow.engines.transformers.reading import Reader, Reading
from winnow.engines.words import WordAssembler
from winnow.hardware import CPU_BATCH_SECONDS, cores
from winnow.parameters.engine import EngineOptions
from winnow.text.hypothesis import Hypothesis

PROBE_SECONDS = 15.0
GENERATED_SECONDS, GENERATED_CPU, GENERATED_GPU = (
    600.0,
    4,
    16,
)  # padded seconds and utterances where texts are generated


class TransformersRecogniser:
    """A model on the GPU, or on a CPU with a core and a lane for each batch."""

    batches_per_call = 1

    def __init__(self, checkpoint: Checkpoint, options: EngineOptions) -> None:
        import torch

        cuda = torch.cuda.is_available()
        loaded = load(checkpoint, options)
        self.sample_rate = int(loaded.extractor.sampling_rate)
        self.timestamps = options.timestamps
        self.reader = make_reader(loaded, checkpoint.name, options)
        self.device = loaded.model.device
        self.runtime = {"device": torch.cuda.get_device_name() if cuda else "cpu", "precision": loaded.precision}
        self.threads = 2 if cuda else cores()
        self.lock = threading.Semaphore(1 if cuda else self.threads)
        if not cuda:
            torch.set_num_threads(1)
        vocabulary = self.reader.vocabulary
        self.words = WordAssembler(vocabulary.text, vocabulary.begins, self.reader.frame_seconds or 0.0)
        self.evidence = EvidenceFinder(vocabulary, self.words, options.doubtful_words)
        if self.reader.padded:
            seconds, utterances = self.measure_batch_seconds() if cuda else CPU_BATCH_SECONDS, None
        else:
            seconds, utterances = GENERATED_SECONDS, GENERATED_GPU if cuda else GENERATED_CPU
        self.batch_limits = BatchLimits(options.batch_seconds or seconds, options.batch_size or utterances)

    def transcribe(self, batches: list[Batch]) -> list[Hypothesis]:
        return [hypothesis for batch in batches for hypothesis in self.transcribe_batch(batch)]

    def transcribe_batch(self, batch: Batch) -> list[Hypothesis]:
        import torch

        requests = [request for request, _ in batch]
        with torch.inference_mode(), self.lock:
            reading = self.reader.read([clip.samples for _, clip in batch], requests)
            timed = self.timestamps and self.reader.frame_seconds is not None
            hypotheses = [
                replace(known_alone(self.words.hypothesis(tokens, timed)), language=language)
                for tokens, language in zip(reading.tokens, reading.languages, strict=True)
            ]
            return self.with_evidence(hypotheses, requests, reading)

    def with_evidence(
        self, hypotheses: list[Hypothesis], requests: Sequence[Request], reading: Reading
    ) -> list[Hypothesis]:
        """Return the hypotheses with the evidence for the texts of their requests."""
        if reading.scorer is None or not any(request.texts for request in requests):
            return hypotheses
        texts = [hypothesis.text for hypothesis in hypotheses]
        found = self.evidence.find(requests, texts, reading.tokens, reading.scorer)
        return [
            replace(hypothesis, log_likelihood=likelihood, evidence=evidence)
            for hypothesis, (likelihood, evidence) in zip(hypotheses, found, strict=True)
        ]

    def measure_batch_seconds(self) -> float:
        """Return how many padded seconds fit into the GPU's memory, measured with a small batch."""
        import torch

        clips = [np.zeros(int(PROBE_SECONDS * self.sample_rate), np.float32)] * 4
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        with torch.inference_mode():
            self.reader.read(clips, [Request("", None, None)] * len(clips))
        used = torch.cuda.max_memory_allocated() - before
        free, _ = torch.cuda.mem_get_info()
        return batch_seconds_for(float(used) / (len(clips) * PROBE_SECONDS), free)

    def peak_device_bytes(self) -> int | None:
        import torch

        if self.device.type != "cuda":
            return None
        peak = torch.cuda.max_memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        return peak


def known_alone(hypothesis: Hypothesis) -> Hypothesis:
    """Return a hypothesis without a confidence that is not a number, because the model's steps were not seen."""
    if hypothesis.confidence is None or not np.isnan(hypothesis.confidence):
        return hypothesis
    return replace(hypothesis, confidence=None, word_confidence=None)


def make_reader(loaded: Loaded, name: str, options: EngineOptions) -> Reader:
    """Return what reads with a model of this family."""
    from winnow.engines.transformers.ctc import CtcReader
    from winnow.engines.transformers.generator import GeneratorReader
    from winnow.engines.transformers.transducer import TransducerReader
    from winnow.engines.transformers.whisper import WhisperReader

    if loaded.family == "ctc":
        return CtcReader(loaded, name)
    if loaded.family.endswith("transducer"):
        return TransducerReader(loaded, options)
    return WhisperReader(loaded, options) if loaded.family.startswith("whisper") else GeneratorReader(loaded, options)
