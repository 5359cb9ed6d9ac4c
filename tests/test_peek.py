"""`winnow peek` says what a corpus has before anything is done with it."""

import json

import pytest

from cli.app import app
from cli.peek import show
from winnow.corpora.peek import MOST_FILES, peek
from winnow.corpora.registry import open_source
from winnow.errors import ManifestError, OptionError

GOOD = {"audio_filepath": "a.wav", "text": "good morning", "duration": 1.0, "lang": "en", "speaker": 7}


def test_rows_hours_fields_and_faults_are_counted(manifest):
    rows = [GOOD, {**GOOD, "duration": "1800", "lang": "de"}, {"audio_filepath": "none.wav", "text": "x"}, b"rubbish"]
    found = peek(open_source(manifest(*rows, tones=False)), most=10)
    assert (found.form, found.complete, found.rows, found.with_duration) == ("NeMo manifest", True, 4, 2)
    assert found.hours == pytest.approx(1801 / 3600)
    assert found.languages == {"en": 1, "de": 1}
    assert (found.reasons, found.mended) == ({"BAD_JSON": 1}, {"NUMBER_AS_TEXT": 1})
    assert found.fields["speaker"] == ("integer", 0.5)
    assert found.fields["audio_filepath"] == ("string", 0.75)
    assert (found.examined, found.missing) == (3, 3)
    assert found.first[0] == GOOD


def test_no_more_rows_are_read_than_asked_for(manifest):
    found = peek(open_source(manifest(*[GOOD] * 5)), most=4)
    assert (found.complete, found.rows, len(found.first)) == (False, 4, 3)


def test_audio_is_looked_for_in_all_parts_of_a_corpus(manifest):
    rows = [{"audio_filepath": "a.wav" if n < 900 else "none.wav", "text": "x"} for n in range(1_000)]
    path = manifest(GOOD, *rows, tones=False)
    (path.parent / "a.wav").touch()
    found = peek(open_source(path), most=10_000)
    assert (found.examined, found.missing / found.examined) == (MOST_FILES, pytest.approx(0.1, abs=0.01))


def test_command_prints_the_same_for_people_and_for_programs(tmp_path, capsys):
    table = tmp_path / "corpus.csv"
    table.write_text("file_name,words\na.wav,good \x1b[31mmorning\nb.wav\n")
    app(
        ["peek", str(table), "--columns", "text=words", "--json", str(tmp_path / "peek.json")],
        result_action="return_value",
    )
    printed = capsys.readouterr().out
    assert "1 BAD_ROW: " in printed
    assert "1 of 1 that were looked for are missing" in printed
    assert "\x1b" not in printed
    assert json.loads((tmp_path / "peek.json").read_text())["rows"] == 2


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ("text", OptionError, "--columns: text: expected NAME=COLUMN"),
        ("text=sentence", ManifestError, "no column sentence; there are path, words"),
    ],
)
def test_columns_that_are_none_are_refused_in_one_line(tmp_path, columns, error, message):
    (tmp_path / "corpus.csv").write_text("path,words\na.wav,x\n")
    with pytest.raises(error, match=message):
        show(tmp_path / "corpus.csv", None, True, columns, 10, None)
