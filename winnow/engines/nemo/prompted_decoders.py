"""Models that are told more than the audio: the language of each utterance, and what a prompt asks for."""

import functools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from winnow.engines.nemo.tokens import CONFIDENCE, Decoder, Languages, Tokens
from winnow.errors import CheckpointError
from winnow.parameters.engine import EngineOptions
from winnow.text.languages import language_tag, match_language

UNTOLD = "auto"  # the prompt of models that find out the language by themselves


class PromptedTransducerDecoder:
    """A decoder whose encoder's output is told the language first: a one-hot vector beside every frame.

    NeMo's transducers and hybrids "with prompt" are so (nemotron-3.5-asr-streaming).
    """

    def __init__(self, decoder: Decoder, model: Any, name: str, options: EngineOptions) -> None:
        self.inner, self.decoding, self.batches_per_call = decoder, decoder.decoding, decoder.batches_per_call
        self.model, self.name, self.options = model, name, options
        self.known = {
            str(one): int(at) for one, at in (model.cfg.model_defaults.get("prompt_dictionary") or {}).items()
        }
        self.number(None)

    def start(self, encoded: Any, frames: Any, languages: Languages) -> Callable[[], list[Tokens]]:
        """As NeMo's `forward` does it: the prompt joined to each frame, and projected to the encoder's width."""
        import torch
        from torch.nn.functional import one_hot

        numbers = torch.tensor([self.number(language) for language in languages], device=encoded.device)
        told = one_hot(numbers, self.model.num_prompts).to(encoded.dtype)
        told = told[:, None].expand(-1, encoded.shape[2], -1)
        joined = torch.cat([encoded.transpose(1, 2), told], dim=-1)
        return self.inner.start(self.model.prompt_kernel(joined).transpose(1, 2), frames, languages)

    def number(self, language: str | None) -> int:
        """Of the language in the prompt: the options', that of the utterance, or the model's to find out."""
        asked = language_tag(self.options.language or language) or UNTOLD
        regions = (one for one in self.known if str(language_tag(one)).partition("-")[0] == asked)  # en-US for en
        found = match_language(asked, self.known) or next(regions, None)
        if found is None:
            raise CheckpointError(
                f"{self.name}: no language {asked!r} in its prompt (engine.language, or the row's lang): it has "
                f"{', '.join(self.known)}"
            )
        return self.known[found]


class MultitaskDecoder:
    """The multitask attention models (canary): token after token, behind a prompt of language, task and punctuation."""

    batches_per_call = 8

    def __init__(self, model: Any, name: str, options: EngineOptions) -> None:
        from omegaconf import OmegaConf

        OmegaConf.set_struct(model.cfg.decoding, False)
        most = OmegaConf.select(model.cfg.decoding, "beam.max_generation_delta")
        greedy = {} if most is None else {"max_generation_delta": most}
        settings = {"strategy": "greedy", "greedy": greedy, "confidence_cfg": CONFIDENCE}
        model.change_decoding_strategy(OmegaConf.merge(model.cfg.decoding, settings))
        self.model, self.decoding = model, model.decoding
        self.prompt = functools.cache(functools.partial(encode_prompt, model, name, options))
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
        return Tokens(ids, confidence, finite=bool(np.isfinite(confidence).all()))


DEFAULT_SLOTS = {
    "task": "asr",
    "pnc": "yes",
    "decodercontext": "",
    "emotion": "<|emo:undefined|>",
    "itn": "no",
    "timestamp": "no",
    "diarize": "no",
}
"""What a prompt says where neither the checkpoint nor the options do."""


def encode_prompt(model: Any, name: str, options: EngineOptions, language: str | None) -> Any:
    """The ids of the prompt [tokens]: the checkpoint's own, with what the options ask for in its slots.

    The language that is said of an utterance counts where the options have none.
    """
    (turn,) = model.prompt.get_default_dialog_slots()
    given = {slot: value for slot, value in turn["slots"].items() if value is not None}
    slots = {slot: DEFAULT_SLOTS.get(slot) for slot in turn["slots"]} | given
    asked = options.language or (language and (prompt_language(language, model) or language))
    spoken = asked or slots["source_lang"]
    if spoken is None:
        raise CheckpointError(f"{name}: its prompt needs a language: give engine.language, such as en")
    written = options.target_language or (asked or slots["target_lang"] or spoken)
    slots |= {"source_lang": spoken, "target_lang": written}
    if options.punctuation is not None:
        slots["pnc"] = "yes" if options.punctuation else "no"
    if "task" in slots and written != spoken:
        slots["task"] = "ast"
    for one in (spoken, written):
        if f"<|{one.strip('<|>')}|>" not in model.tokenizer.special_tokens:
            raise CheckpointError(f"{name}: no language {one!r} in its prompt (engine.language, or the row's lang)")
    return model.prompt.encode_dialog([{"role": turn["role"], "slots": slots}])["context_ids"]


def prompt_language(language: str, model: Any) -> str | None:
    """The language as the prompt has it: itself, or without its region."""
    return match_language(language, (token.strip("<|>") for token in model.tokenizer.special_tokens))
