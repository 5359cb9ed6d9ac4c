"""Audio that is not a file of its own: it is decoded as the file would be, and nothing else is opened."""

import io
import tarfile
import tracemalloc

import numpy as np
import pytest

from winnow.audio.decode import header_duration, load_clip
from winnow.audio.measurements import BadAudio
from winnow.audio.places import Place, find_audio, parse_place
from winnow.audio.tar_members import tar_members
from winnow.corpora.utterance import parse_utterance

RATE = 16_000


def samples_at(path, **options):
    return load_clip(
        str(path), options.pop("offset", None), options.pop("duration", None), RATE, 60.0, **options
    ).samples


def refusal(path, **options):
    with pytest.raises(BadAudio) as caught:
        samples_at(path, **options)
    return caught.value.reason


@pytest.fixture
def archive(tmp_path):
    """Return a function that packs files into a tar and returns the place of each by its name."""

    def pack(files, dialect=tarfile.PAX_FORMAT, name="audio_0.tar"):
        with tarfile.open(tmp_path / name, "w", format=dialect) as tar:
            for member, content in files.items():
                info = tarfile.TarInfo(member)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        return {place.name: str(place) for place in tar_members(str(tmp_path / name))}

    return pack


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_a_member_of_a_tar_is_decoded_as_its_file_would_be(write_tone, archive, name):
    path = write_tone(name, seconds=2, rate=22_050)
    places = archive({"before.wav": b"x" * 700, name: path.read_bytes(), "after.wav": b"RIFF" * 200})
    np.testing.assert_array_equal(samples_at(places[name]), samples_at(path))
    slices = [samples_at(place, offset=0.5, duration=0.7) for place in (places[name], path)]
    np.testing.assert_array_equal(*slices)
    assert header_duration(places[name]) == header_duration(str(path))


@pytest.mark.parametrize("dialect", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("name", ["ü ?&=%20#::a.wav", f"{'d' * 80}/{'e' * 90}.wav", "../../up.wav", "/root.wav"])
def test_names_of_members_lead_nowhere_and_survive(write_tone, archive, name, dialect):
    path = write_tone("tone.wav")
    place = archive({name: path.read_bytes()}, dialect)[name]
    assert parse_place(place).name == name
    np.testing.assert_array_equal(samples_at(place, root=path.parent), samples_at(path))


def test_a_name_that_is_not_utf8_survives(tmp_path, write_tone, archive):
    place = archive({"\udcff.wav": write_tone("tone.wav").read_bytes()}, tarfile.GNU_FORMAT)["\udcff.wav"]
    assert place.isascii() or str(tmp_path) in place
    assert len(samples_at(place)) == RATE


def test_members_that_are_not_regular_files_are_not_listed(tmp_path, write_tone):
    with tarfile.open(tmp_path / "odd.tar", "w") as tar:
        for number, kind in enumerate(
            (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE)
        ):
            info = tarfile.TarInfo(f"{number}.wav")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        tar.add(write_tone("tone.wav"), "tone.wav")
    assert [place.name for place in tar_members(str(tmp_path / "odd.tar"))] == ["tone.wav"]


def test_another_tar_in_its_place_is_noticed(write_tone, archive):
    tone = write_tone("tone.wav").read_bytes()
    place = archive({"a.wav": tone})["a.wav"]
    archive({"b.wav": tone})
    assert refusal(place) == "AUDIO_CHANGED"


def test_a_truncated_tar_has_the_members_before_its_end(tmp_path, write_tone, archive):
    tone = write_tone("tone.wav").read_bytes()
    places = archive({"a.wav": tone, "b.wav": tone})
    tar = tmp_path / "audio_0.tar"
    tar.write_bytes(tar.read_bytes()[: 2 * 512 + 2 * len(tone) - 100])
    assert len(samples_at(places["a.wav"])) == RATE
    assert refusal(places["b.wav"]) == "AUDIO_UNREADABLE"


def test_an_entry_is_subject_to_the_root_of_its_container(tmp_path, write_tone, archive):
    place = archive({"a.wav": write_tone("tone.wav").read_bytes()})["a.wav"]
    (tmp_path / "inside").mkdir()
    assert refusal(place, root=tmp_path / "inside") == "PATH_OUTSIDE_ROOT"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("tar://a.wav?start=0&size=1&header=1::{tar}", "AUDIO_CHANGED"),
        ("tar://a.wav?start=-5&size=1&header=1::{tar}", "NO_AUDIO_PATH"),
        ("tar://a.wav?size=1&header=1::{tar}", "NO_AUDIO_PATH"),
        ("tar://a.wav?start=99999999999999999999&size=1&header=1::{tar}", "NO_AUDIO_PATH"),
        ("tar://a.wav?start=512&size=1&header=1::{tar}.none", "AUDIO_MISSING"),
        ("tar://a.wav?start=512&size=1&header=1::/dev/zero", "PATH_OUTSIDE_ROOT"),
    ],
)
def test_entries_that_are_badly_written_have_a_reason(tmp_path, write_tone, archive, path, reason):
    archive({"a.wav": write_tone("tone.wav").read_bytes()})
    assert refusal(path.format(tar=tmp_path / "audio_0.tar")) == reason


def test_members_of_a_large_tar_are_listed_in_bounded_memory(tmp_path):
    members = 5_000
    info = tarfile.TarInfo("utterance.wav")
    (tmp_path / "large.tar").write_bytes(info.tobuf() * members + bytes(1024))
    tracemalloc.start()
    assert sum(1 for _ in tar_members(str(tmp_path / "large.tar"))) == members
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_container_is_relative_to_the_folder_like_any_path(tmp_path, write_tone, archive):
    place = parse_place(archive({"a.wav": write_tone("tone.wav").read_bytes()})["a.wav"])
    relative = str(Place("audio_0.tar", place.kind, place.name, place.facts))
    row = parse_utterance({"audio_filepath": relative, "text": "a"}, str(tmp_path))
    assert (row["reason"], row["audio_filepath"], row["path"]) == (None, relative, str(place))
    remote = str(Place("ftp://host/a.tar", place.kind, place.name, place.facts))
    assert parse_utterance({"audio_filepath": remote, "text": "a"}, str(tmp_path))["reason"] == "UNSUPPORTED_SCHEME"


def test_a_container_is_found_under_another_spelling(tmp_path, write_tone, archive):
    place = archive({"a.wav": write_tone("tone.wav").read_bytes()}, name="café.tar")["a.wav"]
    decomposed = place.replace("é", "e\u0301")
    assert find_audio(decomposed) == place
    np.testing.assert_array_equal(samples_at(decomposed), samples_at(place))
