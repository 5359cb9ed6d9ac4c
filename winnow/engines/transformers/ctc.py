"""Models with a CTC head: Wav2Vec2 and its relatives, which hear the wave, and conformers, which hear features."""

import threading
from collections.abc import Sequence
from typing import Any

from winnow.engines.confidence import entropy_confidence
from winnow.engines.ctc_scores import CtcScores
from winnow.engines.engine import Request
from winnow.engines.transformers.loading import Loaded
from winnow.engines.transformers.reading import Clips, Reading, hears_padding, on_device
from winnow.engines.transformers.vocabulary import TokenizerVocabulary
from winnow.errors import CheckpointError


class CtcReader:
    """The best token of every frame, without repetitions and blanks, as transformers' pipeline writes it."""

    padded = True

    def __init__(self, loaded: Loaded, name: str) -> None:
        self.model, self.extractor, self.blank = loaded.model, loaded.extractor, loaded.model.config.pad_token_id
        self.rate = int(self.extractor.sampling_rate)
        self.frame_seconds = frame_seconds(self.model.config, self.extractor)
        if not 0 <= (self.blank if self.blank is not None else -1) < self.model.config.vocab_size:
            raise CheckpointError(f"{name}: config.json: pad_token_id, the blank of CTC, is {self.blank}")
        tokenizer = loaded.tokenizer
        self.vocabulary = TokenizerVocabulary(tokenizer, lambda ids: str(tokenizer.decode(ids, group_tokens=False)))
        self.separately = SeparateFeatures(self.model) if normalizes_over_time(self.model.config) else None
        self.alone = hears_padding(lambda clips: self.scores(clips)[0], self.rate)

    def read(self, clips: Clips, requests: Sequence[Request]) -> Reading:
        groups = [[clip] for clip in clips] if self.alone else [clips]
        scores, frames = join([self.scores(group) for group in groups])
        decoded = CtcScores.start(scores, entropy_confidence(scores), frames, self.blank)
        return Reading(decoded.tokens(), [None] * len(clips), decoded)

    def scores(self, clips: Clips) -> tuple[Any, Any]:
        """Return log-probabilities [utterances, frames, vocabulary], and how many frames are each utterance's own."""
        inputs = on_device(
            self.extractor(
                list(clips), sampling_rate=self.rate, padding=True, return_attention_mask=True, return_tensors="pt"
            ),
            self.model,
        )
        if self.separately:
            self.separately.lengths = [len(clip) for clip in clips]
        scores = self.model(**inputs).logits.float().log_softmax(-1)
        return scores, self.frames(inputs["attention_mask"], scores.shape[1])

    def frames(self, mask: Any, longest: int) -> Any:
        """Return how many frames of the output are each utterance's own."""
        if hasattr(self.model, "_get_output_attention_mask"):
            return self.model._get_output_attention_mask(mask.long(), target_length=longest).sum(-1)
        return self.model._get_feat_extract_output_lengths(mask.long().sum(-1)).clamp(max=longest)


def join(parts: list[tuple[Any, Any]]) -> tuple[Any, Any]:
    """Return the scores and the lengths of several groups as those of one."""
    import torch
    from torch.nn.functional import pad

    longest = max(scores.shape[1] for scores, _ in parts)
    scores = [pad(scores, (0, 0, 0, longest - scores.shape[1])) for scores, _ in parts]
    return torch.cat(scores), torch.cat([frames for _, frames in parts])


class SeparateFeatures:
    """Computes the convolutions of each wave of a batch by itself, at its own length.

    A first layer that normalizes over time would else hear the padding of a batch, which the rest of the model masks.
    """

    def __init__(self, model: Any) -> None:
        base = getattr(model, model.base_model_prefix)
        self.compute = base.feature_extractor.forward
        self._own = threading.local()
        base.feature_extractor.forward = self.forward

    @property
    def lengths(self) -> list[int]:
        """The samples of each wave of the batch of this thread."""
        return self._own.lengths  # type: ignore[no-any-return]

    @lengths.setter
    def lengths(self, samples: list[int]) -> None:
        self._own.lengths = samples

    def forward(self, waves: Any) -> Any:
        """Return the features [utterances, width, frames], padded with 0."""
        import torch
        from torch.nn.functional import pad

        own = [self.compute(wave[None, :length]) for wave, length in zip(waves, self.lengths, strict=True)]
        longest = max(features.shape[2] for features in own)
        return torch.cat([pad(features, (0, longest - features.shape[2])) for features in own])


def normalizes_over_time(config: Any) -> bool:
    return getattr(config, "feat_extract_norm", None) == "group"


def frame_seconds(config: Any, extractor: Any) -> float | None:
    """Return the length of a frame of the output, None if the configuration does not tell."""
    encoder = getattr(config, "encoder_config", config)
    samples = getattr(config, "inputs_to_logits_ratio", None) or getattr(encoder, "subsampling_factor", None)
    hop = getattr(extractor, "hop_length", 1)
    return samples * hop / extractor.sampling_rate if samples else None
