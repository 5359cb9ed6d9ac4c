"""Corpora in tars and in Lhotse's manifests: every row has its audio or a reason, and damage costs no other row."""

import gzip
import io
import json
import logging
import subprocess
import sys
import tarfile
from pathlib import Path

import msgspec
import pytest
from lhotse import AudioSource, CutSet, MonoCut, MultiCut, Recording, SupervisionSegment

from winnow.audio.audio_cache import AUDIO_CACHE
from winnow.audio.decode import load_clip
from winnow.audio.measurements import BadAudio
from winnow.audio.places import find_audio
from winnow.audio.tar_members import MAX_HEADERS, DamagedTar, tar_members
from winnow.corpora.peek import peek
from winnow.corpora.registry import open_source
from winnow.errors import ManifestError, OptionError


def pack(path: Path, members: list[tuple[str, bytes]]) -> Path:
    """Write a tar of members, of which two may have the same name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def write_rows(path: Path, rows: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    return path


def samples(row) -> int:
    clip = load_clip(
        row["path"], row.get("offset"), row.get("duration"), 16_000, 60.0, channel=row.get("audio_channel")
    )
    return len(clip.samples)


def reasons(corpus) -> list[str | None]:
    """Return the reason of each row, also that which is found when its audio is opened."""
    return [reason_of(row) for row in open_source(corpus).scan()]


def reason_of(row) -> str | None:
    try:
        return row["reason"] or (samples(row) and None)
    except BadAudio as fault:
        return "found" if find_audio(row["path"]) and fault.reason == "AUDIO_MISSING" else fault.reason


@pytest.fixture
def tone(write_tone) -> bytes:
    return write_tone("tone.wav").read_bytes()


def nemo_row(name: str, **fields) -> dict:
    return {"audio_filepath": name, "duration": 1.0, "text": "hello", **fields}


NEMO_FILES = {
    "one for each tar": ("manifest__OP_0..1_CL_.json", ["manifest_0.json", "manifest_1.json"], "", ""),
    "in braces": ("manifest_{0..1}.json", ["manifest_0.json", "manifest_1.json"], "", ""),
    "in brackets": ("manifest_[0..1].json", ["manifest_0.json", "manifest_1.json"], "", ""),
    "by a wildcard": ("manifest_*.json", ["manifest_0.json", "manifest_1.json"], "", ""),
    "one for all": ("tarred_audio_manifest.json", ["tarred_audio_manifest.json"], "", ""),
    "as NeMo's script": (
        "sharded_manifests/manifest__OP_0..1_CL_.json",
        ["sharded_manifests/manifest_0.json", "sharded_manifests/manifest_1.json"],
        "",
        "",
    ),
    "tars elsewhere": ("manifest_{0..1}.json", ["manifest_0.json", "manifest_1.json"], "tars/", "tars"),
    "tars with other names": (
        "manifest_{0..1}.json",
        ["manifest_0.json", "manifest_1.json"],
        "tars/x_",
        "tars/x_audio__OP_0..1_CL_.tar",
    ),
}


@pytest.mark.parametrize(("corpus", "manifests", "prefix", "folder"), NEMO_FILES.values(), ids=NEMO_FILES)
def test_tars_of_a_nemo_dataset_are_found(tmp_path, tone, corpus, manifests, prefix, folder):
    rows = [nemo_row(f"{shard}-{n}.wav", shard_id=shard) for shard in (0, 1) for n in (0, 1)]
    for shard in (0, 1):
        pack(tmp_path / f"{prefix}audio_{shard}.tar", [(f"{shard}-{n}.wav", tone) for n in (0, 1)])
    for number, name in enumerate(manifests):
        write_rows(tmp_path / name, rows if len(manifests) == 1 else rows[2 * number :][:2])
    source = open_source(tmp_path / corpus, folder=folder and tmp_path / folder)
    found = list(source.scan())
    assert [row["reason"] for row in found] == [None] * 4
    assert [Path(row["path"].partition("::")[2]).name[-11:] for row in found] == ["audio_0.tar"] * 2 + [
        "audio_1.tar"
    ] * 2
    assert {samples(row) for row in found} == {16_000}
    assert peek(source, 10).form == "NeMo tarred dataset"


def test_segments_of_one_member_are_rows_with_offsets(tmp_path, write_tone):
    call = write_tone("call.wav", seconds=3).read_bytes()
    pack(tmp_path / "audio_0.tar", [("call.wav", call), ("talk-sub1.wav", call)])
    names = ["call-sub1.wav", "call-sub2.wav", "talk-sub1.wav", "/elsewhere/call.wav"]
    rows = [nemo_row(name, offset=float(n), duration=0.5) for n, name in enumerate(names[:3])]
    write_rows(tmp_path / "manifest_0.json", [*rows, nemo_row(names[3], duration=3.0)])
    found = list(open_source(tmp_path / "manifest_0.json").scan())
    assert [row["path"].partition("?")[0] for row in found] == [
        f"tar://{n}.wav" for n in ("call", "call", "talk-sub1", "call")
    ]
    assert [samples(row) for row in found] == [8_000] * 3 + [48_000]


def test_rows_without_members_have_a_reason_and_members_without_rows_are_counted(tmp_path, tone, caplog):
    pack(tmp_path / "audio_0.tar", [("a.wav", tone), ("b.wav", tone), ("c.wav", tone)])
    write_rows(tmp_path / "manifest_0.json", [nemo_row("a.wav"), nemo_row("none.wav"), nemo_row(7)])
    with caplog.at_level(logging.WARNING, "winnow"):
        assert reasons(tmp_path / "manifest_0.json") == [None, "AUDIO_MISSING", "NO_AUDIO_PATH"]
    assert "no row is about 2 of its members, such as b.wav" in caplog.text


def test_the_last_of_two_members_of_one_name_counts(tmp_path, tone, write_tone):
    pack(tmp_path / "audio_0.tar", [("a.wav", tone), ("a.wav", write_tone("b.wav", seconds=2).read_bytes())])
    write_rows(tmp_path / "manifest_0.json", [nemo_row("a.wav", duration=2.0)])
    (row,) = open_source(tmp_path / "manifest_0.json").scan()
    assert samples(row) == 32_000


def test_a_manifest_beside_tars_of_other_shards_stays_a_manifest(tmp_path, tone):
    pack(tmp_path / "audio_0.tar", [("a.wav", tone)])
    for name in ("manifest_1.json", "manifest.json"):
        assert open_source(write_rows(tmp_path / name, [nemo_row("a.wav")])).form == "NeMo manifest"


def test_columns_name_the_fields_of_rows_in_tars(tmp_path, tone):
    pack(tmp_path / "audio_0.tar", [("a.wav", tone)])
    write_rows(tmp_path / "manifest_0.json", [{"wav": "a.wav", "duration": 1.0, "words": "hello"}])
    pack(tmp_path / "w.tar", [("a.near.wav", tone), ("a.far.wav", tone), ("a.json", b'{"said": {"words": "hello"}}')])
    cases = {"manifest_0.json": "audio_filepath=wav,text=words", "w.tar": "audio_filepath=far.wav,text=said.words"}
    for name, columns in cases.items():
        (row,) = open_source(tmp_path / name, columns=columns).scan()
        assert (row["text"], row["reason"], samples(row)) == ("hello", None, 16_000)
    (row,) = open_source(tmp_path / "w.tar").scan()
    assert (row["reason"], row["detail"]) == (
        "BAD_ROW",
        "near.wav, far.wav: choose with --columns audio_filepath=near.wav",
    )


def test_members_of_a_sample_are_fields_by_webdatasets_rules(tmp_path, tone):
    pack(
        tmp_path / "w.tar",
        [
            ("__meta__/x.json", b"{}"),
            ("d.1/a.WAV", tone),
            ("d.1/a.txt", b" hello\n"),
            ("d.1/a.json", b'{"text": "other", "lang": "en", "audio_filepath": "x"}'),
            ("d.1/a.cls", b"3"),
            ("d.1/a.npy", b"\0\1"),
            ("README", b"?"),
            ("d.1/b.flac", tone),
            ("d.1/b.transcript.txt", b"good day"),
            ("d.1/a.wav", tone),
            ("d.1/a.json", b'{"sentence": "again"}'),
            ("d.1/a.wav", tone),
            ("d.1/a.json", b"[]"),
            ("c.txt", b"no audio"),
        ],
    )
    rows = list(open_source(tmp_path / "w.tar").scan())
    assert [(row.get("text"), reason_of(row)) for row in rows] == [
        ("hello", None),
        ("good day", None),
        ("again", None),
        (None, "BAD_JSON"),
        ("no audio", "AUDIO_MISSING"),
    ]
    assert json.loads(rows[0]["fields"]) == {
        "__key__": "d.1/a",
        "cls": "3",
        "json.text": "other",
        "lang": "en",
        "json.audio_filepath": "x",
    }
    assert {samples(row) for row in rows[:3]} == {16_000}


def test_the_same_key_in_two_tars_is_two_samples(tmp_path, tone):
    for shard in "01":
        pack(tmp_path / f"w-{shard}.tar", [("a.wav", tone), ("a.txt", b"hello")])
    rows = list(open_source(tmp_path / "w-{0..1}.tar").scan())
    assert [(row["text"], row["reason"]) for row in rows] == [("hello", None)] * 2
    assert rows[0]["path"] != rows[1]["path"]


def headers(*sizes: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """Return headers of members that are not there."""
    blocks = []
    for number, size in enumerate(sizes):
        info = tarfile.TarInfo(f"{number}.wav")
        info.size, info.type = size, kind
        blocks.append(info.tobuf(tarfile.GNU_FORMAT))
    return b"".join(blocks)


def negative_size() -> bytes:
    """Return a header whose size is -512, which older versions of tarfile read for ever."""
    info = tarfile.TarInfo("a.wav")
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[124:136] = (2**96 - 512).to_bytes(12, "big")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


DAMAGED = {
    "cut off in a member": lambda tone: (headers(len(tone)) + tone + bytes(-len(tone) % 512))[:20_000],
    "stating a terabyte": lambda tone: headers(2**40),
    "headers that are none": lambda tone: b"\1" * 5_000,
    "extended headers of a gigabyte": lambda tone: headers(2**30, kind=tarfile.XHDTYPE) + b"9" * 600,
    "a name of a gigabyte": lambda tone: headers(2**30, kind=tarfile.GNUTYPE_LONGNAME) + b"9" * 600,
    "a thousand extended headers in a row": lambda tone: headers(*[0] * 2_000, kind=tarfile.XHDTYPE),
    "a size below zero": lambda tone: negative_size(),
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_tar_has_the_rows_before_the_damage_and_a_reason_for_the_rest(tmp_path, tone, damage):
    good = [(f"{n}.{kind}", content) for n in "abc" for kind, content in (("wav", tone), ("txt", b"hello"))]
    whole = pack(tmp_path / "w.tar", good).read_bytes()
    end = whole.rindex(b"hello") + 512 - whole.rindex(b"hello") % 512
    for file in (tmp_path / "w.tar", tmp_path / "audio_0.tar"):
        file.write_bytes(whole[:end] + damage(tone))
    rows = list(open_source(tmp_path / "w.tar").scan())
    assert [row["reason"] for row in rows] == [None, None, "AUDIO_UNREADABLE"]
    assert rows[2]["detail"].startswith(f"the tar is damaged or cut off at byte {end}: ")
    write_rows(tmp_path / "manifest_0.json", [nemo_row(f"{n}.wav") for n in "abcd"])
    assert reasons(tmp_path / "manifest_0.json") == [None, None, None, "AUDIO_MISSING"]
    assert [samples(row) for row in rows[:2]] == [16_000] * 2


@pytest.mark.parametrize("damage", [*list(DAMAGED.values())[2:], lambda tone: b"", lambda tone: b"hello"])
def test_what_is_no_tar_is_refused_in_words(tmp_path, tone, damage):
    (tmp_path / "w.tar").write_bytes(damage(tone))
    with pytest.raises(ManifestError, match=r"w\.tar: cannot be read as a tar: .*: copy it again, or leave it out"):
        open_source(tmp_path / "w.tar").check()


def test_headers_are_read_in_bounded_memory_however_large_they_are_stated(tmp_path):
    with (tmp_path / "w.tar").open("wb") as file:
        file.write(headers(2**32, kind=tarfile.XGLTYPE))
        file.truncate(2**33)
    with pytest.raises(DamagedTar, match=f"headers of more than {MAX_HEADERS} bytes"):
        list(tar_members(str(tmp_path / "w.tar")))


def test_a_million_empty_members_are_no_utterances_and_fill_no_memory(tmp_path):
    (tmp_path / "w.tar").write_bytes(headers(0, kind=tarfile.REGTYPE) * 20_000 + bytes(1024))
    rows = list(open_source(tmp_path / "w.tar").scan())
    assert len(rows) == 20_000
    assert {row["reason"] for row in rows} == {"BAD_TEXT"}


SPARSE = {
    "0.0": {"GNU.sparse.size": "1099511627776", "GNU.sparse.numblocks": "0"},
    "0.1": {"GNU.sparse.size": "1099511627776", "GNU.sparse.map": "0,512,1099511627264,512"},
    "1.0": {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1099511627776"},
}


@pytest.mark.parametrize("sparse", SPARSE.values(), ids=SPARSE)
def test_sparse_members_are_never_expanded(tmp_path, tone, sparse):
    hole = tarfile.TarInfo("a.wav")
    hole.size, hole.pax_headers = 1024, sparse
    with tarfile.open(tmp_path / "audio_0.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(hole, io.BytesIO(b"1\n0\n512\n".ljust(1024, b"\0")))
        tar.add(tmp_path / "tone.wav", "b.wav")
    write_rows(tmp_path / "manifest_0.json", [nemo_row("a.wav"), nemo_row("b.wav")])
    assert reasons(tmp_path / "manifest_0.json") == ["AUDIO_MISSING", None]


def test_members_with_names_that_lead_out_are_read_where_they_are(tmp_path, tone):
    pack(tmp_path / "audio_0.tar", [("../../etc/a.wav", tone), ("/b.wav", tone)])
    write_rows(tmp_path / "manifest_0.json", [nemo_row("../../etc/a.wav"), nemo_row("/b.wav")])
    assert [samples(row) for row in open_source(tmp_path / "manifest_0.json").scan()] == [16_000] * 2


@pytest.mark.parametrize("suffix", ["tar.gz", "tgz", "tar.zst", "tar.bz2"])
def test_compressed_tars_are_read_like_others(tmp_path, tone, suffix, monkeypatch):
    import bz2

    import pyarrow as pa

    compress = {
        "tar.zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
        "tar.bz2": bz2.compress,
    }.get(suffix, gzip.compress)
    members = [("a.wav", tone), ("a.txt", b"hello")]
    (tmp_path / f"w.{suffix}").write_bytes(compress(pack(tmp_path / "w.tar", members).read_bytes()))
    (row,) = open_source(tmp_path / f"w.{suffix}").scan()
    assert (row["text"], samples(row)) == ("hello", 16_000)
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "another-cache"))
    assert samples(row) == 16_000


def test_a_compressed_tar_that_is_cut_off_is_refused_in_words(tmp_path, tone):
    whole = gzip.compress(pack(tmp_path / "w.tar", [("a.wav", tone)]).read_bytes())
    (tmp_path / "w.tar.gz").write_bytes(whole[:-20])
    with pytest.raises(
        ManifestError, match=r"cannot be read as a tar: the tar cannot be decompressed: .*: copy it again"
    ):
        open_source(tmp_path / "w.tar.gz").check()


def test_a_compressed_tar_larger_than_the_cache_is_refused(tmp_path, tone, monkeypatch):
    whole = pack(tmp_path / "w.tar", [("a.wav", tone)]).read_bytes()
    (tmp_path / "w.tar.gz").write_bytes(gzip.compress(whole + bytes(2**20)))
    monkeypatch.setattr(AUDIO_CACHE, "limit", 2**19)
    with pytest.raises(OptionError, match=r"--audio\.cache of .*: too small for a file of"):
        open_source(tmp_path / "w.tar.gz").check()


def cut(cut_id: str, path, *, start=0.0, duration=1.0, sources=None, **options):
    channels = options.pop("channels", [0])
    sources = sources or [AudioSource(options.pop("kind", "file"), channels, str(path))]
    every = sorted(channel for source in sources for channel in source.channels)
    recording = Recording(f"{cut_id}-rec", sources, 16_000, 48_000, 3.0, channel_ids=every)
    channel = options.pop("channel", 0)
    kind = MultiCut if isinstance(channel, list) else MonoCut
    return kind(cut_id, start, duration, channel, recording=recording, **options)


def said(start: float, duration: float, text: str, **fields) -> SupervisionSegment:
    return SupervisionSegment(f"s-{text}", "r", start, duration, text=text, **fields)


def test_each_supervision_of_a_cut_is_a_slice_of_its_recording(tmp_path, write_tone):
    path = write_tone("call.wav", seconds=3, channels=2)
    speakers = {"speaker": "ann", "language": "en", "custom": {"snr": 20}}
    cuts = [
        cut("a", path, start=0.5, duration=2.5, channels=[0, 1], channel=1, custom={"source": "x"}),
        cut("b", path, start=1.25, channels=[0, 1], channel=[0, 1]),
        cut("c", path, duration=3.0, channels=[0, 1], channel=[0, 1]),
    ]
    cuts[0].supervisions = [said(0.25, 0.5, "hello", channel=1, **speakers), said(1.0, 1.0, "again", channel=1)]
    CutSet.from_cuts(cuts).to_file(tmp_path / "cuts.jsonl.gz")
    rows = list(open_source(tmp_path / "cuts.jsonl.gz", referenced=False).scan())
    assert [(row.get("offset"), row["duration"], row.get("audio_channel"), row.get("text")) for row in rows] == [
        (0.75, 0.5, 1, "hello"),
        (1.5, 1.0, 1, "again"),
        (1.25, 1.0, None, None),
        (None, 3.0, None, None),
    ]
    assert json.loads(rows[0]["fields"]) == {
        "lang": "en",
        "speaker": "ann",
        "supervision_id": "s-hello",
        "cut_id": "a",
        "recording_id": "a-rec",
        "channel": 1,
        "custom": {"source": "x", "snr": 20},
    }
    assert [samples(row) for row in rows] == [8_000, 16_000, 16_000, 48_000]


def test_cuts_without_audio_of_their_own_have_a_reason(tmp_path, write_tone):
    path = write_tone("a.wav", seconds=3)
    good = cut("good", path)
    cuts = [
        good,
        good.append(cut("other", path)),
        good.pad(5.0),
        good.perturb_speed(0.9),
        good,
        cut("run", "touch made", kind="command"),
        cut("url", "s3://bucket/a.wav", kind="url"),
        cut("three", path, channels=[0, 1, 2], channel=[0, 2]),
        cut("two", path, sources=[AudioSource("file", [0], str(path)), AudioSource("file", [1], str(path))], channel=1),
    ]
    lines = [msgspec.json.encode(each.to_dict()) for each in cuts]
    lines[4] = msgspec.json.encode({k: v for k, v in good.to_dict().items() if k != "recording"})
    memory = cut("memory", "UklGRg==").to_dict()
    memory["recording"]["sources"][0]["type"] = "memory"
    lines += [msgspec.json.encode(memory), b"[1]", b'{"type": "MonoCut", "id": "x"}', b'{"id": 7}']
    (tmp_path / "cuts.jsonl").write_bytes(b"\n".join(lines))
    rows = list(open_source(tmp_path / "cuts.jsonl", referenced=False).scan())
    assert [row.get("reason") for row in rows] == [
        None,
        *["UNSUPPORTED_CUT"] * 4,
        "UNSUPPORTED_SCHEME",
        rows[6]["reason"],
        "BAD_CHANNEL",
        None,
        "UNSUPPORTED_CUT",
        "BAD_JSON",
        "BAD_ROW",
        "BAD_ROW",
    ]
    assert rows[6].get("audio_filepath") == "s3://bucket/a.wav"
    assert [samples(row) for row in (rows[0], rows[8])] == [16_000] * 2
    assert not (tmp_path / "made").exists()


def test_recordings_are_rows_and_columns_name_what_is_in_custom(tmp_path, write_tone):
    path = write_tone("a.wav")
    (tmp_path / "recordings.jsonl").write_bytes(msgspec.json.encode(Recording.from_file(path).to_dict()))
    (row,) = open_source(tmp_path / "recordings.jsonl", referenced=False).scan()
    assert (row["reason"], row["path"], row["duration"], samples(row)) == (None, str(path), 1.0, 16_000)
    cuts = [cut("a", path, custom={"words": "hello"})]
    CutSet.from_cuts(cuts).to_file(tmp_path / "cuts.jsonl")
    (row,) = open_source(tmp_path / "cuts.jsonl", columns="text=custom.words").scan()
    assert (row["text"], row["reason"]) == ("hello", None)


def test_shards_of_shar_have_their_tars_alone_and_together(tmp_path, write_tone):
    path = write_tone("a.wav", seconds=3)
    cuts = CutSet.from_cuts(cut(f"{n}.x", path, start=n / 2, supervisions=[said(0.5, 0.5, str(n))]) for n in range(4))
    (tmp_path / "shar").mkdir()
    cuts.to_shar(tmp_path / "shar", {"recording": "flac"}, shard_size=2)
    rows = list(open_source(tmp_path / "shar").scan())
    assert [(row["text"], row["offset"], samples(row)) for row in rows] == [(str(n), 0.5, 8_000) for n in range(4)]
    assert reasons(tmp_path / "shar" / "cuts.000001.jsonl.gz") == [None, None]
    tar = tmp_path / "shar" / "recording.000000.tar"
    tar.write_bytes(tar.read_bytes()[: tar.stat().st_size // 3])
    (tmp_path / "shar" / "recording.000001.tar").unlink()
    assert reasons(tmp_path / "shar")[1:] == ["AUDIO_MISSING"] * 3


def test_torch_is_imported_for_no_other_form_than_lhotses(tmp_path, tone):
    pack(tmp_path / "audio_0.tar", [("a.wav", tone), ("a.txt", b"hello")])
    write_rows(tmp_path / "manifest_0.json", [nemo_row("a.wav")])
    code = (
        "import sys; from winnow.corpora.registry import open_source; "
        "print(sum(1 for name in ('manifest_0.json', 'audio_0.tar') for _ in open_source(name).scan()), "
        "{'torch', 'lhotse', 'webdataset'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
    )
    assert done.stdout.decode() == "2 set()\n", done.stderr.decode()
