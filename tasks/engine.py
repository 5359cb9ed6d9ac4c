"""Hearing: audio files in, texts out, by NeMo's ASR models.

Audio is decoded in threads ahead of the model, sorted by length inside a window and batched by seconds; a batch goes
through features, encoder and decoder in one `inference_mode` pass. NeMo's own `transcribe()` does none of that, loses a
whole call to one bad file, and leaves the model in training mode (dropout on) behind.
"""

import functools
import logging
import time
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, Protocol

import msgspec
import numpy as np

from tasks.audio import BadAudio, Clip, load
from tasks.checkpoint import BadCheckpoint, Checkpoint
from tasks.config import Engine

WINDOW = 1_024  # utterances that are decoded and sorted together
DECODERS = 4  # threads; soundfile and soxr work outside Python's lock


@dataclass(frozen=True)
class Request:
    """An utterance to be heard: a slice of its file where there is an offset, else the whole of it."""

    path: str
    offset: float | None
    duration: float | None


@dataclass(frozen=True)
class Heard:
    """What became of a request: a text and the measured seconds, or the reason why there is none."""

    text: str | None = None
    seconds: float | None = None
    reason: str | None = None


class Recogniser(Protocol):
    """A model. One text comes back for each clip, in order."""

    rate: int

    def texts(self, clips: list[tuple[Request, Clip]]) -> list[str]: ...


class NemoRecogniser:
    """A CTC, transducer (RNNT, TDT) or hybrid checkpoint, on the GPU if there is one."""

    def __init__(self, checkpoint: Checkpoint, branch: Literal["transducer", "ctc"]) -> None:
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        with quiet():
            from nemo.collections.asr.models import ASRModel

            self.model: Any = ASRModel.restore_from(str(checkpoint.path), map_location=device)
        self.model.eval()
        self.model.preprocessor.featurizer.dither = 0.0
        self.model.preprocessor.featurizer.pad_to = 0
        self.rate = int(self.model.cfg.sample_rate)
        self.decode = self._decoder(checkpoint.name, branch)

    def _decoder(self, name: str, branch: str) -> Any:
        from nemo.collections.asr.models import EncDecCTCModel, EncDecHybridRNNTCTCModel, EncDecRNNTModel

        match self.model:
            case EncDecHybridRNNTCTCModel() if branch == "ctc":
                return functools.partial(self._ctc, self.model.ctc_decoder, self.model.ctc_decoding)
            case EncDecRNNTModel():
                return self.model.decoding.rnnt_decoder_predictions_tensor
            case EncDecCTCModel():
                return functools.partial(self._ctc, self.model.decoder, self.model.decoding)
        raise BadCheckpoint(f"{name}: {type(self.model).__name__} is neither a CTC nor a transducer model")

    @staticmethod
    def _ctc(decoder: Any, decoding: Any, encoded: Any, frames: Any) -> Any:
        return decoding.ctc_decoder_predictions_tensor(decoder(encoder_output=encoded), decoder_lengths=frames)

    def texts(self, clips: list[tuple[Request, Clip]]) -> list[str]:
        import torch

        samples = [clip.samples for _, clip in clips]
        lengths = torch.tensor([len(x) for x in samples])
        wave = torch.zeros(len(samples), int(lengths.max()))
        for row, one in zip(wave, samples, strict=True):
            row[: len(one)] = torch.from_numpy(np.ascontiguousarray(one))
        with torch.inference_mode():
            features, frames = self.model.preprocessor(
                input_signal=wave.to(self.model.device), length=lengths.to(self.model.device)
            )
            encoded, frames = self.model.encoder(audio_signal=features, length=frames)
            return [hypothesis.text for hypothesis in self.decode(encoded, frames)]


class Readings:
    """Texts that another system read: a NeMo manifest with `pred_text`, found by audio file and offset."""

    rate = 16_000

    def __init__(self, checkpoint: Checkpoint) -> None:
        folder = checkpoint.path.parent
        self.read: dict[tuple[str, float | None], str] = {}
        for number, line in enumerate(checkpoint.path.read_bytes().splitlines(), 1):
            try:
                row = msgspec.json.decode(line)
                self.read[str(folder / row["audio_filepath"]), row.get("offset")] = row["pred_text"]
            except (msgspec.DecodeError, TypeError, KeyError) as error:
                raise BadCheckpoint(f"{checkpoint.path}:{number}: no audio_filepath with pred_text") from error

    def texts(self, clips: list[tuple[Request, Clip]]) -> list[str]:
        return [self.read[request.path, request.offset] for request, _ in clips]


@functools.lru_cache(maxsize=2)
def resident(checkpoint: Checkpoint, branch: Literal["transducer", "ctc"]) -> Recogniser:
    """The checkpoint's recogniser, loaded once a process; the last two stay."""
    return Readings(checkpoint) if checkpoint.path.suffix == ".jsonl" else NemoRecogniser(checkpoint, branch)


@contextmanager
def quiet() -> Iterator[None]:
    """Import NeMo and open a checkpoint without the hundred lines of advice about training it."""
    logging.getLogger("nv_one_logger").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nemo.utils import logging as nemo_logging

        nemo_logging.setLevel(logging.ERROR)
        yield


def hear(recogniser: Recogniser, requests: list[Request], options: Engine) -> tuple[list[Heard], dict[str, float]]:
    """One answer for each request, in their order, and what it took: audio, padded and model seconds."""
    answers: list[Heard | None] = [None] * len(requests)
    spent = {"utterances": 0.0, "audio_seconds": 0.0, "padded_seconds": 0.0, "model_seconds": 0.0}
    for window in loaded(requests, recogniser.rate, options.max_seconds):
        clips = []
        for index, found in window:
            if isinstance(found, Clip):
                clips.append((index, found))
            else:
                answers[index] = Heard(reason=found)
        for batch in batches(clips, options.batch_seconds):
            began = time.perf_counter()
            texts = read([(requests[index], clip) for index, clip in batch], recogniser)
            spent["model_seconds"] += time.perf_counter() - began
            spent["padded_seconds"] += len(batch) * max(clip.seconds for _, clip in batch)
            for (index, clip), text in zip(batch, texts, strict=True):
                if text is None:
                    answers[index] = Heard(seconds=clip.seconds, reason="MODEL_ERROR")
                else:
                    answers[index] = Heard(text, clip.seconds)
                    spent["utterances"] += 1
                    spent["audio_seconds"] += clip.seconds
    return [answer for answer in answers if answer is not None], spent


def loaded(requests: Iterable[Request], rate: int, longest: float) -> Iterator[list[tuple[int, Clip | str]]]:
    """The requests' audio, window by window, each with its index; one window is decoded while another is read."""

    def one(request: Request) -> Clip | str:
        try:
            return load(request.path, request.offset, request.duration, rate, longest)
        except BadAudio as problem:
            return str(problem)

    numbered = enumerate(requests)
    with ThreadPoolExecutor(DECODERS, thread_name_prefix="decode") as pool:
        ahead: deque[list[tuple[int, Future[Clip | str]]]] = deque()
        while True:
            while len(ahead) < 2 and (window := list(islice(numbered, WINDOW))):
                ahead.append([(index, pool.submit(one, request)) for index, request in window])
            if not ahead:
                return
            yield [(index, future.result()) for index, future in ahead.popleft()]


def batches(clips: list[tuple[int, Clip]], seconds: float) -> Iterator[list[tuple[int, Clip]]]:
    """Clips of like length together, longest first, each batch at most `seconds` long with its padding."""
    batch: list[tuple[int, Clip]] = []
    for index, clip in sorted(clips, key=lambda item: (-item[1].seconds, item[0])):
        if batch and (len(batch) + 1) * batch[0][1].seconds > seconds:
            yield batch
            batch = []
        batch.append((index, clip))
    if batch:
        yield batch


def read(batch: list[tuple[Request, Clip]], recogniser: Recogniser) -> list[str | None]:
    """A text for each clip; a batch that fails is halved until only the clip that fails is left without one."""
    try:
        texts: list[str] = recogniser.texts(batch)
        if len(texts) != len(batch):
            raise ValueError(f"{len(texts)} texts for {len(batch)} utterances")
        return list(texts)
    except Exception:
        if len(batch) == 1:
            return [None]
        half = len(batch) // 2
        return read(batch[:half], recogniser) + read(batch[half:], recogniser)
