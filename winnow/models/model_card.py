"""What the catalogue knows of a model, as a table of headings and sentences."""

from itertools import chain

from winnow.engines.engine import Engine
from winnow.engines.registry import engine_for
from winnow.hardware import Machine
from winnow.models.catalog import Catalog
from winnow.models.catalog_schema import Model
from winnow.models.explain import licence_warning
from winnow.models.resource_profiles import describe_device, describe_precision

MANY_FAMILIES = 4  # are no answer to what a model is


def model_card(model: Model, catalog: Catalog, machine: Machine) -> list[tuple[str, str]]:
    """Return the headings and sentences of a model's card."""
    engine, profile = engine_for(model.checkpoint), catalog.size(model)
    path, warning = engine.find_downloaded(model.run_name), licence_warning(model, catalog)
    limits = [f"{model.max_seconds:,.0f} s at once" if model.max_seconds else "unknown"]
    limits += [f"{model.max_seconds_local:,.0f} s with local attention"] if model.max_seconds_local else []
    return [
        ("model", model.name),
        ("checkpoint", model.run_name),
        ("pinned", pin_advice(model)),
        ("on this machine", str(path) if path else "no"),
        ("parameters", parameter_count(model) or "unknown"),
        ("file", f"{model.file_mb:,.0f} MB" if model.file_mb else "unknown"),
        ("decoder", model.decoder),
        ("engine", f"{engine.name} ({model.family})" if model.family else "none: it cannot be used here"),
        *([("requires", extra)] if (extra := engine.missing_extra()) else []),
        *missing(engine, model.family),
        ("languages", ", ".join(model.languages)),
        ("punctuation", yes_no(model.punctuation)),
        ("timestamps", yes_no(model.timestamps)),
        ("streaming", ", ".join(f"{ms} ms" for ms in model.streaming) or "no: it transcribes whole utterances"),
        ("sample rate", f"{model.sample_rate:,} Hz"),
        ("longest audio", ", ".join(limits)),
        ("licence", f"{model.licence or 'unknown'}{f'; {warning}' if warning else ''}"),
        ("memory", f"at least {model.memory_gb:g} GB to load" if model.memory_gb else weights_size(model)),
        ("precision", describe_precision(machine)),
        ("device", describe_device(profile, machine)),
        *(("published", figures) for figures in published_scores(model, catalog)),
        *([("note", model.note)] if model.note else []),
    ]


def engine_card(name: str, engine: Engine) -> list[tuple[str, str]]:
    """Return the headings and sentences of a model that is not in the catalogue: all that its name and engine say."""
    path = engine.find_downloaded(name)
    families = [own] if (own := engine.family_here(name)) else engine.families or [engine.name]
    by_family = {family: missing(engine, family) for family in families}
    affected = {
        line: [family for family in by_family if line in by_family[family]] for line in chain(*by_family.values())
    }
    return [
        ("model", name),
        ("on this machine", str(path) if path else "no"),
        ("engine", f"{engine.name} ({', or '.join(by_family)})" if len(by_family) < MANY_FAMILIES else engine.name),
        *([("requires", extra)] if (extra := engine.missing_extra()) else []),
        *(
            (heading, text if len(families) == len(by_family) else f"{text} ({', '.join(families)})")
            for (heading, text), families in affected.items()
        ),
    ]


def missing(engine: Engine, family: str | None) -> list[tuple[str, str]]:
    """Return what models of a family do not give, with the reasons; nothing if no engine can load them."""
    reasons = engine.cannot_give(family) if family else {}
    return [("cannot give", f"{extra}: {why}") for extra, why in reasons.items()]


def pin_advice(model: Model) -> str:
    """Tell whether the model is pinned, and what a run requires otherwise."""
    if engine_for(model.checkpoint).needs_pin(model.run_name):
        return "no: a run requires --trust-unpinned, or a pin"
    return "yes" if model.pinned else "no"


def published_scores(model: Model, catalog: Catalog) -> list[str]:
    """List the published figures, each with its protocol and source."""
    lines = []
    for name, score in model.scores.items():
        protocol = catalog.protocols[name]
        rtfx = f", RTFx {score.rtfx:,.0f}" if score.rtfx else ""
        source = f" ({protocol.source})" if protocol.source else ""
        lines.append(f"WER {score.wer:.2%}{rtfx}: {name}: {protocol.description}{source}")
    return lines


def weights_size(model: Model) -> str:
    return f"{model.weights_gb:.2f} GB for its weights in fp32" if model.weights_gb else "unknown"


def parameter_count(model: Model) -> str:
    if model.parameters is None:
        return ""
    return f"{model.parameters / 1e9:.2g} B" if model.parameters >= 1e9 else f"{model.parameters / 1e6:.3g} M"


def yes_no(value: bool | None) -> str:
    return "unknown" if value is None else "yes" if value else "no"
