"""Endpoints: which names mean one, what is sent and read, what becomes of failures, and that nothing is asked twice."""

import gc
import json
import signal
import threading
import time
from collections import Counter
from contextlib import suppress

import numpy as np
import pytest

from tests.commands import forkserver
from tests.conftest import published_rows
from tests.in_process import curate, ensemble
from tests.transcription_server import KEY, TranscriptionServer, bare_text, drop, html, slow, status, wrong_shape
from winnow.audio.remote.pauses import seconds_asked
from winnow.engines.endpoint import asking
from winnow.engines.endpoint import model as endpoint_model
from winnow.engines.endpoint.address import find_endpoint
from winnow.engines.endpoint.asking import Line
from winnow.engines.endpoint.database import IN_MEMORY, Database
from winnow.engines.endpoint.reading import FORMS, Reply, Unreadable, read_answer
from winnow.engines.endpoint.traffic import LONGEST_WAIT, Traffic
from winnow.engines.endpoint.turns import Turns
from winnow.engines.engine import Checkpoint, Request
from winnow.engines.inference import transcribe_requests
from winnow.engines.registry import engine_for
from winnow.errors import BudgetSpent, CheckpointError, EndpointUnavailable, OptionError, OutputError
from winnow.models.resolve import resolve
from winnow.parameters.engine import EngineOptions
from winnow.parameters.redaction import refuse_credentials
from winnow.runs.verify import verify_run


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(endpoint_model, "DELAYS", (0.01, 0.01))
    monkeypatch.setattr(asking, "START_DELAYS", (0.01, 0.01))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    running = TranscriptionServer()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def corpus(manifest, write_tone):
    """Six utterances of different lengths, whose references are what the endpoint reads."""
    lengths = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    for length in lengths:
        write_tone(f"{length}.wav", length)
    return manifest(*({"audio_filepath": f"{length}.wav", "text": f"clip {length}"} for length in lengths))


def run(corpus, server, tmp_path, **options):
    engine = {"requests_at_once": 1} | options.pop("engine", {})
    settings = {"small": server.model, "trust_unpinned": True, "engine": engine, "max_quarantined": 1.0} | options
    return curate(manifest=corpus, output=str(tmp_path / "run"), **settings)


def recogniser_of(server, answers=IN_MEMORY, **options):
    checkpoint = Checkpoint(name=server.model, path=answers, family="endpoint", sha256="0" * 64)
    return endpoint_model.EndpointRecogniser(checkpoint, EngineOptions(**{"requests_at_once": 1} | options))


def transcribe(server, corpus, answers=IN_MEMORY, **options):
    """Return text or detail of each utterance of the corpus; the shortest is sent last."""
    recogniser = recogniser_of(server, answers, **options)
    requests = [Request(str(path), None, None) for path in sorted(corpus.parent.glob("*.wav"))]
    results, _ = transcribe_requests(recogniser, requests, recogniser.options)
    return [result.hypothesis.text if result.hypothesis else result.detail for result in results]


CLIPS = [f"clip {length}" for length in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)]


NAMES = {
    "no endpoint": ("openai:asr", "no endpoint: write openai:asr@https://HOST/v1, or set OPENAI_BASE_URL"),
    "no model": ("openai:@https://host/v1", "expected openai:MODEL@https://HOST/v1"),
    "no path": ("openai:asr@https://host", "expected a base URL with its path"),
    "a query": ("openai:asr@https://host/v1?a=b", "no query"),
    "a user": ("openai:asr@https://ann:s3cret@host/v1", r"\*\*\*@host/v1: credentials are not allowed"),
    "no port": ("openai:asr@https://host:x/v1", "expected a base URL"),
    "plain http": ("openai:asr@http://host/v1", "use https, or set WINNOW_PLAIN_HTTP=host"),
}


@pytest.mark.parametrize(("name", "error"), NAMES.values(), ids=NAMES)
def test_names_that_mean_no_endpoint_are_refused(name, error, monkeypatch):
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(CheckpointError, match=error) as refused:
        engine_for(name).check_name(name)
    assert "s3cret" not in str(refused.value)


def test_names_may_leave_the_url_to_the_environment(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://gpu-1:8000/v1/")
    monkeypatch.setenv("WINNOW_PLAIN_HTTP", "gpu-1")
    assert find_endpoint("openai:org/asr").name == "openai:org/asr@http://gpu-1:8000/v1"
    assert engine_for("openai:org/asr").name == "endpoint"


def test_a_key_may_be_that_of_one_host(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    monkeypatch.setenv("OPENAI_API_KEY_ASR_EXAMPLE_ORG", "own")
    keys = [find_endpoint(f"openai:m@https://{host}/v1").key for host in ("asr.example.org", "example.org")]
    assert keys == ["own", "any"]


def test_an_endpoint_must_be_pinned_or_trusted(server):
    with pytest.raises(CheckpointError, match=f"pin today's as {server.model}@sha256:[0-9a-f]{{64}}"):
        resolve(server.model)
    pinned = resolve(server.model, trust_unpinned=True).pinned_name
    assert refuse_credentials(pinned) == pinned
    assert resolve(pinned).pinned
    server.models[0]["created"] = 2  # when the list was made
    assert resolve(pinned).pinned
    server.models[0]["root"] = "weights-2"
    with pytest.raises(CheckpointError, match="says something else of this model now"):
        resolve(pinned)


def test_an_endpoint_that_cannot_be_used_is_found_at_once(server):
    server.models[0]["id"] = "other"
    with pytest.raises(CheckpointError, match="has no such model; it has other"):
        resolve(server.model, trust_unpinned=True)
    server.shutdown()
    server.server_close()
    with pytest.raises(CheckpointError, match=r"cannot be reached \(ConnectError\): is it running"):
        resolve(server.model, trust_unpinned=True)


SHORT_FAULTS = {"busy": [status(503)], "dropped": [drop, drop], "busy for a time": [status(429, Retry_After="0")]}


@pytest.mark.parametrize("faults", SHORT_FAULTS.values(), ids=SHORT_FAULTS)
def test_a_start_outlasts_an_endpoint_that_is_busy(server, faults):
    server.list_faults = list(faults)
    assert resolve(server.model, trust_unpinned=True).name == server.model


LONG_FAULTS = {
    "busy": [status(503)] * 3,
    "failing": [status(500)] * 3,
    "for an hour": [status(503, Retry_After="3600")],
}


@pytest.mark.parametrize("faults", LONG_FAULTS.values(), ids=LONG_FAULTS)
def test_a_start_ends_if_an_endpoint_stays_busy(server, faults):
    server.list_faults = list(faults)
    with pytest.raises(EndpointUnavailable, match=r"the endpoint fails when asked for its models: 50[03]") as raised:
        resolve(server.model, trust_unpinned=True)
    assert raised.value.exit_code == 14


def test_a_run_has_the_columns_that_the_server_fills(server, corpus, tmp_path):
    report = run(corpus, server, tmp_path, engine={"timestamps": True, "requests_at_once": 4})
    assert (report.lines, report.kept) == (6, 6)
    row = published_rows(tmp_path / "run")[0]
    assert row["small_pred_text"] == "clip 0.5"
    assert row["small_confidence"] == pytest.approx(0.6065, abs=1e-4)
    assert (row["small_no_speech"], row["small_spoken_language"]) == (0.1, "en")
    assert [word["word"] for word in row["small_words"]] == ["clip", "0.5"]
    assert row["small_no_evidence"] == "NOT_SUPPORTED"
    assert list(server.answered.values()) == [1] * 6
    assert server.fields[0]["temperature"] == ["0"]
    assert all(check.holds for check in verify_run(tmp_path / "run"))


def test_the_key_is_sent_and_written_nowhere(server, corpus, tmp_path):
    run(corpus, server, tmp_path)
    assert {headers["authorization"] for headers in map(lower, server.headers)} == {f"Bearer {KEY}"}
    assert not [path for path in (tmp_path / "run").rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def lower(headers):
    return {name.lower(): value for name, value in headers.items()}


def test_the_form_of_answers_is_found_once(server, corpus, tmp_path):
    server.forms = ("text",)
    assert run(corpus, server, tmp_path).kept == 6
    assert (server.requests, sum(server.answered.values())) == (2 + 6, 6)
    assert published_rows(tmp_path / "run")[0]["small_confidence"] is None


def test_the_language_of_a_row_is_given(server, manifest, tmp_path):
    run(manifest({"audio_filepath": "a.wav", "text": "clip 1.0", "lang": "de-AT"}), server, tmp_path)
    assert server.fields[0]["language"] == ["de"]


PASSING = {
    "dropped": [drop, drop],
    "busy": [status(429, Retry_After="0"), status(503)],
    "failing": [status(500), status(502)],
    "slow": [slow(0.4), slow(0.4)],
}


@pytest.mark.parametrize("faults", PASSING.values(), ids=PASSING)
def test_what_passes_costs_no_row(server, corpus, faults):
    server.faults = list(faults)
    assert transcribe(server, corpus, request_seconds=0.2) == CLIPS
    assert (server.requests, list(server.answered.values())) == (8, [1] * 6)


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_a_server_is_asked_again_when_it_says(server, corpus, monkeypatch, code):
    waits = []
    monkeypatch.setattr(endpoint_model.Traffic, "hold", lambda traffic, seconds: waits.append(seconds))
    server.faults = [status(code, Retry_After="7")]
    assert transcribe(server, corpus) == CLIPS
    assert waits == [7]


def test_a_server_that_asks_for_short_waits_is_given_the_usual_time(server, corpus, monkeypatch):
    held, paused = [], []
    monkeypatch.setattr(endpoint_model.Traffic, "hold", lambda traffic, seconds: held.append(seconds))
    monkeypatch.setattr(endpoint_model, "pause", paused.append)
    monkeypatch.setattr(endpoint_model, "DELAYS", (10.0, 40.0))
    server.faults = [status(503, Retry_After="1"), status(429, Retry_After="1")]
    assert transcribe(server, corpus, requests_at_once=1) == CLIPS
    assert held == [1, 1]
    assert 5 <= paused[0] <= 15
    assert 20 <= paused[1] <= 60


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_a_server_that_wants_too_long_a_wait_ends_the_run(server, corpus, code):
    server.faults = [status(code, Retry_After=f"{LONGEST_WAIT + 1:.0f}")]
    with pytest.raises(EndpointUnavailable, match=f"the endpoint fails: {code}"):
        transcribe(server, corpus)
    assert server.requests == 1


WAITS = {
    "a number": ({"retry-after": " 7 "}, 7),
    "none": ({}, 0),
    "words": ({"retry-after": "soon", "date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
    "a date": ({"retry-after": "Wed, 21 Oct 2015 07:29:00 GMT", "date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 60),
    "a date that is past": (
        {"retry-after": "Wed, 21 Oct 2015 07:27:00 GMT", "date": "Wed, 21 Oct 2015 07:28:00 GMT"},
        0,
    ),
    "a zone that no clock has": (
        {"retry-after": f"Wed, 21 Oct 2015 07:29:00 +{'9' * 20}", "date": "Wed, 21 Oct 2015 07:28:00 GMT"},
        0,
    ),
    "a date of an unknown now": ({"retry-after": "Wed, 21 Oct 2015 07:29:00 GMT"}, 0),
}


@pytest.mark.parametrize(("headers", "seconds"), WAITS.values(), ids=WAITS)
def test_a_server_says_how_long_to_wait_by_a_number_or_a_date(headers, seconds):
    assert seconds_asked(headers) == seconds


def test_a_pause_ends_with_the_call_that_it_is_for(server, corpus):
    """One utterance is told to wait a minute; the other ends the call meanwhile."""
    both = threading.Barrier(2)

    def together(fault):
        return lambda handler: both.wait(30) >= 0 and fault(handler)

    server.faults = [together(status(429, Retry_After="60")), together(status(401))]
    recogniser = recogniser_of(server, requests_at_once=2)
    recogniser.form = FORMS[0]
    began = time.monotonic()
    requests = [Request(str(corpus.parent / name), None, None) for name in ("0.5.wav", "0.6.wav", "0.7.wav")]
    with pytest.raises(CheckpointError, match="refuses the key"):
        transcribe_requests(recogniser, requests, recogniser.options)
    assert time.monotonic() - began < 30
    assert server.requests == 2


def test_the_same_audio_is_asked_for_by_one_at_a_time_even_after_a_failure(tmp_path):
    """Those who ask next have the turn one after the other: of the same model, and of the same file elsewhere."""
    database = Database(tmp_path / "answers.sqlite")
    turns = [Turns(database, "https://a.example/v1", 2) for _ in range(2)]
    second, third, go_on = threading.Event(), threading.Event(), threading.Event()

    def ask(own, asking):
        with own.once("key"):
            asking.set()
            go_on.wait(30)

    threads = [threading.Thread(target=ask, args=pair) for pair in zip(turns, (second, third), strict=True)]
    with suppress(ConnectionError), turns[0].once("key"):
        threads[0].start()
        assert not second.wait(0.05)
        raise ConnectionError
    assert second.wait(30)
    threads[1].start()
    assert not third.wait(0.1)
    go_on.set()
    assert third.wait(30)
    for thread in threads:
        thread.join()
    assert [file.name for file in tmp_path.iterdir()] == ["answers.sqlite"]


def test_those_who_wait_for_a_place_of_an_endpoint_take_little_cpu_time(tmp_path):
    others, own = (Turns(Database(tmp_path / "answers.sqlite"), "https://a.example/v1", 48) for _ in range(2))
    taken, go_on = threading.Semaphore(0), threading.Event()

    def ask(turns):
        with turns.place():
            taken.release()
            go_on.wait(30)

    threads = [threading.Thread(target=ask, args=(turns,)) for turns in (others, own) for _ in range(48)]
    for thread in threads[:48]:
        thread.start()
    assert all(taken.acquire(timeout=30) for _ in range(48))
    for thread in threads[48:]:
        thread.start()
    began, before = time.monotonic(), time.process_time()
    time.sleep(0.5)
    spent = (time.process_time() - before) / (time.monotonic() - began)
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert all(taken.acquire(blocking=False) for _ in range(48))
    assert spent < 0.3  # of a core


def test_limits_are_those_of_all_who_ask_an_endpoint(tmp_path):
    path, urls = tmp_path / "answers.sqlite", ("https://a.example/v1", "https://b.example/v1")
    first, same, other = (Traffic(Database(path), url, 2) for url in (urls[0], *urls))
    assert first.take_turn() == 0
    assert 25 < same.take_turn() <= 30
    assert other.take_turn() == 0
    unlimited = Traffic(Database(path), urls[1], None)
    assert 25 < unlimited.take_turn() <= 30  # it is no longer than others may be, and no turn is taken from them
    same.hold(100)
    same.hold(50)
    assert 95 < first.take_turn() <= 100
    first.database.execute("UPDATE traffic SET free = free + 1e6")  # of a clock that was set back
    assert (first.take_turn(), unlimited.take_turn()) == (0, 0)


def test_connections_and_database_are_closed_with_the_model(server, tmp_path):
    recogniser = recogniser_of(server, tmp_path / "answers.sqlite")
    line, answers = recogniser.line, recogniser.answers
    del recogniser
    gc.collect()
    assert line.client.is_closed
    with pytest.raises(OutputError, match="closed database"):
        answers.find("key")


def test_a_folder_that_cannot_be_made_is_an_error_of_the_output(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="answers of an endpoint cannot be kept"):
        Database(tmp_path / "file" / "answers.sqlite")


FIRST_ANSWERS = {
    "bare text in each form of JSON": ([bare_text, bare_text], "clip 0.5", "text"),
    "bare text once": ([bare_text], "clip 0.5", "json"),
    "a page": ([html], "an answer in HTML in the place of a transcript", None),
}


@pytest.mark.parametrize(("faults", "text", "form"), FIRST_ANSWERS.values(), ids=FIRST_ANSWERS)
def test_a_server_that_writes_bare_text_is_asked_for_text(server, faults, text, form):
    server.faults = list(faults)
    recogniser = recogniser_of(server)
    try:
        read = recogniser.read(Request("a.wav", None, None), np.zeros(8_000, np.float32)).text
    except endpoint_model.NoAnswer as error:
        read = str(error)
    assert (read, recogniser.form and recogniser.form.name) == (text, form)


ROWS = {
    "500 always": ([status(500)] * 3, "500 Internal Server Error"),
    "html": ([html], "an answer in HTML in the place of a transcript"),
    "another shape": ([wrong_shape], "an answer without a text"),
    "a bad request": ([status(400)] * 3, "400 Bad Request"),
}


@pytest.mark.parametrize(("faults", "detail"), ROWS.values(), ids=ROWS)
def test_what_fails_for_one_row_costs_that_row(server, corpus, tmp_path, faults, detail):
    server.faults = list(faults)
    report = run(corpus, server, tmp_path)
    assert (report.lines, report.kept, report.quarantined) == (6, 5, 1)
    (row,) = [row for row in published_rows(tmp_path / "run") if row["reason"]]
    assert (row["reason"], row["detail"]) == ("MODEL_ERROR", detail)


def test_too_few_words_are_a_transcript(server, corpus, tmp_path):
    server.text = lambda seconds: "clip"
    report = run(corpus, server, tmp_path, filter={"max_wer": 0.3})
    assert (report.dropped, report.quarantined) == (6, 0)


STOPS = {
    "no key": (401, CheckpointError, "refuses the key in OPENAI_API_KEY_127_0_0_1 or OPENAI_API_KEY"),
    "no model": (404, CheckpointError, "has no such model, or transcribes nothing"),
    "a redirect": (307, CheckpointError, "give the URL that it leads to"),
    "always busy": (429, EndpointUnavailable, "429 Too Many Requests; what was answered is kept"),
    "always failing": (500, EndpointUnavailable, "500 Internal Server Error; what was answered is kept"),
}


@pytest.mark.parametrize(("code", "error", "words"), STOPS.values(), ids=STOPS)
def test_what_fails_for_every_row_ends_the_run_and_nothing_is_asked_twice(server, corpus, tmp_path, code, error, words):
    answers = tmp_path / "run" / "answers.sqlite"
    server.faults = [lambda handler: False] * 2 + [status(code, Location="http://elsewhere.example/v1")] * 40
    with pytest.raises(error, match=words):
        transcribe(server, corpus, answers)
    server.faults = []
    assert transcribe(server, corpus, answers) == CLIPS
    assert list(server.answered.values()) == [1] * 6


def test_a_server_that_dies_ends_the_run(server, corpus, tmp_path):
    def die(handler):
        handler.server.socket.close()
        return drop(handler)

    server.faults = [lambda handler: False, die]
    with pytest.raises(EndpointUnavailable, match="cannot be reached"):
        run(corpus, server, tmp_path)


BUDGETS = {"requests": {"max_requests": 4}, "hours": {"max_hours": 3.5 / 3600}}


@pytest.mark.parametrize("budget", BUDGETS.values(), ids=BUDGETS)
def test_a_budget_ends_the_run_and_a_larger_one_goes_on(server, corpus, tmp_path, budget):
    with pytest.raises(BudgetSpent, match="sent 4 requests"):
        run(corpus, server, tmp_path, engine=budget)
    assert server.requests == 4
    assert run(corpus, server, tmp_path, engine={name: 10 * most for name, most in budget.items()}).kept == 6
    assert (server.requests, list(server.answered.values())) == (6, [1] * 6)


def test_a_run_that_is_killed_asks_nothing_again(server, corpus, tmp_path):
    answered, go_on = threading.Event(), threading.Event()

    def wait(handler):
        answered.set()
        go_on.wait(30)
        return drop(handler)

    server.faults = [lambda handler: False] * 3 + [wait]
    killed = forkserver.Process(target=run_with_url, args=(str(corpus), server.model, tmp_path))
    killed.start()
    assert answered.wait(60)
    killed.kill()
    killed.join()
    go_on.set()
    assert killed.exitcode == -signal.SIGKILL
    assert run(corpus, server, tmp_path).kept == 6
    assert list(server.answered.values()) == [1] * 6


def run_with_url(corpus, model, folder):
    engine = {"requests_at_once": 1}
    curate(manifest=corpus, output=str(folder / "run"), small=model, trust_unpinned=True, engine=engine)


def test_processes_of_a_run_share_its_answers_and_its_limits(server, corpus, tmp_path):
    """As workers of Dask do, which transcribe the languages of endpoints if another language has a model of theirs."""
    under_way, most = Counter(), []

    def count(handler):
        with server.lock:
            under_way["now"] += 1
            most.append(under_way["now"])
        time.sleep(0.05)
        with server.lock:
            under_way["now"] -= 1
        return False

    server.faults = [count] * 12
    answers = tmp_path / "answers.sqlite"
    processes = [forkserver.Process(target=transcribe_at, args=(server.model, corpus, answers)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert list(server.answered.values()) == [1] * 6
    assert max(most) == 2


def transcribe_at(model, corpus, answers):
    own = type("Server", (), {"model": model})
    assert transcribe(own, corpus, answers, requests_at_once=2) == CLIPS


def test_an_endpoint_is_asked_for_what_a_small_model_leaves(server, corpus, hears, tmp_path):
    texts = {f"{length}.wav": f"clip {length}" for length in (0.5, 0.6, 0.7, 0.8)} | {
        "0.9.wav": "no",
        "1.0.wav": "clip 1",
    }
    small = hears(small=texts)["small"]
    report = run(corpus, server, tmp_path, small=small, large=server.model, gate={"audit": 0, "reject": 2})
    assert report.kept == 6
    assert list(server.answered.values()) == [1, 1]


def test_an_endpoint_votes_in_an_ensemble(server, corpus, hears, tmp_path):
    names = [f"{length}.wav" for length in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)]
    other = hears(small={name: f"clip {name[:3]}" for name in names})["small"]
    ensemble(manifest=corpus, output=str(tmp_path / "run"), models=[other, server.model], trust_unpinned=True)
    rows = published_rows(tmp_path / "run")
    assert [row["ensemble_agreement"] for row in rows] == [1.0] * 6
    assert list(server.answered.values()) == [1] * 6


def test_options_of_endpoints_need_one(corpus, hears, tmp_path):
    small = hears(small={"0.5.wav": "clip"})["small"]
    with pytest.raises(OptionError, match=r"engine\.max_requests requires an endpoint"):
        curate(manifest=corpus, output=str(tmp_path / "run"), small=small, engine={"max_requests": 5})


def test_what_an_answer_does_not_tell_is_null():
    answer = {"text": " a  b ", "segments": [{"avg_logprob": "x"}], "words": [{"word": "a"}], "language": 5}
    hypothesis = read_answer("verbose_json", Reply("application/json", json.dumps(answer).encode()), True)
    assert hypothesis.text == "a b"
    assert (hypothesis.confidence, hypothesis.words, hypothesis.language, hypothesis.tokens) == (None,) * 4


@pytest.mark.parametrize("content", [b"<p>", b"[]", b"{}", b'{"text": null}', b"\xff", b"nan"])
def test_answers_that_are_no_transcript_are_refused(content):
    with pytest.raises(Unreadable):
        read_answer("json", Reply("application/json", content), False)


@pytest.mark.parametrize(
    ("answer", "text", "language"),
    [
        ({"text": "a \ud800 b", "language": "Bengali"}, "a \ufffd b", "bn"),
        ({"text": "a", "language": "mandarin"}, "a", "zh"),
        ({"text": "a", "language": "unknown"}, "a", None),
        ({"text": "a", "language": "english", "segments": [{"avg_logprob": -(10**400)}]}, "a", "en"),
    ],
)
def test_every_answer_can_be_written(answer, text, language):
    hypothesis = read_answer("verbose_json", Reply("application/json", json.dumps(answer).encode()), True)
    assert (hypothesis.text, hypothesis.language, hypothesis.confidence) == (text, language, None)


@pytest.mark.parametrize("key", ["clé", "sk-1\nX-Other: 2"])
def test_a_key_that_no_header_can_have_is_refused(key, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(CheckpointError, match="its key has characters that no key has") as raised:
        Line(find_endpoint("openai:asr@https://example.org/v1"), 1.0)
    assert key not in str(raised.value)


def test_defaults_are_those_of_the_documentation():
    described = {name: EngineOptions.model_fields[name].description for name in ("requests_at_once", "request_seconds")}
    assert f"Default: {endpoint_model.AT_ONCE}" in described["requests_at_once"]
    assert f"Default: {endpoint_model.REQUEST_SECONDS:.0f}" in described["request_seconds"]
