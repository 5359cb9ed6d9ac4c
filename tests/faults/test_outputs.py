"""Finished outputs that are damaged, or that have files of others in them: what `winnow verify` and a new run do."""

import json
import os
import random
import shutil
from pathlib import Path

import pytest

from flows.curate import run_curation
from flows.orchestrator import InProcess
from winnow.errors import OutputError, RunMismatch
from winnow.parameters.curation import Curation
from winnow.runs.run_record import load_settings
from winnow.runs.shard_files import hashed_name
from winnow.runs.verify import verify_run

MUTATIONS = int(os.environ.get("WINNOW_DAMAGES", "1"))
"""How often each file is mutated."""

NOT_CHECKED = ("_lock", "_ledger/aside/*")
"""Files that docs/reliability.md names as not checked, besides those that are not Winnow's."""


@pytest.fixture(scope="module")
def complete_run(tmp_path_factory):
    """A run with kept, dropped and quarantined rows, two models, and a record that was put aside."""
    folder = tmp_path_factory.mktemp("corpus")
    names = ("a.wav", "b.wav", "c.wav")
    rows = [{"audio_filepath": name, "text": f"good morning {name}", "speaker": 7} for name in names]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "not json\n\n")
    for role, said in {"small": "good morning b.wav", "large": "good morning c.wav"}.items():
        lines = [json.dumps({"audio_filepath": name, "pred_text": said}) + "\n" for name in names]
        (folder / f"{role}.jsonl").write_text("".join(lines))
    for name in names:
        shutil.copy(Path(__file__).parents[2] / "demo" / "corpus" / "audio" / "8khz.wav", folder / name)
    models = {role: str(folder / f"{role}.jsonl") for role in ("small", "large")}
    run = folder / "run"
    settings = Curation(manifest=folder / "corpus.jsonl", output=run, shard_hours=10 / 3600, **models)
    run_curation(settings, InProcess())
    next((run / "_ledger").glob("*.json")).write_text("{")
    run_curation(settings, InProcess())
    return settings


@pytest.fixture
def settings(complete_run, tmp_path):
    """The settings of the complete run, with a copy of its output."""
    shutil.copytree(complete_run.output, tmp_path / "run")
    return complete_run.model_copy(update={"output": str(tmp_path / "run")})


def failures(run):
    return [check.sentence for check in verify_run(run) if not check.holds]


def files_of(run):
    free = {path for pattern in NOT_CHECKED for path in run.glob(pattern)}
    return sorted(path for path in run.rglob("*") if path.is_file() and path not in free)


def flipped(content, pick):
    at = pick.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << pick.randrange(8))]) + content[at + 1 :]


def shortened(content, pick):
    return content[: pick.randrange(len(content))]


def lengthened(content, pick):
    at = pick.randrange(len(content) + 1)
    return content[:at] + pick.choice([b" ", b"\n", b"0", b"x"]) + content[at:]


def test_every_mutated_file_of_a_run_is_noticed(settings):
    """Each is mutated at random: a bit, a byte more, an end that is missing; and is made right by the same command."""
    run, seed = Path(settings.output), int(os.environ.get("WINNOW_SEED", random.randrange(10**6)))
    print(f"seed {seed}, {MUTATIONS} mutations of each file")
    pick = random.Random(seed)
    assert failures(run) == []
    for path in files_of(run):
        content = path.read_bytes()
        for _ in range(MUTATIONS):
            mutate = pick.choice([flipped, flipped, shortened, lengthened])
            path.write_bytes(mutate(content, pick))
            assert failures(run), f"{path} {mutate.__name__}"
        path.unlink()
        assert noticed(run), f"{path} removed"
        path.write_bytes(content)
    assert failures(run) == []


def noticed(run):
    try:
        return bool(failures(run))
    except OutputError:
        return True


def test_changed_values_of_json_files_are_noticed(settings):
    """Also if a file is written in the form in which Winnow writes it."""
    run, pick = Path(settings.output), random.Random(os.environ.get("WINNOW_SEED"))
    for path in files_of(run):
        if path.suffix != ".json":
            continue
        content = path.read_bytes()
        every = [*changes(json.loads(content))]
        for changed in pick.sample(every, min(MUTATIONS, len(every))):
            path.write_text(json.dumps(changed, sort_keys=True, indent=2 if b"\n " in content else None) + "\n")
            assert failures(run), f"{path}: {json.dumps(changed)[:300]}"
        path.write_bytes(content)
    assert failures(run) == []


@pytest.mark.parametrize("name", ["manifest", "relative_to", "audio_root", "columns"])
def test_parameter_of_another_type_is_noticed(settings, name):
    record = Path(settings.output) / "run.json"
    content = json.loads(record.read_text())
    content["parameters"][name] = 7
    record.write_text(json.dumps(content, indent=2) + "\n")
    assert failures(Path(settings.output))


def changes(value):
    """Yield a JSON value with one of its parts changed."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield {name: item for name, item in value.items() if name != key}
            yield from ({**value, key: changed} for changed in changes(inner))
    elif isinstance(value, list):
        yield [*value, 0]
        yield from (
            [*value[:at], changed, *value[at + 1 :]] for at, inner in enumerate(value) for changed in changes(inner)
        )
    elif isinstance(value, str):
        yield value[:-1] + ("x" if value[-1:] != "x" else "y")
    elif isinstance(value, bool) or value is None:
        yield 7
    else:
        yield value + 1


WRONG_SHAPES = {
    "empty": b"",
    "a list": b"[]",
    "a list of lists": b"[[1], {}]",
    "a number": b"7",
    "null": b"null",
    "a text": b'"run"',
    "an empty object": b"{}",
    "lists for its values": b'{"parameters": [], "sha256": [], "versions": [], "files": [], "kept": [], "speed": []}',
    "texts for its values": b'{"parameters": "a", "sha256": "a", "versions": "a", "files": "a", "kept": "1"}',
    "numbers for its values": b'{"parameters": {"manifest": 7}, "sha256": {"manifest": 7}, "kept": 1e999}',
    "nested deeply": b"[" * 200_000,
    "objects nested deeply": b'{"files":' * 100_000,
    "not UTF-8": b'{"files": "\xff\xfe"}',
    "half of a surrogate pair": b'{"parameters": {"manifest": "\\ud800"}, "sha256": {}, "versions": {}}',
    "a NUL in a path": b'{"parameters": {"manifest": "a\\u0000b"}, "sha256": {"manifest": "0"}, "versions": {}}',
    "a very long number": b'{"kept": ' + b"9" * 10_000 + b"}",
    "a folder": None,
}


SINGLE_FILES = ("run.json", "_SUCCESS.json", "report.json", "report.html", "manifest.jsonl", "record")


def with_shape(run, name, shape):
    """Put this content, or a folder, in the place of a file of the run."""
    path = next((run / "_ledger").glob("*.json")) if name == "record" else run / name
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    if shape is None:
        path.mkdir()
    else:
        path.write_bytes(shape)


@pytest.mark.parametrize("name", SINGLE_FILES)
def test_file_of_a_wrong_shape_is_a_sentence_and_no_traceback(settings, name):
    run = Path(settings.output)
    for what, shape in WRONG_SHAPES.items():
        with_shape(run, name, shape)
        sentences = failures(run)
        assert sentences, what
        assert all("\n" not in sentence for sentence in sentences), what
        if name == "run.json":
            with pytest.raises(OutputError, match=r"run\.json: not "):
                load_settings(run)
            with pytest.raises((OutputError, RunMismatch), match=r"^.*$"):
                run_curation(settings, InProcess())


@pytest.mark.parametrize("name", SINGLE_FILES[1:])
def test_damaged_file_is_written_again_by_the_same_command(settings, name):
    with_shape(Path(settings.output), name, b"[[1], {}]")
    run_curation(settings, InProcess())
    assert failures(Path(settings.output)) == []


@pytest.mark.parametrize("name", SINGLE_FILES[1:-1])
def test_folder_in_the_place_of_a_file_ends_a_run_in_a_sentence(settings, name):
    with_shape(Path(settings.output), name, None)
    with pytest.raises(OutputError, match="a folder, where a file belongs"):
        run_curation(settings, InProcess())


FOREIGN = (
    *("data/my.parquet", "data/00000-0123456789abcdef.parquet", "rejects/notes.txt", ".tmp-mine", "data/.tmp-0a"),
    *(
        "_stages/load/my.parquet",
        "_stages/mine/.tmp-x",
        "_ledger/notes.json",
        "_ledger/.tmp-b",
        "notes/.tmp-" + "0" * 32,
    ),
    *("thesis.tex", ".tmp-" + "g" * 32, "data/sub/00000-0123456789abcdef.parquet"),
)


def test_files_of_others_are_left_alone_and_named(settings):
    run = Path(settings.output)
    for name in FOREIGN:
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text("mine")
    run_curation(settings, InProcess())
    assert [(run / name).read_text() for name in FOREIGN] == ["mine"] * len(FOREIGN)
    assert failures(run) == []
    (named,) = [check.sentence for check in verify_run(run) if "not Winnow's" in check.sentence]
    assert named.startswith("13 entries are not Winnow's, so they are not checked and never removed: ")
    assert "data/my.parquet" in named


NAMES = ("data/my.parquet", f".tmp-{'0' * 32}", f"data/.tmp-{'0' * 32}", f"_ledger/.tmp-{'0' * 32}")


@pytest.mark.parametrize("kind", ["a folder", "a full folder", "a link", "a dangling link", "a pipe"])
def test_what_is_not_a_regular_file_is_left_alone(settings, kind):
    run = Path(settings.output)
    target = run.parent / "target"
    target.write_text("mine")
    for path in (run / name for name in NAMES):
        if "folder" in kind:
            path.mkdir()
        elif kind == "a pipe":
            os.mkfifo(path)
        else:
            path.symlink_to(target if kind == "a link" else "nowhere")
        if kind == "a full folder":
            (path / "a.txt").write_text("mine")
    run_curation(settings, InProcess())
    assert all(os.path.lexists(run / name) for name in NAMES)
    assert target.read_text() == "mine"
    assert failures(run) == []


OWN = ("_SUCCESS.json", "report.json", "report.html", "manifest.jsonl", "_ledger/*.json", "data/*", "_stages/load/*")


@pytest.mark.parametrize("kind", ["a pipe", "a link to itself"])
def test_pipe_or_loop_in_the_place_of_a_file_is_noticed_and_replaced(settings, kind):
    """To read a pipe that nobody writes to would take for ever."""
    run = Path(settings.output)
    for path in (next(run.glob(pattern)) for pattern in OWN):
        path.unlink()
        if kind == "a pipe":
            os.mkfifo(path)
        else:
            path.symlink_to(path.name)
        assert failures(run) != []
    run_curation(settings, InProcess())
    assert failures(run) == []


def test_what_a_dead_attempt_left_is_removed(settings):
    run = Path(settings.output)
    published = next((run / "data").iterdir())
    drafts = [
        run / folder / f".tmp-{number:032x}" for number, folder in enumerate(("", "data", "_stages/load", "_ledger"))
    ]
    for draft in drafts:
        draft.write_bytes(b"half")
    content = published.read_bytes() + b"x"
    second = run / "data" / hashed_name("00000", content)
    second.write_bytes(content)
    assert failures(run) == ["5 files are not in any record"]
    run_curation(settings, InProcess())
    assert not any(path.exists() for path in (*drafts, second))
    assert failures(run) == []


@pytest.mark.parametrize("content", ["{}", "[]", '{"name": "another tool"}', "not JSON"])
def test_folder_of_another_tool_is_refused_and_nothing_in_it_written(settings, tmp_path, content):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for name, text in {"run.json": content, "report.json": "theirs", "_lock": "theirs"}.items():
        (theirs / name).write_text(text)
    with pytest.raises(OutputError, match=r"run\.json: not a run's record: "):
        run_curation(settings.model_copy(update={"output": str(theirs)}), InProcess())
    assert [(theirs / name).read_text() for name in ("run.json", "report.json", "_lock")] == [
        content,
        "theirs",
        "theirs",
    ]


def test_lock_that_is_a_link_or_a_folder_is_refused(settings, tmp_path):
    (tmp_path / "target").write_text("theirs")
    for number, make in enumerate((Path.mkdir, lambda path: path.symlink_to(tmp_path / "target"))):
        out = tmp_path / f"out{number}"
        out.mkdir()
        make(out / "_lock")
        with pytest.raises(OutputError, match=r"_lock: cannot be opened for writing: "):
            run_curation(settings.model_copy(update={"output": str(out)}), InProcess())
    assert (tmp_path / "target").read_text() == "theirs"
