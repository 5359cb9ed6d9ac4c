"""How much louder speech is than what lies between it, by the spans of Silero VAD."""

import numpy as np

from winnow.listening.measure import RATE, AudioMeasure, Column, Sound, Value
from winnow.listening.speech import Speech

SHORTEST = 0.1  # seconds of speech, and of what is not, from which a power is estimated


class Snr(AudioMeasure):
    """The power within spans of speech, less that of the noise, over the power outside of them.

    The noise is taken to go on during speech. Null without 0.1 s of both, where what is not speech is digital silence,
    and where it is no quieter than speech.
    """

    name = "snr"
    packages = Speech.packages
    columns = (Column("snr", "number", "Power of speech over that of the noise between it, in dB; null without both"),)

    def versions(self) -> dict[str, str]:
        return Speech().versions() | {"method": "1"}

    def measure(self, sound: Sound) -> dict[str, Value]:
        spoken = np.zeros(len(sound.samples), bool)
        for span in sound.speech:
            spoken[span.start : span.end] = True
        power = np.square(sound.samples, dtype=np.float64)
        if not SHORTEST * RATE <= spoken.sum() <= len(spoken) - SHORTEST * RATE:
            return {}
        noise, both = power[~spoken].mean(), power[spoken].mean()
        return {"snr": float(10 * np.log10((both - noise) / noise))} if 0 < noise < both else {}
