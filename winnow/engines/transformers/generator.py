"""Models that write a text token by token: encoder-decoders, and language models that hear."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from winnow.engines.confidence import entropy_confidence
from winnow.engines.engine import Request
from winnow.engines.tokens import Tokens
from winnow.engines.transformers.asking import Asking
from winnow.engines.transformers.loading import Loaded
from winnow.engines.transformers.reading import Clips, Reading, hears_padding, on_device, read_apart
from winnow.engines.transformers.vocabulary import TokenizerVocabulary
from winnow.parameters.engine import EngineOptions

LEAST_TOKENS, TOKENS_PER_SECOND = 32, 25  # of a text, at most; speech has up to about ten a second


class GeneratorReader:
    """Reads greedily what a model writes when it is asked for a transcript."""

    frame_seconds: float | None = None
    padded = False

    def __init__(self, loaded: Loaded, options: EngineOptions, before_text: str = "") -> None:
        self.model, self.options = loaded.model, options
        self.asking = Asking(loaded)
        self.rate = int(loaded.extractor.sampling_rate)
        tokenizer = loaded.tokenizer
        self.vocabulary = TokenizerVocabulary(
            tokenizer, lambda ids: str(tokenizer.decode(ids, skip_special_tokens=True)), before_text
        )
        ends = self.model.generation_config.eos_token_id
        self.ends = [int(end) for end in (ends if isinstance(ends, list) else [ends]) if end is not None]
        self.encoder_decoder = bool(self.model.config.is_encoder_decoder)
        self.alone = loaded.family == "encoder-decoder" and hears_padding(self.encode, self.rate)

    def read(self, clips: Clips, requests: Sequence[Request]) -> Reading:
        for clip in clips:
            self.asking.raise_if_too_long(len(clip) / self.rate)
        languages = [self.options.language or request.language for request in requests]
        if len(clips) > 1 and (self.alone or self.asking.differ(languages)):
            return read_apart(self.read, clips, requests)
        return self.read_group(clips, languages)

    def encode(self, clips: Clips) -> Any:
        """Return the output of the encoder [utterances, frames, width]."""
        inputs = on_device(self.asking.inputs(clips, [None] * len(clips)), self.model)
        return self.model.get_encoder()(**inputs).last_hidden_state

    def read_group(self, clips: Clips, languages: list[str | None]) -> Reading:
        inputs = on_device(self.asking.inputs(clips, languages), self.model)
        written, prompts, encoded = self.write(inputs, [len(clip) / self.rate for clip in clips], self.model.generate)
        starts = [self.asking.split(read.ids) for read in written]
        tokens = [
            Tokens(read.ids[at:], read.confidence[at:], finite=read.finite)
            for read, at in zip(written, starts, strict=True)
        ]
        heard = [
            self.asking.language_of(tuple(read.ids[:at])) if at else None
            for read, at in zip(written, starts, strict=True)
        ]
        told = (
            languages if self.asking.loaded.family in ("prompted", "multilingual-speech-llm") else [None] * len(clips)
        )
        known = [given or own for given, own in zip(told, heard, strict=True)]
        scorer = EncodedSound(self, encoded, inputs.get("attention_mask"), prompts) if self.encoder_decoder else None
        return Reading(tokens, known, scorer)

    def write(
        self, inputs: dict[str, Any], seconds: list[float], generate: Any
    ) -> tuple[list[Tokens], list[list[int]], Any]:
        """Return the tokens that the model writes, the tokens before them, and the output of the encoder if any."""
        first = inputs.get("decoder_input_ids" if self.encoder_decoder else "input_ids")
        prompt = 1 if first is None else first.shape[1]
        if self.model.generation_config.forced_bos_token_id is not None:
            prompt += 1
        limits = [self.limit(length, prompt) for length in seconds]
        taker = ConfidenceTaker()
        with self.encoder_output() as encoded:
            written = generate(
                **inputs, do_sample=False, num_beams=1, max_new_tokens=max(limits), logits_processor=[taker],
                return_dict_in_generate=True,
            ).sequences  # fmt: skip
        rows, confidence = written.tolist(), taker.confidence()
        taken = confidence[:, confidence.shape[1] - (written.shape[1] - prompt) :]
        tokens = [
            self.own(row[prompt:][:limit], taken[i]) for i, (row, limit) in enumerate(zip(rows, limits, strict=True))
        ]
        return tokens, [row[:prompt] for row in rows], encoded[0] if encoded else None

    def limit(self, seconds: float, prompt: int) -> int:
        """Return how many tokens an utterance may have; what a model writes beyond them is one word again and again."""
        config = self.model.config.get_text_config(decoder=True)
        most = getattr(config, "max_target_positions", None) or getattr(config, "max_position_embeddings", None)
        wanted = LEAST_TOKENS + int(TOKENS_PER_SECOND * seconds)
        return max(1, min(wanted, most - prompt)) if most else wanted

    def own(self, ids: list[int], confidence: Any) -> Tokens:
        """Return the tokens before the one that ends a text."""
        end = next((at for at, token in enumerate(ids) if token in self.ends), len(ids))
        own = confidence[:end]
        return Tokens(ids[:end], own, finite=bool(np.isfinite(confidence[: end + 1]).all()))

    @contextmanager
    def encoder_output(self) -> Iterator[list[Any]]:
        """Yield a list that the output of the encoder for this thread is put into during the block."""
        taken: list[Any] = []
        if not self.encoder_decoder:
            yield taken
            return
        thread = threading.get_ident()

        def take(module: Any, arguments: Any, output: Any) -> None:
            if threading.get_ident() == thread:  # all threads share the encoder, and so its hooks
                taken.append(output)

        hook = self.model.get_encoder().register_forward_hook(take)
        try:
            yield taken
        finally:
            hook.remove()


class ConfidenceTaker:
    """Takes how sure a model is at each step of `generate`, and changes nothing."""

    def __init__(self) -> None:
        self.steps: list[Any] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        self.steps.append(entropy_confidence(scores.float().log_softmax(-1)))
        return scores

    def confidence(self) -> Any:
        """Return the confidence of each step [utterances, steps]."""
        import torch

        return torch.stack(self.steps, 1).double().cpu().numpy()


@dataclass(frozen=True)
class EncodedSound:
    """The output of an encoder for a batch, behind which the decoder reads any text at once (teacher forcing)."""

    reader: GeneratorReader
    encoded: Any
    mask: Any
    prompts: list[list[int]]

    def log_likelihoods(self, texts: Sequence[tuple[int, Sequence[int]]]) -> list[float]:
        """Return the log-likelihoods of texts and of the token that ends them, behind their prompts."""
        from winnow.engines.likelihoods import groups

        own, end = self.reader, self.reader.ends[:1]
        whole = [(i, [*self.prompts[row], *ids, *end]) for i, (row, ids) in enumerate(texts)]
        longest = len(self.prompts[0]) + own.limit(float("1e6"), len(self.prompts[0]))
        fitting = [text for text in whole if len(text[1]) <= longest + 1]  # the last is not read, but written
        values = [-np.inf] * len(texts)
        vocabulary = own.model.config.get_text_config(decoder=True).vocab_size
        for group in groups(fitting, lambda length: vocabulary * length):
            for (i, _), value in zip(group, self.score([(texts[i][0], ids) for i, ids in group]), strict=True):
                values[i] = value
        return values

    def score(self, texts: list[tuple[int, Sequence[int]]]) -> list[float]:
        import torch

        model = self.reader.model
        rows = torch.tensor([row for row, _ in texts], device=model.device)
        longest = max(len(ids) for _, ids in texts)
        pad = self.reader.ends[0] if self.reader.ends else 0
        ids = torch.tensor([[*own, *[pad] * (longest - len(own))] for _, own in texts], device=model.device)
        encoded = type(self.encoded)(
            **{key: value[rows] for key, value in self.encoded.items() if isinstance(value, torch.Tensor)}
        )
        masked = {} if self.mask is None else {"attention_mask": self.mask[rows]}
        outputs = model(encoder_outputs=encoded, decoder_input_ids=ids[:, :-1], use_cache=False, **masked)
        scores = outputs.logits.float().log_softmax(-1).gather(-1, ids[:, 1:, None]).squeeze(-1).double()
        places = torch.arange(1, longest, device=model.device)
        lengths = torch.tensor([len(own) for _, own in texts], device=model.device)
        prompts = torch.tensor([len(self.prompts[row]) for row, _ in texts], device=model.device)
        own = (places >= prompts[:, None]) & (places < lengths[:, None])
        values: list[float] = scores.masked_fill(~own, 0.0).sum(-1).tolist()
        return values
