"""Check that options about the doubt of references are used: only some runs judge references by it."""

from winnow.errors import OptionError
from winnow.models.passes import judges_by_evidence
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Settings
from winnow.parameters.settings import flag

OF_FILTER = ("lose", "max_doubt")
OF_GATE = ("escalate", "accept_doubt", "reject_doubt")


def check_filter_options(settings: Settings) -> None:
    """Raise OptionError for limits of doubt of the filter that the run does not use."""
    given = [name for name in OF_FILTER if getattr(settings.filter, name) is not None]
    if given and not judges_by_evidence(settings):
        raise OptionError(f"{flag('filter', given[0])}: not used, because {reason_for_wer(settings)}")
    if len(given) == len(OF_FILTER) and isinstance(settings, Curation) and not settings.large:
        raise OptionError("--filter.lose: not used, because --filter.max-doubt is the limit and there is no gate")


def check_gate_options(settings: Settings) -> None:
    """Raise OptionError for options about doubt of the gate that the run does not use."""
    if not isinstance(settings, Curation) or judges_by_evidence(settings):
        return
    given = [flag("gate", name) for name in OF_GATE if getattr(settings.gate, name) is not None]
    given += ["--gate.by evidence"] if settings.gate.by == "evidence" else []
    if given:
        raise OptionError(f"{given[0]}: not used, because {reason_for_wer(settings)}")


def reason_for_wer(settings: Settings) -> str:
    """Say why a run does not judge references by their doubt."""
    if not isinstance(settings, Curation):
        return "an ensemble judges references by their WER"
    if not settings.engine.evidence:
        return "--engine.evidence is false"
    if not settings.filter.by_evidence:
        return f"--filter.preset {settings.filter.preset} does not go by doubt: use --filter.preset winnow"
    if settings.gate.by not in ("auto", "evidence"):
        return f"the gate goes by {settings.gate.by} (--gate.by {settings.gate.by})"
    if not settings.gate.chooses_doubt:
        return f"--gate.preset {settings.gate.preset} does not go by doubt: use --gate.preset bands"
    return "the small model gives no likelihoods, so references are judged by their WER"
