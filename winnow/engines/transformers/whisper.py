"""Whisper in the format of transformers: windows of 30 s in batches, and longer utterances as its paper does."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from winnow.engines.engine import Request
from winnow.engines.tokens import Tokens
from winnow.engines.transformers.asking import AskingWhisper
from winnow.engines.transformers.generator import EncodedSound, GeneratorReader
from winnow.engines.transformers.loading import Loaded
from winnow.engines.transformers.reading import Clips, Reading, read_apart
from winnow.parameters.engine import EngineOptions

WINDOW_SECONDS = 30.0


class WhisperReader(GeneratorReader):
    """Reads greedily, without filters: no audio is skipped, and nothing is read again at random."""

    def __init__(self, loaded: Loaded, options: EngineOptions) -> None:
        super().__init__(loaded, options, before_text=" ")
        self.whisper = AskingWhisper(loaded)

    def read(self, clips: Clips, requests: Sequence[Request]) -> Reading:
        if len(clips) == 1 and len(clips[0]) > WINDOW_SECONDS * self.rate:
            return self.read_long(clips[0], self.options.language or requests[0].language)
        if any(len(clip) > WINDOW_SECONDS * self.rate for clip in clips):
            return read_apart(self.read, clips, requests)
        return self.read_windows(clips, [self.options.language or request.language for request in requests])

    def read_windows(self, clips: Clips, asked: list[str | None]) -> Reading:
        import torch
        from transformers import GenerationMixin

        features = self.whisper.features(clips)["input_features"].to(self.model.device, self.model.dtype)
        languages = self.whisper.languages(features, asked)
        prompts = torch.tensor([self.whisper.prompt(language) for language in languages], device=self.model.device)

        def generate(**options: Any) -> Any:
            return GenerationMixin.generate(self.model, **options)

        inputs = {"input_features": features, "decoder_input_ids": prompts}
        tokens, starts, encoded = self.write(inputs, [WINDOW_SECONDS] * len(clips), generate)
        return Reading(tokens, languages, EncodedSound(self, encoded, None, starts))

    def read_long(self, clip: Any, asked: str | None) -> Reading:
        """Read windows that end where the model ends a sentence; the likelihood of other texts is not known then."""
        inputs = self.whisper.extractor(
            [clip], sampling_rate=self.rate, truncation=False, padding="longest", return_attention_mask=True,
            return_tensors="pt",
        )  # fmt: skip
        features = inputs["input_features"].to(self.model.device, self.model.dtype)
        (language,) = self.whisper.languages(features[..., :3000], [asked])
        told = {"language": language, "task": "transcribe"} if language else {}
        written = self.model.generate(
            features, attention_mask=inputs["attention_mask"].to(self.model.device), return_timestamps=True,
            condition_on_prev_tokens=False, do_sample=False, num_beams=1, temperature=0.0, **told,
        )  # fmt: skip
        first_time = self.whisper.no_times + 1
        ids = [token for token in written[0].tolist() if token < first_time and token not in self.ends]
        return Reading([Tokens(ids, np.full(len(ids), np.nan), finite=True)], [language], None)
