"""The parameters of the flow `export`."""

from collections.abc import Iterator
from math import isclose
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from winnow.parameters.redaction import refuse_credentials
from winnow.parameters.settings import Count, Folder, Parameters, Positive

FormName = Literal["nemo", "nemo-tarred", "shar", "webdataset", "hf", "kaldi"]
AudioName = Literal["original", "flac", "wav", "opus", "reference"]

REFERENCING: tuple[FormName, ...] = ("nemo", "kaldi")
"""Forms that may name the original files instead of having the audio."""


def parse_split(split: str) -> dict[str, float]:
    """Return the share of each part, as in `train=0.98,dev=0.01,test=0.01`; without parts, nothing.

    Raises ValueError for anything else.
    """
    pairs = [pair.partition("=") for pair in split.split(",") if pair.strip()]
    try:
        shares = {name.strip(): float(share) for name, _, share in pairs}
    except ValueError:
        raise ValueError(f"{split}: expected NAME=SHARE, as in train=0.98,dev=0.01,test=0.01") from None
    names = "".join(shares).replace("_", "").replace("-", "")
    if len(shares) != len(pairs) or not all(shares) or (pairs and not (names.isascii() and names.isalnum())):
        raise ValueError(f"{split}: expected different names of letters, digits, - and _")
    if pairs and not (isclose(sum(shares.values()), 1.0, abs_tol=1e-6) and all(share > 0 for share in shares.values())):
        raise ValueError(f"{split}: the shares must be above 0 and add up to 1, not {sum(shares.values()):g}")
    return shares


def check_split(split: str) -> str:
    """Return the value unless it is none, which raises ValueError."""
    parse_split(split)
    return split


Split = Annotated[str, AfterValidator(refuse_credentials), AfterValidator(check_split)]
Text = Annotated[str, AfterValidator(refuse_credentials)]


class Export(Parameters):
    """The parameters of the flow `export`."""

    NOT_COMPARED: ClassVar[frozenset[str]] = frozenset({"output", "push"})

    run: Folder = Field(title="Run", description="Folder of a complete run, whose kept utterances are exported")
    form: FormName = Field(
        kw_only=True,
        title="Form",
        description="Form of the data: a NeMo manifest (nemo), NeMo's tar files (nemo-tarred), Lhotse Shar (shar), "
        "WebDataset (webdataset), a Hugging Face dataset in Parquet (hf), or a Kaldi data folder (kaldi)",
    )
    output: Folder = Field(kw_only=True, title="Output", description="New folder for the data")
    audio: AudioName = Field(
        "original",
        kw_only=True,
        title="Audio",
        description="Copy files as they are, and cut slices and channels of files into FLAC (original); or encode "
        "everything: flac, wav, opus. With reference, nemo and kaldi name the original files instead",
    )
    rate: int | None = Field(
        None,
        ge=4_000,
        le=384_000,
        kw_only=True,
        title="Sample rate",
        description="Sample rate of encoded audio, in Hz. Default: that of each file",
    )
    shard_hours: Positive | None = Field(
        None,
        kw_only=True,
        title="Hours per shard",
        description="Hours of audio in each shard, about; all have equal hours. Default: 1",
    )
    shards: Count | None = Field(
        None,
        kw_only=True,
        title="Shards",
        description="Number of shards of each part and bucket. Default: as many as shard_hours makes",
    )
    buckets: Annotated[int, Field(ge=1, le=1_000)] = Field(
        1,
        kw_only=True,
        title="Buckets",
        description="Number of folders by duration, each with equal hours, as NeMo's bucketing reads them; nemo-tarred",
    )
    shuffle: bool = Field(
        False,
        kw_only=True,
        title="Shuffle",
        description="Mix the utterances before they are split into shards. Default: the order of the manifest",
    )
    split: Split = Field(
        "",
        kw_only=True,
        title="Split",
        description="Parts and their shares of the hours, such as train=0.98,dev=0.01,test=0.01. Default: one part",
    )
    apart: Text = Field(
        "speaker,text",
        kw_only=True,
        title="Keep apart",
        description="Fields of which no value is in two parts; text is compared as the run compares texts. Empty: none",
    )
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        0, kw_only=True, title="Seed", description="Number that determines the split and the mixing"
    )
    against: list[Path] = Field(
        [],
        kw_only=True,
        title="Evaluation sets",
        description="Corpora of which no text and no audio may be in the export, in any form that curate reads",
    )
    drop_leaks: bool = Field(
        False,
        kw_only=True,
        title="Drop leaks",
        description="Leave out what is in an evaluation set. Default: refuse to export",
    )
    drop_unreadable: bool = Field(
        False,
        kw_only=True,
        title="Drop unreadable audio",
        description="Leave out utterances whose audio cannot be read any more. Default: fail and name them",
    )
    push: Text | None = Field(
        None,
        kw_only=True,
        title="Push to",
        description="Dataset on the Hugging Face hub (owner/name) to upload to as well, with the token in HF_TOKEN; hf",
    )

    def complaints(self) -> Iterator[str]:
        if self.audio == "reference" and self.form not in REFERENCING:
            yield f"--audio reference: {self.form} holds the audio itself, only {' and '.join(REFERENCING)} can name it"
        if self.rate and self.audio in ("original", "reference"):
            yield "--rate: used only with --audio flac, wav or opus"
        if self.audio == "opus" and self.rate not in (None, 8_000, 12_000, 16_000, 24_000, 48_000):
            yield "--rate: opus has 8000, 12000, 16000, 24000 or 48000 Hz"
        if self.shards and self.shard_hours:
            yield "--shards: give either this or --shard-hours"
        if self.buckets > 1 and self.form != "nemo-tarred":
            yield "--buckets: used only with --form nemo-tarred"
        if self.push and self.form != "hf":
            yield "--push: used only with --form hf"
        if self.drop_leaks and not self.against:
            yield "--drop-leaks: used only with --against"
