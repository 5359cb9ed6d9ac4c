"""Checkpoints that would run code or open files: each is refused with the rule that it breaks, and NeMo opens none.

The files are made here and are harmless: code that ran would leave a file.
"""

import copy
import gzip
import io
import json
import lzma
import pickle
import resource
import shutil
import tarfile
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
import yaml

from tests.conftest import DEMO, resolve_unpinned
from winnow.digests import sha256_of
from winnow.engines import checkpoint_cache
from winnow.engines.nemo import preflight
from winnow.engines.nemo.model import NemoModel, restore_model
from winnow.engines.registry import engine_for
from winnow.errors import CheckpointError, DiskFull
from winnow.models.resolve import resolve
from winnow.parameters.engine import EngineOptions

CONFIG, WEIGHTS = "model_config.yaml", "model_weights.ckpt"
TIMES = {name: f"timestamps_asr_{name}" for name in (CONFIG, WEIGHTS)}
TRACE = "it-ran"


def read_files(path):
    """Return the files of a checkpoint."""
    with tarfile.open(path) as archive:
        return {
            member.name.removeprefix("./"): archive.extractfile(member).read() for member in archive if member.isfile()
        }


def save_state(state, **options):
    file = io.BytesIO()
    torch.save(state, file, **options)
    return file.getvalue()


GOOD = read_files(DEMO / "small.nemo") | {WEIGHTS: save_state({"weight": torch.ones(2), "steps": torch.tensor(1)})}
GOOD_CONFIG = yaml.safe_load(GOOD[CONFIG])
TOKENS = {key: name for key in ("model", "vocab") for name in GOOD if name.endswith(f"_tokenizer.{key}")}


def make_archive(files=GOOD, *more, file=None, **options):
    """Return a tar of the files, and of members given by their headers."""
    file = file or io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", **options) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in more:
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return file.getvalue()


def make_header(name, **fields):
    member = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(member, field, value)
    return member


def with_config(change, files=GOOD, name=CONFIG):
    """Return the good checkpoint with another configuration: text, bytes, or dotted keys and their values."""
    if isinstance(change, dict):
        config = copy.deepcopy(GOOD_CONFIG)
        for key, value in change.items():
            *way, last = key.split(".")
            inner = config
            for step in way:
                inner = inner.setdefault(step, {})
            inner[last] = value
        change = yaml.safe_dump({key: value for key, value in config.items() if value is not ...})
    return make_archive({**files, name: change if isinstance(change, bytes) else change.encode()})


def with_config_lines(text):
    return with_config(GOOD[CONFIG] + text.encode())


def with_weights(content, files=GOOD, name=WEIGHTS):
    return make_archive({**files, name: content})


def rezip_weights(change, **options):
    """Return the good weights with each entry changed by a function of its name and content."""
    file = io.BytesIO()
    with (
        warnings.catch_warnings(action="ignore"),
        zipfile.ZipFile(io.BytesIO(GOOD[WEIGHTS])) as old,
        zipfile.ZipFile(file, "w", **options) as new,
    ):
        for entry in old.infolist():
            for name, content in change(entry.filename, old.read(entry)):
                new.writestr(name, content)
    return file.getvalue()


class Runs:
    """An object whose pickle runs code when it is loaded."""

    def __reduce__(self):
        return Path.touch, (Path(TRACE),)


def flip_bit(content):
    """Return the good weights with one bit of the first tensor flipped."""
    at = content.index(torch.ones(2).numpy().tobytes())
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def with_sparse_member():
    member = make_header("hole.txt", type=tarfile.GNUTYPE_SPARSE)
    return make_archive(GOOD, member, format=tarfile.GNU_FORMAT)


ASR = "nemo.collections.asr"
LAUGHS = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"

ARCHIVES = {
    "a page": (b"<html></html>", "not a NeMo checkpoint"),
    "nothing": (b"", "not a NeMo checkpoint"),
    "cut off": (make_archive()[:7_000], "not a NeMo checkpoint .* unexpected end of data"),
    "another compression": (lzma.compress(make_archive()), "not a NeMo checkpoint"),
    "a gzip that grows": (
        gzip.compress(make_archive(GOOD, make_header("zero.txt", size=2**23))),
        "more than 10 times its size",
    ),
    "a damaged gzip": (gzip.compress(make_archive())[:-100], "damaged gzip"),
    "a link": (
        make_archive(GOOD, make_header("a.txt", type=tarfile.SYMTYPE, linkname="/etc/hosts")),
        "'a.txt': a link to '/etc/hosts'",
    ),
    "a hard link": (make_archive(GOOD, make_header("a.txt", type=tarfile.LNKTYPE, linkname="../b")), "'a.txt': a link"),
    "a device": (make_archive(GOOD, make_header("null.txt", type=tarfile.CHRTYPE, devmajor=1, devminor=3)), "a device"),
    "a pipe": (make_archive(GOOD, make_header("pipe.txt", type=tarfile.FIFOTYPE)), "a device, not a file"),
    "a sparse file": (with_sparse_member(), "'hole.txt': a sparse file"),
    "a folder": (make_archive(GOOD, make_header("sub", type=tarfile.DIRTYPE)), "'sub': a folder"),
    "a file in a folder": (make_archive(GOOD, make_header("sub/a.txt")), "'sub/a.txt': not a file name in"),
    "a way out": (make_archive(GOOD, make_header(f"../{TRACE}")), r"'\.\./it-ran': not a file name in"),
    "up": (make_archive(GOOD, make_header("..")), r"'\.\.': not a file name"),
    "an absolute name": (make_archive(GOOD, make_header("/tmp/a.txt")), "'/tmp/a.txt': not a file name"),
    "a backslash": (make_archive(GOOD, make_header("..\\a.txt")), "not a file name"),
    "a file twice": (make_archive(GOOD, make_header(CONFIG)), f"'{CONFIG}': duplicate file"),
    "a file twice but for case": (
        make_archive(GOOD, make_header("Model_Config.yaml")),
        "'Model_Config.yaml': duplicate file",
    ),
    "too many files": (make_archive(GOOD, *(make_header(f"{i}.txt") for i in range(1_000))), "more than 1,000 files"),
    "a large configuration": (
        make_header(CONFIG, size=2**25).tobuf() + bytes(2**20),
        f"'{CONFIG}': 33,554,432 bytes, at most 16,777,216 are allowed",
    ),
    "no configuration": (make_archive({WEIGHTS: GOOD[WEIGHTS]}), f"{CONFIG} is missing"),
    "no weights": (make_archive({CONFIG: GOOD[CONFIG]}), f"{WEIGHTS} is missing"),
    "other weights": (
        make_archive(GOOD, make_header("other.ckpt")),
        "'other.ckpt': more than one configuration and one file",
    ),
    "another configuration": (make_archive(GOOD, make_header("other.YAML")), "'other.YAML': more than one"),
    "a checkpoint in it": (make_archive(GOOD, make_header("inner.nemo")), "'inner.nemo': more than one"),
    "half a second model": (
        make_archive({**GOOD, TIMES[CONFIG]: b""}),
        f"incomplete model for timestamps: only {TIMES[CONFIG]}",
    ),
}

CONFIGURATIONS = {
    "aliases": (with_config_lines(LAUGHS), f"{CONFIG}: line .*: alias 'a' is not allowed"),
    "a tag": (with_config_lines("a: !!python/name:os.getcwd ''\n"), "tag .* is not allowed"),
    "a set": (with_config_lines("a: !!set {b}\n"), "tag .* is not allowed"),
    "deep nesting": (with_config_lines(f"a: {'[' * 5_000}{']' * 5_000}\n"), "nested more than 50 levels deep"),
    "a key twice": (with_config_lines("encoder: {}\n"), "duplicate or merged key"),
    "a merge": (with_config_lines("a: {<<: {b: 1}}\n"), "duplicate or merged key"),
    "two documents": (with_config_lines("---\na: 1\n"), "invalid YAML"),
    "no mapping": (with_config("- a\n"), "expected a mapping, got list"),
    "no YAML": (with_config("a: [\n"), "invalid YAML"),
    "no UTF-8": (with_config(b"a: \xff\n"), "invalid YAML"),
    "the environment": (
        with_config({"labels": ["${oc.env:HOME}"]}),
        r"labels.0: interpolation '\$\{oc.env:HOME\}' is not allowed",
    ),
    "a reference": (with_config({"encoder": "${decoder}"}), "encoder: interpolation"),
    "a reference as a key": (with_config({"optim": {"${a}": 1}}), "interpolation .* is not allowed"),
    "a class from elsewhere": (
        with_config({"preprocessor": {"_target_": "pathlib.Path"}}),
        "preprocessor._target_: 'pathlib.Path' is not one of NeMo's model components",
    ),
    "one through NeMo": (
        with_config({"encoder._target_": f"{ASR}.modules.conv_asr.torch.nn.Linear"}),
        "encoder._target_: .* is not one of NeMo's model components",
    ),
    "one that NeMo imports": (
        with_config({"encoder._target_": f"{ASR}.modules.conv_asr.OmegaConf"}),
        "encoder._target_: .* is not one of NeMo's model components",
    ),
    "one that is not there": (
        with_config({"encoder._target_": f"{ASR}.modules.NoSuch"}),
        "not one of NeMo's model components",
    ),
    "a function": (
        with_config({"decoder._target_": f"{ASR}.modules.conv_asr.init_weights"}),
        "not one of NeMo's model components",
    ),
    "a model as a part": (
        with_config({"encoder._target_": f"{ASR}.models.ASRModel"}),
        "not one of NeMo's model components",
    ),
    "data": (
        with_config({"a.b": [{"_target_": f"{ASR}.data.audio_to_text.AudioToCharDataset"}]}),
        r"a\.b\.0\._target_",
    ),
    "no name": (with_config({"encoder._target_": ["a"]}), "is not one of NeMo's model components"),
    "an old name": (with_config({"encoder": {"cls": "pathlib.Path", "params": {}}}), "encoder.cls: 'pathlib.Path'"),
    "another model": (
        with_config({"target": "pathlib.Path"}),
        "target: 'pathlib.Path' is not one of NeMo's speech models",
    ),
    "an unknown model": (
        with_config({"target": f"{ASR}.models.EncDecSpeakerLabelModel"}),
        "unsupported model class",
    ),
    "no model": (with_config({"target": ...}), "target is missing"),
    "a configuration in it": (
        with_config({"model": {"a": 1}}),
        "model: NeMo would take this key for the whole configuration",
    ),
    "parameters on top": (with_config({"params": {"tokenizer": {}}}), "params: NeMo would take this key"),
    "another call": (
        with_config({"encoder._partial_": True}),
        "encoder._partial_: this key changes how objects are created",
    ),
    "code from a hub": (
        with_config({"tokenizer.hf_kwargs.trust_remote_code": True}),
        "trust_remote_code: True would be",
    ),
    "a model from a hub": (
        with_config({"encoder.pretrained_model_name": "a/b"}),
        "'a/b' would be downloaded, opened or run",
    ),
    "a checkpoint from elsewhere": (with_config({"init_from_nemo_model": "a.nemo"}), "'a.nemo' would be downloaded"),
    "a local tokenizer": (
        with_config({"tokenizer.model_path": "/etc/hosts"}),
        r"tokenizer.model_path: '/etc/hosts' is not a file of the checkpoint \(nemo:…\)",
    ),
    "a tokenizer by its folder": (
        with_config({"tokenizer": {"type": "bpe", "dir": "/tmp"}}),
        "tokenizer.model_path: None is not a file of the checkpoint",
    ),
    "a tokenizer that is not there": (
        with_config({"tokenizer.vocab_path": "nemo:no.txt"}),
        "'nemo:no.txt' is not in the",
    ),
    "a tokenizer outside": (with_config({"tokenizer.model_path": "nemo:../../a"}), r"'nemo:\.\./\.\./a' is not in the"),
    "words of BERT": (
        with_config({"tokenizer.type": "wpe"}),
        "tokenizer.type: 'wpe' needs files from outside the checkpoint",
    ),
    "a tokenizer's parameters": (
        with_config({"tokenizer.params": {"type": "wpe"}}),
        "tokenizer: expected a mapping with a type and files",
    ),
    "a tokenizer of one language": (
        with_config({"tokenizer": {"type": "agg", "langs": {"en": {"type": "bpe", "model_path": "/a"}}}}),
        "tokenizer.langs.en.model_path: '/a' is not a file",
    ),
    "a tokenizer of one's own": (
        with_config({"tokenizer.custom_tokenizer": {"_target_": "pathlib.Path"}}),
        "tokenizer.custom_tokenizer._target_: 'pathlib.Path'",
    ),
    "a tokenizer by name": (
        with_config({"tokenizer.custom_tokenizer": "a"}),
        "custom_tokenizer: 'a' is not a mapping",
    ),
    "a language model": (
        with_config({"decoding.beam.ngram_lm_model": "/tmp/lm.nemo"}),
        "decoding.beam.ngram_lm_model: '/tmp/lm.nemo' is not a file of the checkpoint",
    ),
    "phrases": (with_config({"decoding.greedy.boosting_tree.key_phrases_file": "/etc/hosts"}), "key_phrases_file"),
    "a second model": (
        with_config({"target": "pathlib.Path"}, GOOD | {TIMES[WEIGHTS]: GOOD[WEIGHTS]}, TIMES[CONFIG]),
        f"{TIMES[CONFIG]}: target: 'pathlib.Path'",
    ),
}

WEIGHT_FILES = {
    "a pickle": (with_weights(pickle.dumps(Runs())), f"{WEIGHTS}: not a zip as torch .* saves weights"),
    "weights of old": (
        with_weights(save_state({"a": Runs()}, _use_new_zipfile_serialization=False)),
        "not a zip as torch .* saves",
    ),
    "something before the zip": (with_weights(b"PK\x03\x04" + GOOD[WEIGHTS]), "unreadable zip|torch refuses"),
    "half a zip": (with_weights(GOOD[WEIGHTS][:500]), "unreadable zip"),
    "a turned bit": (with_weights(flip_bit(GOOD[WEIGHTS])), "is damaged: CRC mismatch"),
    "a compressed zip": (
        with_weights(rezip_weights(lambda *entry: [entry], compression=zipfile.ZIP_DEFLATED)),
        "is compressed or encrypted, which torch never does",
    ),
    "a program": (
        with_weights(rezip_weights(lambda name, content: [(name, content), (name + "constants.pkl", b"")])),
        "unexpected entry",
    ),
    "a part twice": (with_weights(rezip_weights(lambda *entry: [entry, entry])), "duplicate entry"),
    "a way out of the zip": (
        with_weights(rezip_weights(lambda name, content: [(f"../{name}", content)])),
        "unexpected entry",
    ),
    "two folders": (
        with_weights(rezip_weights(lambda name, content: [(name, content), (f"b/{name}", content)])),
        "files in more than one folder",
    ),
    "code": (
        with_weights(save_state({"weight": Runs()})),
        "torch refuses to load these weights safely: .*Unsupported",
    ),
    "code instead": (with_weights(save_state(Runs())), "torch refuses to load these weights safely"),
    "a list": (with_weights(save_state([torch.ones(2)])), "expected tensors by name, got list"),
    "a text": (with_weights(save_state({"a": torch.ones(2), "b": "text"})), "'b': expected a tensor, got str"),
    "tensors in a mapping": (with_weights(save_state({"a": {"b": torch.ones(2)}})), "'a': expected a tensor, got dict"),
    "not a number": (
        with_weights(save_state({"a.b": torch.tensor([1, torch.nan])})),
        "'a.b': not all weights are finite",
    ),
    "infinite": (with_weights(save_state({"a": torch.tensor([torch.inf]).half()})), "not all weights are finite"),
    "more than is stored": (with_weights(save_state({"a": torch.ones(1).expand(10**12)})), "exceeds the stored data"),
    "a sparse tensor": (with_weights(save_state({"a": torch.ones(2).to_sparse()})), "'a': not a dense CPU tensor"),
    "a tensor without values": (
        with_weights(save_state({"a": torch.ones(2, device="meta")})),
        "'a': not a dense CPU tensor",
    ),
    "a second model's": (
        with_weights(save_state({"a": Runs()}), GOOD | {TIMES[CONFIG]: GOOD[CONFIG]}, TIMES[WEIGHTS]),
        f"{TIMES[WEIGHTS]}: torch refuses to load",
    ),
}

HOSTILE = {**ARCHIVES, **CONFIGURATIONS, **WEIGHT_FILES}


@pytest.fixture
def checkpoint_path(tmp_path, monkeypatch):
    """The path of a checkpoint; what runs or is extracted outside the cache leaves a file beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "cache"))
    return tmp_path / "model.nemo"


@pytest.mark.parametrize(("content", "complaint"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_checkpoint_is_refused_and_leaves_nothing(checkpoint_path, content, complaint):
    checkpoint_path.write_bytes(content)
    with pytest.raises(CheckpointError, match=complaint) as refused:
        resolve_unpinned(checkpoint_path)
    assert str(refused.value).startswith(f"{checkpoint_path}: ")
    assert len(str(refused.value).splitlines()) == 1
    assert {path.name for path in checkpoint_path.parent.rglob("*")} == {"model.nemo", "cache", "checkpoints"}


def test_unmodified_checkpoint_passes(checkpoint_path):
    for content in (make_archive(), with_config({}), with_weights(rezip_weights(lambda *entry: [entry]))):
        checkpoint_path.write_bytes(content)
        assert resolve_unpinned(checkpoint_path).family == "ctc"


def test_unsafe_settings_and_versions_are_refused(checkpoint_path, monkeypatch):
    checkpoint_path.write_bytes(make_archive())
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(CheckpointError, match=r"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 .*: unset it"):
        resolve_unpinned(checkpoint_path)
    good = {"torch": "2.13.0+cpu", "nemo_toolkit": "3.0.0"}
    preflight.check_environment({}, good)
    for old, complaint in ({"torch": "2.9.1"}, "install 2.10"), ({"nemo_toolkit": "2.6.0rc0"}, "install 3.0"):
        with pytest.raises(CheckpointError, match=complaint):
            preflight.check_environment({}, good | old)


def test_local_checkpoint_passes_by_its_preflight_alone(checkpoint_path, log_lines):
    checkpoint_path.write_bytes(make_archive())
    sha256 = sha256_of(checkpoint_path)
    checkpoint = resolve(str(checkpoint_path))
    assert (checkpoint.name, checkpoint.sha256, checkpoint.pinned) == (str(checkpoint_path), sha256, False)
    assert resolve(str(checkpoint_path), trust_unpinned=True) == checkpoint
    (line,) = log_lines  # once
    assert line == f"INFO to pin today's file: {checkpoint_path}@sha256:{sha256}"


def test_pinned_checkpoint_is_the_file_of_that_digest(checkpoint_path):
    checkpoint_path.write_bytes(make_archive())
    sha256 = sha256_of(checkpoint_path)
    checkpoint = resolve(f"{checkpoint_path}@sha256:{sha256.upper()}")
    assert (checkpoint.name, checkpoint.sha256, checkpoint.pinned) == (str(checkpoint_path), sha256, True)
    assert checkpoint == resolve(str(checkpoint_path)).model_copy(update={"pinned": True})


@pytest.mark.parametrize(
    ("pin", "complaint"),
    [
        ("0" * 64, "checksum mismatch: expected sha256 000.*, got "),
        ("0" * 63, "invalid pin: expected @sha256: and 64 hexadecimal digits"),
        ("", "64 hexadecimal digits"),
    ],
)
def test_wrong_or_invalid_pin_is_refused(checkpoint_path, pin, complaint):
    checkpoint_path.write_bytes(make_archive())
    with pytest.raises(CheckpointError, match=complaint):
        resolve(f"{checkpoint_path}@sha256:{pin}")
    assert not list(checkpoint_cache.private_folder().iterdir())


def test_private_copy_does_not_change_with_the_original(checkpoint_path):
    checkpoint_path.write_bytes(make_archive())
    checkpoint = resolve_unpinned(checkpoint_path)
    before = checkpoint.path.read_bytes()
    checkpoint_path.write_bytes(HOSTILE["code"][0])
    assert resolve(checkpoint.pinned_name).path.read_bytes() == before
    assert checkpoint.path.parent.parent == checkpoint_path.parent / "cache"


def damage(copy):
    copy.write_bytes(b"damaged")


def replace_by_the_original(copy):
    shutil.copy(copy.parents[2] / "model.nemo", copy)


def open_to_others(copy):
    copy.chmod(0o666)


def replace_by_a_link(copy):
    copy.rename(copy.with_suffix(".other"))
    copy.symlink_to(copy.with_suffix(".other"))


def damage_the_note(copy):
    copy.with_suffix(".json").write_text("{}")


def remove_the_note(copy):
    copy.with_suffix(".json").unlink()


@pytest.mark.parametrize(
    "change",
    [damage, replace_by_the_original, open_to_others, replace_by_a_link, damage_the_note, remove_the_note, Path.unlink],
)
def test_altered_copy_is_made_again_before_it_is_loaded(checkpoint_path, change):
    shutil.copy(DEMO / "small.nemo", checkpoint_path)
    checkpoint = resolve_unpinned(checkpoint_path)
    made = checkpoint.path.read_bytes()
    change(checkpoint.path)
    model = engine_for(checkpoint.name).load(checkpoint, EngineOptions())
    assert model.sample_rate == 16_000
    assert checkpoint.path.read_bytes() == made
    assert (checkpoint.path.lstat().st_mode & 0o777, checkpoint.path.is_symlink()) == (0o600, False)


def test_copy_is_made_once_under_the_same_rules(checkpoint_path):
    checkpoint_path.write_bytes(make_archive())
    copy = resolve_unpinned(checkpoint_path).path
    note = copy.with_suffix(".json")
    facts = json.loads(note.read_text())
    note.write_text(json.dumps(facts | {"family": "transducer"}))
    assert resolve_unpinned(checkpoint_path).family == "transducer"  # as the note says
    note.write_text(json.dumps(facts | {"family": "transducer", "rules": "0123456789abcdef"}))
    assert resolve_unpinned(checkpoint_path).family == "ctc"


def test_processes_that_want_the_same_checkpoint_make_it_once(checkpoint_path):
    checkpoint_path.write_bytes(make_archive())
    checkpoint_cache.private_folder().joinpath(".making-killed").mkdir()
    with ThreadPoolExecutor(4) as pool:
        copies = {checkpoint.path for checkpoint in pool.map(resolve_unpinned, [checkpoint_path] * 4)}
    (copy,) = copies
    assert sorted(copy.parent.iterdir()) == [copy.with_suffix(".json"), copy]


def test_checkpoint_that_changes_while_it_is_read_is_refused(checkpoint_path):
    shutil.copy(DEMO / "small.nemo", checkpoint_path)
    reading = checkpoint_cache.open_verified(checkpoint_path, "model.nemo", sha256_of(checkpoint_path))
    reading.__enter__().read(2**10)
    checkpoint_path.write_bytes(make_archive())
    with pytest.raises(CheckpointError, match="checksum mismatch"):
        reading.__exit__(None, None, None)


def test_full_disk_is_named_with_the_room_that_is_needed(checkpoint_path):
    shutil.copy(DEMO / "small.nemo", checkpoint_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for most in (2**19, 2**21 - 2**18):  # while it is unpacked, and while it is written anew
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))
        try:
            with pytest.raises(DiskFull, match=r"set WINNOW_CACHE to a folder of yours with 0\.0 GiB free"):
                resolve_unpinned(checkpoint_path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert not list(checkpoint_cache.private_folder().iterdir())


def test_cache_that_others_may_write_to_is_refused(checkpoint_path):
    checkpoint_path.write_bytes(make_archive())
    checkpoint_cache.private_folder().chmod(0o777)
    with pytest.raises(CheckpointError, match="other users can write to it"):
        resolve_unpinned(checkpoint_path)


PUBLISHED = {
    "train_ds": {
        "use_lhotse": True,
        "input_cfg": [{"type": "nemo_tarred", "manifest_filepath": "/data/a/manifest__OP_0..9_CL_.json",
                       "tarred_audio_filepaths": "/data/a/audio__OP_0..9_CL_.tar", "tags": {"lang": "en"}}],
        "manifest_filepath": [["/data/train.json"]], "sample_rate": 16_000, "batch_size": None, "batch_duration": 600,
        "quadratic_duration": 30, "num_buckets": 2, "bucket_duration_bins": [7.5, 16.1], "shuffle": True,
        "is_tarred": True, "tarred_audio_filepaths": "/data/audio__OP_0..9_CL_.tar", "shuffle_n": 2_048,
        "bucketing_strategy": "fully_randomized", "max_duration": 20.0, "num_workers": 8, "pin_memory": True,
    },
    "test_ds": {"manifest_filepath": ["/data/test.json"], "sample_rate": 16_000, "batch_size": 8, "shuffle": False},
    "optim": {"name": "adamw", "lr": 0.001, "betas": [0.9, 0.98], "weight_decay": 0.001,
              "sched": {"name": "NoamAnnealing", "d_model": 512, "warmup_steps": 10_000, "min_lr": 1e-6}},
    "interctc": {"loss_weights": [], "apply_at_layers": []},
    "variational_noise": {"start_step": 0, "std": 0.0},
    "rnnt_reduction": "mean_batch",
    "validation_ds": {"manifest_filepath": ["/data/dev.json"], "sample_rate": 16_000, "batch_size": 8},
}  # fmt: skip
METRICS = {"metrics": {name.lower(): {"_target_": f"{ASR}.metrics.{name}"} for name in ("WER", "BLEU")}}


@pytest.mark.parametrize("name", ["letters", "rnnt", "tdt", "canary", "small", "large"])
def test_checkpoint_with_the_settings_of_published_ones_passes_and_loads(tmp_path, random_model, name):
    files = read_files(DEMO / f"{name}.nemo" if name in ("small", "large") else random_model(name).path)
    config = yaml.safe_load(files[CONFIG]) | PUBLISHED
    if name == "canary":  # as canary-1b-flash: a second model in it
        config["multitask_metrics_cfg"] = METRICS
        files |= {TIMES.get(name, name): content for name, content in read_files(DEMO / "small.nemo").items()}
    files[CONFIG] = yaml.safe_dump(config).encode()
    (tmp_path / "model.nemo").write_bytes(make_archive(files))
    network = NemoModel(resolve_unpinned(tmp_path / "model.nemo"), EngineOptions())
    assert network.model.cfg.train_ds.num_buckets == 2


def test_gzip_of_earlier_releases_passes_and_loads(tmp_path):
    (tmp_path / "model.nemo").write_bytes(gzip.compress((DEMO / "small.nemo").read_bytes(), compresslevel=1))
    assert type(restore_model(resolve_unpinned(tmp_path / "model.nemo"), "cpu")).__name__ == "EncDecCTCModelBPE"
