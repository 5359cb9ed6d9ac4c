"""Rules for hypotheses that become the text of an utterance without a reference, since nothing else contradicts them.

Recognizers write text even where nobody speaks: the phrase of a subtitle, or one phrase over and over. These rules
drop such labels, and labels of audio that is silent.
"""

from typing import Literal

LabelPreset = Literal["winnow", "none"]

NOTHING_HEARD_RULE = "NOTHING_HEARD: letters(pred_text) > 0"
"""A hypothesis without words is no label, whatever the filter."""

SHARED_WORDS_RULE = "AGREEMENT_BELOW_MIN: lowest_agreement > 0.5"
"""Every word of a label is that of most models: of both, if there are two.

A model that is alone with a word is as often wrong as right, however long the text is that the models share, so a limit
for the mean of the words cannot replace this.
"""

KNOWN_PHRASE_RULE = "known_phrase(pred_text) == false"
"""Applied if the run has known phrases."""

LABEL_RULES: dict[LabelPreset, tuple[str, ...]] = {
    "winnow": (
        "silent <= 0.95",
        "peak >= 0.01",  # -40 dB of full scale
        "unknown_token(pred_text) == false",
        "subtitle_phrase(pred_text) == false",
        "in_a_row(pred_text) <= 4",
        "compression_ratio(pred_text) <= 2.4",  # Whisper's limit for its own output
        "char_rate(pred_text) <= 40",  # NeMo Curator's limit for hallucinations
        "word_rate(pred_text) >= 0.2",  # a tenth of slow speech
    ),
    "none": (),
}
"""The rules by preset."""
