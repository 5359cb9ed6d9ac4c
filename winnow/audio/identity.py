"""Whether the audio of an utterance is what an earlier pass decoded.

Two facts tell it. The same file, by its size and times, has the same audio, even if another decoder rounds its samples
differently. The same samples are the same audio, even if the file was copied or restored. Times are compared only for
equality.
"""

import os

import numpy as np
import xxhash

from winnow.audio.measurements import Samples


def identify(status: os.stat_result, samples: Samples) -> str:
    """Return the identity of an utterance, given the status of its open file and its samples at the file's rate.

    It is the file's size with the times of its last changes, in nanoseconds, and a hash of the samples.
    """
    file = f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}"
    return f"{file} {xxhash.xxh3_128_hexdigest(np.ascontiguousarray(samples).data)}"


def is_same_audio(before: str, now: str) -> bool:
    """Tell whether two identities have the same file or the same samples."""
    return any(old == new for old, new in zip(before.split(), now.split(), strict=True))
