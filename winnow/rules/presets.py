"""Published recipes as rules, by name, with fractions instead of percent.

What a recipe does besides filtering (segment, translate, identify the language, ask a language model) is not done here;
`notes` says so.
"""

from dataclasses import dataclass
from typing import Literal

from winnow.rules.rule import Rule, parse
from winnow.text.alphabets import ALPHABETS

PresetName = Literal[
    "winnow",
    "none",
    "guide",
    "curator-asr",
    "curator-tts",
    "curator-excellent",
    "curator-good",
    "curator-moderate",
    "curator-hallucination",
    "granary",
    "granary-translation",
    "sdp-mls-es",
    "sdp-mcv-es-pc",
    "sdp-voxpopuli-es",
    "sdp-mcv-ka",
    "sdp-it",
    "emilia",
    "gigaspeech",
    "gigaspeech-clean",
    "gigaspeech2",
    "wenetspeech",
    "wenetspeech-weak",
    "distil-whisper",
    "podcast-rover",
]


@dataclass(frozen=True)
class Preset:
    """The rules of a recipe, their source, and notes on what else the recipe does."""

    source: str
    conditions: tuple[str, ...]
    notes: str = ""

    @property
    def rules(self) -> list[Rule]:
        """The rules, parsed."""
        return [rule for text in self.conditions for rule in parse(text)]


SDP = "NeMo-speech-data-processor, dataset_configs"
ES = ALPHABETS["es"]
IT = ALPHABETS["it"]
HALLUCINATION = (
    "unique_words(pred_text) > 0.4",
    "longest_word(pred_text) < 25",
    "word_jump(pred_text) < 3",
    "known_phrase(pred_text) == false",
)

FILTERS: dict[PresetName, Preset] = {
    "winnow": Preset("the default", ("wer <= 0.25",)),
    "none": Preset("only the rules that are given", ()),
    "guide": Preset(
        "NeMo Curator's guide to WER filtering",
        ("small_wer <= 0.5", "wer <= 0.25"),
        "use it with --gate.preset guide",
    ),
    "curator-asr": Preset(
        "NeMo-Curator, tutorials/audio/tagging/asr_pipeline.yaml",
        ("duration <= 40", "wer <= 0.1"),
        "the recipe also cuts segments of 5 to 20 s, with pauses up to 2 s",
    ),
    "curator-tts": Preset(
        "NeMo-Curator, tutorials/audio/tagging/tts_pipeline.yaml",
        ("bandwidth >= 8000", "sisdr_squim >= 15", "stoi_squim >= 0.9"),
        "the recipe measures these three itself",
    ),
    "curator-excellent": Preset("NeMo-Curator's levels of WER", ("wer <= 0.1",)),
    "curator-good": Preset(
        "NeMo-Curator's levels of WER",
        ("wer <= 0.25",),
        "the guide's limit is 35 % for conversations and 15 % for broadcasts",
    ),
    "curator-moderate": Preset(
        "NeMo-Curator's levels of WER",
        ("wer <= 0.5",),
        "the guide's limit is 60 % for conversations and 25 % for broadcasts",
    ),
    "curator-hallucination": Preset(
        "NeMo-Curator, stages/audio/text_filtering/whisper_hallucination.py",
        (*HALLUCINATION, "char_rate(pred_text) <= 40"),
        "allow 35 characters for the longest word in agglutinative languages",
    ),
    "granary": Preset(
        f"{SDP}/multilingual/granary",
        (
            "language == source_lang",
            "language_probability >= 0.7",
            "duration in 0.1..40",
            "chars(pred_text) > 0",
            *HALLUCINATION,
        ),
        "the recipe identifies the language in the audio, where --listen does in the text; it transcribes file and "
        "segments with Whisper, and Qwen restores punctuation",
    ),
    "granary-translation": Preset(
        f"{SDP}/multilingual/granary, its translations",
        (
            "words(src_text) > 1",
            "words(tgt_text) > 1",
            "len_diff_ratio < 4",
            "src_hist_token_ratio > 0.8",
            "tgt_hist_token_ratio > 0.8",
            "src_lid == source_lang",
            "src_lid_prob > 0.3",
            "tgt_lid == target_lang",
            "tgt_lid_prob > 0.3",
            "cometoid_score > 0.75",
        ),
        "the recipe also translates, and computes these scores",
    ),
    "sdp-mls-es": Preset(
        f"{SDP}/spanish/mls",
        (
            f'charset(text, "{ES}") >= 1',
            "char_rate in 5..20",
            "begin_gap <= 10",
            "end_gap <= 10",
            "wer <= 0.9",
            "cer <= 0.9",
        ),
        "the recipe also corrects spelling, and excludes books with many errors by name",
    ),
    "sdp-mcv-es-pc": Preset(
        f"{SDP}/spanish_pc/mcv12",
        ("char_rate in 1..21", "duration in 1..16", f'charset(text, "{ES}{ES.upper()},.?¿") >= 1', "cer <= 0.65"),
        "the recipe also replaces symbols and abbreviations",
    ),
    "sdp-voxpopuli-es": Preset(
        f"{SDP}/spanish_pc/voxpopuli",
        (
            "char_rate in 5..30",
            f'charset(text, "{ES}{ES.upper()},.?¿") >= 1',
            "begin_gap <= 10",
            "end_gap <= 10",
            "wer <= 0.75",
            "duration in 1..20",
        ),
        "use --filter.max-duration 30 for dev and test",
    ),
    "sdp-mcv-ka": Preset(
        f"{SDP}/georgian/mcv",
        (
            f'charset(text, "{ALPHABETS["ka"]},.?") >= 1',
            "char_rate <= 18",
            "word_rate in 0.3..2.67",
            "duration in 1..18",
            "occurrence(text) <= 1",
        ),
        "the recipe also replaces symbols",
    ),
    "sdp-it": Preset(
        f"{SDP}/italian/mls and voxpopuli",
        (f'charset(text, "{IT}{IT.upper()},.?") >= 1', "wrong_run < 5"),
        "use --filter.min-duration 1.5 for VoxPopuli; the recipe counts a substitution as a deletion and an insertion",
    ),
    "emilia": Preset(
        "Amphion, preprocessors/Emilia",
        (
            "language in zh, en, fr, ja, ko, de",
            "language_probability > 0.8",
            "dnsmos >= 3",
            "duration in 3..30",
            "chars(text) >= 2",
        ),
        "the recipe identifies the language in the audio, where --listen does in the text; it also separates sources, "
        "segments audio, normalizes loudness and excludes outliers in speech rate",
    ),
    "gigaspeech": Preset(
        "SpeechColab/GigaSpeech, XL", ("wer <= 0.04",), "the recipe uses the WER of its own forced alignment"
    ),
    "gigaspeech-clean": Preset("SpeechColab/GigaSpeech, L, M, S and XS", ("wer <= 0",)),
    "gigaspeech2": Preset(
        "SpeechColab/GigaSpeech2",
        ("language_probability >= 0.99", "duration in 2..30"),
        "the recipe identifies the language with fastText, and drops texts in other letters: add a rule with "
        "charset(text, …)",
    ),
    "wenetspeech": Preset(
        "wenet-e2e/WenetSpeech, strong labels",
        ("confidence >= 0.95",),
        "the recipe uses the confidence of its own validation",
    ),
    "wenetspeech-weak": Preset("wenet-e2e/WenetSpeech, strong and weak labels", ("confidence >= 0.6",)),
    "distil-whisper": Preset(
        "huggingface/distil-whisper, training",
        ("wer < 0.1", "all_caps(pred_text) == false"),
        "use --normalizer whisper-english (whisper for other languages); the recipe also joins utterances to 30 s",
    ),
    "podcast-rover": Preset(
        "KyuDan1/Audio-data-centric",
        ("ngram_copies(pred_text, 15) <= 5",),
        "the recipe combines three systems by a vote",
    ),
}
