"""How models that write texts are asked for a transcript: by sound alone, or by a prompt that may name the language."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from winnow.engines.tokens import Ids
from winnow.engines.transformers.loading import Loaded
from winnow.engines.transformers.reading import Clips
from winnow.text.languages import language_tag, match_language

Languages = list[str | None]
LIMITS = ("max_audio_len", "max_audio_clip_s")
"""Names under which processors have the seconds above which they cut audio, or make several clips of it."""

TEXT_MARK = "<asr_text>"  # between the language that Qwen3-ASR heard and the text


@dataclass(frozen=True)
class Asking:
    """Asks with what the processor offers: a request for a transcript, a prompt for the decoder, or sound alone."""

    loaded: Loaded

    def raise_if_too_long(self, seconds: float) -> None:
        """Raise ValueError for audio of which the processor would drop the end."""
        parts = (self.loaded.processor, self.loaded.extractor)
        limits = [limit for part in parts for name in LIMITS if (limit := getattr(part, name, None))]
        if limits and seconds > min(limits):
            raise ValueError(f"{seconds:.1f} s of audio, of which the model reads at most {min(limits):g} s")

    def inputs(self, clips: Clips, languages: Languages) -> Any:
        """Return the model's inputs for a batch; raises ValueError if it needs a language, or does not know one."""
        processor, rate = self.loaded.processor, int(self.loaded.extractor.sampling_rate)
        if self.loaded.family == "encoder-decoder":
            options = {"padding": True, "return_attention_mask": True, "return_tensors": "pt"}
            return self.loaded.extractor(list(clips), sampling_rate=rate, **options)
        if self.loaded.family == "prompted" and None in languages:
            raise ValueError("the model must be told the language: set engine.language, or a lang for each row")
        request = getattr(processor, "apply_transcription_request", None)
        if request is None:
            return self.with_decoder_prompt(clips, [language or "" for language in languages])
        name = "source_language" if "source_language" in inspect.signature(request).parameters else "language"
        told = {name: languages} if any(languages) else {}
        return request(audio=list(clips), **told)

    def with_decoder_prompt(self, clips: Clips, languages: list[str]) -> Any:
        import torch

        processor, rate = self.loaded.processor, int(self.loaded.extractor.sampling_rate)
        inputs = processor(list(clips), language=languages[0], sampling_rate=rate)
        prompts = [processor.get_decoder_prompt_ids(language=language) for language in languages]
        inputs["decoder_input_ids"] = torch.tensor(prompts)
        return inputs

    def differ(self, languages: Languages) -> bool:
        """Tell whether utterances cannot share a batch: a request names the language of all of them or of none."""
        return self.loaded.family == "multilingual-speech-llm" and None in languages and any(languages)

    def split(self, ids: list[int]) -> int:
        """Return where the text begins in what was written: behind the language, if the model writes it first."""
        mark = self.loaded.tokenizer.get_added_vocab().get(TEXT_MARK)
        return ids.index(mark) + 1 if mark in ids else 0

    def language_of(self, opening: Ids) -> str | None:
        """Return the tag of the language that a model wrote before the text."""
        name = str(self.loaded.tokenizer.decode(list(opening), skip_special_tokens=True))
        name = name.removesuffix(TEXT_MARK).strip().removeprefix("language ").strip()
        own: Any = inspect.getmodule(type(self.loaded.processor))
        try:
            names: dict[str, str] = own.LANGUAGE_CODE_TO_NAME
        except AttributeError:
            return None
        return next((code for code, known in names.items() if known == name), None)


class AskingWhisper:
    """Asks Whisper with the tokens of language and task, and lets it detect a language that is not known."""

    def __init__(self, loaded: Loaded) -> None:
        self.model, self.extractor = loaded.model, loaded.extractor
        config = self.model.generation_config
        self.tokens: dict[str, int] = dict(getattr(config, "lang_to_id", None) or {})
        self.known = {token.strip("<|>"): token for token in self.tokens}
        self.start, self.no_times = int(config.decoder_start_token_id), int(config.no_timestamps_token_id)
        self.task = dict(getattr(config, "task_to_id", None) or {}).get("transcribe")

    def features(self, clips: Clips) -> Any:
        """Return features of 30 s, padded with silence."""
        return self.extractor(list(clips), sampling_rate=self.extractor.sampling_rate, return_tensors="pt")

    def languages(self, features: Any, asked: Sequence[str | None]) -> Languages:
        """Return the language of each utterance: as given, or the likeliest that the model hears; None in English."""
        if not self.tokens:
            return [None] * len(asked)
        given = [match_language(language_tag(language), self.known) for language in asked]
        if None not in given:
            return list(given)
        named = {token: name.strip("<|>") for name, token in self.tokens.items()}
        heard = [named[token] for token in self.model.detect_language(input_features=features).tolist()]
        return [language or other for language, other in zip(given, heard, strict=True)]

    def prompt(self, language: str | None) -> list[int]:
        told = [self.tokens[self.known[language]], self.task] if language else []
        return [self.start, *(token for token in told if token is not None), self.no_times]
