"""What an encoder's output says: the decoders of NeMo's model families, greedy, with the confidence of every token.

Confidence is NeMo's default measure, the exponentially normalized Tsallis entropy (alpha 0.33) of each step's
distribution, the least of a token's frames and of a word's tokens (Laptev and Ginsburg 2023, "Fast entropy-based
methods of word-level confidence estimation for end-to-end automatic speech recognition").
"""

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tasks.checkpoint import BadCheckpoint
from tasks.config import Engine
from tasks.spoken import match

Languages = list[str | None]

ALPHA = 0.33
CONFIDENCE = {"preserve_token_confidence": True, "preserve_frame_confidence": True}


@dataclass(frozen=True)
class Tokens:
    """One utterance's tokens: ids, confidences, and from which of the encoder's frames to which (if it is known).

    `sound` is false where the scores are not finite: then nothing else means anything.
    """

    ids: list[int]
    confidence: NDArray[np.float64]
    starts: list[int] | None = None
    ends: list[int] | None = None
    sound: bool = True


class Decoder(Protocol):
    """Tokens of encoded batches. `start` gives the device its work; what it returns waits for the outcome.

    Only models with a prompt heed the languages that are said of the utterances.
    """

    decoding: Any
    together: int

    def start(self, encoded: Any, frames: Any, languages: Languages) -> Callable[[], list[Tokens]]: ...


def decoder_of(model: Any, name: str, options: Engine) -> Decoder:
    """The decoder that reads a model's encoder output."""
    from nemo.collections.asr.models import (
        EncDecCTCModel,
        EncDecHybridRNNTCTCModel,
        EncDecMultiTaskModel,
        EncDecRNNTModel,
    )

    match model:
        case EncDecHybridRNNTCTCModel() if options.branch == "ctc":
            return Ctc(model.ctc_decoder, model.ctc_decoding)
        case EncDecRNNTModel():
            return Transducer(model, options.cuda_graphs is not False)
        case EncDecCTCModel():
            return Ctc(model.decoder, model.decoding)
        case EncDecMultiTaskModel():
            return Prompted(model, name, options)
    raise BadCheckpoint(f"{name}: {type(model).__name__} is no CTC, transducer or multitask model")


class Ctc:
    """The best token of every frame, repetitions and blanks removed: a whole batch at once, one copy off the device."""

    together = 1

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
            return Tokens([], trust, sound=False)
        if not length:
            return Tokens([], trust)
        starts = np.flatnonzero(np.diff(labels, prepend=-1))
        ends = np.append(starts[1:], length)
        spoken = labels[starts] != self.blank
        least = np.minimum.reduceat(trust, starts)
        starts, ends = starts[spoken], ends[spoken]
        return Tokens(labels[starts].tolist(), least[spoken], starts.tolist(), ends.tolist())


class Transducer:
    """NeMo's label-looping greedy search for RNNT and TDT, in CUDA graphs where there is a GPU.

    It goes label by label, which costs as much for ten utterances as for a hundred: the encoder's output of several
    batches is decoded together.
    """

    together = 8

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


class Prompted:
    """The multitask attention models (canary): token after token, behind a prompt of language, task and punctuation."""

    together = 8

    def __init__(self, model: Any, name: str, options: Engine) -> None:
        from omegaconf import OmegaConf

        OmegaConf.set_struct(model.cfg.decoding, False)
        most = OmegaConf.select(model.cfg.decoding, "beam.max_generation_delta")
        greedy = {} if most is None else {"max_generation_delta": most}
        settings = {"strategy": "greedy", "greedy": greedy, "confidence_cfg": CONFIDENCE}
        model.change_decoding_strategy(OmegaConf.merge(model.cfg.decoding, settings))
        self.model, self.decoding = model, model.decoding
        self.prompt = functools.cache(functools.partial(prompt, model, name, options))
        self.length = len(self.prompt(None))
        search = self.decoding.decoding.greedy_search
        self.most, self.beyond = search.max_seq_length, search.max_delta_len
        self.turn = threading.Lock()  # NeMo's search leaves its decoder in training mode, until it begins again

    def start(self, encoded: Any, frames: Any, languages: Languages) -> Callable[[], list[Tokens]]:
        import torch
        from nemo.collections.asr.models.aed_multitask_models import lens_to_mask

        states = self.model.encoder_decoder_proj(encoded.permute(0, 2, 1))
        mask = lens_to_mask(frames, states.shape[1]).to(states.dtype)
        if self.model.use_transf_encoder:
            states = self.model.transf_encoder(encoder_states=states, encoder_mask=mask)
        prompts = torch.stack([self.prompt(language) for language in languages]).to(states.device)
        with self.turn:
            (found,) = self.decoding.decoding(
                encoder_hidden_states=states, encoder_input_mask=mask, decoder_input_ids=prompts
            )
        return lambda: [self.tokens(*one) for one in zip(found, frames.tolist(), strict=True)]

    def tokens(self, hypothesis: Any, frames: int) -> Tokens:
        """As many as the utterance's own length allows; NeMo's search goes by the longest of the batch."""
        most = min(self.most, frames + self.beyond) - self.length
        ids = hypothesis.y_sequence.tolist()[:most]
        confidence = np.array([float(value) for value in hypothesis.token_confidence[:most]])
        return Tokens(ids, confidence, sound=bool(np.isfinite(confidence).all()))


USUAL_SLOTS = {
    "task": "asr",
    "pnc": "yes",
    "decodercontext": "",
    "emotion": "<|emo:undefined|>",
    "itn": "no",
    "timestamp": "no",
    "diarize": "no",
}
"""What a prompt says where neither the checkpoint nor the options do."""


def prompt(model: Any, name: str, options: Engine, language: str | None) -> Any:
    """The ids of the prompt [tokens]: the checkpoint's own, with what the options ask for in its slots.

    The language that is said of an utterance counts where the options have none.
    """
    (turn,) = model.prompt.get_default_dialog_slots()
    given = {slot: value for slot, value in turn["slots"].items() if value is not None}
    slots = {slot: USUAL_SLOTS.get(slot) for slot in turn["slots"]} | given
    asked = options.language or (language and (known(language, model) or language))
    spoken = asked or slots["source_lang"]
    if spoken is None:
        raise BadCheckpoint(f"{name}: its prompt needs a language: give engine.language, such as en")
    written = options.target_language or (asked or slots["target_lang"] or spoken)
    slots |= {"source_lang": spoken, "target_lang": written}
    if options.punctuation is not None:
        slots["pnc"] = "yes" if options.punctuation else "no"
    if "task" in slots and written != spoken:
        slots["task"] = "ast"
    for tag in (spoken, written):
        if f"<|{tag.strip('<|>')}|>" not in model.tokenizer.special_tokens:
            raise BadCheckpoint(f"{name}: no language {tag!r} in its prompt (engine.language, or the row's lang)")
    return model.prompt.encode_dialog([{"role": turn["role"], "slots": slots}])["context_ids"]


def known(language: str, model: Any) -> str | None:
    """The language as the prompt has it: itself, or without its region."""
    return match(language, (token.strip("<|>") for token in model.tokenizer.special_tokens))
