"""How much of the audio is speech, and how long its pauses are, by Silero VAD."""

from itertools import pairwise

from winnow.listening.measure import RATE, AudioMeasure, Column, Sound, Value, onnx_versions


class Speech(AudioMeasure):
    """The share of speech and the pauses in it, from the spans that Silero VAD finds with its own defaults."""

    name = "speech"
    packages = {"onnxruntime": "onnxruntime", "silero_vad": "silero-vad"}  # noqa: RUF012
    columns = (
        Column("speech_share", "number", "Share (0 to 1) of the audio that is speech"),
        Column("pauses", "integer", "Pauses between spans of speech, of at least 0.1 s; null without speech"),
        Column("longest_pause", "number", "The longest of these pauses, in seconds; null without speech"),
    )

    def versions(self) -> dict[str, str]:
        from winnow.audio.voice_activity import weights

        return onnx_versions(weights()) | {"method": "1"}

    def measure(self, sound: Sound) -> dict[str, Value]:
        spans = sound.speech
        spoken = sum(span.end - span.start for span in spans)
        values: dict[str, Value] = {"speech_share": spoken / len(sound.samples) if spans else 0.0}
        if spans:
            pauses = [(after.start - before.end) / RATE for before, after in pairwise(spans)]
            values |= {"pauses": len(pauses), "longest_pause": max(pauses, default=0.0)}
        return values
