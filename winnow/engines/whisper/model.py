"""A Whisper model as a recogniser: windows of 30 s in batches, greedily decoded, without any filter on what is said.

faster-whisper alone would skip what it takes for silence, and read again at random what seems unlikely. Here nothing is
skipped, and the same audio has the same text.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from winnow.engines.batching import BatchLimits
from winnow.engines.engine import Batch, Checkpoint, Request
from winnow.engines.evidence import EvidenceFinder
from winnow.engines.tokens import Tokens
from winnow.engines.whisper.vocabulary import WhisperVocabulary
from winnow.engines.words import WordAssembler
from winnow.errors import CheckpointError
from winnow.hardware import cores
from winnow.parameters.engine import EngineOptions
from winnow.text.evidence import TextEvidence
from winnow.text.hypothesis import Hypothesis, Word
from winnow.text.languages import match_language
from winnow.text.normalize import count_words

RATE = 16_000
WINDOW_SECONDS = 30.0
FRAME_SECONDS = 0.02
ATTENTION_LEAD = 4  # frames by which attention moves to a word before it is heard: the median of 94 words of espeak-ng
CPU_BATCH, GPU_BATCH = 4, 16  # utterances
MAX_TOKENS = 222  # of a window that CTranslate2 decodes: half of the model's 448, without the prompt
MAX_SCORED_STEPS = 512  # texts times tokens whose distributions over the vocabulary are in memory at once, 200 kB each
PRECISIONS = {"auto": "default", "fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}

Encoded = Any  # ctranslate2.StorageView [utterances, 1500, width]


class WhisperRecogniser:
    """A model with as many workers as there are cores, one thread each; or on the GPU."""

    sample_rate = RATE
    batches_per_call = 1

    def __init__(self, checkpoint: Checkpoint, files: dict[str, bytes], options: EngineOptions) -> None:
        import ctranslate2
        from faster_whisper import WhisperModel
        from faster_whisper.tokenizer import Tokenizer
        from faster_whisper.transcribe import get_suppressed_tokens

        ctranslate2.set_log_level(logging.ERROR)  # it warns of every model in fp16 on a CPU, which runs in fp32
        cuda = ctranslate2.get_cuda_device_count() > 0
        self.threads = 2 if cuda else cores()
        try:
            self.whisper: Any = WhisperModel(
                str(checkpoint.path),
                device="cuda" if cuda else "cpu",
                compute_type=PRECISIONS[options.precision],
                cpu_threads=1,
                num_workers=self.threads,
                files=files,
            )
        except Exception as error:
            raise CheckpointError(f"{checkpoint.name}: faster-whisper cannot open it: {error}") from error
        self.model: Any = self.whisper.model
        self.multilingual = bool(self.model.is_multilingual)
        self.languages: list[str] = self.whisper.supported_languages
        self.tokenizer = Tokenizer(self.whisper.hf_tokenizer, self.multilingual, task="transcribe", language="en")
        self.suppressed = get_suppressed_tokens(self.tokenizer, [-1])
        self.language, self.timestamps = options.language, options.timestamps
        self.runtime = {"device": self.model.device, "precision": self.model.compute_type}
        self.batch_limits = BatchLimits(
            options.batch_seconds or 600.0, options.batch_size or (GPU_BATCH if cuda else CPU_BATCH)
        )
        self.vocabulary = WhisperVocabulary(self.whisper.hf_tokenizer, self.tokenizer.eot)
        self.words = WordAssembler(self.vocabulary.text, self.vocabulary.begins, FRAME_SECONDS)
        self.evidence = EvidenceFinder(self.vocabulary, self.words, options.doubtful_words)

    def transcribe(self, batches: list[Batch]) -> list[Hypothesis]:
        return [hypothesis for batch in batches for hypothesis in self.transcribe_batch(batch)]

    def transcribe_batch(self, batch: Batch) -> list[Hypothesis]:
        """Read the clips of up to 30 s together, and longer ones window by window."""
        short = [i for i, (_, clip) in enumerate(batch) if len(clip.samples) <= WINDOW_SECONDS * RATE]
        read = dict(zip(short, self.read_short([batch[i] for i in short]), strict=True)) if short else {}
        return [read[i] if i in read else self.read_long(*batch[i]) for i in range(len(batch))]

    def read_short(self, batch: Batch) -> list[Hypothesis]:
        """Return the hypotheses of clips that fit into a window, with the evidence for the texts of their requests."""
        requests = [request for request, _ in batch]
        features = [self.features(clip.samples) for _, clip in batch]
        encoded = self.whisper.encode(np.stack([padded for padded, _ in features]))
        languages = self.languages_of(encoded, requests)
        prompts = [self.prompt(language) for language in languages]
        results = self.model.generate(
            encoded, prompts, beam_size=1, suppress_tokens=self.suppressed, return_scores=True,
            return_no_speech_prob=True, return_logits_vocab=True,
        )  # fmt: skip
        tokens = [self.tokens_of(result) for result in results]
        if self.timestamps or self.evidence.lists_regions:
            tokens = self.with_times(encoded, tokens, languages, [frames for _, frames in features])
        hypotheses = [
            replace(
                self.words.hypothesis(read, self.timestamps),
                language=language if self.multilingual else None,
                no_speech=float(result.no_speech_prob),
            )
            for read, language, result in zip(tokens, languages, results, strict=True)
        ]
        return self.evidence.add(hypotheses, requests, tokens, Encodings(self, encoded, prompts))

    def features(self, samples: NDArray[np.float32]) -> tuple[NDArray[np.float32], int]:
        """Return the features of a window [bands, 3000], padded with silence, and how many frames are the clip's."""
        from faster_whisper.audio import pad_or_trim

        features = self.whisper.feature_extractor(samples)[..., :-1]
        return pad_or_trim(features, self.whisper.feature_extractor.nb_max_frames), features.shape[-1]

    def languages_of(self, encoded: Encoded, requests: list[Request]) -> list[str]:
        """Return the language of each utterance: as given, or the likeliest that the model hears."""
        if not self.multilingual:
            return ["en"] * len(requests)
        given = [match_language(request.language or self.language, self.languages) for request in requests]
        if None not in given:
            return [language for language in given if language]
        heard = [ranked[0][0].strip("<|>") for ranked in self.model.detect_language(encoded)]
        return [language or other for language, other in zip(given, heard, strict=True)]

    def prompt(self, language: str) -> list[int]:
        """Return the tokens that ask for a transcript in a language without times."""
        return [*self.start(language), self.tokenizer.no_timestamps]

    def start(self, language: str) -> list[int]:
        sequence = list(self.tokenizer.sot_sequence)
        if self.multilingual:
            sequence[1] = self.whisper.hf_tokenizer.token_to_id(f"<|{language}|>")
        return sequence

    def tokens_of(self, result: Any) -> Tokens:
        """Return the tokens of a result, each with its probability as its confidence."""
        ids = list(result.sequences_ids[0])
        steps = zip(result.logits[0], ids, strict=False)
        return Tokens(ids, np.exp([log_probability(step, token) for step, token in steps]))

    def with_times(
        self, encoded: Encoded, tokens: list[Tokens], languages: list[str], frames: list[int]
    ) -> list[Tokens]:
        """Add the frames of each token, by the attention between text and audio, as faster-whisper does."""
        timed = list(tokens)
        for language in set(languages):
            rows = [i for i, own in enumerate(languages) if own == language and tokens[i].ids]
            if not rows:
                continue
            texts = [list(tokens[i].ids) for i in rows]
            aligned = self.model.align(take(encoded, rows), self.start(language), texts, [frames[i] for i in rows])
            for i, result in zip(rows, aligned, strict=True):
                places = np.array(result.alignments)
                jumps = places[np.diff(places[:, 0], prepend=-1) > 0, 1]
                jumps[1:] = np.minimum(jumps[1:] + ATTENTION_LEAD, np.maximum(frames[i] // 2, jumps[1:]))
                count = len(tokens[i].ids)
                timed[i] = replace(tokens[i], starts=jumps[:count].tolist(), ends=jumps[1 : count + 1].tolist())
        return timed

    def read_long(self, request: Request, clip: Any) -> Hypothesis:
        """Read a clip of more than 30 s in windows that end where the model ends a sentence; nothing is skipped."""
        language = match_language(request.language or self.language, self.languages) if self.multilingual else "en"
        segments, info = self.whisper.transcribe(
            clip.samples, language=language, beam_size=1, temperature=0.0, condition_on_previous_text=False,
            no_speech_threshold=None, log_prob_threshold=None, compression_ratio_threshold=None, vad_filter=False,
            word_timestamps=self.timestamps,
        )  # fmt: skip
        read = list(segments)
        text = " ".join(" ".join(segment.text for segment in read).split())
        ids = [token for segment in read for token in segment.tokens if token < self.tokenizer.eot]
        weights = [len(segment.tokens) for segment in read]
        mean = float(np.average([segment.avg_logprob for segment in read], weights=weights)) if sum(weights) else None
        words = [word for segment in read for word in segment.words or ()]
        counts = (count_words(other, request.comparison.normalizer, request.text_language) for other in request.texts)
        return Hypothesis(
            text,
            len(ids),
            None if mean is None else float(np.exp(mean)),
            words=self.later(words, clip.seconds) if self.timestamps else None,
            evidence=tuple(TextEvidence(count, reason="NOT_SUPPORTED") for count in counts),
            language=info.language if self.multilingual else None,
            no_speech=max((float(segment.no_speech_prob) for segment in read), default=None),
        )

    def later(self, words: list[Any], seconds: float) -> list[Word]:
        """Return the words of faster-whisper with the times at which they are heard, within the clip."""
        lead = ATTENTION_LEAD * FRAME_SECONDS
        times = [(word.start + lead if number else word.start, word.end + lead) for number, word in enumerate(words)]
        return [
            Word(word.word.strip(), min(start, max(seconds, word.start)), min(end, max(seconds, word.end)))
            for word, (start, end) in zip(words, times, strict=True)
        ]

    def peak_device_bytes(self) -> int | None:
        return None


@dataclass(frozen=True)
class Encodings:
    """A batch that was encoded, for which the likelihood of any text can be computed."""

    recogniser: WhisperRecogniser
    encoded: Encoded
    prompts: list[list[int]]

    def log_likelihoods(self, texts: Sequence[tuple[int, Sequence[int]]]) -> list[float]:
        """Return the log-likelihood of each text and of its end, given its own tokens so far (teacher forcing).

        CTranslate2 decodes behind a prefix, and returns the distribution at each of its tokens, too.
        """
        values = [-np.inf] * len(texts)
        lengths = [len(ids) for _, ids in texts]
        fitting = sorted((i for i, length in enumerate(lengths) if length <= MAX_TOKENS), key=lengths.__getitem__)
        while fitting:
            steps = lengths[fitting[-1]] + 1
            group = fitting[-max(1, MAX_SCORED_STEPS // steps) :]
            del fitting[-len(group) :]
            for i, value in zip(group, self.score([texts[i] for i in group], steps), strict=True):
                values[i] = value
        return values

    def score(self, texts: list[tuple[int, Sequence[int]]], steps: int) -> list[float]:
        prompts = [[*self.prompts[row], *ids] for row, ids in texts]
        results = self.recogniser.model.generate(
            take(self.encoded, [row for row, _ in texts]), prompts, beam_size=1, max_length=2 * steps,
            suppress_blank=False, suppress_tokens=[], return_logits_vocab=True,
        )  # fmt: skip
        end = self.recogniser.tokenizer.eot
        return [
            sum(log_probability(step, token) for step, token in zip(result.logits[0], [*ids, end], strict=False))
            for result, (_, ids) in zip(results, texts, strict=True)
        ]


def log_probability(scores: Any, token: int) -> float:
    """Return the log-probability of a token, given the scores of a step for all tokens."""
    values = np.asarray(scores, np.float32).reshape(-1).astype(np.float64)
    highest = values.max()
    return float(values[token] - highest - np.log(np.exp(values - highest).sum()))


def take(encoded: Encoded, rows: list[int]) -> Encoded:
    """Return these rows of a batch."""
    import ctranslate2

    view = encoded.to_device(ctranslate2.Device.cpu) if encoded.device != "cpu" else encoded
    return ctranslate2.StorageView.from_array(np.ascontiguousarray(np.asarray(view)[rows]))
