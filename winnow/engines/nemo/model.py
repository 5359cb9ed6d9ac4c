"""A NeMo checkpoint as a recogniser: loaded with its options, and run in batches on its device."""

import math
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from winnow.engines.batching import BatchLimits
from winnow.engines.device_memory import measure_batch_seconds, peak_bytes
from winnow.engines.engine import Batch, Checkpoint
from winnow.engines.evidence import EvidenceFinder
from winnow.engines.nemo.decoders import make_decoder
from winnow.engines.nemo.nemo_import import import_asr_models, silence_nemo
from winnow.engines.nemo.vocabulary import Vocabulary
from winnow.engines.nemo.words import word_assembler
from winnow.engines.precision import choose_precision
from winnow.engines.tokens import Tokens
from winnow.errors import CheckpointError, OptionError
from winnow.hardware import CPU_BATCH_SECONDS, cores
from winnow.parameters.engine import EngineOptions
from winnow.text.hypothesis import Hypothesis

NOTHING = Tokens([], np.zeros(0), finite=False)
"""In place of the tokens of an utterance whose encoding is not finite."""


class NemoModel:
    """A CTC, transducer (RNNT, TDT), hybrid or multitask (AED) checkpoint, on the GPU if there is one.

    On a CPU, each batch has one core and each core one lane: threads that share a batch wait for each other after every
    operation, above all on a busy machine. On a GPU there are two lanes that take turns: while one batch is computed,
    the other's waves are gathered or its tokens become words.
    """

    def __init__(self, checkpoint: Checkpoint, options: EngineOptions) -> None:
        import torch

        from winnow.engines.nemo.fast_paths import apply_fast_paths

        cuda = torch.cuda.is_available()
        if options.cuda_graphs and not cuda:
            raise OptionError("engine.cuda_graphs: this machine has no GPU")
        self.model = restore_model(checkpoint, "cuda" if cuda else "cpu")
        self.device = self.model.device
        self.sample_rate = int(self.model.cfg.sample_rate)
        self.timestamps = options.timestamps
        self.decoder = make_decoder(self.model, checkpoint.name, options)
        self.batches_per_call = self.decoder.batches_per_call
        self.model.preprocessor.featurizer.dither = 0.0
        self.model.preprocessor.featurizer.pad_to = 0
        if options.local_attention:
            use_local_attention(self.model, checkpoint.name, options.local_attention)
        self.model.eval()  # after all that replaces modules: new ones are in training mode, with dropout
        apply_fast_paths(self.model)
        precision = choose_precision(self.model.encoder, options)
        self.dtype = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]
        self.model.encoder.to(self.dtype)
        self.runtime = {"device": torch.cuda.get_device_name() if cuda else "cpu", "precision": precision}
        self.threads = 2 if cuda else cores()
        self.device_lock = threading.Semaphore(1 if cuda else self.threads)  # several shards may share the model
        if not cuda:
            torch.set_num_threads(1)
        stride = float(self.model.cfg.preprocessor.window_stride)
        make_long_enough(self.model.encoder, int(options.max_seconds / stride) + 1, self.device)
        self.words = word_assembler(self.decoder.decoding, stride * subsampling_factor(self.model))
        self.vocabulary = Vocabulary(self.model, self.decoder.decoding, self.words.text)
        self.evidence = EvidenceFinder(self.vocabulary, self.words, options.doubtful_words)
        self.batch_limits = BatchLimits(
            options.batch_seconds
            or (measure_batch_seconds(self.encode_clips, self.sample_rate) if cuda else CPU_BATCH_SECONDS),
            options.batch_size,
        )

    def transcribe(self, batches: list[Batch]) -> list[Hypothesis]:
        import torch
        from torch.nn.functional import pad

        requests = [request for batch in batches for request, _ in batch]
        with torch.inference_mode():
            waves = [self.to_device([clip.samples for _, clip in batch]) for batch in batches]
            with self.device_lock:
                parts = [self.encode(*wave) for wave in waves]
                longest = max(encoded.shape[2] for encoded, _ in parts)
                encoded = torch.cat([pad(encoded, (0, longest - encoded.shape[2])) for encoded, _ in parts])
                frames = torch.cat([frames for _, frames in parts])
                decoded = self.decoder.start(encoded, frames, [request.language for request in requests])
                finite = torch.isfinite(encoded.sum(dim=(1, 2)))
            tokens = [
                read if is_finite else NOTHING
                for read, is_finite in zip(decoded.tokens(), finite.tolist(), strict=True)
            ]
            hypotheses = [self.words.hypothesis(read, self.timestamps) for read in tokens]
            if not self.decoder.scores_texts:
                return hypotheses
            with self.device_lock:
                return self.evidence.add(hypotheses, requests, tokens, decoded)

    def to_device(self, clips: list[NDArray[np.float32]]) -> tuple[Any, Any]:
        """Start copying to the device; return waves [utterances, samples] and their lengths [samples]."""
        import torch

        lengths = torch.tensor([len(clip) for clip in clips])
        waves = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(clip) for clip in clips], batch_first=True)
        if self.device.type == "cuda":
            waves, lengths = waves.pin_memory(), lengths.pin_memory()
        return waves.to(self.device, non_blocking=True), lengths.to(self.device, non_blocking=True)

    def encode_clips(self, clips: list[NDArray[np.float32]]) -> tuple[Any, Any]:
        return self.encode(*self.to_device(clips))

    def encode(self, waves: Any, lengths: Any) -> tuple[Any, Any]:
        """Return the encoder's output [utterances, width, frames] and the lengths of the utterances [frames]."""
        features, frames = self.model.preprocessor(input_signal=waves, length=lengths)
        encoded, frames = self.model.encoder(audio_signal=features.to(self.dtype), length=frames)
        return encoded.float(), frames

    def peak_device_bytes(self) -> int | None:
        return peak_bytes(self.device)


def restore_model(checkpoint: Checkpoint, device: str) -> Any:
    """Let NeMo open the private copy that passed the preflight; raises CheckpointError if it cannot."""
    with silence_nemo():
        model_class, path, config = import_asr_models().ASRModel, str(checkpoint.path), None
        try:
            if checkpoint.family == "multitask":  # some contain a second model, for timestamps
                config = model_class.restore_from(path, return_config=True)
                config.restore_timestamps_model = False
            return model_class.restore_from(path, map_location=device, override_config_path=config)
        except Exception as error:
            raise CheckpointError(f"{checkpoint.name}: NeMo cannot open it: {error}") from error


def make_long_enough(encoder: Any, frames: int, device: Any) -> None:
    """Let an encoder make its tables of positions for this many feature frames.

    NeMo replaces them when it meets a longer utterance, also while other lanes use them, and the shorter ones may last.
    """
    for grow in ("update_max_seq_length", "update_max_sequence_length"):  # of Conformers, and of convolutions
        if hasattr(encoder, grow):
            getattr(encoder, grow)(frames, device)


def subsampling_factor(model: Any) -> int:
    """Return how many feature frames make one frame of the encoder."""
    blocks = model.cfg.encoder.get("jasper")
    return math.prod(block.stride[0] for block in blocks) if blocks else int(model.encoder.subsampling_factor)


def use_local_attention(model: Any, name: str, frames: int) -> None:
    """Limit the attention of every encoder frame to `frames` frames on either side."""
    if getattr(model.encoder, "self_attention_model", None) not in ("rel_pos", "rel_pos_local_attn"):
        raise OptionError(
            f"engine.local_attention: requires an encoder with relative positions, which {name} does not have"
        )
    model.change_attention_model("rel_pos_local_attn", [frames, frames])
