"""Names of files that are written otherwise than on the disk."""

import os
from unicodedata import normalize

import pytest

from tests.test_audio import fault_of, stats_of
from winnow.audio.decode import load_clip
from winnow.audio.file_names import find_file, path_of_url

COMPOSED, DECOMPOSED = normalize("NFC", "é"), normalize("NFD", "é")


@pytest.mark.parametrize(
    ("on_disk", "written"),
    [
        (f"caf{DECOMPOSED}.wav", f"caf{COMPOSED}.wav"),
        (f"caf{COMPOSED}.wav", f"caf{DECOMPOSED}.wav"),
        (f"{DECOMPOSED}/{COMPOSED}{DECOMPOSED}.wav", f"{COMPOSED}/{COMPOSED}{DECOMPOSED}.wav"),
        ("a b.wav", "a%20b.wav"),
        (f"{DECOMPOSED} b.wav", "%C3%A9%20b.wav"),
        ("a.wav", "a.wav\n"),
        ("a.wav", "a.wav \r\n"),
        ("wavs/a.wav", " wavs/a.wav"),
        ("wavs/a.wav", "wavs\\a.wav"),
        ("wavs/a b.wav", "wavs\\a%20b.wav\n"),
    ],
)
def test_file_is_found_by_another_spelling_of_its_name(tmp_path, write_tone, on_disk, written):
    path = write_tone(on_disk)
    clip = load_clip(f"{tmp_path}/{written}", None, 1.0, 16_000, 60, root=tmp_path)
    assert (clip.seconds, clip.mended, clip.found) == (1.0, ("FILE_NAME",), str(path))


def test_name_as_written_wins(tmp_path, write_tone):
    for seconds, name in enumerate(("a%20b.wav", "a b.wav", f"{COMPOSED}.wav", f"{DECOMPOSED}.wav"), 1):
        write_tone(name, seconds=seconds)
    names = ("a%20b.wav", "a b.wav", f"{COMPOSED}.wav", f"{DECOMPOSED}.wav")
    clips = [load_clip(f"{tmp_path}/{name}", None, None, 16_000, 60) for name in names]
    assert [(clip.seconds, clip.mended) for clip in clips] == [(float(seconds), ()) for seconds in range(1, 5)]


@pytest.mark.parametrize(
    ("on_disk", "written"),
    [
        ((f"{COMPOSED}{COMPOSED}.wav", f"{DECOMPOSED}{DECOMPOSED}.wav"), f"{COMPOSED}{DECOMPOSED}.wav"),
        (("a b.wav", "a%20b.wav"), " a%20b.wav"),
        ((), "a%20b.wav"),
        ((), "%00.wav"),
        ((), "\ud800%20.wav"),
    ],
)
def test_name_that_several_or_no_files_may_have_is_missing(tmp_path, write_tone, on_disk, written):
    for name in on_disk:
        write_tone(name)
    assert fault_of(f"{tmp_path}/{written}")[0] == "AUDIO_MISSING"


def test_two_links_to_one_file_are_one_file(tmp_path, write_tone):
    path = write_tone(f"{COMPOSED}{COMPOSED}.wav")
    (tmp_path / f"{DECOMPOSED}{DECOMPOSED}.wav").hardlink_to(path)
    assert stats_of(tmp_path / f"{COMPOSED}{DECOMPOSED}.wav").seconds == 1.0


@pytest.mark.parametrize(
    "written", ["..%2Fsecret.wav", "%2e%2e/secret.wav", "..\\secret.wav", "link%20.wav", " .. /secret.wav"]
)
def test_no_spelling_leads_out_of_the_root(tmp_path, write_tone, written):
    secret = write_tone("secret.wav")
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "link .wav").symlink_to(secret)
    assert fault_of(f"{tmp_path}/audio/{written}", root=tmp_path / "audio")[0] == "PATH_OUTSIDE_ROOT"


def test_a_missing_name_costs_a_few_looks_at_the_disk(monkeypatch, tmp_path):
    looks = []
    monkeypatch.setattr(os.path, "exists", lambda path: looks.append(path))
    assert find_file(f"{tmp_path}/wavs/plain.wav") is None
    assert len(looks) <= 2


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///a%20b.wav", "/a b.wav"),
        ("file://localhost/a.wav", "/a.wav"),
        ("file:/a.wav\n", "/a.wav"),
        ("FILE:///a#1?.wav", "/a#1?.wav"),
        ("file://host/a.wav", None),
        ("file:a.wav", None),
        ("https://example.org/a.wav", None),
        ("/a.wav", None),
    ],
)
def test_file_url_is_a_path(url, path):
    assert path_of_url(url) == path
