"""Decoders of models with a prompt, which states the language of each utterance and whether to write punctuation."""

import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from winnow.engines.nemo.tokens import CONFIDENCE, Decoder, Languages
from winnow.engines.tokens import Decoded, Tokens
from winnow.errors import CheckpointError
from winnow.parameters.engine import EngineOptions
from winnow.text.languages import language_tag, match_language

DETECT = "auto"  # the prompt for which models detect the language


class PromptedTransducerDecoder:
    """A decoder of encoder output to which the language is added, as a one-hot vector per frame.

    NeMo's transducers and hybrids "with prompt" work this way (nemotron-3.5-asr-streaming).
    """

    def __init__(self, decoder: Decoder, model: Any, name: str, options: EngineOptions) -> None:
        self.inner, self.decoding, self.batches_per_call = decoder, decoder.decoding, decoder.batches_per_call
        self.scores_texts = decoder.scores_texts
        self.model, self.name, self.options = model, name, options
        prompts = model.cfg.model_defaults.get("prompt_dictionary") or {}
        self.prompts = {str(language): int(number) for language, number in prompts.items()}
        self.prompt_number(None)

    def start(self, encoded: Any, frames: Any, languages: Languages) -> Decoded:
        """Join the prompt to each frame and project to the encoder's width, as NeMo's `forward` does; then decode."""
        import torch
        from torch.nn.functional import one_hot

        numbers = torch.tensor([self.prompt_number(language) for language in languages], device=encoded.device)
        prompt = one_hot(numbers, self.model.num_prompts).to(encoded.dtype)
        prompt = prompt[:, None].expand(-1, encoded.shape[2], -1)
        joined = torch.cat([encoded.transpose(1, 2), prompt], dim=-1)
        return self.inner.start(self.model.prompt_kernel(joined).transpose(1, 2), frames, languages)

    def prompt_number(self, language: str | None) -> int:
        """Return the number of a language's prompt: of the options, else of the utterance, else for detection."""
        tag = language_tag(self.options.language or language) or DETECT
        regional = (name for name in self.prompts if str(language_tag(name)).partition("-")[0] == tag)  # en-US for en
        name = match_language(tag, self.prompts) or next(regional, None)
        if name is None:
            raise CheckpointError(
                f"{self.name}: no language {tag!r} in its prompt (engine.language, or the row's lang): expected one of "
                f"{', '.join(self.prompts)}"
            )
        return self.prompts[name]


class MultitaskDecoder:
    """Greedy search of multitask attention models (canary), after a prompt of language, task and punctuation."""

    batches_per_call = 8
    scores_texts = True

    def __init__(self, model: Any, name: str, options: EngineOptions) -> None:
        from omegaconf import OmegaConf

        OmegaConf.set_struct(model.cfg.decoding, False)
        max_delta = OmegaConf.select(model.cfg.decoding, "beam.max_generation_delta")
        greedy = {} if max_delta is None else {"max_generation_delta": max_delta}
        settings = {"strategy": "greedy", "greedy": greedy, "confidence_cfg": CONFIDENCE}
        model.change_decoding_strategy(OmegaConf.merge(model.cfg.decoding, settings))
        self.model, self.decoding = model, model.decoding
        self.prompt = functools.cache(functools.partial(encode_prompt, model, name, options))
        self.prompt_length = len(self.prompt(None))
        search = self.decoding.decoding.greedy_search
        self.max_length, self.max_delta = search.max_seq_length, search.max_delta_len
        self.lock = threading.Lock()  # NeMo's search leaves its decoder in training mode until the next search

    def start(self, encoded: Any, frames: Any, languages: Languages) -> "MultitaskHypotheses":
        import torch
        from nemo.collections.asr.models.aed_multitask_models import lens_to_mask

        states = self.model.encoder_decoder_proj(encoded.permute(0, 2, 1))
        mask = lens_to_mask(frames, states.shape[1]).to(states.dtype)
        if self.model.use_transf_encoder:
            states = self.model.transf_encoder(encoder_states=states, encoder_mask=mask)
        prompts = torch.stack([self.prompt(language) for language in languages])
        with self.lock:
            (hypotheses,) = self.decoding.decoding(
                encoder_hidden_states=states, encoder_input_mask=mask, decoder_input_ids=prompts.to(states.device)
            )
        return MultitaskHypotheses(self, states, mask, frames, prompts, hypotheses)


@dataclass(frozen=True)
class MultitaskHypotheses:
    """What a multitask model read, in NeMo's form, and what from.

    `states` are the encoder's [utterances, frames, width], of which `mask` marks those of the utterances; `prompts` are
    token ids [utterances, tokens].
    """

    decoder: MultitaskDecoder
    states: Any
    mask: Any
    frames: Any
    prompts: Any
    hypotheses: Any

    def tokens(self) -> list[Tokens]:
        return [self.tokens_of(*row) for row in zip(self.hypotheses, self.frames.tolist(), strict=True)]

    def tokens_of(self, hypothesis: Any, frames: int) -> Tokens:
        """Return at most as many tokens as the utterance's own length allows; NeMo limits them by the longest one's."""
        limit = min(self.decoder.max_length, frames + self.decoder.max_delta) - self.decoder.prompt_length
        ids = hypothesis.y_sequence.tolist()[:limit]
        confidence = np.array([float(value) for value in hypothesis.token_confidence[:limit]])
        return Tokens(ids, confidence, finite=bool(np.isfinite(confidence).all()))

    def log_likelihoods(self, texts: Sequence[tuple[int, Sequence[int]]]) -> list[float]:
        """Return the sums of the log-probabilities of texts and of the token that ends them, behind their prompts."""
        from winnow.engines.nemo.teacher_forcing import multitask_log_likelihoods

        with self.decoder.lock:
            return multitask_log_likelihoods(
                self.decoder.model, self.states, self.mask, self.prompts, texts, self.decoder.max_length
            )


DEFAULT_SLOTS = {
    "task": "asr",
    "pnc": "yes",
    "decodercontext": "",
    "emotion": "<|emo:undefined|>",
    "itn": "no",
    "timestamp": "no",
    "diarize": "no",
}
"""The values of a prompt's slots that neither the checkpoint nor the options set."""


def encode_prompt(model: Any, name: str, options: EngineOptions, language: str | None) -> Any:
    """Return the ids of the prompt [tokens]: the checkpoint's slots, overridden by the options.

    `language` is that of the utterance, for which the options take precedence. Raises CheckpointError if the prompt
    does not have a language.
    """
    (turn,) = model.prompt.get_default_dialog_slots()
    own = {slot: value for slot, value in turn["slots"].items() if value is not None}
    slots = {slot: DEFAULT_SLOTS.get(slot) for slot in turn["slots"]} | own
    requested = options.language or (language and (prompt_language(language, model) or language))
    source = requested or slots["source_lang"]
    if source is None:
        raise CheckpointError(f"{name}: its prompt requires a language: set engine.language, e.g. en")
    target = options.target_language or (requested or slots["target_lang"] or source)
    slots |= {"source_lang": source, "target_lang": target}
    if options.punctuation is not None:
        slots["pnc"] = "yes" if options.punctuation else "no"
    if "task" in slots and target != source:
        slots["task"] = "ast"
    for tag in (source, target):
        if f"<|{tag.strip('<|>')}|>" not in model.tokenizer.special_tokens:
            raise CheckpointError(f"{name}: no language {tag!r} in its prompt (engine.language, or the row's lang)")
    return model.prompt.encode_dialog([{"role": turn["role"], "slots": slots}])["context_ids"]


def prompt_language(language: str, model: Any) -> str | None:
    """Return the name of a language in the prompt, with or without its region."""
    return match_language(language, (token.strip("<|>") for token in model.tokenizer.special_tokens))
