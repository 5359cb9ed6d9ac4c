"""What would stop a run and can be seen before a model is opened or a server started, so that nobody waits for it.

The command calls these checks before it imports Prefect, and each flow calls them first. They write, download and open
nothing that belongs to a run.
"""

from collections.abc import Iterable
from pathlib import Path

from winnow.audio.remote.urls import is_url
from winnow.corpora.registry import corpus_of
from winnow.corpora.source import check_utterances
from winnow.devices.scheduler_address import address_of
from winnow.errors import OptionError, OutputError
from winnow.models.auto_select import with_checkpoint_names
from winnow.models.resolve import check_model, known_digest, raise_if_unpinned
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Settings
from winnow.parameters.listen import in_one_form
from winnow.parameters.maintenance import Benchmark, Refilter, Relabel
from winnow.parameters.selection import AUTO
from winnow.parameters.settings import flag
from winnow.rules.rule import Rules
from winnow.runs.incremental import check_root
from winnow.runs.reuse import input_digests, is_relabelled, proposals_digest
from winnow.runs.run_dir import check_folder
from winnow.runs.run_record import check_recordable, has_results, load_settings, raise_if_other_run, with_absolute_names
from winnow.runs.storage import location
from winnow.sweep.outcomes import run_stages
from winnow.validation.evidence_options import check_gate_options
from winnow.validation.listening import measures_of
from winnow.validation.rules import phrase_digest, rules_for
from winnow.verdicts.carried import VERDICTS, verdicts_digest, verdicts_for
from winnow.verdicts.verdict import Verdict


def check_run(settings: Settings) -> None:
    """Raise a WinnowError for a run that could not start, or whose output is another run's."""
    run = location(settings.output)
    rules = check_inputs(settings)
    check_folder(run)
    if has_results(run):
        raise_if_other_run(run, settings, known_inputs(settings, rules, run))
    else:
        check_utterances(corpus_of(settings))


def check_increments(settings: Curation) -> None:
    """Raise a WinnowError for a growing manifest that could not be curated; it may have no utterance yet."""
    if settings.columns:
        raise OptionError("--columns: not used by incremental, which copies the lines of a NeMo manifest as they are")
    if settings.segment:
        raise OptionError("--segment: not used by incremental: segment the recordings first, and give their manifest")
    check_inputs(settings)
    check_root(settings.output)


def check_refilter(request: Refilter) -> None:
    """Raise a WinnowError for a run that other rules cannot be applied to, or whose output is taken."""
    original, run = location(request.run), location(request.output)
    settings = refilter_settings(request)
    run_stages(original)
    check_recordable(settings)
    rules = rules_for(settings)
    measures_of(settings, rules)
    verdicts = verdicts_for(original, request.reviews, request.verdicts)
    if original == run:
        raise OutputError(f"{run}: is the run whose hypotheses are reused: choose another output")
    check_folder(run)
    if has_results(run):
        raise_if_other_run(run, settings, refilter_inputs(request, rules, verdicts))


def refilter_settings(request: Refilter) -> Settings:
    """Return the parameters of a run with the rules of a refilter, and with what it measures besides."""
    settings = load_settings(location(request.run), request.filter)
    listen = in_one_form(f"{settings.listen},{request.listen}")
    return settings.model_copy(update={"output": request.output, "listen": listen})


def refilter_inputs(request: Refilter, rules: Rules, verdicts: list[Verdict]) -> dict[str, str | None]:
    """Return the sha256 of what a refiltered run is made from."""
    inputs = input_digests(location(request.run))
    taken_over = {name: sha256 for name, sha256 in inputs.items() if name not in ("phrases", VERDICTS)}
    return taken_over | phrase_digest(rules) | verdicts_digest(verdicts)


def relabel_inputs(original: Path, verdicts: list[Verdict]) -> dict[str, str | None]:
    """Return the sha256 of what a relabelled run is made from."""
    inputs = {name: sha256 for name, sha256 in input_digests(original).items() if name != VERDICTS}
    return inputs | proposals_digest(original) | verdicts_digest(verdicts)


def check_relabel(request: Relabel) -> None:
    """Raise a WinnowError for a run that has no proposals or has been relabelled, or whose output is taken."""
    original, run = location(request.run), location(request.output)
    settings = load_settings(original).model_copy(update={"output": request.output})
    run_stages(original)
    if len(settings.roles) < 2:
        raise OutputError(f"{original}: proposals need two models that read an utterance; this run has one")
    if is_relabelled(original):
        raise OutputError(f"{original}: its references were replaced by proposals already: give the run before it")
    check_recordable(settings)
    verdicts = verdicts_for(original, request.reviews, request.verdicts)
    if original == run:
        raise OutputError(f"{run}: is the run that is relabelled: choose another output")
    check_folder(run)
    if has_results(run):
        raise_if_other_run(run, settings, relabel_inputs(original, verdicts))


def check_benchmark(settings: Benchmark) -> None:
    """Raise a WinnowError for a benchmark that could not start."""
    check_folders({"relative_to": settings.relative_to})
    check_models(settings.models, settings.trust_unpinned)
    check_utterances(corpus_of(settings))
    check_folder(location(settings.output), of_run=False)


def check_inputs(settings: Settings) -> Rules:
    """Raise a WinnowError unless manifest, folders, models and rules fit; return the rules."""
    check_recordable(settings)
    next(corpus_of(settings).head(1), None)
    check_folders({"audio_root": settings.audio_root, "relative_to": settings.relative_to})
    names = settings.checkpoints
    if isinstance(settings, Curation):
        names = with_checkpoint_names(settings).checkpoints
    elif repeated := [name for number, name in enumerate(names) if name in names[:number]]:
        raise OptionError(f"models: {repeated[0]} is listed twice, and would have two votes: name it once")
    check_models(names, settings.trust_unpinned)
    check_gate_options(settings)
    if settings.devices not in ("inline", "local"):
        address_of(settings.devices)  # raises for a scheduler file that is none
    rules = rules_for(settings)
    measures_of(settings, rules)
    return rules


def check_models(names: Iterable[str], trust_unpinned: bool) -> None:
    """Raise CheckpointError for a name that is no model's, a missing file, and names on hubs that must be pinned."""
    given = [name for name in names if name != AUTO]
    for name in given:
        check_model(name)
    if not trust_unpinned:
        raise_if_unpinned(given)


def check_folders(folders: dict[str, str | None]) -> None:
    """Raise OptionError unless each of these options names a folder, or a URL, which is not asked."""
    for name, folder in folders.items():
        if folder and not is_url(folder) and not Path(folder).is_dir():
            raise OptionError(f"{flag(name)} {folder}: no such folder")


def known_inputs(settings: Settings, rules: Rules, run: Path) -> dict[str, str | None]:
    """Return the sha256 of what the run reads; a model that has its recorded name counts as unchanged."""
    return {"manifest": corpus_of(settings).digest(), **phrase_digest(rules), **known_models(settings, run)}


def known_models(settings: Settings, run: Path) -> dict[str, str | None]:
    """Return the sha256 of the models, by their roles."""
    recorded = input_digests(run)
    before = load_settings(run).models_by_role
    digests: dict[str, str | None] = {}
    for role, name in with_absolute_names(settings.models_by_role).items():
        unchanged = recorded.get(role) if name else None
        digests[role] = unchanged if name in (None, AUTO, before.get(role)) else known_digest(name) or unchanged
    return digests
