"""Measures on the audio that a pass decodes, or on audio that is decoded for them alone."""

from collections.abc import Sequence
from dataclasses import replace

from winnow.audio.decode import Clip, resample
from winnow.audio.measurements import Samples
from winnow.listening.measure import RATE
from winnow.listening.registry import listen


def listen_to(clip: Clip, measures: Sequence[str], rate: int | None = None) -> Clip:
    """Return a clip at the rate of its file with what measures hear, its samples at `rate` Hz if one is given.

    Measures hear it at their own rate, whatever the model needs, so that their values depend on the file alone.
    """
    own = int(clip.stats["sample_rate"])
    heard = listen(measures, at_rate(clip.samples, own, RATE))
    return replace(clip, samples=at_rate(clip.samples, own, rate or own), heard=heard)


def at_rate(samples: Samples, before: int, after: int) -> Samples:
    return samples if before == after else resample(samples, before, after)
