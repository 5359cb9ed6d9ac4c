"""Read the samples of an utterance: one channel of its audio, or the mean of all."""

from collections.abc import Iterator
from dataclasses import dataclass

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


@dataclass
class Tally:
    """What was found in the blocks that were read so far: their frames and values, the peak, and clipped values.

    `powers` are those of each channel and of the mean of all.
    """

    powers: NDArray[np.float64]
    length: int = 0
    values: int = 0
    peak: float = 0.0
    clipped: int = 0


def read_blocks(stream: AudioStream, most: int, channel: int | None, tally: Tally) -> Iterator[Samples]:
    """Decode up to `most` frames of one channel, or the mean of all, in blocks; an utterance of a minute is one.

    Raises BadAudio for samples that are not finite, and ChannelsCancel at the end if the mean is far quieter than the
    channels.
    """
    while tally.length < most:
        block = stream.read(min(most - tally.length, BLOCK_VALUES // stream.channels))
        if not len(block):
            break
        if channel is not None:
            block = block[:, channel : channel + 1]
        loudest = max(float(block.max()), -float(block.min()))
        if not loudest < MAX_AMPLITUDE:
            raise BadAudio("NONFINITE_AUDIO", f"samples of {loudest:g}")
        if loudest >= stream.full_scale:
            tally.clipped += int(np.count_nonzero(np.abs(block) >= stream.full_scale))
        mixed = downmix(block)
        if block.shape[1] > 1:
            tally.powers += [float(np.dot(samples, samples)) for samples in (*block.T, mixed)]
        tally.peak = max(tally.peak, loudest)
        tally.length, tally.values = tally.length + len(block), tally.values + block.size
        yield mixed
    if channels_cancel(tally.powers):
        raise ChannelsCancel(int(tally.powers[:-1].argmax()))


def read_signal(stream: AudioStream, most: int, channel: int | None) -> Signal:
    """Decode up to `most` frames of one channel, or the mean of all.

    In blocks, since a file may have any number of frames. Raises what `read_blocks` does.
    """
    tally = Tally(np.zeros(stream.channels + 1))
    parts = [np.empty(0, np.float32), *read_blocks(stream, most, channel, tally)]
    samples = parts[1] if len(parts) == 2 else np.concatenate(parts)
    return Signal(samples, stream.sample_rate, stream.channels, tally.peak, tally.clipped / max(1, tally.values))


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
