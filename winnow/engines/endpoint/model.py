"""A model of an endpoint as a recogniser: several requests at once, each tried again while that may help."""

import hashlib
import io
import random
import threading
import weakref
from typing import Any

import numpy as np

from winnow.audio.remote.failures import MayPass, Unreachable
from winnow.audio.remote.pauses import pause
from winnow.engines.batching import BatchLimits
from winnow.engines.endpoint.address import find_endpoint
from winnow.engines.endpoint.answers import Answers
from winnow.engines.endpoint.asking import Busy, Line, Refused
from winnow.engines.endpoint.database import Database
from winnow.engines.endpoint.reading import Form, NotJson, Reply, Unreadable, forms_for, read_answer
from winnow.engines.endpoint.traffic import DELAYS, LONGEST_WAIT, Traffic
from winnow.engines.endpoint.turns import Turns
from winnow.engines.engine import Batch, Checkpoint, Request
from winnow.errors import EndpointUnavailable
from winnow.parameters.engine import EngineOptions
from winnow.text.hypothesis import Hypothesis
from winnow.text.languages import base_language

RATE = 16_000
AT_ONCE = 8  # requests
REQUEST_SECONDS = 120.0


class NoAnswer(Exception):
    """The endpoint does not answer for one utterance."""


class EndpointRecogniser:
    """A model that another machine runs. All threads and processes of a run share its limits."""

    sample_rate = RATE
    batches_per_call = 1

    def __init__(self, checkpoint: Checkpoint, options: EngineOptions) -> None:
        self.endpoint, self.sha256, self.options = find_endpoint(checkpoint.name), checkpoint.sha256, options
        self.threads = options.requests_at_once or AT_ONCE
        self.batch_limits = BatchLimits(1.0, 1)
        self.runtime: dict[str, Any] = {"device": self.endpoint.host}
        database = Database(checkpoint.path)
        self.answers = Answers(database)
        self.traffic = Traffic(database, self.endpoint.url, options.requests_per_minute)
        self.turns = Turns(database, self.endpoint.url, self.threads)
        self.line = Line(self.endpoint, options.request_seconds or REQUEST_SECONDS, self.threads)
        for opened in database, self.line:
            weakref.finalize(self, opened.close)  # other threads may still use a model that its cache has evicted
        self.forms = forms_for(options.timestamps)
        self.form: Form | None = None
        self.finding_form, self.counting = threading.Lock(), threading.Lock()
        self.unanswered = 0

    def transcribe(self, batches: list[Batch]) -> list[Hypothesis]:
        return [self.read(request, clip.samples) for batch in batches for request, clip in batch]

    def read(self, request: Request, samples: np.ndarray) -> Hypothesis:
        """Return the hypothesis of an utterance, which is asked for only if no earlier attempt was answered."""
        pcm = (np.clip(samples, -1, 32767 / 32768) * 32768).round().astype(np.int16)
        language = base_language(self.options.language or request.language)
        said = f"{self.sha256} {language} {self.options.timestamps} ".encode()
        key = hashlib.sha256(said + pcm.tobytes()).hexdigest()
        with self.turns.once(key):
            if (known := self.answers.find(key)) is not None:
                return read_answer(*known, self.options.timestamps)
            with self.turns.place():
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
        """Ask in each form until one is answered: a server that does not know it refuses, or writes the bare text."""
        for form in self.forms:
            try:
                answer = self.ask_in(form, pcm, language)
            except (Refused, NotJson) as error:
                refusal: Exception = error
            except Unreadable as error:
                raise self.give_up(error) from error
            else:
                self.form = form
                return answer
        raise self.give_up(refusal) if isinstance(refusal, NotJson) else refusal

    def ask_for(self, form: Form, pcm: np.ndarray, language: str | None) -> tuple[str, Reply, Hypothesis]:
        try:
            return self.ask_in(form, pcm, language)
        except Unreadable as error:
            raise self.give_up(error) from error

    def ask_in(self, form: Form, pcm: np.ndarray, language: str | None) -> tuple[str, Reply, Hypothesis]:
        """Return the form's name, the answer and the hypothesis in it. Raises Unreadable, and what `post` does."""
        fields = {"model": self.endpoint.model, "temperature": "0", **form.fields}
        if language:
            fields["language"] = language
        reply = self.post(fields, flac(pcm), len(pcm) / RATE)
        hypothesis = read_answer(form.name, reply, self.options.timestamps)
        with self.counting:
            self.unanswered = 0
        return form.name, reply, hypothesis

    def post(self, fields: dict[str, Any], audio: bytes, seconds: float) -> Reply:
        """Send a request, again after each of DELAYS while its failure may pass, and not before the server says.

        Raises BudgetSpent, CheckpointError, EndpointUnavailable, and Refused or NoAnswer for this request alone;
        GivenUp if nobody waits for the answer any more.
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
                self.traffic.hold(error.after)
                pause(delay * random.uniform(0.5, 1.5))
        raise AssertionError("the last try returns or raises")

    def give_up(self, error: Exception) -> Exception:
        """Return the error of the run if the endpoint fails for everybody, or that of one utterance."""
        with self.counting:
            self.unanswered += 1
            for_all = self.unanswered >= max(4, 2 * self.threads)
        waits_too_long = isinstance(error, MayPass) and error.after > LONGEST_WAIT
        if for_all or waits_too_long or isinstance(error, Unreachable | Busy):
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
