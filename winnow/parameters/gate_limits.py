"""The limits of the gates that follow from the options of gate and filter, and the options that do not fit together."""

from collections.abc import Iterator

from winnow.gates.criteria import AUTO, CRITERIA, Criterion, GateLimits, Gates, criteria_for
from winnow.parameters.filter import Filter
from winnow.parameters.gate import GATE_PRESETS, Gate
from winnow.parameters.settings import flag


def gates_after_small(gate: Gate, filter: Filter) -> Gates:
    """Return what the gate after the small model compares; it never accepts what the filter would drop by its WER."""
    limits = {name: limits_of(name, gate, filter) for name in CRITERIA}
    return Gates(by=gate.by, limits=limits, audit=gate.audit, rules=gate.rules)


def gates_after_larger(gate: Gate, filter: Filter) -> Gates:
    """Return what the gates after larger models compare; what is good enough for the filter is accepted there."""
    gates = gates_after_small(gate, filter)
    limits = dict(gates.limits)
    for name, criterion in CRITERIA.items():
        if (kept := kept_limit(criterion, filter)) is not None:
            limits[name] = GateLimits(kept, limits[name].reject)
    return gates.model_copy(update={"limits": limits, "audit": 0.0, "rules": ()})


def limits_of(name: str, gate: Gate, filter: Filter) -> GateLimits:
    """Return the limits of a criterion after the small model: the given ones, else the preset's or the default."""
    criterion = CRITERIA[name]
    defaults = GateLimits(criterion.default_accept, criterion.default_reject)
    if name == "wer":
        defaults = GATE_PRESETS[gate.preset]
    accept, reject = option(gate, criterion.accept), option(gate, criterion.reject)
    kept = kept_limit(criterion, filter)
    if accept is None:
        accept = defaults.accept
        if accept is not None and kept is not None:
            accept = min(accept, kept, key=criterion.cost)
    if gate.preset == "budget" and criterion.needs_reference and kept is not None:
        accept = kept  # what the filter keeps need not be rescued
    return GateLimits(accept, defaults.reject if reject is None else reject)


def kept_limit(criterion: Criterion, filter: Filter) -> float | None:
    """Return the limit of what the filter keeps by this criterion; None if it has no limit."""
    return getattr(filter, criterion.filter) if criterion.filter else None


def option(gate: Gate, name: str | None) -> float | None:
    """Return the value of an option of the gate; None if it is not given or the criterion has no such option."""
    return getattr(gate, name) if name else None


def gate_complaints(gate: Gate, filter: Filter, referenced: bool, roles: list[str]) -> Iterator[str]:
    """Say which options of the gate contradict each other, are unused or lack what they need."""
    if gate.by != "auto" and CRITERIA[gate.by].needs_reference and not referenced:
        yield f"--gate.by {gate.by}: needs a reference for every utterance, but --references is optional"
    if gate.by != "auto" and CRITERIA[gate.by].needs_earlier_model and len(roles) < 3:
        yield f"--gate.by {gate.by}: needs --extra-models, because it compares the large model with earlier ones"
    if gate.preset == "budget" and referenced and filter.max_kept_wer is None:
        yield "--gate.preset budget: needs a rule for the highest WER, e.g. --filter.max-wer, or nothing can be rescued"
    if gate.preset != "budget" and gate.budget is not None:
        yield "--gate.budget: needs --gate.preset budget"
    if gate.escalate is not None and (gate.preset == "everything" or gate.accept_doubt is not None):
        chosen = "--gate.preset everything" if gate.preset == "everything" else "--gate.accept-doubt"
        yield f"--gate.escalate: not used, because {chosen} says what is escalated"
    by = "evidence" if gate.chooses_doubt else gate.by
    used = list(dict.fromkeys(name for role in roles[:-1] for name in criteria_for(by, role)))
    if referenced:
        used = [name for name in used if name == gate.by or CRITERIA[name].needs_reference]
    for name, criterion in CRITERIA.items():
        options = [option for option in (criterion.accept, criterion.reject) if option]
        flags = ", ".join(flag("gate", option) for option in options if getattr(gate, option) is not None)
        if flags and gate.preset == "budget" and name in AUTO:
            yield f"{flags}: not used, because --gate.preset budget chooses this limit"
        elif flags and name not in used:
            yield f"{flags}: not used, because the gate compares {' and '.join(used)} (--gate.by {gate.by})"
        else:
            yield from misplaced_limits(name, gate, filter)


def misplaced_limits(name: str, gate: Gate, filter: Filter) -> Iterator[str]:
    """Say where a criterion's limits contradict each other or the filter's."""
    criterion, limits = CRITERIA[name], limits_of(name, gate, filter)
    kept = kept_limit(criterion, filter)
    side = "above" if criterion.lower_is_better else "below"
    if limits.accept is None:
        return
    accept = f"{flag('gate', criterion.accept or 'accept')} ({limits.accept:g})"
    if limits.reject is not None and criterion.cost(limits.accept) > criterion.cost(limits.reject):
        yield f"{accept}: must not be {side} {flag('gate', criterion.reject or 'reject')} ({limits.reject:g})"
    if criterion.needs_reference and kept is not None and criterion.cost(limits.accept) > criterion.cost(kept):
        yield f"{accept}: must not be {side} the highest {criterion.label} that the filter keeps ({kept:g})"
