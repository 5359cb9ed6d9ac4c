"""What NeMo opens is what was examined: files that parsers read differently, and generated documents and archives.

Each is refused, or NeMo unpacks exactly the examined files, and every YAML parser reads the examined configuration.
WINNOW_DOCUMENTS is how many are generated; each is made from its own seed, after which it is named.
"""

import gzip
import io
import os
import random
import struct
import tarfile
import zlib

import pytest
import torch
import yaml
from ruamel.yaml import YAML

from tests.faults.test_checkpoints import ASR, CONFIG, DEMO, WEIGHTS, make_archive, make_header, read_files, save_state
from winnow.digests import sha256_of
from winnow.engines.nemo import config_yaml, preflight
from winnow.engines.nemo.archive import RuleViolation
from winnow.errors import CheckpointError
from winnow.models.resolve import resolve

DOCUMENTS = int(os.environ.get("WINNOW_DOCUMENTS", "100"))

CLASS = f"target: {ASR}.models.EncDecCTCModel\n"
TINY = {
    CONFIG: f"{CLASS}labels: [a, b]\n".encode(),
    WEIGHTS: save_state({"weight": torch.rand(4_000)}),
    "vocab.txt": b"a\nb\n",
}
HOSTILE = {**TINY, CONFIG: f"{CLASS}encoder: {{_target_: pathlib.Path}}\n".encode()}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def unpack_by_nemo(tmp_path, cache):
    """Return the files that NeMo unpacks of a checkpoint; raises CheckpointError if it is refused."""
    from nemo.core.connectors.save_restore_connector import SaveRestoreConnector

    def unpack(content):
        path, folder = tmp_path / "model.nemo", tmp_path / "unpacked"
        path.write_bytes(content)
        copy = resolve(str(path)).path
        SaveRestoreConnector._unpack_nemo_file(str(copy), str(folder))
        files = {file.name: file.read_bytes() for file in folder.iterdir()}
        for file in (*folder.iterdir(), copy, copy.with_suffix(".json")):
            file.unlink()
        return files

    return unpack


def read_as_nemo(content):
    """Return the configuration as NeMo reads a file with this content."""
    from omegaconf import OmegaConf

    return OmegaConf.to_container(OmegaConf.load(io.TextIOWrapper(io.BytesIO(content), encoding="utf-8")))


def reads(content):
    """Return what each parser makes of a configuration."""
    return {
        "OmegaConf": read_as_nemo(content),
        "libyaml": yaml.load(content, yaml.CSafeLoader),
        "PyYAML": yaml.load(content, yaml.SafeLoader),
        "YAML 1.2": YAML(typ="safe", pure=True).load(content),
    }


def examine(content):
    """Return the tree of a configuration and the file that NeMo opens; None if it is refused.

    Fails unless all parsers read the tree in the file, and NeMo's reads it in the original.
    """
    try:
        tree = config_yaml.read_config(content)
        made = config_yaml.write_config(tree)
    except RuleViolation:
        return None
    assert {name: repr(read) for name, read in reads(made).items()} == dict.fromkeys(reads(made), repr(tree))
    assert repr(read_as_nemo(content)) == repr(tree)
    assert made.isascii()
    return tree, made


# values that parsers read differently, and what NeMo reads

VALUES = {
    "1e3": 1000.0,
    "1E+3": 1000.0,
    "1.e3": 1000.0,
    "1e-6": 1e-06,
    "1e400": float("inf"),
    ".5": 0.5,
    ".INF": float("inf"),
    "1_000": 1000,
    "1_0.5": 10.5,
    "017": 15,
    "0o17": "0o17",
    "0x1F": 31,
    "0b11": 3,
    "1:30": 90,
    "1:30.5": 90.5,
    "+1": 1,
    "-0.0": -0.0,
    "2026-11-27": "2026-11-27",
    "2026-11-27 01:02:03Z": "2026-11-27 01:02:03Z",
    "yes": True,
    "No": False,
    "on": True,
    "OFF": False,
    "y": "y",
    "true": True,
    "tRue": "tRue",
    "~": None,
    "": None,
    "NULL": None,
    "nUll": "nUll",
    "'1e3'": "1e3",
    '"yes"': "yes",
    '"\\x41\\u00e9\\U0001F600\\e\\0\\_\\N\\L\\P"': "Aé😀\x1b\x00\xa0\x85\u2028\u2029",
    "[a, 'b: c', {d: #e\n }]": ["a", "b: c", {"d": None}],
    "|\n  a\n   b\n": "a\n b\n",
    ">-\n  a\n  b\n": "a b",
    "'a\n\n  b'": "a\nb",
    '"a\\\n  b"': "ab",
    "{? a : b}": {"a": "b"},
    "{1: a, 0x2: b}": {1: "a", 2: "b"},
    "😀 é ا 漢": "😀 é ا 漢",
    "???": "???",
    "a\r\n  b": "a b",
}


@pytest.mark.parametrize(("text", "value"), VALUES.items(), ids=map(repr, VALUES))
def test_value_is_the_same_for_every_parser(text, value):
    tree, _ = examine(f"key: {text}\n".encode())
    assert repr(tree) == repr({"key": value})


REFUSED_DOCUMENTS = {
    "a byte order mark": ("\ufeffkey: 1\n", r"line 1: U\+FEFF"),
    "a byte order mark that hides a line": ("text: 'a\n\ufefflive: 1\n b'\n", r"line 2: U\+FEFF"),
    "a next line": ("a: 'b\x85c: d'\n", r"line 1: U\+0085"),
    "a line separator": ("a: b\n# \u2028c: d\n", r"line 2: U\+2028"),
    "a paragraph separator": ("a: b # \u2029c: d\n", r"line 1: U\+2029"),
    "a zero": ("a: b\0c\n", "invalid YAML: unacceptable character"),
    "a control character": ("a: \x1b[0m\n", "invalid YAML: unacceptable character"),
    "a tab before a key": ("a:\n\tb: 1\n", "invalid YAML"),
    "half of a surrogate pair": ('a: "\\ud800"\n', "a: half of a surrogate pair"),
    "a surrogate pair": ('a: ["\\ud83d\\ude00"]\n', r"a\.0: half of a surrogate pair"),
    "a key from a word": ("no: 1\n", "False: the key False is neither text nor a whole number"),
    "a key of nothing": ("a: {~: 1}\n", "the key None is neither"),
    "a key of a fraction": ("1.5: 1\n", "the key 1.5 is neither"),
    "the same number twice": ("1: a\n0x1: b\n", "line 1: duplicate or merged key"),
    "a merge": ("a: {<<: {b: 1}}\n", "line 1: duplicate or merged key"),
    "a default value": ("a: =\n", "invalid YAML: could not determine a constructor"),
    "a number of 70 bits": (f"a: {2**70}\n", "a: 0x4+0+ has more than 64 bits"),
    "a number of 5,000 digits": (f"a: {'9' * 5_000}\n", "invalid YAML: Exceeds the limit"),
    "another version": ("%YAML 2.0\n---\na: 1\n", "invalid YAML: found incompatible YAML document"),
    "a document after the end": ("a: 1\n...\n---\nb: 1\n", "invalid YAML: expected a single document"),
    "a tag that means nothing": ("a: ! b\n", "line 1: tag '!' is not allowed"),
    "an anchor": ("a: &b c\n", "line 1: alias 'b' is not allowed"),
    "a tag from a directive": ("%TAG ! tag:yaml.org,2002:\n---\na: !int '1'\n", "tag 'tag:yaml.org,2002:int'"),
}


@pytest.mark.parametrize(("text", "complaint"), REFUSED_DOCUMENTS.values(), ids=REFUSED_DOCUMENTS)
def test_ambiguous_document_is_refused(text, complaint):
    with pytest.raises(RuleViolation, match=complaint):
        config_yaml.read_config(text.encode())


def test_live_keys_that_one_parser_takes_for_text_are_refused(unpack_by_nemo):
    text = f'{CLASS}description: "a\n\ufeff  b"\n\ufeffencoder:\n\ufeff  _target_: pathlib.Path\n\ufeffend: "c"\n'
    with pytest.raises(CheckpointError, match=rf"{CONFIG}: line 3: U\+FEFF"):
        unpack_by_nemo(make_archive({**TINY, CONFIG: text.encode()}))


def gzip_around_a_tar(outer, hidden):
    """Return a gzip of one archive whose header has another, so that the file is a tar as well."""
    first = bytearray(tarfile.TarInfo("a").tobuf(tarfile.USTAR_FORMAT))
    rest = make_archive(hidden)
    length = len(first) + len(rest) - 12
    first[:100] = (b"\x1f\x8b\x08\x04\1\1\1\1\2\3" + struct.pack("<H", length)).ljust(100, b"\0")
    first[148:156] = b"%06o\0 " % tarfile.calc_chksums(first)[0]
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packed.compress(outer) + packed.flush()
    return bytes(first) + rest + body + struct.pack("<II", zlib.crc32(outer), len(outer))


def pax_member(name, content, **fields):
    member = make_header(name, size=len(content), pax_headers=fields)
    return member.tobuf(tarfile.PAX_FORMAT) + content + bytes(-len(content) % 512)


def raw_header(**fields):
    """Return a header with fields as bytes, by their place."""
    header = bytearray(make_header("vocab.txt").tobuf(tarfile.USTAR_FORMAT))
    for place, value in fields.values():
        header[place : place + len(value)] = value
    header[148:156] = b"%06o\0 " % tarfile.calc_chksums(header)[0]
    return bytes(header)


def long_header(kind, content):
    return make_header("././@LongLink", type=kind, size=len(content)).tobuf(tarfile.GNU_FORMAT) + content.ljust(
        -(-len(content) // 512) * 512, b"\0"
    )


WITHOUT_CONFIG = {name: content for name, content in TINY.items() if name != CONFIG}
HEAD = make_archive(WITHOUT_CONFIG).rstrip(b"\0")
HEAD += bytes(-len(HEAD) % 512)
END = bytes(1024)

ARCHIVES = {
    "a gzip that is a tar": (gzip_around_a_tar(make_archive(TINY), HOSTILE), r"not a file name"),
    "a tar behind a tar": (make_archive(TINY) + make_archive(HOSTILE), TINY),
    "a tar behind its end": (make_archive(TINY).rstrip(b"\0") + bytes(2048) + make_archive(HOSTILE), TINY),
    "garbage behind its end": (make_archive(TINY) + b"PK\x03\x04" * 1000, TINY),
    "two gzips": (gzip.compress(make_archive(TINY)) + gzip.compress(make_archive(HOSTILE)), TINY),
    "garbage behind a gzip": (gzip.compress(make_archive(TINY)) + b"garbage", "damaged gzip: Not a gzipped file"),
    "another name in a pax header": (HEAD + pax_member("a.txt", TINY[CONFIG], path=CONFIG) + END, TINY),
    "a way out in a pax header": (HEAD + pax_member("a", b"", path="../a") + END, "not a file name"),
    "another size in a pax header": (
        HEAD + pax_member(CONFIG, TINY[CONFIG], size="3") + END,
        "not a NeMo checkpoint|expected",
    ),
    "a negative size in a pax header": (HEAD + pax_member(CONFIG, TINY[CONFIG], size="-512") + END, "bytes, at most"),
    "a sparse file in a pax header": (
        HEAD + pax_member(CONFIG, TINY[CONFIG], **{"GNU.sparse.major": "0", "GNU.sparse.map": "0,9"}) + END,
        "a sparse file",
    ),
    "a large pax header": (
        make_header("x", type=tarfile.XHDTYPE, size=2**30).tobuf() + make_archive(TINY),
        "a header of 1,073,741,824 bytes, at most 65,536 are allowed",
    ),
    "many pax headers": (
        b"".join(make_header("x", type=tarfile.XHDTYPE).tobuf() for _ in range(2_000)) + make_archive(TINY),
        "not a NeMo checkpoint .*recursion",
    ),
    "a name for all in a global header": (
        tarfile.TarInfo.create_pax_global_header({"path": "b"}) + make_archive(TINY),
        "duplicate file|is missing",
    ),
    "a long name": (HEAD + long_header(b"L", CONFIG.encode()) + pax_member("a", TINY[CONFIG]) + END, TINY),
    "a long name that leads out": (HEAD + long_header(b"L", b"../a") + pax_member("a", b"") + END, "not a file name"),
    "a size in base 256": (
        HEAD + raw_header(size=(124, b"\x80" + (2**40).to_bytes(11, "big"))) + END,
        "1,099,511,627,776 bytes, at most",
    ),
    "a negative size in base 256": (HEAD + raw_header(size=(124, b"\xff" * 12)) + END, "'vocab.txt': "),
    "a name of bytes that are no UTF-8": (HEAD + raw_header(name=(0, b"\xff\xfe.txt")) + END, "not a file name"),
    "an unknown type": (HEAD + raw_header(type=(156, b"Z")) + END, "'vocab.txt': "),
}  # fmt: skip


@pytest.mark.parametrize(("content", "wanted"), ARCHIVES.values(), ids=ARCHIVES)
def test_archive_is_refused_or_nemo_unpacks_what_was_examined(unpack_by_nemo, content, wanted):
    if isinstance(wanted, str):
        with pytest.raises(CheckpointError, match=wanted) as refused:
            unpack_by_nemo(content)
        assert len(str(refused.value).splitlines()) == 1
    else:
        assert_same_files(unpack_by_nemo(content), wanted)


def assert_same_files(unpacked, files):
    """Check that NeMo unpacks these files: the configuration as a tree, the weights as tensors, others as bytes."""
    assert unpacked.keys() == files.keys()
    for name, content in files.items():
        if name.endswith(".yaml"):
            assert read_as_nemo(unpacked[name]) == read_as_nemo(content)
        elif name.endswith(".ckpt"):
            made, given = (torch.load(io.BytesIO(each), weights_only=True) for each in (unpacked[name], content))
            assert made.keys() == given.keys()
            assert all(torch.equal(made[tensor], given[tensor]) for tensor in given)
            assert {type(tensor) for tensor in made.values()} == {torch.Tensor}
        else:
            assert unpacked[name] == content


def test_copy_is_a_plain_tar_of_our_own_making(tmp_path, cache):
    (tmp_path / "model.nemo").write_bytes(gzip.compress(make_archive(TINY)))
    copy = resolve(str(tmp_path / "model.nemo")).path
    with tarfile.open(copy, "r:") as tar:
        members = {member.name: member.get_info() for member in tar}
    assert list(members) == [CONFIG, "vocab.txt", WEIGHTS]
    for facts in members.values():
        plain = {"uid": 0, "gid": 0, "uname": "", "gname": "", "mtime": 0, "type": tarfile.REGTYPE, "linkname": ""}
        assert facts | plain == facts
    assert copy.read_bytes()[-1024:] == bytes(1024)
    made = sha256_of(copy)
    copy.unlink()
    assert sha256_of(resolve(str(tmp_path / "model.nemo")).path) == made  # made again, byte for byte


def test_demo_checkpoint_is_the_same_after_it_was_made_anew(unpack_by_nemo):
    content = (DEMO / "small.nemo").read_bytes()
    assert_same_files(unpack_by_nemo(content), read_files(DEMO / "small.nemo"))


def test_weights_keep_versions_of_modules_and_nothing_else(unpack_by_nemo):
    state = torch.nn.Sequential(torch.nn.BatchNorm1d(2)).state_dict()
    state._metadata["0"]["code"] = "text"
    state.note = "text"
    state["0.weight"] = torch.nn.Parameter(state["0.weight"])
    unpacked = unpack_by_nemo(make_archive({**TINY, WEIGHTS: save_state(state)}))
    made = torch.load(io.BytesIO(unpacked[WEIGHTS]), weights_only=True)
    assert made._metadata == {"": {"version": 1}, "0": {"version": 2}}
    assert not hasattr(made, "note")
    assert {type(tensor) for tensor in made.values()} == {torch.Tensor}


# generated documents

WORDS = [
    *VALUES, *"a b 0 1 -1 10 null true".split(), "key", "_target_", "target", "nemo.collections", "a b", "a: b", "a #b",
    "#c", "a#b", "-", "- a", "? a", ": a", ":", "[", "]", "[a", "b]", "{", "}", "{a: b", ",", "&a", "*a", "!", "!!str",
    "!!int '1'", "|", ">", "|+", ">-2", "'", '"', "'a", '"a', "''", '""', "'a''b'", '"a\\"b"', '"\\x4', '"\\ud800"',
    "%YAML 1.1", "%YAML 1.2", "%TAG ! a", "---", "...", "--- a", "<<", "=", "@a", "`a", "0_", "0b", "0x", "0x_", "._",
    "._1", "1__0", "+.inf", ".nan", "-.INF", "1e", "1e+", "08", "1:60", "190:20:30", "0.", "00", "${a}", "\\", "é",
    "😀",
]  # fmt: skip
CHARACTERS = "\ufeff\x85\u2028\u2029\t\r\n \xa0\u200b\u3000\0\x1b\x7f\ufffe\U0010ffff:-#,[]{}'\"&*!|>%@`\\?~=<_.0e"


def make_document(dice):
    """Return a random document: lines of keys and values, with some characters put in or taken out."""
    lines = []
    depth = 0
    for number in range(dice.randint(1, 6)):
        a, b = (dice.choice(dice.choice((list(VALUES), WORDS))) for _ in "ab")
        key = f"key{number}"
        shapes = [*[f"{key}: {a}"] * 6, f"{key}: [{a}, {b}]", f"{key}: {{{a}: {b}}}", f"{key}: '{a}'", f'{key}: "{a}"']
        wild = [f"{a}: {b}", f"- {a}", f"{key}: {a} {b}", f"? {a}\n: {b}", a, f"{key}: {a}\n  {b}", f"{key}: |\n {a}"]
        lines.append("  " * depth + dice.choice(shapes if dice.random() < 0.9 else wild))
        if dice.random() < 0.1:
            lines.append("  " * depth + f"inner{number}:")
            depth += 1
        elif dice.random() < 0.1:
            depth = max(0, depth - 1)
    text = list("\n".join(lines) + dice.choice(("\n", "", "\r\n")))
    for _ in range(dice.choice((0, 0, 0, 1, 1, 2))):
        text.insert(dice.randint(0, len(text)), dice.choice(CHARACTERS))
    if dice.random() < 0.1:
        del text[dice.randrange(len(text))]
    content = "".join(text).encode()
    if dice.random() < 0.02:
        at = dice.randrange(len(content) + 1)
        content = content[:at] + dice.randbytes(2) + content[at:]
    return content


def test_generated_document_is_refused_or_read_the_same_by_every_parser():
    accepted = 0
    for seed in range(DOCUMENTS):
        content = make_document(random.Random(seed))
        try:
            accepted += examine(content) is not None
        except Exception as error:
            error.add_note(f"seed {seed}: {content!r}")
            raise
    print(f"{DOCUMENTS} documents, {accepted} of them accepted, all read the same by every parser")
    assert accepted > DOCUMENTS / 20


def make_value(dice, depth=0):
    """Return a random tree of what a configuration may have."""
    kinds = ["text", "text", "number", "word"] + ["list", "mapping"] * (depth < 4)
    match dice.choice(kinds):
        case "text":
            return "".join(dice.choices(CHARACTERS + "abc xyz\x01\x9f\ufffd漢", k=dice.choice((0, 1, 3, 20, 300))))
        case "number":
            numbers = [
                0,
                1,
                -1,
                2**63 - 1,
                -(2**63),
                0.0,
                -0.0,
                1e-6,
                1e16,
                1e22,
                5e-324,
                0.1,
                float("inf"),
                float("nan"),
            ]
            return dice.choice([*numbers, dice.random() * 10 ** dice.randint(-30, 30), dice.getrandbits(62)])
        case "word":
            return dice.choice([None, True, False, dice.choice(WORDS)])
        case "list":
            return [make_value(dice, depth + 1) for _ in range(dice.randint(0, 4))]
        case _:
            keys = [dice.choice([dice.choice(WORDS), make_value(dice, 9), dice.randint(-9, 9)]) for _ in range(4)]
            return {key: make_value(dice, depth + 1) for key in keys if type(key) in (str, int)}


def test_generated_tree_is_written_so_that_every_parser_reads_it():
    """Interpolations are refused by the rules that follow, so they do not occur here."""
    for seed in range(DOCUMENTS):
        tree = {"value": make_value(random.Random(seed))}
        if "${" in repr(tree):
            continue
        try:
            made = config_yaml.write_config(tree)
            assert {name: repr(read) for name, read in reads(made).items()} == dict.fromkeys(reads(made), repr(tree))
        except Exception as error:
            error.add_note(f"seed {seed}: {tree!r}")
            raise


# generated archives

BASES = {
    "tar": make_archive(TINY),
    "pax": make_archive(TINY, format=tarfile.PAX_FORMAT, pax_headers={"comment": "a"}),
    "gzip": gzip.compress(make_archive(TINY), mtime=0),
    "gzip around a tar": gzip_around_a_tar(make_archive(TINY), HOSTILE),
    "hostile": make_archive(HOSTILE),
    "pax names": HEAD + pax_member("a.txt", TINY[CONFIG], path=CONFIG) + END,
}


def make_file(dice):
    """Return a random archive: bytes, headers, fields and pieces of good ones, changed, exchanged and repeated."""
    content = bytearray(dice.choice(list(BASES.values())))
    for _ in range(dice.randint(0, 3)):
        block = dice.randrange(len(content) // 512 + 1) * 512
        match dice.randrange(6):
            case 0:
                content[dice.randrange(len(content))] = dice.randrange(256)
            case 1:  # a field of a header
                place, size = dice.choice([(0, 100), (100, 8), (124, 12), (156, 1), (157, 100), (257, 8), (345, 155)])
                junk = [
                    b"0",
                    b"7" * size,
                    b"\xff" * size,
                    b"\x80" + bytes(size - 1),
                    b"xgLKSV1256"[dice.randrange(10) :],
                ]
                value = dice.choice([*junk, dice.randbytes(size), b"../a\0", CONFIG.encode() + b"\0"])[:size]
                content[block + place : block + place + len(value)] = value
            case 2:
                other = dice.choice(list(BASES.values()))
                at = dice.randrange(len(other) // 512 + 1) * 512
                content[block:block] = other[at : at + 512 * dice.randint(1, 4)]
            case 3:
                del content[block : block + 512 * dice.randint(1, 3)]
            case 4:
                content += dice.choice(list(BASES.values()))
            case _:
                del content[dice.randrange(len(content) + 1) :]
        if not content:
            return b""
    if dice.random() < 0.8:
        mend_checksums(content)
    return bytes(content)


def mend_checksums(content):
    """Correct the checksum of every block that may be a header."""
    for at in range(0, len(content) - 511, 512):
        block = content[at : at + 512]
        if any(block) and (block[257:262] == b"ustar" or block[148:156].strip(b"\0 01234567") == b""):
            content[at + 148 : at + 156] = b"%06o\0 " % tarfile.calc_chksums(block)[0]


def test_generated_archive_is_refused_or_nemo_unpacks_what_was_examined(unpack_by_nemo, tmp_path):
    accepted, refusals = 0, []
    for seed in range(DOCUMENTS):
        content = make_file(random.Random(seed))
        try:
            unpacked = unpack_by_nemo(content)
            assert "pathlib" not in unpacked[CONFIG].decode("ascii")
            assert_is_examined(unpacked, tmp_path, content)
            accepted += 1
        except CheckpointError as refusal:
            refusals.append(str(refusal))
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
        assert not list((tmp_path / "cache" / "checkpoints").iterdir()), seed
    assert not [refusal for refusal in refusals if len(refusal.splitlines()) > 1]
    print(f"{DOCUMENTS} archives, {accepted} of them accepted, all unpacked by NeMo as they were examined")
    assert accepted > DOCUMENTS / 20


def assert_is_examined(unpacked, folder, content):
    """Check that NeMo unpacks the files that the preflight took from the archive."""
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    members = preflight.archive.unpack(io.BufferedReader(io.BytesIO(content)), len(content), scratch)
    assert_same_files(unpacked, {name: path.read_bytes() for name, path in members.items()})
    for path in members.values():
        path.unlink()
