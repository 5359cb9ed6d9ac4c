"""Model calls that fail: a batch is halved until only the utterances that fail by themselves are left.

A batch that does not fit into memory makes later ones smaller.
"""

from winnow.engines.engine import Batch, MissingTranscript, Recogniser
from winnow.errors import WinnowError
from winnow.text.hypothesis import Hypothesis


class Misaligned(Exception):
    """The model returned more or fewer hypotheses than it was given utterances."""


def transcribe_batches(batches: list[Batch], recogniser: Recogniser) -> list[Hypothesis | Exception]:
    """Return a hypothesis for each clip, or its error: what fails is halved until only the failing clip is left.

    A batch that does not fit into memory makes later ones smaller. Raises what a smaller batch would not avoid: a lost
    device, and errors that end the run.
    """
    try:
        hypotheses = recogniser.transcribe(batches)
        if len(hypotheses) != sum(map(len, batches)):
            raise Misaligned(f"{len(hypotheses)} hypotheses for {sum(map(len, batches))} utterances")
        return list(hypotheses)
    except WinnowError:
        raise
    except Exception as error:
        memory_full = out_of_memory(error)
        if "CUDA error" in str(error) and not memory_full:
            raise
        if len(batches) > 1:
            smaller = [[batch] for batch in batches]
            if memory_full:
                recogniser.batches_per_call = max(1, recogniser.batches_per_call // 2)
        elif len(batches[0]) == 1:
            return [without_frames(error)]
        elif isinstance(error, Misaligned):
            smaller = [[[item]] for item in batches[0]]
        else:
            (batch,) = batches
            if memory_full:
                recogniser.batch_limits.learn(len(batch), batch[0][1].seconds)
            half = len(batch) // 2
            smaller = [[batch[:half]], [batch[half:]]]
    return [outcome for part in smaller for outcome in transcribe_batches(part, recogniser)]


def without_frames(error: Exception) -> Exception:
    """Drop the stack frames of an error, which keep device memory alive."""
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


def out_of_memory(error: Exception) -> bool:
    """Tell whether an error means that memory, of the device or of the machine, was full."""
    message = str(error).lower()
    return isinstance(error, MemoryError) or any(
        words in message for words in ("out of memory", "alloc_failed", "defaultcpuallocator")
    )


def quarantine_reason(error: Exception) -> str:
    """Return why an utterance has no hypothesis, from what the model raised for it alone."""
    if isinstance(error, MissingTranscript):
        return "TRANSCRIPT_MISSING"
    if isinstance(error, Misaligned):
        return "MODEL_MISALIGNED"
    return "OOM_SINGLE" if out_of_memory(error) else "MODEL_ERROR"
