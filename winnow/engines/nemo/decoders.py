"""What an encoder's output says: the decoders of NeMo's model families, greedy, with the confidence of every token."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from winnow.engines.nemo.prompted_decoders import MultitaskDecoder, PromptedTransducerDecoder
from winnow.engines.nemo.tokens import ALPHA, CONFIDENCE, Decoder, Languages, Tokens
from winnow.errors import CheckpointError
from winnow.parameters.engine import EngineOptions


def make_decoder(model: Any, name: str, options: EngineOptions) -> Decoder:
    """The decoder that reads a model's encoder output."""
    from nemo.collections.asr.models import EncDecMultiTaskModel

    if isinstance(model, EncDecMultiTaskModel):
        return MultitaskDecoder(model, name, options)
    decoder = make_frame_decoder(model, name, options)
    return PromptedTransducerDecoder(decoder, model, name, options) if getattr(model, "concat", False) else decoder


def make_frame_decoder(model: Any, name: str, options: EngineOptions) -> Decoder:
    """The decoder of a model that reads frame by frame."""
    from nemo.collections.asr.models import EncDecCTCModel, EncDecHybridRNNTCTCModel, EncDecRNNTModel

    match model:
        case EncDecHybridRNNTCTCModel() if options.decoder == "ctc":
            return CtcDecoder(model.ctc_decoder, model.ctc_decoding)
        case EncDecRNNTModel():
            return TransducerDecoder(model, options.cuda_graphs is not False)
        case EncDecCTCModel():
            return CtcDecoder(model.decoder, model.decoding)
    raise CheckpointError(f"{name}: {type(model).__name__} is no CTC, transducer or multitask model")


class CtcDecoder:
    """The best token of every frame, repetitions and blanks removed: a whole batch at once, one copy off the device."""

    batches_per_call = 1

    def __init__(self, head: Any, decoding: Any) -> None:
        from nemo.collections.asr.parts.utils.asr_confidence_utils import get_confidence_measure_bank

        self.head, self.decoding, self.blank = head, decoding, decoding.blank_id
        self.measure = get_confidence_measure_bank()["entropy_tsallis_exp"]

    def start(self, encoded: Any, frames: Any, languages: Languages) -> Callable[[], list[Tokens]]:
        import torch

        scores = self.head(encoder_output=encoded)
        best = scores.argmax(dim=-1)
        confidence = self.measure(scores, v=scores.shape[-1], t=ALPHA)
        copies = [tensor.to("cpu", non_blocking=True) for tensor in (best, confidence, frames)]
        copied: Any = torch.cuda.Event() if scores.is_cuda else None  # type: ignore[no-untyped-call]
        if copied:
            copied.record()

        def finish() -> list[Tokens]:
            if copied:
                copied.synchronize()
            labels, trust, lengths = (copy.numpy() for copy in copies)
            return [self.tokens(*row) for row in zip(labels, trust, lengths, strict=True)]

        return finish

    def tokens(self, labels: NDArray[np.int64], confidence: NDArray[np.float32], length: int) -> Tokens:
        labels, trust = labels[:length], confidence[:length].astype(np.float64)
        if not np.isfinite(trust).all():
            return Tokens([], trust, finite=False)
        if not length:
            return Tokens([], trust)
        starts = np.flatnonzero(np.diff(labels, prepend=-1))
        ends = np.append(starts[1:], length)
        spoken = labels[starts] != self.blank
        least = np.minimum.reduceat(trust, starts)
        starts, ends = starts[spoken], ends[spoken]
        return Tokens(labels[starts].tolist(), least[spoken], starts.tolist(), ends.tolist())


class TransducerDecoder:
    """NeMo's label-looping greedy search for RNNT and TDT, in CUDA graphs where there is a GPU.

    It goes label by label, which costs as much for ten utterances as for a hundred: the encoder's output of several
    batches is decoded together.
    """

    batches_per_call = 8

    def __init__(self, model: Any, cuda_graphs: bool) -> None:
        from omegaconf import OmegaConf

        greedy = {"loop_labels": True, "use_cuda_graph_decoder": cuda_graphs}
        OmegaConf.set_struct(model.cfg.decoding, False)
        settings = {"strategy": "greedy_batch", "greedy": greedy, "confidence_cfg": CONFIDENCE}
        model.change_decoding_strategy(OmegaConf.merge(model.cfg.decoding, settings), verbose=False)
        self.decoding = model.decoding

    def start(self, encoded: Any, frames: Any, languages: Languages) -> Callable[[], list[Tokens]]:
        (found,) = self.decoding.decoding(encoder_output=encoded, encoded_lengths=frames)
        return lambda: [self.tokens(hypothesis) for hypothesis in self.decoding.compute_confidence(found)]

    def tokens(self, hypothesis: Any) -> Tokens:
        ids = [int(token) for token in hypothesis.y_sequence if token != self.decoding.blank_id]
        confidence = np.array([float(value) for value in hypothesis.token_confidence])
        starts = [int(at) for at in hypothesis.timestamp]
        durations = [int(long) for long in hypothesis.token_duration] or [1] * len(starts)  # only TDT has any
        ends = [at + long for at, long in zip(starts, durations, strict=True)]
        return Tokens(ids, confidence, starts, ends, bool(np.isfinite(confidence).all()))
