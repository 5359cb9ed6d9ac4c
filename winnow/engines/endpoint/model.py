"""A model of an endpoint as a recogniser: several requests at once, each tried again while that may help."""

import hashlib
import io
import random
import threading
import time
from typing import Any

import numpy as np

from winnow.audio.remote.failures import MayPass, Unreachable
from winnow.engines.batching import BatchLimits
from winnow.engines.endpoint.address import find_endpoint
from winnow.engines.endpoint.answers import Answers
from winnow.engines.endpoint.asking import Busy, Line, Refused
from winnow.engines.endpoint.reading import Form, Reply, Unreadable, forms_for, read_answer
from winnow.engines.engine import Batch, Checkpoint, Request
from winnow.errors import EndpointUnavailable
from winnow.parameters.engine import EngineOptions
from winnow.text.hypothesis import Hypothesis
from winnow.text.languages import base_language

RATE = 16_000
AT_ONCE = 8  # requests
REQUEST_SECONDS = 120.0
DELAYS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # seconds before each retry, more or less by half
LONGEST_WAIT = 120.0  # seconds that a server may ask for; asked for more, the run ends
SECONDS_PER_MINUTE = 60.0


class NoAnswer(Exception):
    """The endpoint does not answer for one utterance."""


class Traffic:
    """When the next request may be sent, by any thread."""

    def __init__(self, per_minute: int | None) -> None:
        self._interval = SECONDS_PER_MINUTE / per_minute if per_minute else 0.0
        self._lock, self._free = threading.Lock(), 0.0

    def wait(self) -> None:
        """Wait for this thread's turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._free)
            self._free = turn + self._interval
        time.sleep(turn - now)

    def hold(self, seconds: float) -> None:
        """Let nobody send a request for a while."""
        with self._lock:
            self._free = max(self._free, time.monotonic() + seconds)


class EndpointRecogniser:
    """A model that another machine runs. All threads that transcribe share its limits."""

    sample_rate = RATE
    batches_per_call = 1

    def __init__(self, checkpoint: Checkpoint, options: EngineOptions) -> None:
        self.endpoint, self.sha256, self.options = find_endpoint(checkpoint.name), checkpoint.sha256, options
        self.threads = options.requests_at_once or AT_ONCE
        self.batch_limits = BatchLimits(1.0, 1)
        self.runtime: dict[str, Any] = {"device": self.endpoint.host}
        self.answers = Answers(checkpoint.path)
        self.traffic = Traffic(options.requests_per_minute)
        self.line = Line(self.endpoint, options.request_seconds or REQUEST_SECONDS, self.threads)
        self.forms = forms_for(options.timestamps)
        self.form: Form | None = None
        self.finding_form, self.counting = threading.Lock(), threading.Lock()
        self.places = threading.BoundedSemaphore(self.threads)
        self.unanswered = 0

    def transcribe(self, batches: list[Batch]) -> list[Hypothesis]:
        return [self.read(request, clip.samples) for batch in batches for request, clip in batch]

    def read(self, request: Request, samples: np.ndarray) -> Hypothesis:
        """Return the hypothesis of an utterance, which is asked for only if no earlier attempt was answered."""
        pcm = (np.clip(samples, -1, 32767 / 32768) * 32768).round().astype(np.int16)
        language = base_language(self.options.language or request.language)
        said = f"{self.sha256} {language} {self.options.timestamps} ".encode()
        key = hashlib.sha256(said + pcm.tobytes()).hexdigest()
        with self.answers.once(key):
            if (known := self.answers.find(key)) is not None:
                return read_answer(*known, self.options.timestamps)
            with self.places:
                form, reply, hypothesis = self.ask(pcm, language)
            self.answers.add(key, form, reply)
        return hypothesis

    def ask(self, pcm: np.ndarray, language: str | None) -> tuple[str, Reply, Hypothesis]:
        """Ask in the form that the server is known to answer in; the first request finds out which one that is."""
        if self.form is None:
            with self.finding_form:
                if self.form is None:
                    return self.find_form(pcm, language)
        return self.ask_for(self.form, pcm, language)

    def find_form(self, pcm: np.ndarray, language: str | None) -> tuple[str, Reply, Hypothesis]:
        for form in self.forms:
            try:
                answer = self.ask_for(form, pcm, language)
            except Refused as error:
                refusal = error
            else:
                self.form = form
                return answer
        raise refusal

    def ask_for(self, form: Form, pcm: np.ndarray, language: str | None) -> tuple[str, Reply, Hypothesis]:
        fields = {"model": self.endpoint.model, "temperature": "0", **form.fields}
        if language:
            fields["language"] = language
        reply = self.post(fields, flac(pcm), len(pcm) / RATE)
        try:
            hypothesis = read_answer(form.name, reply, self.options.timestamps)
        except Unreadable as error:
            raise self.give_up(error) from error
        with self.counting:
            self.unanswered = 0
        return form.name, reply, hypothesis

    def post(self, fields: dict[str, Any], audio: bytes, seconds: float) -> Reply:
        """Send a request, again after each of DELAYS while its failure may pass.

        Raises BudgetSpent, CheckpointError, EndpointUnavailable, and Refused or NoAnswer for this request alone.
        """
        files = {"file": ("audio.flac", audio, "audio/flac")}
        for delay in (*DELAYS, None):
            self.traffic.wait()
            self.answers.spend(seconds, self.options.max_requests, self.options.max_hours)
            try:
                return self.line.ask("POST", "/audio/transcriptions", data=fields, files=files)
            except MayPass as error:
                if delay is None or error.after > LONGEST_WAIT:
                    raise self.give_up(error) from error
                if error.after:
                    self.traffic.hold(error.after)
                else:
                    time.sleep(delay * random.uniform(0.5, 1.5))
        raise AssertionError("the last try returns or raises")

    def give_up(self, error: Exception) -> Exception:
        """Return the error of the run if the endpoint fails for everybody, or that of one utterance."""
        with self.counting:
            self.unanswered += 1
            for_all = self.unanswered >= max(4, 2 * self.threads)
        if for_all or isinstance(error, Unreachable | Busy):
            return EndpointUnavailable(
                f"{self.endpoint.name}: the endpoint fails: {error}; what was answered is kept: run the same command "
                "again once it works"
            )
        return NoAnswer(str(error))

    def peak_device_bytes(self) -> int | None:
        return None


def flac(pcm: np.ndarray) -> bytes:
    """Return samples [n, int16] as a file."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, pcm, RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()
