"""Greedy decoders of NeMo's model families, with the confidence of every token."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from winnow.engines.ctc_scores import CtcScores
from winnow.engines.nemo.prompted_decoders import MultitaskDecoder, PromptedTransducerDecoder
from winnow.engines.nemo.tokens import ALPHA, CONFIDENCE, Decoder, Languages
from winnow.engines.tokens import Tokens
from winnow.errors import CheckpointError
from winnow.parameters.engine import EngineOptions


def make_decoder(model: Any, name: str, options: EngineOptions) -> Decoder:
    """Return the decoder of a model; raises CheckpointError if its family is not supported."""
    from nemo.collections.asr.models import EncDecMultiTaskModel

    if isinstance(model, EncDecMultiTaskModel):
        return MultitaskDecoder(model, name, options)
    decoder = make_frame_decoder(model, name, options)
    return PromptedTransducerDecoder(decoder, model, name, options) if getattr(model, "concat", False) else decoder


def make_frame_decoder(model: Any, name: str, options: EngineOptions) -> Decoder:
    """Return the decoder of a model that decodes frame by frame."""
    from nemo.collections.asr.models import EncDecCTCModel, EncDecHybridRNNTCTCModel, EncDecRNNTModel

    match model:
        case EncDecHybridRNNTCTCModel() if options.decoder == "ctc":
            return CtcDecoder(model.ctc_decoder, model.ctc_decoding)
        case EncDecRNNTModel():
            return TransducerDecoder(model, options.cuda_graphs is not False)
        case EncDecCTCModel():
            return CtcDecoder(model.decoder, model.decoding)
    raise CheckpointError(
        f"{name}: unsupported model {type(model).__name__}: expected a CTC, transducer or multitask model"
    )


class CtcDecoder:
    """The best token of every frame, without repetitions and blanks, for a whole batch in one copy from the device."""

    batches_per_call = 1
    scores_texts = True

    def __init__(self, head: Any, decoding: Any) -> None:
        from nemo.collections.asr.parts.utils.asr_confidence_utils import get_confidence_measure_bank

        self.head, self.decoding, self.blank = head, decoding, decoding.blank_id
        self.measure = get_confidence_measure_bank()["entropy_tsallis_exp"]

    def start(self, encoded: Any, frames: Any, languages: Languages) -> CtcScores:
        scores = self.head(encoder_output=encoded)
        return CtcScores.start(scores, self.measure(scores, v=scores.shape[-1], t=ALPHA), frames, self.blank)


class TransducerDecoder:
    """NeMo's label-looping greedy search for RNNT and TDT, in CUDA graphs on a GPU.

    It proceeds label by label, which takes as long for ten utterances as for a hundred, so the encoder's output of
    several batches is decoded together.
    """

    batches_per_call = 8

    def __init__(self, model: Any, cuda_graphs: bool) -> None:
        from omegaconf import OmegaConf

        greedy = {"loop_labels": True, "use_cuda_graph_decoder": cuda_graphs}
        OmegaConf.set_struct(model.cfg.decoding, False)
        settings = {"strategy": "greedy_batch", "greedy": greedy, "confidence_cfg": CONFIDENCE}
        model.change_decoding_strategy(OmegaConf.merge(model.cfg.decoding, settings), verbose=False)
        self.model, self.decoding = model, model.decoding
        self.durations = [int(frames) for frames in self.decoding.durations or ()]
        self.scores_texts = not self.decoding.big_blank_durations

    def start(self, encoded: Any, frames: Any, languages: Languages) -> "TransducerHypotheses":
        (hypotheses,) = self.decoding.decoding(encoder_output=encoded, encoded_lengths=frames)
        return TransducerHypotheses(self, encoded, frames, hypotheses)


@dataclass(frozen=True)
class TransducerHypotheses:
    """What a transducer read from the encoder's output [utterances, width, frames], in NeMo's form."""

    decoder: TransducerDecoder
    encoded: Any
    frames: Any
    hypotheses: Any

    def tokens(self) -> list[Tokens]:
        return [self.tokens_of(read) for read in self.decoder.decoding.compute_confidence(self.hypotheses)]

    def tokens_of(self, hypothesis: Any) -> Tokens:
        blank = self.decoder.decoding.blank_id
        ids = [int(token) for token in hypothesis.y_sequence if token != blank]
        confidence = np.array([float(value) for value in hypothesis.token_confidence])
        starts = [int(frame) for frame in hypothesis.timestamp]
        durations = [int(frames) for frames in hypothesis.token_duration] or [1] * len(starts)  # only TDT has any
        ends = [start + frames for start, frames in zip(starts, durations, strict=True)]
        return Tokens(ids, confidence, starts, ends, bool(np.isfinite(confidence).all()))

    def log_likelihoods(self, texts: Sequence[tuple[int, Sequence[int]]]) -> list[float]:
        from winnow.engines.nemo.transducer_networks import NemoNetworks
        from winnow.engines.transducer_lattice import bounded_log_likelihoods

        own = self.decoder
        networks = NemoNetworks(own.model)
        return bounded_log_likelihoods(networks, self.encoded, self.frames, texts, own.decoding.blank_id, own.durations)
