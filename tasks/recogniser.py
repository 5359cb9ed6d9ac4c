"""Models that hear: NeMo checkpoints, and readings that another system made."""

import functools
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import msgspec
import numpy as np

from tasks.audio import Clip
from tasks.checkpoint import BadCheckpoint, Checkpoint


@dataclass(frozen=True)
class Request:
    """An utterance to be heard: a slice of its file where there is an offset, else the whole of it."""

    path: str
    offset: float | None
    duration: float | None


Batch = list[tuple[Request, Clip]]


class Recogniser(Protocol):
    """A model. One text comes back for each clip of the batches it is given, in order."""

    rate: int
    lanes: int
    """From how many threads it may be called at once."""
    together: int
    """How many batches it reads best in a call."""

    def texts(self, batches: list[Batch]) -> list[str]: ...


class NemoRecogniser:
    """A CTC, transducer (RNNT, TDT) or hybrid checkpoint, on the GPU if there is one.

    On a CPU a batch has one core, and there is a lane a core: the threads of batches that share cores wait for
    each other after every operation, most of all on a busy machine. A transducer decodes label by label, which costs as
    much for ten utterances as for a hundred: what its encoder made of several batches is decoded together.
    """

    def __init__(self, checkpoint: Checkpoint, branch: Literal["transducer", "ctc"], max_seconds: float) -> None:
        import torch

        from tasks.faster import quicken

        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model = restored(checkpoint, device)
        self.model.eval()
        self.lanes = 1
        if device == "cpu":
            self.lanes = cores()
            torch.set_num_threads(1)
            # no lane must find the positional encoding replaced by a longer one while it reads it
            frames = int(max_seconds / self.model.cfg.preprocessor.window_stride) + 1
            self.model.encoder.update_max_seq_length(frames, self.model.device)
        self.model.preprocessor.featurizer.dither = 0.0
        self.model.preprocessor.featurizer.pad_to = 0
        quicken(self.model)
        self.rate = int(self.model.cfg.sample_rate)
        self.decode = self._decoder(checkpoint.name, branch)

    def _decoder(self, name: str, branch: str) -> Any:
        from nemo.collections.asr.models import EncDecCTCModel, EncDecHybridRNNTCTCModel, EncDecRNNTModel

        self.together = 1
        match self.model:
            case EncDecHybridRNNTCTCModel() if branch == "ctc":
                return functools.partial(self._ctc, self.model.ctc_decoder, self.model.ctc_decoding)
            case EncDecRNNTModel():
                self.together = 8
                return self.model.decoding.rnnt_decoder_predictions_tensor
            case EncDecCTCModel():
                return functools.partial(self._ctc, self.model.decoder, self.model.decoding)
        raise BadCheckpoint(f"{name}: {type(self.model).__name__} is neither a CTC nor a transducer model")

    @staticmethod
    def _ctc(decoder: Any, decoding: Any, encoded: Any, frames: Any) -> Any:
        return decoding.ctc_decoder_predictions_tensor(decoder(encoder_output=encoded), decoder_lengths=frames)

    def texts(self, batches: list[Batch]) -> list[str]:
        import torch
        from torch.nn.functional import pad

        with torch.inference_mode():
            made = [self.encode(batch) for batch in batches]
            longest = max(encoded.shape[2] for encoded, _ in made)
            encoded = torch.cat([pad(encoded, (0, longest - encoded.shape[2])) for encoded, _ in made])
            return [hypothesis.text for hypothesis in self.decode(encoded, torch.cat([frames for _, frames in made]))]

    def encode(self, batch: Batch) -> tuple[Any, Any]:
        """The encoder's output [utterances, width, frames] and how many of the frames are each utterance's."""
        import torch

        waves = [torch.from_numpy(np.ascontiguousarray(clip.samples)) for _, clip in batch]
        lengths = torch.tensor([len(wave) for wave in waves], device=self.model.device)
        wave = torch.nn.utils.rnn.pad_sequence(waves, batch_first=True).to(self.model.device)
        features, frames = self.model.preprocessor(input_signal=wave, length=lengths)
        encoded, frames = self.model.encoder(audio_signal=features, length=frames)
        return encoded, frames


class Readings:
    """Texts that another system read: a NeMo manifest with `pred_text`, found by audio file and offset."""

    rate = 16_000
    lanes = 1
    together = 1

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.read: dict[tuple[str, float], str] = {}
        for number, line in enumerate(checkpoint.path.read_bytes().split(b"\n"), 1):
            if not line.strip():
                continue
            place = f"{checkpoint.path}:{number}"
            try:
                row = msgspec.json.decode(line, type=Reading)
            except msgspec.DecodeError as error:
                raise BadCheckpoint(f"{place}: no reading (audio_filepath and pred_text): {error}") from error
            key = os.path.normpath(checkpoint.path.parent / row.audio_filepath), row.offset
            if key in self.read:
                raise BadCheckpoint(f"{place}: a second reading of {row.audio_filepath} at {row.offset} s")
            self.read[key] = row.pred_text

    def texts(self, batches: list[Batch]) -> list[str]:
        return [
            self.read[os.path.normpath(request.path), request.offset or 0.0]
            for batch in batches
            for request, _ in batch
        ]


class Reading(msgspec.Struct):
    """A line of a manifest of readings."""

    audio_filepath: str
    pred_text: str
    offset: float = 0.0


@functools.lru_cache(maxsize=2)
def resident(checkpoint: Checkpoint, branch: Literal["transducer", "ctc"], max_seconds: float) -> Recogniser:
    """The checkpoint's recogniser for clips up to `max_seconds`, loaded once a process; the last two stay."""
    if checkpoint.path.suffix == ".jsonl":
        return Readings(checkpoint)
    return NemoRecogniser(checkpoint, branch, max_seconds)


def restored(checkpoint: Checkpoint, device: str) -> Any:
    """The checkpoint's model, by NeMo."""
    with quiet():
        from nemo.collections.asr.models import ASRModel

        try:
            return ASRModel.restore_from(str(checkpoint.path), map_location=device)
        except Exception as error:
            raise BadCheckpoint(f"{checkpoint.path}: NeMo cannot open it: {error}") from error


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def quiet() -> Iterator[None]:
    """Import NeMo and open a checkpoint without the hundred lines of advice about training it."""
    logging.getLogger("nv_one_logger").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nemo.utils import logging as nemo_logging

        nemo_logging.setLevel(logging.ERROR)
        yield
