"""What a run is told: the Python call, the command's flags, the Prefect form and a deployment's YAML in one."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from tasks.presets import FILTERS, PresetName
from tasks.rules import Rule, Term, parse
from tasks.secrets import redacted
from tasks.text import Normalizer

Fraction = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Folder = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, Path) else value)]
Seconds = Annotated[float, Field(gt=0)]


ADDRESSES = ("tcp://", "tls://")
AUTO = "auto"
"""In the place of a checkpoint: one of the catalogue's is chosen."""

Domain = Literal["general", "telephony", "streaming", "noisy"]
Quality = Literal["fastest", "balanced", "highest"]


class BadOption(Exception):
    """An option that these models or this device cannot follow."""

    exit_code = 2


class Bands(NamedTuple):
    """Up to `accept` the small model is believed, above `reject` the row is given up; null: never."""

    accept: float | None
    reject: float | None


PRESETS = {
    "bands": Bands(accept=0.25, reject=1.05),
    "guide": Bands(accept=None, reject=0.5),
    "everything": Bands(accept=None, reject=None),
    "budget": Bands(accept=0.25, reject=None),  # found anew in each run, from there on
}

By = Literal["auto", "wer", "confidence", "agreement"]
"""What a gate compares."""


REJECTED = 'GIVEN_UP: band != "reject"'
"""What the gate gives up is dropped, whatever the filter."""

NOTHING_HEARD = "NOTHING_HEARD: words(pred_text) > 0"
"""Without a reference, silence is no label."""


class Parameters(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Gate(Parameters):
    """Which utterances a larger model reads."""

    preset: Literal["bands", "guide", "everything", "budget"] = Field(
        "bands",
        title="Preset",
        description="bands: believe the small model up to WER 0.25, give up above 1.05, escalate what lies between; "
        "guide: escalate everything up to WER 0.5, drop the rest; everything: the large model reads all; budget: the "
        "band that rescues most for the budget, as a sample shows once the small model has read everything",
    )
    by: By = Field(
        "auto",
        title="By",
        description="What is compared: wer or confidence; auto: wer where there is a reference, else confidence; "
        "agreement: the same, but behind the large model how far that one agrees with the readings before it",
    )
    budget: Share | None = Field(
        None,
        title="Budget",
        description="Share (0 to 1) of what the large model would take for everything that it may take, of preset "
        "budget; empty: 0.4",
    )
    accept: Fraction | None = Field(
        None,
        title="Accept up to",
        description="WER (fraction) up to which the small model is believed; empty: the preset's, or the filter's "
        "highest WER where that is lower",
    )
    reject: Fraction | None = Field(
        None,
        title="Reject above",
        description="WER (fraction) above which the large model is not asked and the row dropped; empty: the preset's",
    )
    accept_confidence: Share | None = Field(
        None,
        title="Accept confidence from",
        description="Confidence (0 to 1) from which a reading is believed where the gate goes by it; models differ in "
        "how confident they are, so there is no usual one; empty: never",
    )
    reject_confidence: Share | None = Field(
        None,
        title="Reject confidence below",
        description="Confidence (0 to 1) below which the row is dropped where the gate goes by it; empty: never",
    )
    accept_agreement: Share | None = Field(
        None,
        title="Accept agreement from",
        description="Mean share (0 to 1) of the models so far that have what the last one has, from which that is "
        "believed where the gate goes by agreement; empty: 1",
    )
    audit: Share = Field(
        0.005,
        title="Audit",
        description="Share (0 to 1) of what is believed or given up that the large model reads all the same: the "
        "report then says what the gate loses; it changes no decision",
    )


def default(given: BaseModel, name: str) -> object:
    return type(given).model_fields[name].default


class Filter(Parameters):
    """What a kept utterance must satisfy: the preset's rules, and in place of those with the same name or beside them
    the limits and rules that are given here."""

    LIMITS: ClassVar = {
        "min_duration": "duration >= {}",
        "max_duration": "duration <= {}",
        "min_char_rate": "char_rate >= {}",
        "max_char_rate": "char_rate <= {}",
        "max_wer": "wer <= {}",
    }
    LABELS: ClassVar = {"min_confidence": "confidence >= {}", "min_agreement": "agreement >= {}"}

    preset: PresetName = Field(
        "winnow",
        title="Preset",
        description="Rules of a published recipe (`winnow presets` shows them); winnow: WER at most 0.25; none: only "
        "what is given here",
    )
    rules: tuple[str, ...] = Field(
        (),
        title="Rules",
        description="What a kept utterance must satisfy, such as 'cer <= 0.3', 'duration in 1..20' or "
        "'lang == \"en\"'; a rule takes the place of the preset's with the same name",
    )
    max_wer: Fraction | None = Field(
        None,
        title="Highest WER",
        description="WER (fraction) of the reading that counts: the large model's where it read, else the small one's; "
        "empty: the preset's",
    )
    min_duration: Seconds | None = Field(
        None, title="Shortest", description="Seconds of audio at least; empty: the preset's"
    )
    max_duration: Seconds | None = Field(
        None, title="Longest", description="Seconds of audio at most; empty: the preset's"
    )
    min_char_rate: Fraction | None = Field(
        None,
        title="Slowest",
        description="Characters of the reference a second at least; empty: the preset's",
    )
    max_char_rate: Seconds | None = Field(
        None,
        title="Fastest",
        description="Characters of the reference a second at most; empty: the preset's",
    )
    min_confidence: Share | None = Field(
        None,
        title="Lowest confidence",
        description="Of an utterance without a reference: confidence (0 to 1) of the reading that counts, at least",
    )
    min_agreement: Share | None = Field(
        0.8,
        title="Lowest agreement",
        description="Of an utterance without a reference, where several models read it: mean share (0 to 1) of them "
        "that have what the reading that counts has, at least",
    )
    phrases: Path | None = Field(
        None,
        title="Phrases",
        description="File with what models read where nothing is said, a phrase a line, for rules with known_phrase",
    )

    @field_validator("phrases")
    @classmethod
    def found_from_anywhere(cls, path: Path | None) -> Path | None:
        return path and path.absolute()

    @field_validator("rules")
    @classmethod
    def understood(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        names = [rule.name for text in texts for rule in parse(text)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two rules are named {twice[0]}: give one of them another name (NAME: rule)")
        return texts

    @property
    def in_force(self) -> list[Rule]:
        """The rules by which utterances are judged, in the order in which they count."""
        limits = by_name(self.limits(self.LIMITS))
        preset = {rule.name: rule for rule in self.preset_rules}
        return list((by_name([REJECTED]) | limits | preset | limits | by_name(self.rules)).values())

    @property
    def of_labels(self) -> list[Rule]:
        """The rules for utterances without a reference, beside those in force that need none."""
        return list(by_name([NOTHING_HEARD, *self.limits(self.LABELS)]).values())

    def limits(self, conditions: dict[str, str]) -> list[str]:
        return [text.format(value) for name, text in conditions.items() if (value := getattr(self, name)) is not None]

    @property
    def preset_rules(self) -> list[Rule]:
        return FILTERS[self.preset].rules

    @property
    def wer_limit(self) -> float | None:
        """The highest WER of a reading that may be kept; nothing if no rule limits it."""
        limits = [rule.value for rule in self.in_force if rule.term == Term("wer") and rule.operator in ("<", "<=")]
        return min((limit for limit in limits if isinstance(limit, float)), default=None)


def by_name(rules: Iterable[str]) -> dict[str, Rule]:
    return {rule.name: rule for text in rules for rule in parse(text)}


class Engine(Parameters):
    """How audio goes through a model. What a run's models cannot do is refused, not ignored."""

    MANNER: ClassVar = {"batch_seconds", "batch_size", "cuda_graphs"}
    """What changes how fast texts come, and not the texts."""

    batch_seconds: Seconds | None = Field(
        None,
        title="Batch, seconds",
        description="Seconds of audio in a batch, padding included; empty: found for the model and its device",
    )
    batch_size: Annotated[int, Field(ge=1)] | None = Field(
        None, title="Batch, utterances", description="Utterances in a batch at most; empty: no limit but the seconds"
    )
    max_seconds: Seconds = Field(
        120,
        title="Longest utterance",
        description="Seconds; longer audio is quarantined as TOO_LONG, since memory grows with its square",
    )
    precision: Literal["auto", "fp32", "fp16", "bf16"] = Field(
        "auto",
        title="Precision",
        description="Of the encoder; auto: bf16 where the device computes in it (fp16 on older GPUs), but fp32 for "
        "small models on a CPU, which bf16 makes slower",
    )
    branch: Literal["transducer", "ctc"] | None = Field(
        None, title="Branch", description="Which decoder of a hybrid checkpoint reads; empty: the transducer"
    )
    cuda_graphs: bool | None = Field(
        None,
        title="CUDA graphs",
        description="Whether transducers decode in CUDA graphs; empty: where there is a GPU",
    )
    local_attention: Annotated[int, Field(ge=1)] | None = Field(
        None,
        title="Local attention",
        description="Frames that the encoder sees on either side (NeMo's models: 128, of 80 ms), so that memory grows "
        "with the length and no longer with its square; empty: as the checkpoint was trained",
    )
    language: str | None = Field(
        None,
        title="Language",
        description="Spoken language, for models with a prompt (canary), such as en; empty: the row's lang, or the "
        "prompt's where it has none",
    )
    target_language: str | None = Field(
        None,
        title="Language of the text",
        description="For models with a prompt: other than the spoken one, it asks for a translation; empty: the same",
    )
    punctuation: bool | None = Field(
        None,
        title="Punctuation",
        description="For models with a prompt: whether texts have punctuation and capitals; empty: the prompt's own",
    )
    timestamps: bool = Field(
        False, title="Timestamps", description="Whether the words of the reading get their start and end, in seconds"
    )


class Placement(Parameters):
    """Which devices a pass runs on, and how much of one each of its shards takes."""

    pool: str | None = Field(
        None,
        title="Worker pool",
        description="Only workers of this pool, which a Dask worker belongs to by its resources "
        '(--resources "GPU=1 a100=1": GPU, and the pool a100); empty: those with a GPU, or all where there is none',
    )
    device_id: str | None = Field(
        None,
        title="Devices by name",
        description="Only these devices, by the names of their workers, such as cuda:0,cuda:2; empty: any",
    )
    share: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, title="Share of a device", description="What a shard takes of a device (0 to 1): at 0.25, four run at once"
    )
    cpus: Annotated[float, Field(gt=0)] | None = Field(
        None,
        title="Cores",
        description="Cores that a shard takes of its worker beside, of those that it has (--resources CPU=16)",
    )
    memory: Annotated[float, Field(gt=0)] | None = Field(
        None,
        title="Memory",
        description="Gigabytes of main memory that a shard takes of its worker, of those that it has "
        "(--resources MEMORY=64)",
    )


class Wish(Parameters):
    """What models are to be chosen for, where one is `auto`."""

    language: str | None = Field(
        None,
        title="Language",
        description="What is spoken, such as de, or de,fr for models that read both; empty: what the manifest's rows "
        "say as lang",
    )
    domain: Domain = Field(
        "general", title="Domain", description="What kind of speech: general, telephony, streaming or noisy"
    )
    quality: Quality = Field(
        "balanced",
        title="Quality",
        description="fastest, balanced or highest; over 1,000 hours balanced becomes fastest",
    )
    use: Literal["commercial", "research"] = Field(
        "commercial",
        title="Use",
        description="commercial: no models whose licence forbids that or is not known; research: any",
    )
    hours: Seconds | None = Field(
        None, title="Hours", description="Hours of audio; empty: what the manifest states in its durations"
    )
    memory: Seconds | None = Field(
        None, title="Memory", description="Gigabytes of memory of the device; empty: of the one that is there"
    )

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(filter(None, (one.strip().lower() for one in (self.language or "").split(","))))


class Route(Parameters):
    """The models of one language."""

    small: str = Field(title="Small model", description="Checkpoint that reads the rows of this language, or auto")
    large: str | None = Field(
        None,
        title="Large model",
        description="Checkpoint that reads what the gate escalates of them, or auto; empty: the small one decides",
    )


class Dask(Parameters):
    """Dask workers: on this machine (devices: local), or wherever they joined a scheduler."""

    workers: Annotated[int, Field(ge=1)] | None = Field(
        None,
        title="CPU workers",
        description="Of devices: local, on a machine without a GPU; they divide its cores. Empty: one",
    )
    tls_ca_file: Path | None = Field(None, title="TLS authority", description="Certificate that workers are checked by")
    tls_cert: Path | None = Field(None, title="TLS certificate", description="This client's certificate")
    tls_key: Path | None = Field(None, title="TLS key", description="The key of this client's certificate")
    allow_unencrypted: bool = Field(
        False,
        title="Allow unencrypted",
        description="Whether a scheduler that other machines reach is used without TLS: who reaches it runs code there",
    )


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
        "with another system's readings as pred_text; auto: chosen by the wish",
    )
    large: str | None = Field(
        None,
        kw_only=True,
        title="Large model",
        description="Checkpoint that reads what the gate escalates; auto: chosen by the wish; empty: no cascade, the "
        "small model decides",
    )
    further: list[str] = Field(
        [],
        kw_only=True,
        title="Further models",
        description="Checkpoints that read, one after the other, what the one before left above the filter's WER and "
        "not above the gate's reject",
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
    wish: Wish = Field(Wish(), kw_only=True, title="Wish", description="What models are to be chosen for (auto)")
    catalog: Path | None = Field(
        None,
        kw_only=True,
        title="Catalogue",
        description="YAML file of models of one's own to choose from, in the form of tasks/catalog.yaml; empty: that "
        "of WINNOW_CATALOG, if there is one",
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
    engine: Engine = Field(Engine(), kw_only=True, title="Engine", description="How audio goes through a model")
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
    small_on: Placement = Field(
        Placement(), kw_only=True, title="Small model on", description="Which devices the small model runs on"
    )
    large_on: Placement = Field(
        Placement(), kw_only=True, title="Large model on", description="Which devices the large model runs on"
    )
    dask: Dask = Field(Dask(), kw_only=True, title="Dask", description="Dask workers and how they are reached")

    @property
    def bands(self) -> Bands:
        """The gate's bands; what the filter would drop in the end is never accepted before the large model read it."""
        preset = PRESETS[self.gate.preset]
        accept, limit = self.gate.accept, self.filter.wer_limit
        if accept is None:
            accept = preset.accept if preset.accept is None or limit is None else min(preset.accept, limit)
        return Bands(accept, preset.reject if self.gate.reject is None else self.gate.reject)

    @property
    def checkpoints(self) -> list[str]:
        """The models that are named."""
        routes = self.routes.values()
        names = [*(name for route in routes for name in (route.small, route.large)), *self.further]
        return list(dict.fromkeys(filter(None, names)))

    @property
    def roles(self) -> list[str]:
        """Whose readings there are."""
        larger = ["large", *(f"large{number}" for number, _ in enumerate(self.further, 2))]
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
        return [self.small_on, *([self.large_on] if self.large else [])]

    @field_validator(
        *("manifest", "output", "small", "large", "further", "languages", "audio_root", "relative_to", "catalog")
    )
    @classmethod
    def no_credentials(cls, value: object) -> object:
        if redacted(str(value)) != str(value):
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

    @model_validator(mode="after")
    def choosable(self) -> Self:
        if self.wish != Wish() and not self.auto:
            raise ValueError("wish: no model is auto, so there is none to choose")
        if not self.large and self.further:
            raise ValueError("further: there is no large model that others could come after: give large")
        if not self.large and any(route.large for route in self.languages.values()):
            raise ValueError("languages: a language has a large model only where the run has one: give large")
        return self

    @model_validator(mode="after")
    def placeable(self) -> Self:
        given = {name: getattr(self, name) for name in ("small_on", "large_on", "dask")}
        idle = [name for name, value in given.items() if value != type(value)()]
        if self.devices == "inline" and idle:
            raise ValueError(f"{' and '.join(idle)}: devices is inline, so there are no workers to choose from")
        if self.devices != "local" and self.dask.workers:
            raise ValueError("dask.workers: only devices: local starts workers")
        return self

    @model_validator(mode="after")
    def nothing_idle(self) -> Self:
        gate, given = self.gate, self.filter
        by_confidence = gate.by == "confidence" or not self.referenced
        idle = {
            "gate.budget: only preset budget has one": gate.preset != "budget" and gate.budget,
            "gate.accept and gate.reject: preset budget finds them": gate.preset == "budget"
            and (gate.accept, gate.reject) != (None, None),
            "gate.accept_confidence and gate.reject_confidence: the gate does not go by confidence": not by_confidence
            and self.certain != Bands(None, None),
            "gate.accept_agreement: the gate does not go by agreement": gate.by != "agreement"
            and gate.accept_agreement is not None,
            "gate.by: agreement needs a model further than the large one": gate.by == "agreement" and not self.further,
            "gate.by: wer needs a reference of every utterance, and references are optional": gate.by == "wer"
            and not self.referenced,
            "filter.min_confidence and filter.min_agreement: every utterance has a reference, unless references are "
            "optional": self.referenced and any(getattr(given, name) != default(given, name) for name in given.LABELS),
            "gate.preset: budget needs a large model of every language": gate.preset == "budget"
            and not all(route.large for route in self.routes.values()),
            "gate.preset: budget needs a highest WER in the filter, or there is nothing to rescue": self.referenced
            and gate.preset == "budget"
            and given.wer_limit is None,
        }
        for complaint, found in idle.items():
            if found:
                raise ValueError(complaint)
        return self

    @model_validator(mode="after")
    def in_order(self) -> Self:
        accept, reject = self.certain
        if accept is not None and reject is not None and accept > reject:
            raise ValueError("gate: accept_confidence lies below reject_confidence")
        accept, reject = self.bands
        limit = self.filter.wer_limit
        if accept is not None and reject is not None and accept > reject:
            raise ValueError(f"gate: accept ({accept}) lies above reject ({reject})")
        if accept is not None and limit is not None and accept > limit:
            raise ValueError(
                f"gate: accept ({accept}) lies above the filter's WER ({limit}), which would drop those rows"
            )
        return self
