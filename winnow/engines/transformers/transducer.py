"""Transducers (RNNT, TDT): NeMo's Parakeet and Nemotron in the format of transformers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from winnow.engines.confidence import entropy_confidence
from winnow.engines.engine import Request
from winnow.engines.tokens import Tokens
from winnow.engines.transformers.ctc import frame_seconds
from winnow.engines.transformers.loading import Loaded
from winnow.engines.transformers.reading import Clips, Reading, on_device
from winnow.engines.transformers.vocabulary import TokenizerVocabulary
from winnow.parameters.engine import EngineOptions
from winnow.text.languages import match_language

DETECT = "auto"  # the prompt for which models detect the language


class TransducerReader:
    """Greedy search as transformers' `generate` does it, without its overhead at each of thousands of steps."""

    padded = True

    def __init__(self, loaded: Loaded, options: EngineOptions) -> None:
        self.model, self.processor, self.options = loaded.model, loaded.processor, options
        self.rate = int(loaded.extractor.sampling_rate)
        self.frame_seconds = frame_seconds(self.model.config, loaded.extractor)
        self.networks = Networks(self.model)
        self.languages: list[str] | None = list(getattr(self.processor, "prompt_dictionary", None) or ()) or None
        tokenizer = loaded.tokenizer
        self.vocabulary = TokenizerVocabulary(
            tokenizer, lambda ids: str(tokenizer.decode(ids, skip_special_tokens=True, group_tokens=False))
        )

    def read(self, clips: Clips, requests: Sequence[Request]) -> Reading:
        asked = {"language": [self.prompt(request) for request in requests]} if self.languages else {}
        features = self.processor(list(clips), sampling_rate=self.rate, return_tensors="pt", **asked)
        others = {key: value for key, value in features.items() if isinstance(value, int)}
        heard = self.model.get_audio_features(
            **on_device(features, self.model), **others, output_attention_mask=True, return_dict=True
        )
        encoded, frames = heard.pooler_output, heard.attention_mask.sum(-1)
        scorer = EncodedTransducer(self.networks, encoded.transpose(1, 2), frames)
        return Reading(self.networks.search(encoded, frames), [None] * len(clips), scorer)

    def prompt(self, request: Request) -> str:
        """Return the name of a language in the model's prompt; that for detection where none is known."""
        language = self.options.language or request.language
        found = match_language(language, self.languages or ()) if language else DETECT
        if found is None:
            raise ValueError(f"no language {language!r} in its prompt (engine.language, or the row's lang)")
        return found


class Networks:
    """The predictor and the joint network of a model, whose outputs are tokens and perhaps durations."""

    def __init__(self, model: Any) -> None:
        config = model.config
        self.decoder, self.joint = model.decoder, model.joint
        self.blank, self.tokens = int(config.blank_token_id), int(config.vocab_size)
        self.durations = [int(frames) for frames in getattr(config, "durations", None) or ()]
        self.most_symbols = int(config.max_symbols_per_step)
        self.outputs = self.tokens + len(self.durations)

    def predict(self, labels: Any) -> Any:
        from torch.nn.functional import pad

        return self.decoder(pad(labels, (1, 0), value=self.blank))

    def project(self, encoded: Any) -> Any:
        return encoded.transpose(1, 2)

    def join(self, hidden: Any) -> Any:
        return self.joint.head(self.joint.activation(hidden))

    def advance(self, tokens: Any, state: Any) -> tuple[Any, Any]:
        """Return the predictor's output after the next token of each utterance [utterances, width], and its state."""
        hidden, state = self.decoder.lstm(self.decoder.embedding(tokens[:, None]), state)
        return self.decoder.decoder_projector(hidden)[:, 0], state

    def search(self, encoded: Any, frames: Any) -> list[Tokens]:
        """Read greedily what is encoded [utterances, frames, width], all utterances one step at a time."""
        import torch

        rows = torch.arange(len(frames), device=encoded.device)
        at, symbols, steps = (torch.zeros_like(frames) for _ in range(3))
        predicted, state = self.advance(torch.full_like(frames, self.blank), None)
        taken: list[Any] = []
        while bool((active := (at < frames) & (steps < self.most_symbols * frames - 1)).any()):
            outputs = self.join(encoded[rows, at.clamp(max=encoded.shape[1] - 1)] + predicted).float()
            scores = outputs[:, : self.tokens].log_softmax(-1)
            tokens = scores.argmax(-1)
            says = tokens != self.blank
            spans, symbols = self.spans(outputs, says, symbols)
            span_of_token = spans if self.durations else torch.ones_like(spans)
            taken.append(torch.stack([tokens, at, at + span_of_token, says & active]).cpu())
            taken.append(entropy_confidence(scores).cpu())
            following, new_state = self.advance(tokens, state)
            goes_on = says & active
            predicted = torch.where(goes_on[:, None], following, predicted)
            state = tuple(
                torch.where(goes_on[None, :, None], new, old) for new, old in zip(new_state, state, strict=True)
            )
            at, steps = at + spans * active, steps + active
        return self.tokens_of(taken, len(frames))

    def spans(self, outputs: Any, says: Any, symbols: Any) -> tuple[Any, Any]:
        """Return by how many frames each utterance proceeds, and how many tokens it has had at its frame."""
        import torch

        if self.durations:
            durations = torch.tensor(self.durations, device=outputs.device)
            spans = durations[outputs[:, self.tokens :].argmax(-1)]
            return torch.where(says, spans, spans.clamp(min=1)), symbols
        symbols = (symbols + 1) * says
        proceeds = ~says | (symbols >= self.most_symbols)
        return proceeds.long(), symbols * ~proceeds

    def tokens_of(self, taken: list[Any], utterances: int) -> list[Tokens]:
        """Return the tokens of each utterance, of pairs of what was taken at a step and how sure the model was."""
        import torch

        if not taken:
            return [Tokens([], np.zeros(0)) for _ in range(utterances)]
        steps, confidence = torch.stack(taken[::2]).numpy(), torch.stack(taken[1::2]).double().numpy()
        read = []
        for row in range(utterances):
            said = steps[:, 3, row] != 0
            ids, starts, ends = (steps[said, column, row].tolist() for column in range(3))
            own = confidence[said, row]
            read.append(Tokens(ids, own, starts, ends, bool(np.isfinite(confidence[:, row]).all())))
        return read


@dataclass(frozen=True)
class EncodedTransducer:
    """A batch that was encoded [utterances, width, frames], for which the likelihood of any text can be computed."""

    networks: Networks
    encoded: Any
    frames: Any

    def log_likelihoods(self, texts: Sequence[tuple[int, Sequence[int]]]) -> list[float]:
        from winnow.engines.transducer_lattice import bounded_log_likelihoods

        own = self.networks
        return bounded_log_likelihoods(own, self.encoded, self.frames, texts, own.blank, own.durations)
