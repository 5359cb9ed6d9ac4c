"""Whether the audio of an utterance is what an earlier pass decoded.

Two facts tell it. The same file, by its size and times, has the same audio, even if another decoder rounds its samples
differently. The same samples are the same audio, even if the file was copied or restored. Times are compared only for
equality.
"""

import numpy as np
import xxhash

from winnow.audio.measurements import Samples


def identify(file_identity: str, samples: Samples) -> str:
    """Return the identity of an utterance: that of its open file, and a hash of its samples at the file's rate."""
    return f"{file_identity} {xxhash.xxh3_128_hexdigest(np.ascontiguousarray(samples).data)}"


def is_same_audio(before: str, now: str) -> bool:
    """Tell whether two identities have the same file or the same samples."""
    return any(old == new for old, new in zip(before.split(), now.split(), strict=True))
