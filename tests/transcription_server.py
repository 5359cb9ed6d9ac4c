"""An endpoint of a test: it transcribes by the length of the audio, counts what it is asked, and may fail as told."""

import io
import json
import re
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler
from threading import Lock

import soundfile

from tests.web_server import WebServer

KEY = "sk-s3cret"


class TranscriptionServer(WebServer):
    """`text` returns what is said in audio of some seconds; `faults` are called with the handler before each answer.

    A fault returns true if it has answered itself; `list_faults` are those of the list of models. `answered` counts the
    transcripts that were sent, by the audio.
    """

    def __init__(self):
        super().__init__()
        self.RequestHandlerClass = Handler
        self.models = [{"id": "asr", "root": "weights-1", "created": 1}]
        self.text, self.faults, self.lock = lambda seconds: f"clip {seconds:.1f}", [], Lock()
        self.list_faults = []
        self.answered, self.fields, self.headers, self.requests = Counter(), [], [], 0
        self.forms = ("verbose_json", "json", "text")

    @property
    def model(self):
        return f"openai:asr@{self.url}/v1"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.headers.append(dict(self.headers))
        if self.server.list_faults:
            self.server.list_faults.pop(0)(self)
            return None
        if not self.server.models:
            return self.send(404, b"")
        return self.send_json(200, {"object": "list", "data": self.server.models})

    def do_POST(self):
        server = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fields, audio = read_form(body)
        with server.lock:
            server.requests += 1
            server.headers.append(dict(self.headers))
            server.fields.append(fields)
            fault = server.faults.pop(0) if server.faults else None
        if fault and fault(self):
            return
        form = fields["response_format"][0]
        if form not in server.forms:
            self.send_json(400, {"error": {"message": f"no {form} for {KEY}"}})
            return
        samples, rate = soundfile.read(io.BytesIO(audio), dtype="int16")
        text = server.text(len(samples) / rate)
        answer = {"text": text}
        if form == "verbose_json":
            answer |= {"language": "english", "segments": [{"avg_logprob": -0.5, "no_speech_prob": 0.1, "tokens": [1]}]}
        if "timestamp_granularities[]" in fields:
            answer["words"] = [{"word": word, "start": 0.1, "end": 0.2} for word in text.split()]
        with server.lock:
            server.answered[samples.tobytes()] += 1
        self.send(200, text.encode(), "text/plain") if form == "text" else self.send_json(200, answer)

    def send_json(self, status, content):
        self.send(status, json.dumps(content).encode(), "application/json")

    def send(self, status, content, kind="text/plain", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def read_form(body):
    """Return the fields of a form, as lists, and its file."""
    boundary = body.partition(b"\r\n")[0]
    fields, file = {}, b""
    for part in body.split(boundary)[1:-1]:
        head, _, value = part[2:-2].partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]*)"', head)[1].decode()
        if b"filename=" in head:
            file = value
        else:
            fields.setdefault(name, []).append(value.decode())
    return fields, file


def status(code, **headers):
    """Answer with a status."""

    def fault(handler):
        handler.send(code, b"", **headers)
        return True

    return fault


def drop(handler):
    """Close the connection without an answer."""
    handler.close_connection = True
    return True


def html(handler):
    handler.send(200, b"<html>please log in</html>", "text/html")
    return True


def bare_text(handler):
    handler.send(200, b"clip one")
    return True


def slow(seconds):
    """Answer later than somebody may want to wait."""

    def fault(handler):
        time.sleep(seconds)
        return drop(handler)

    return fault


def wrong_shape(handler):
    handler.send_json(200, {"results": []})
    return True
