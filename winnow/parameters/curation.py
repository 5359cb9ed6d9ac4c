"""The parameters of a curation: for the Python call, the command, Prefect's form and a deployment's YAML alike."""

import os
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from winnow.audio.remote.urls import is_url
from winnow.gates.criteria import Gates
from winnow.input_files import expand_home
from winnow.parameters.audio import AudioOptions
from winnow.parameters.column_names import COLUMNS_HELP, ColumnNames
from winnow.parameters.engine import EngineOptions
from winnow.parameters.filter import Filter
from winnow.parameters.gate import Gate
from winnow.parameters.gate_limits import gate_complaints, gates_after_larger, gates_after_small
from winnow.parameters.listen import LISTEN_HELP, MeasureNames
from winnow.parameters.placement import Dask, Placement, check_devices, placement_complaints
from winnow.parameters.scoring import Scoring
from winnow.parameters.selection import AUTO, Route, Selection
from winnow.parameters.settings import Folder, Location, Parameters, Positive, Seconds, Share, flag, given_flags
from winnow.text.comparison import Comparison
from winnow.text.languages import name_for
from winnow.text.normalize import Normalizer

LONGEST_SEGMENT = 30.0  # seconds, by default


class Curation(Parameters):
    """The parameters of the flow `curate`."""

    NOT_COMPARED: ClassVar = frozenset(  # where models are, of which the digests are compared, and where they run
        ("output", "small", "large", "extra_models", "languages", "select", "catalog", "trust_unpinned")
        + ("devices", "small_placement", "large_placement", "dask", "price", "max_quarantined")
    )
    LOCATIONS: ClassVar = frozenset(("manifest", "audio_root", "relative_to"))
    PATHS: ClassVar = frozenset(("small", "large", "extra_models", "languages", "devices"))

    manifest: Location = Field(
        title="Manifest",
        description="NeMo manifest: one JSON object per line with audio_filepath, duration and text. Also accepted: "
        "manifests that are compressed (.gz, .zst, .bz2), several by a pattern in quotes, tables with a header (.csv, "
        ".tsv), Parquet and Arrow files with audio in them, datasets and folders of Hugging Face, tarred datasets of "
        "NeMo, WebDataset, Lhotse cuts and Shar, LJ Speech and Kaldi data folders. "
        "Manifests, tables and folders of lists may be URLs (https://, s3://, …). Relative paths start at the "
        "manifest's folder",
    )
    output: Folder = Field(
        kw_only=True,
        title="Output",
        description="Folder of the run, on disk or in an object store (s3://bucket/folder). Run the same command again "
        "to resume",
    )
    small: str = Field(
        kw_only=True,
        title="Small model",
        description="Checkpoint that transcribes every utterance: a .nemo file, or a model on the Hugging Face hub "
        "(nvidia/parakeet-tdt_ctc-110m) or NGC, pinned with @sha256:DIGEST or, on the hub, @COMMIT. Also accepted: "
        "whisper:base or another size, folder or hub name of a Whisper model for CTranslate2; "
        "openai:MODEL@https://HOST/v1 for a server with OpenAI's interface; a manifest (.jsonl) with "
        "transcripts of another system as pred_text; auto: a model is selected by select.*",
    )
    large: str | None = Field(
        None,
        kw_only=True,
        title="Large model",
        description="Checkpoint that transcribes what the gate escalates, named like small. Default: none, the small "
        "model decides",
    )
    extra_models: list[str] = Field(
        [],
        kw_only=True,
        title="Extra models",
        description="Further checkpoints in order. Each transcribes the utterances whose WER after the previous model "
        "is above the filter's limit, but not above the gate's reject. Not used for the languages of --languages",
    )
    references: Literal["required", "optional"] = Field(
        "required",
        kw_only=True,
        title="References",
        description="required: an utterance without text is quarantined; optional: the hypothesis becomes its text, "
        "and it is kept or dropped by confidence, agreement and the rules that need no reference",
    )
    languages: dict[str, Route] = Field(
        {},
        kw_only=True,
        title="Languages",
        description="Other models for rows with a certain lang: --languages.de.small …, --languages.de.large …, or in "
        'a form {"de": {"small": …, "large": …}}. All other rows go to small and large',
    )
    select: Selection = Field(
        Selection(), kw_only=True, title="Selection", description="What a model given as auto must be able to do"
    )
    catalog: Path | None = Field(
        None,
        kw_only=True,
        title="Catalogue",
        description="YAML file with your own models to select from, in the format of winnow/models/catalog.yaml. "
        "Default: the file that WINNOW_CATALOG names, if any",
    )
    trust_unpinned: bool = Field(
        False,
        kw_only=True,
        title="Trust unpinned models",
        description="Accept models of a hub that are not pinned by a digest or commit; the report lists them",
    )
    audio_root: Location | None = Field(
        None,
        kw_only=True,
        title="Audio root",
        description="Folder that must contain all audio, after following links, and where relative paths start. "
        "Default: audio may be anywhere, and relative paths start at the manifest's folder",
    )
    relative_to: Location | None = Field(
        None,
        kw_only=True,
        title="Relative to",
        description="Folder where relative paths start. Default: the audio root, or the manifest's folder",
    )
    columns: ColumnNames = Field("", kw_only=True, title="Columns", description=COLUMNS_HELP)
    segment: Folder | None = Field(
        None,
        kw_only=True,
        title="Segment",
        description="New folder for segments: rows are recordings of any length, which are cut into utterances first, "
        "as by `winnow segment`, and what is curated is its manifest. The large model reads them for that, or the "
        "small one if there is no other. Default: rows are utterances",
    )
    listen: MeasureNames = Field("", kw_only=True, title="Listen", description=LISTEN_HELP)
    gate: Gate = Field(Gate(), kw_only=True, title="Gate", description="Which utterances the large model transcribes")
    filter: Filter = Field(Filter(), kw_only=True, title="Filter", description="Which utterances are kept")
    engine: EngineOptions = Field(
        EngineOptions(), kw_only=True, title="Engine", description="How models transcribe: batches, precision, decoding"
    )
    audio: AudioOptions = Field(
        AudioOptions(), kw_only=True, title="Audio", description="How audio is fetched that is in no local file"
    )
    normalizer: Normalizer = Field(
        "basic",
        kw_only=True,
        title="Normalizer",
        description="Differences to ignore when texts are compared. basic: Unicode form, case and punctuation; "
        "letters-es (de, en, …): also everything but the letters of that language; whisper, whisper-english: OpenAI's "
        "normalizers (whisper splits words at combining marks, so not for Hindi); none: white space only",
    )
    scoring: Scoring = Field(Scoring(), kw_only=True, title="Scoring", description="What counts as an error")
    shard_hours: Seconds = Field(
        1.0,
        kw_only=True,
        title="Hours per shard",
        description="Hours of audio per shard, the unit of work and of resuming. Doubled until there are at most 1,000 "
        "shards",
    )
    max_quarantined: Share = Field(
        0.05,
        kw_only=True,
        title="Quarantine limit",
        description="Share (0 to 1) of the utterances that may be quarantined before the run stops; ten are always "
        "allowed",
    )
    devices: str = Field(
        "inline",
        kw_only=True,
        title="Devices",
        description="Where models run. inline: in the flow's process; local: in one process for each GPU of this "
        "machine, or on its CPU cores; otherwise the address of a Dask scheduler (tcp://host:8786, tls://…) or its "
        "scheduler file (….json)",
    )
    small_placement: Placement = Field(
        Placement(), kw_only=True, title="Small model's devices", description="Which devices the small model runs on"
    )
    large_placement: Placement = Field(
        Placement(), kw_only=True, title="Large model's devices", description="Which devices larger models run on"
    )
    dask: Dask = Field(Dask(), kw_only=True, title="Dask", description="Dask workers and the connection to them")
    price: Positive | None = Field(
        None,
        kw_only=True,
        title="Price of a device hour",
        description="What an hour of a device costs, in any currency: the report then says what the run cost, and what "
        "1,000 hours of audio cost",
    )

    @property
    def audio_folder(self) -> str | None:
        """Where relative audio paths start; None for the folder of the input."""
        return self.relative_to or self.audio_root

    @property
    def comparison(self) -> Comparison:
        """How hypotheses are compared with references and with each other."""
        return Comparison(self.normalizer, self.scoring.merge_compounds)

    @property
    def wants_evidence(self) -> bool:
        """Whether references are to be judged by their doubt, with limits that planted errors show."""
        return self.engine.evidence and self.filter.by_evidence and self.gate.chooses_doubt

    @property
    def escalate_share(self) -> float:
        """The largest share of the audio that the large model transcribes, where planted errors show the limits."""
        least, most = 0.05, 0.1
        return min(most, max(least, 5 * self.filter.lose_share)) if self.gate.escalate is None else self.gate.escalate

    @property
    def gates_after_small(self) -> Gates:
        """What the gate after the small model compares."""
        return gates_after_small(self.gate, self.filter)

    @property
    def gates_after_larger(self) -> Gates:
        """What the gates after larger models compare."""
        return gates_after_larger(self.gate, self.filter)

    @property
    def routes(self) -> dict[str | None, Route]:
        """The models of each language, and under None those of all other rows."""
        default: dict[str | None, Route] = {None: Route(small=self.small, large=self.large)}
        return default | dict(self.languages)

    @property
    def checkpoints(self) -> list[str]:
        """The names of all models."""
        routes = self.routes.values()
        names = [*(name for route in routes for name in (route.small, route.large)), *self.extra_models]
        return list(dict.fromkeys(filter(None, names)))

    @property
    def models_by_role(self) -> dict[str, str | None]:
        """The names of the models by role (`small`, `small for de`), as run.json has their digests."""
        names: dict[str, str | None] = {}
        for role in self.roles[:2]:
            names |= {name_for(role, tag): getattr(route, role) for tag, route in self.routes.items()}
        for role, name in zip(self.roles[2:], self.extra_models, strict=True):
            names |= {role: name, **{name_for(role, tag): None for tag in self.languages}}
        return names

    @property
    def roles(self) -> list[str]:
        """The roles of the models in their order: small, large, large2 and so on."""
        larger = ["large", *(f"large{number}" for number, _ in enumerate(self.extra_models, 2))]
        return ["small", *larger] if self.large else ["small"]

    @property
    def roles_by_language(self) -> dict[str, list[str]]:
        """The roles of the models in each language that has models of its own."""
        return {tag: ["small", "large"] if route.large else ["small"] for tag, route in self.languages.items()}

    @property
    def referenced(self) -> bool:
        """Whether every utterance must have a reference."""
        return self.references == "required"

    @property
    def placements(self) -> list[Placement]:
        """Where the models run."""
        return [self.small_placement, *([self.large_placement] if self.large else [])]

    @property
    def auto(self) -> bool:
        """Whether any model is to be selected."""
        return any(AUTO in (route.small, route.large) for route in self.routes.values())

    @field_validator("devices")
    @classmethod
    def known_devices(cls, value: str) -> str:
        return check_devices(value)

    def complaints(self) -> Iterator[str]:
        yield from self.model_complaints()
        yield from self.segment_complaints()
        given = {"small_placement": self.small_placement, "large_placement": self.large_placement}
        yield from placement_complaints(self.devices, given, self.dask)
        yield from gate_complaints(self.gate, self.filter, self.referenced, self.roles)
        if self.gate.preset == "budget" and not all(route.large for route in self.routes.values()):
            yield "--gate.preset budget: needs a large model for every language of --languages"

    def segment_complaints(self) -> Iterator[str]:
        """Say why recordings cannot be segmented first."""
        if self.segment is None:
            return
        if self.languages:
            yield "--segment: one model reads all recordings: segment those of each of --languages by themselves"
        segments, output = (normalized(folder) for folder in (self.segment, self.output))
        if f"{segments}/".startswith(f"{output}/") or f"{output}/".startswith(f"{segments}/"):
            yield "--segment: expected another folder than --output, and neither in the other"
        if self.engine.max_seconds < LONGEST_SEGMENT:
            yield f"--engine.max-seconds: with --segment at least {LONGEST_SEGMENT:g} s, the longest segment"

    def model_complaints(self) -> Iterator[str]:
        """Say which options need a model that is not given."""
        if self.select != Selection() and not self.auto:
            yield f"{given_flags('select', self.select)}: not used, because no model is auto"
        routes = [*self.routes.values(), *(Route(small=name) for name in self.extra_models)]
        if any("" in (route.small, route.large) for route in routes):
            yield "--small, --large, --extra-models or --languages: the name of a model is empty"
        yield from self.repeated_models()
        if self.large:
            return
        if self.extra_models:
            yield "--extra-models: needs --large, because extra models come after the large one"
        if larger := [language for language, route in self.languages.items() if route.large]:
            yield f"{flag('languages', larger[0], 'large')}: needs --large, the model of all other languages"
        if self.gate != Gate():
            unused = given_flags("gate", self.gate)
            yield f"{unused}: not used, because there is no large model to escalate to: add --large"
        if self.large_placement != Placement():
            unused = given_flags("large_placement", self.large_placement)
            yield f"{unused}: not used, because there is no large model: add --large"

    def repeated_models(self) -> Iterator[str]:
        """Say which larger model is one of the earlier ones, by its name."""
        for language, route in self.routes.items():
            if route.large == route.small != AUTO:
                option = flag("languages", language, "large") if language else "--large"
                yield f"{option}: {route.large} is the small model, too, and would change nothing: choose another model"
        for number, name in enumerate(self.extra_models):
            if name in (self.small, self.large, *self.extra_models[:number]):
                yield f"--extra-models: {name} is an earlier model, too, and would change nothing: choose another model"


def normalized(folder: str) -> str:
    """Return a folder as two are compared: a path is absolute and without `..`."""
    return folder.rstrip("/") if is_url(folder) else os.path.abspath(expand_home(folder)).rstrip("/")  # noqa: PTH100 (resolve follows links)


def field_of_curation(name: str) -> Any:
    """Return a copy of a field of `Curation`, for a flow that has the same option."""
    return copy(Curation.model_fields[name])
