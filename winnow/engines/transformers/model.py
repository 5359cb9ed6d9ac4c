"""A model of transformers as a recogniser: loaded with its options, and run in batches on its device."""

import threading
from dataclasses import replace

import numpy as np

from winnow.engines.batching import BatchLimits
from winnow.engines.device_memory import measure_batch_seconds, peak_bytes
from winnow.engines.engine import Batch, Checkpoint, Request
from winnow.engines.evidence import EvidenceFinder
from winnow.engines.transformers.loading import Loaded, load
from winnow.engines.transformers.reading import Clips, Reader, Reading
from winnow.engines.words import WordAssembler
from winnow.hardware import CPU_BATCH_SECONDS, cores
from winnow.parameters.engine import EngineOptions
from winnow.text.hypothesis import Hypothesis

GENERATED_SECONDS = 600.0  # padded, of a batch where texts are generated
GENERATED_CPU, GENERATED_GPU = 4, 16  # utterances of it


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
            seconds, utterances = (
                measure_batch_seconds(self.read_silence, self.sample_rate) if cuda else CPU_BATCH_SECONDS,
                None,
            )
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
            if reading.scorer is None:
                return hypotheses
            return self.evidence.add(hypotheses, requests, reading.tokens, reading.scorer)

    def read_silence(self, clips: Clips) -> Reading:
        return self.reader.read(clips, [Request("", None, None)] * len(clips))

    def peak_device_bytes(self) -> int | None:
        return peak_bytes(self.device)


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
