"""The review app without a server or a browser: what it lists, in which order, what it takes, and what it refuses."""

import json
import signal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from fastapi.testclient import TestClient

from cli.app import main
from cli.review import exit_at_signals, user_name
from tests.in_process import curate
from winnow.audio.measurements import BadAudio
from winnow.errors import InputError, OptionError
from winnow.review.estimates import estimate
from winnow.review.label_studio import read_annotations
from winnow.review.ordering import CONTROL_EVERY, by_worth, review_queue
from winnow.review.server import make_app
from winnow.review.session import Session
from winnow.verdicts.files import read_verdicts

TOKEN = "token"
HOSTILE = "<script>document.title='ran'</script> seven <img src=x onerror=alert(1)>"
SAID = {"a": "one two", "b": "three four", "c": "five six", "d": "seven eight"}
TEXTS = SAID | {"b": "three nine", "c": "=nine nine", "d": HOSTILE}


def queued(decisions: str, doubts: list[float], proposals: str = "") -> pa.Table:
    """Return rows: k is kept, d dropped, q quarantined; later rows in `proposals` have a wider margin."""
    names = {"k": "keep", "d": "drop", "q": "quarantine"}
    proposed = [str(i) in proposals for i in range(len(decisions))]
    return pa.table(
        {
            "decision": [names[one] for one in decisions],
            "doubt": pa.array(doubts, pa.float64()),
            "wer": pa.nulls(len(decisions), pa.float64()),
            "proposal": pa.array(["said" if one else None for one in proposed], pa.string()),
            "proposal_margin": pa.array([float(i) if one else None for i, one in enumerate(proposed)], pa.float64()),
        }
    )


def test_proposals_are_worth_most_and_then_what_is_nearest_to_the_other_decision():
    rows = queued("kkkdddqd", [0.1, 3, 1, 5, 9, 4, 0, 8], proposals="47")
    assert by_worth(rows, np.array([0, 1, 2]), np.array([3, 4, 5, 7])).tolist() == [7, 4, 1, 5, 2, 3, 0]
    order = review_queue(rows, seed=1).order.tolist()
    assert (order[:3], order[-1], sorted(order)) == ([7, 4, 1], 6, list(range(8)))


def test_every_fifth_row_of_the_queue_is_of_a_random_sample_that_the_seed_decides():
    doubts = np.random.default_rng(0).random(1_000).tolist()
    rows = queued("k" * 700 + "d" * 300, doubts)
    queues = [review_queue(rows, seed) for seed in (1, 1, 2)]
    assert queues[0].order.tolist() == queues[1].order.tolist() != queues[2].order.tolist()
    chosen = {*queues[0].controls["keep"][:10].tolist(), *queues[0].controls["drop"][:10].tolist()}
    assert chosen <= set(queues[0].order[: 20 * CONTROL_EVERY].tolist())


@pytest.mark.parametrize(
    ("decision", "verdicts", "expected"),
    [
        ("keep", {}, (0, 0)),
        ("keep", {5: "keep", 3: "edit", 8: "keep"}, (3, 2)),
        ("keep", {5: "keep", 8: "keep"}, (1, 1)),  # 3 was skipped
        ("drop", {5: "drop", 3: "edit", 8: "keep"}, (3, 2)),
    ],
)
def test_estimate_counts_the_sample_up_to_the_first_row_that_no_one_decided(decision, verdicts, expected):
    made = estimate(decision, np.array([5, 3, 8, 1]), verdicts)
    assert (made.reviewed, made.right) == expected
    assert 0 <= made.low <= (made.share or 0) <= made.high <= 1


def test_user_without_a_name_has_to_give_one(monkeypatch):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 2**31 - 7)
    with pytest.raises(OptionError, match=r"^--reviewer: expected a name"):
        user_name()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_end_of_the_process_or_its_terminal_lets_the_app_remove_what_it_decoded(number):
    before = signal.getsignal(number)
    with pytest.raises(SystemExit, match="143"), exit_at_signals():
        signal.raise_signal(number)
    assert signal.getsignal(number) == before


def test_app_goes_on_below_nohup():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with exit_at_signals():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.fixture
def run(manifest, hears, tmp_path) -> Path:
    """A finished run: b, c and d are dropped, e has no audio, and f is a second of a longer file."""
    long = np.concatenate([np.full(16_000, 0.25), np.full(16_000, -0.5)]).astype(np.float32)
    soundfile.write(tmp_path / "long.wav", long, 16_000)
    corpus = manifest(
        *({"audio_filepath": f"{name}.wav", "text": text, "speaker": name} for name, text in TEXTS.items()),
        {"audio_filepath": "missing/e.wav", "text": "one"},
    )
    (tmp_path / "missing" / "e.wav").unlink()
    line = {"audio_filepath": str(tmp_path / "long.wav"), "offset": 1.0, "duration": 1.0, "text": "ten"}
    with corpus.open("a") as lines:
        lines.write(json.dumps(line | {"speaker": "f"}) + "\n")
    models = hears(small={f"{name}.wav": text for name, text in SAID.items()} | {"missing/e.wav": "one"})
    with Path(models["small"]).open("a") as lines:
        lines.write("\n" + json.dumps({"audio_filepath": "long.wav", "offset": 1.0, "pred_text": "ten"}))
    curate(manifest=corpus, output=str(tmp_path / "out"), max_quarantined=1.0, **models)
    return tmp_path / "out"


def test_app_lists_shows_plays_and_writes_what_is_decided(run, tmp_path):
    session = Session(str(run), "anna")
    client = TestClient(make_app(session, TOKEN))

    # no token, no answer; nothing but the page's own files is served
    for address in ("/", "/api/run", "/wrong/api/rows", "/wrong/", f"/{TOKEN}/../session.py", f"/{TOKEN}/index.py"):
        assert client.get(address).status_code == 404, address
    assert client.post("/wrong/api/verdicts", json={"line": 1, "kind": "keep"}).status_code == 404
    no_json = {"content": b"{", "headers": {"Content-Type": "application/json"}}
    assert client.post("/wrong/api/verdicts", **no_json).status_code == 404
    assert client.get(f"/{TOKEN}/", headers={"Host": "evil.example"}).status_code == 400
    page = client.get(f"/{TOKEN}/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http" not in page.text.replace("http-equiv", "")

    def rows(**query):
        return [row["id"] for row in client.get(f"/{TOKEN}/api/rows", params=query).json()["rows"]]

    assert sorted(rows()) == [1, 2, 3, 4, 5, 6]
    assert rows(sort="wer", decision="drop") == [2, 3, 4]
    assert rows(sort="wer", decision="drop", descending=True) == [4, 3, 2]
    assert rows(search="FIVE") == [3]
    assert rows(reason="AUDIO_MISSING") == [5]
    assert rows(speaker="a") == [1]
    assert rows(sort="id", wer_from=0.4, wer_to=0.6) == [2]
    assert rows(sort="id", size=2, start=2) == [3, 4]
    assert client.get(f"/{TOKEN}/api/rows", params={"sort": "path"}).status_code == 422

    shown = client.get(f"/{TOKEN}/api/rows/2").json()
    assert (shown["text"], shown["reason"], shown["fields"]) == ("three nine", "WER_ABOVE_MAX", {"speaker": "b"})
    (model,) = shown["models"]
    assert model["marks"] == [{"reference": "three", "read": None}, {"reference": "nine", "read": "four"}]
    assert client.get(f"/{TOKEN}/api/rows/4").json()["text"] == HOSTILE
    assert client.get(f"/{TOKEN}/api/rows/99").status_code == 422

    # audio is cut at offset and duration, and served in parts
    audio = client.get(f"/{TOKEN}/api/rows/6/audio.wav", headers={"Range": "bytes=0-43"})
    assert (audio.status_code, len(audio.content)) == (206, 44)
    (tmp_path / "f.wav").write_bytes(client.get(f"/{TOKEN}/api/rows/6/audio.wav").content)
    samples, rate = soundfile.read(tmp_path / "f.wav")
    assert (len(samples), rate) == (16_000, 16_000)
    assert samples == pytest.approx(-0.5, abs=1e-4)
    picture = client.get(f"/{TOKEN}/api/rows/6/picture").json()
    assert (picture["seconds"], set(picture["peaks"])) == (1.0, {-64})
    assert client.get(f"/{TOKEN}/api/rows/5/audio.wav").json() == {"detail": "AUDIO_MISSING: no such file"}

    with pytest.raises(BadAudio, match="AUDIO_MISSING"):
        session.clips.wav({"id": 7, "path": None, "detail": "no audio_filepath"})

    def say(line, kind, text=None):
        answer = client.post(
            f"/{TOKEN}/api/verdicts", json={"line": line, "kind": kind} | ({"text": text} if text else {})
        )
        return answer.json().get("verdict") if answer.status_code == 200 else answer.status_code

    assert say(2, "keep") == "keep"
    assert say(3, "edit", "five  six") == "edit"
    assert say(3, "drop") == "drop"
    assert say(3, "undo") == "edit"
    assert say(1, "flag") is None
    refused = [
        say(5, "keep"),
        say(4, "edit", "!?"),
        say(4, "edit"),
        say(4, "proposal"),
        say(4, "undo"),
        say(4, "shout"),
    ]
    assert refused == [422] * 6
    assert rows(sort="id", state="decided") == [2, 3]
    assert rows(sort="id", state="flagged") == [1]
    assert rows(sort="id", state="open") == [1, 4, 5, 6]

    # another reviewer, in another process, is seen at once, and the last word counts
    other = Session(str(run), "ben")
    other.decide(2, "drop")
    assert client.get(f"/{TOKEN}/api/rows/2").json()["reviewer"] == "ben"
    progress = client.get(f"/{TOKEN}/api/progress").json()
    assert (progress["kinds"], progress["reviewers"]) == ({"keep": 0, "drop": 1, "edit": 1}, {"anna": 1, "ben": 1})
    assert len(list((run / "reviews").iterdir())) == 2
    assert len(read_verdicts(run).verdicts) == 6

    for one in (session, other):
        one.close()
    tables(run, tmp_path)
    label_studio(run, tmp_path)


def tables(run: Path, tmp_path: Path) -> None:
    """Dropped rows are written as CSV, in which no text is a formula, and as JSON lines."""
    with pytest.raises(SystemExit, match="0"):
        main(["review", str(run), "--rows", str(tmp_path / "rows.csv")])
    with pytest.raises(SystemExit, match="0"):
        main(["review", str(run), "--rows", str(tmp_path / "rows.jsonl")])
    read = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert {row["id"]: row["verdict"] for row in read} == {2: "drop", 3: "edit", 4: None}
    assert ",'=nine nine," in (tmp_path / "rows.csv").read_text("utf-8-sig")
    with pytest.raises(SystemExit, match="2"):
        main(["review", str(run), "--rows", str(tmp_path / "rows.xlsx")])


def label_studio(run: Path, tmp_path: Path) -> None:
    """Tasks go to Label Studio with their audio, and its annotations become verdicts, once each."""
    file = tmp_path / "tasks.json"
    with pytest.raises(SystemExit, match="0"):
        main(["review", str(run), "--label-studio", str(file)])
    tasks = json.loads(file.read_text())
    assert {task["data"]["line"] for task in tasks} == {1, 4, 6}
    first = next(task for task in tasks if task["data"]["line"] == 4)
    assert first["data"]["audio"] == "/data/local-files/?d=tasks.json.audio/4.wav"
    assert soundfile.info(tmp_path / "tasks.json.audio" / "4.wav").frames > 0
    assert first["predictions"][0]["result"][0]["value"] == {"text": [HOSTILE]}
    control = {"to_name": "audio", "id": "x", "origin": "manual"}
    text = control | {"from_name": "transcription", "type": "textarea", "value": {"text": ["seven eight"]}}
    drop = control | {"from_name": "verdict", "type": "choices", "value": {"choices": ["drop"]}}
    about = {"created_at": "2030-01-01T00:00:00.5Z", "updated_at": "2030-01-01T00:00:01Z", "was_cancelled": False}
    by_line = {1: [drop], 4: [text], 6: []}
    for number, task in enumerate(tasks):
        task |= {"id": number, "annotations": [about | {"id": number, "completed_by": {"email": "cleo@example.org"}}]}
        task["annotations"][0]["result"] = by_line[task["data"]["line"]]
    file.write_text(json.dumps(tasks))
    for _ in range(2):
        with pytest.raises(SystemExit, match="0"):
            main(["review", str(run), "--import-label-studio", str(file)])
    new = [one for one in read_verdicts(run).verdicts if one.reviewer == "cleo@example.org"]
    assert {(one.line, one.kind, one.text) for one in new} == {(1, "drop", None), (4, "edit", "seven eight")}
    assert len(new) == 2
    annotation = tasks[0]["annotations"][0]
    annotation |= {"id": 99, "result": [{"type": "relation", "from_id": "x", "to_id": "y"}, drop]}
    annotation["completed_by"] = "x" * 101
    file.write_text(json.dumps(tasks))
    session = Session(str(run), "anna")
    with pytest.raises(InputError, match=r"line \d: annotation 99: reviewer: String should have at most 100"):
        read_annotations(session, file)
    annotation["completed_by"] = None
    file.write_text(json.dumps(tasks))
    assert read_annotations(session, file) == 1
    session.close()
    tasks[0]["data"]["row"] = "0" * 32
    file.write_text(json.dumps(tasks))
    with pytest.raises(SystemExit, match="2"):
        main(["review", str(run), "--import-label-studio", str(file)])
