"""What becomes of a file that cannot be fetched: for good, or for now, when another try may help."""

from winnow.audio.measurements import BadAudio
from winnow.audio.remote.urls import host_of


class MayPass(Exception):
    """A server failed in a way that may pass; `after` are the seconds that it asks to wait."""

    def __init__(self, detail: str, after: float = 0.0) -> None:
        super().__init__(detail)
        self.after = after


class Unreachable(MayPass):
    """A server could not be asked at all, or did not answer."""


class Changed(MayPass):
    """A file was replaced while it was read; `version` is its present one, where that is known."""

    def __init__(self, detail: str, version: str | None = None) -> None:
        super().__init__(detail)
        self.version = version


def missing(url: str, detail: str) -> BadAudio:
    return BadAudio("AUDIO_MISSING", f"{host_of(url)}: {detail}")


def unreadable(url: str, detail: str) -> BadAudio:
    return BadAudio("AUDIO_IO", f"{host_of(url)}: {detail}")


def error_names(error: BaseException) -> str:
    """Return the class of an error and the code of a store in it: texts of errors may have signed URLs in them."""
    names = type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        response = getattr(cause, "response", None)
        code = response.get("Error", {}).get("Code") if isinstance(response, dict) else getattr(cause, "status", None)
        if isinstance(code, str | int):
            return f"{names} ({code})"
        cause = cause.__cause__ or cause.__context__
    return names
