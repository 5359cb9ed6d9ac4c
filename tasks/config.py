"""What a run is told: the Python call, the command's flags, the Prefect form and a deployment's YAML in one."""

from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0)]
Seconds = Annotated[float, Field(gt=0)]


class Bands(NamedTuple):
    """Up to `accept` the small model is believed, above `reject` the row is given up; null: never."""

    accept: float | None
    reject: float | None


PRESETS = {
    "bands": Bands(accept=0.25, reject=1.05),
    "guide": Bands(accept=None, reject=0.5),
    "everything": Bands(accept=None, reject=None),
}


class Parameters(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Gate(Parameters):
    """Which utterances the large model reads, by the small model's WER."""

    preset: Literal["bands", "guide", "everything"] = Field(
        "bands",
        title="Preset",
        description="bands: believe the small model up to WER 0.25, give up above 1.05, escalate what lies between; "
        "guide: escalate everything up to WER 0.5, drop the rest; everything: the large model reads all",
    )
    accept: Fraction | None = Field(
        None,
        title="Accept up to",
        description="WER (fraction) up to which the small model is believed; empty: the preset's, or filter.max_wer "
        "where that is lower",
    )
    reject: Fraction | None = Field(
        None,
        title="Reject above",
        description="WER (fraction) above which the large model is not asked and the row dropped; empty: the preset's",
    )


class Filter(Parameters):
    """What a kept utterance must satisfy; an empty limit (null in JSON and YAML) is not checked."""

    max_wer: Fraction | None = Field(
        0.25,
        title="Highest WER",
        description="WER (fraction) of the reading that counts: the large model's where it read, else the small one's",
    )
    min_duration: Seconds | None = Field(None, title="Shortest", description="Seconds of audio at least")
    max_duration: Seconds | None = Field(None, title="Longest", description="Seconds of audio at most")
    min_char_rate: Fraction | None = Field(
        None,
        title="Slowest",
        description="Characters of the reference a second at least (SDP's Spanish MLS recipe: 5)",
    )
    max_char_rate: Seconds | None = Field(
        None,
        title="Fastest",
        description="Characters of the reference a second at most (SDP's Spanish MLS recipe: 20)",
    )


class Engine(Parameters):
    """How audio goes through a model."""

    batch_seconds: Seconds = Field(40, title="Batch", description="Seconds of audio in a batch, padding included")
    max_seconds: Seconds = Field(
        120,
        title="Longest utterance",
        description="Seconds; longer audio is quarantined as TOO_LONG, since memory grows with its square",
    )
    branch: Literal["transducer", "ctc"] = Field(
        "transducer",
        title="Branch",
        description="Which decoder of a hybrid checkpoint reads; other checkpoints have one",
    )


class Curation(Parameters):
    """The parameters of the flow `curate`."""

    manifest: Path = Field(
        title="Manifest",
        description="NeMo manifest: a JSON object a line with audio_filepath, duration and text; relative paths start "
        "at the manifest's folder",
    )
    output: Path = Field(
        kw_only=True,
        title="Output",
        description="Folder of the run; the same command again goes on where it stopped",
    )
    small: str = Field(
        kw_only=True,
        title="Small model",
        description="Checkpoint that reads everything: a .nemo path, a hub name such as nvidia/parakeet-tdt_ctc-110m, "
        "or a manifest (.jsonl) with another system's readings as pred_text",
    )
    large: str | None = Field(
        None,
        kw_only=True,
        title="Large model",
        description="Checkpoint that reads what the gate escalates; empty: no cascade, the small model decides",
    )
    gate: Gate = Field(Gate(), kw_only=True, title="Gate", description="Which utterances the large model reads")
    filter: Filter = Field(
        Filter(), kw_only=True, title="Filter", description="What a kept utterance must satisfy; empty: not checked"
    )
    engine: Engine = Field(Engine(), kw_only=True, title="Engine", description="How audio goes through a model")
    normalizer: Literal["basic", "none"] = Field(
        "basic",
        kw_only=True,
        title="Normalizer",
        description="What does not count when texts are compared: basic (Unicode form, case, punctuation) or none",
    )
    shard_hours: Seconds = Field(
        1.0,
        kw_only=True,
        title="Hours a shard",
        description="Hours of audio in a shard, the unit of work and of resume; plan for a thousand shards at most",
    )
    devices: Literal["inline"] = Field(
        "inline", kw_only=True, title="Devices", description="Where models run; inline: in the flow's own process"
    )

    @property
    def bands(self) -> Bands:
        """The gate's bands; what the filter would drop in the end is never accepted before the large model read it."""
        preset = PRESETS[self.gate.preset]
        accept, limit = self.gate.accept, self.filter.max_wer
        if accept is None:
            accept = preset.accept if preset.accept is None or limit is None else min(preset.accept, limit)
        return Bands(accept, preset.reject if self.gate.reject is None else self.gate.reject)

    @model_validator(mode="after")
    def in_order(self) -> Self:
        accept, reject = self.bands
        limit = self.filter.max_wer
        if accept is not None and reject is not None and accept > reject:
            raise ValueError(f"gate: accept ({accept}) lies above reject ({reject})")
        if accept is not None and limit is not None and accept > limit:
            raise ValueError(
                f"gate: accept ({accept}) lies above filter.max_wer ({limit}), which would drop those rows"
            )
        return self
