"""Read the samples of an utterance: one channel of its audio, or the mean of all."""

import numpy as np
from numpy.typing import NDArray

from winnow.audio.measurements import BadAudio, Samples, Signal
from winnow.audio.stream import AudioStream

MAX_AMPLITUDE = 1e9  # beyond it the power spectrum is infinite in float32
BLOCK_VALUES = 2**20  # values decoded at once, 4 MiB; a minute of 16 kHz mono
CANCELLED_SHARE = 0.5  # of the power that the loudest channel alone would give the mix


class ChannelsCancel(Exception):
    """The mean of the channels is far quieter than one of them: they are inverted copies. Transcribe the loudest."""

    def __init__(self, loudest: int) -> None:
        super().__init__(loudest)
        self.loudest = loudest


def read_signal(stream: AudioStream, most: int, channel: int | None) -> Signal:
    """Decode up to `most` frames of one channel, or the mean of all.

    In blocks, since a file may have any number of frames; an utterance of a minute is one block. Raises BadAudio for
    samples that are not finite, and ChannelsCancel if the mean is far quieter than the channels.
    """
    parts, peak, clipped, length, values = [np.empty(0, np.float32)], 0.0, 0, 0, 0
    powers = np.zeros(stream.channels + 1)  # of each channel, and of the mean
    while length < most:
        block = stream.read(min(most - length, BLOCK_VALUES // stream.channels))
        if not len(block):
            break
        if channel is not None:
            block = block[:, channel : channel + 1]
        loudest = max(float(block.max()), -float(block.min()))
        if not loudest < MAX_AMPLITUDE:
            raise BadAudio("NONFINITE_AUDIO", f"samples of {loudest:g}")
        if loudest >= stream.full_scale:
            clipped += int(np.count_nonzero(np.abs(block) >= stream.full_scale))
        mixed = downmix(block)
        if block.shape[1] > 1:
            powers += [float(np.dot(samples, samples)) for samples in (*block.T, mixed)]
        parts.append(mixed)
        peak, length, values = max(peak, loudest), length + len(block), values + block.size
    if channels_cancel(powers):
        raise ChannelsCancel(int(powers[:-1].argmax()))
    samples = parts[1] if len(parts) == 2 else np.concatenate(parts)
    return Signal(samples, stream.sample_rate, stream.channels, peak, clipped / max(1, values))


def downmix(block: Samples) -> Samples:
    """Average the channels; column by column, since numpy's mean over rows of two takes 25 times as long."""
    total = block[:, 0]
    for channel in range(1, block.shape[1]):
        total = total + block[:, channel]
    return total / np.float32(block.shape[1]) if block.shape[1] > 1 else total


def channels_cancel(powers: NDArray[np.float64]) -> bool:
    """Tell from the power of each channel, and of their mean, whether they cancel each other in it.

    The mean of channels that have nothing in common is at least as loud as the loudest of them alone would make it.
    """
    *channels, mean = powers
    return bool(mean < CANCELLED_SHARE * max(channels) / len(channels) ** 2)
