"""What a curation is told: the Python call, the command's flags, the Prefect form and a deployment's YAML in one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from winnow.parameters.engine import EngineOptions
from winnow.parameters.filter import Filter
from winnow.parameters.gate import GATE_PRESETS, Bands, Gate
from winnow.parameters.placement import Dask, Placement
from winnow.parameters.redaction import redact_text
from winnow.parameters.selection import AUTO, Route, Selection
from winnow.parameters.settings import Folder, Parameters, Seconds, Share
from winnow.text.normalize import Normalizer

ADDRESSES = ("tcp://", "tls://")


class Curation(Parameters):
    """The parameters of the flow `curate`."""

    manifest: Path = Field(
        title="Manifest",
        description="NeMo manifest: a JSON object a line with audio_filepath, duration and text; relative paths start "
        "at the manifest's folder",
    )
    output: Folder = Field(
        kw_only=True,
        title="Output",
        description="Folder of the run, or an object store's (s3://bucket/folder); the same command again goes on "
        "where it stopped",
    )
    small: str = Field(
        kw_only=True,
        title="Small model",
        description="Checkpoint that reads everything: a .nemo path, a name on the hub (nvidia/parakeet-tdt_ctc-110m) "
        "or NGC, pinned by @sha256: and the file's digest, or on the hub by @ and a commit; or a manifest (.jsonl) "
        "with another system's readings as pred_text; auto: selected for `select`",
    )
    large: str | None = Field(
        None,
        kw_only=True,
        title="Large model",
        description="Checkpoint that reads what the gate escalates; auto: selected by select.*; empty: no cascade, the "
        "small model decides",
    )
    extra_models: list[str] = Field(
        [],
        kw_only=True,
        title="Further models",
        description="Checkpoints that read, one after the other, what the one before left above the filter's WER and "
        "not above the gate's reject; not rows in languages that have models of their own",
    )
    references: Literal["required", "optional"] = Field(
        "required",
        kw_only=True,
        title="References",
        description="required: an utterance without text is quarantined; optional: it gets the reading for its text, "
        "and is judged by confidence, agreement and the rules that need no reference",
    )
    languages: dict[str, Route] = Field(
        {},
        kw_only=True,
        title="Languages",
        description="Models of their own for rows with this lang: --languages.de.small …, --languages.de.large …, or "
        'in a form {"de": {"small": …, "large": …}}; all other rows are read by small and large',
    )
    select: Selection = Field(
        Selection(), kw_only=True, title="Wish", description="What models are to be chosen for (auto)"
    )
    catalog: Path | None = Field(
        None,
        kw_only=True,
        title="Catalogue",
        description="YAML file of your own models, in the form of winnow/models/catalog.yaml; empty: "
        "that of WINNOW_CATALOG, if there is one",
    )
    trust_unpinned: bool = Field(
        False,
        kw_only=True,
        title="Trust unpinned models",
        description="Whether models that are not pinned are read too; the report says which",
    )
    audio_root: Path | None = Field(
        None,
        kw_only=True,
        title="Audio root",
        description="Folder in which all audio must lie, links followed, and where relative paths start; empty: they "
        "start at the manifest's folder, and audio may lie anywhere",
    )
    relative_to: Path | None = Field(
        None,
        kw_only=True,
        title="Relative paths start at",
        description="Folder where relative paths start; empty: the audio root, or the manifest's folder",
    )
    gate: Gate = Field(Gate(), kw_only=True, title="Gate", description="Which utterances the large model reads")
    filter: Filter = Field(Filter(), kw_only=True, title="Filter", description="What a kept utterance must satisfy")
    engine: EngineOptions = Field(
        EngineOptions(), kw_only=True, title="Engine", description="How audio goes through a model"
    )
    normalizer: Normalizer = Field(
        "basic",
        kw_only=True,
        title="Normalizer",
        description="What does not count when texts are compared; basic: Unicode form, case, punctuation; letters-es: "
        "beside that whatever is no letter of Spanish (de, en, …); whisper and whisper-english: as OpenAI's compare "
        "(the former parts words at combining marks, which Hindi is written with); none: only white space",
    )
    shard_hours: Seconds = Field(
        1.0,
        kw_only=True,
        title="Hours a shard",
        description="Hours of audio in a shard, the unit of work and of resume; twice or four times as many, and so "
        "on, where there would be more than a thousand shards",
    )
    max_quarantined: Share = Field(
        0.05,
        kw_only=True,
        title="Most quarantined",
        description="Share of the utterances (0 to 1) that may be quarantined before the run stops; ten always may",
    )
    devices: str = Field(
        "inline",
        kw_only=True,
        title="Devices",
        description="Where models run; inline: in the flow's own process; local: a process for each GPU of this "
        "machine, or on its cores; else a Dask scheduler's address (tcp://host:8786, tls://…) or file (scheduler.json)",
    )
    small_placement: Placement = Field(
        Placement(), kw_only=True, title="Small model on", description="Which devices the small model runs on"
    )
    large_placement: Placement = Field(
        Placement(), kw_only=True, title="Large model on", description="Which devices the large model runs on"
    )
    dask: Dask = Field(Dask(), kw_only=True, title="Dask", description="Dask workers and how they are reached")

    @property
    def bands(self) -> Bands:
        """The gate's bands; what the filter would drop in the end is never accepted before the large model read it."""
        preset = GATE_PRESETS[self.gate.preset]
        accept, limit = self.gate.accept, self.filter.wer_limit
        if accept is None:
            accept = preset.accept if preset.accept is None or limit is None else min(preset.accept, limit)
        if self.gate.preset == "budget" and limit is not None:
            accept = limit  # nothing up to there is to be rescued
        return Bands(accept, preset.reject if self.gate.reject is None else self.gate.reject)

    @property
    def checkpoints(self) -> list[str]:
        """The models that are named."""
        routes = self.routes.values()
        names = [*(name for route in routes for name in (route.small, route.large)), *self.extra_models]
        return list(dict.fromkeys(filter(None, names)))

    @property
    def roles(self) -> list[str]:
        """Whose readings there are."""
        larger = ["large", *(f"large{number}" for number, _ in enumerate(self.extra_models, 2))]
        return ["small", *larger] if self.large else ["small"]

    @property
    def referenced(self) -> bool:
        """Whether every utterance must have a reference."""
        return self.references == "required"

    @property
    def certain(self) -> Bands:
        """The gate's bands of 1 - confidence."""
        limits = (self.gate.accept_confidence, self.gate.reject_confidence)
        return Bands(*(None if limit is None else 1 - limit for limit in limits))

    @property
    def placements(self) -> list[Placement]:
        """Where its models run."""
        return [self.small_placement, *([self.large_placement] if self.large else [])]

    @field_validator(
        *("manifest", "output", "small", "large", "extra_models", "languages", "audio_root", "relative_to", "catalog")
    )
    @classmethod
    def no_credentials(cls, value: object) -> object:
        if redact_text(str(value)) != str(value):
            raise ValueError("credentials do not belong in a parameter: give them in the environment")
        return value

    @field_validator("devices")
    @classmethod
    def a_place(cls, value: str) -> str:
        if value not in ("inline", "local") and not value.startswith(ADDRESSES) and not value.endswith(".json"):
            raise ValueError("inline, local, a scheduler's address (tcp://host:8786, tls://…) or its file (….json)")
        return value

    @property
    def routes(self) -> "dict[str | None, Route]":
        """The models of each language, and under null those of all other rows."""
        own: dict[str | None, Route] = {None: Route(small=self.small, large=self.large)}
        return own | dict(self.languages)

    @property
    def auto(self) -> bool:
        """Whether any model is to be chosen."""
        return any(AUTO in (route.small, route.large) for route in self.routes.values())

    def complaints(self) -> Iterator[str]:
        yield from self.about_models()
        yield from self.about_devices()
        yield from self.about_gates()
        accept, reject = self.certain
        if accept is not None and reject is not None and accept > reject:
            yield "gate: accept_confidence lies below reject_confidence"
        accept, reject = self.bands
        limit = self.filter.wer_limit
        if accept is not None and reject is not None and accept > reject:
            yield f"gate: accept ({accept}) lies above reject ({reject})"
        if accept is not None and limit is not None and accept > limit:
            yield f"gate: accept ({accept}) lies above the filter's WER ({limit:g}), which would drop those rows"

    def about_models(self) -> Iterator[str]:
        if self.select != Selection() and not self.auto:
            yield "select: no model is auto, so nothing is selected"
        if not self.large and self.extra_models:
            yield "extra_models: set large first; extra models come after the large one"
        if not self.large and any(route.large for route in self.languages.values()):
            yield "languages: a language has a large model only where the run has one: give large"
        if not self.large and self.gate != Gate():
            yield "gate: there is no large model for what it escalates: give large"
        if not self.large and self.large_placement != Placement():
            yield "large_placement: there is no large model to be placed: give large"

    def about_devices(self) -> Iterator[str]:
        given = {name: getattr(self, name) for name in ("small_placement", "large_placement", "dask")}
        idle = [name for name, value in given.items() if value != type(value)()]
        if self.devices == "inline" and idle:
            yield f"{' and '.join(idle)}: devices is inline, so there are no workers to choose from"
        if self.devices != "local" and self.dask.workers:
            yield "dask.workers: only devices: local starts workers"

    def about_gates(self) -> Iterator[str]:
        """What a gate is told that it does not go by, and what it lacks."""
        gate, limits = self.gate, (self.gate.accept, self.gate.reject) != (None, None)
        sure = self.certain != Bands(None, None)
        if gate.preset == "budget":
            if limits:
                yield "gate.accept and gate.reject: preset budget finds them"
            if sure:
                yield "gate.accept_confidence and gate.reject_confidence: preset budget finds them"
            if not all(route.large for route in self.routes.values()):
                yield "gate.preset: budget needs a large model of every language"
            if self.referenced and self.filter.wer_limit is None:
                yield "gate.preset: budget needs a highest WER in the filter, or there is nothing to rescue"
        elif gate.budget is not None:
            yield "gate.budget: only preset budget has one"
        if gate.by == "confidence" and limits:
            yield "gate.accept and gate.reject: the gate goes by confidence"
        if gate.by != "confidence" and self.referenced and sure:
            yield "gate.accept_confidence and gate.reject_confidence: the gate does not go by confidence"
        if gate.by != "agreement" and gate.accept_agreement is not None:
            yield "gate.accept_agreement: the gate does not go by agreement"
        if gate.by == "agreement" and not self.extra_models:
            yield "gate.by: agreement needs extra_models"
        if gate.by == "wer" and not self.referenced:
            yield "gate.by: wer needs a reference of every utterance, and references are optional"
