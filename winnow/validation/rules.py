"""Check before a model is loaded that a run has all that its rules compare."""

import re
from collections.abc import Iterator, Set
from itertools import chain
from typing import Any

import msgspec

from winnow.corpora.registry import corpus_of
from winnow.errors import MissingColumns, RuleError
from winnow.evidence.calibration import Calibration
from winnow.input_files import not_a_file
from winnow.models.passes import judges_by_evidence
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Ensemble, Settings
from winnow.parameters.filter import DOUBTFUL_RULE, Filter, rules_by_name
from winnow.parameters.settings import flag
from winnow.roles import Role
from winnow.rules.columns import (
    as_type,
    column_type,
    compared_type,
    is_counted,
    role_of_column,
    term_type,
    without_role,
)
from winnow.rules.field_names import field_of
from winnow.rules.rates import HIGHEST_LIMITS, percent_complaint
from winnow.rules.rule import LISTING, ORDERING, WHOLE_RUN, Rule, Rules, Term, parse, terms
from winnow.runs.ledger import key_of
from winnow.schema import QUARANTINE_REASONS, REVIEWED
from winnow.text.normalize import normalize
from winnow.text.text_stats import TEXT_STATS
from winnow.validation.evidence_options import check_filter_options
from winnow.validation.heard_columns import can_be_heard, measurable_columns, measure_hint
from winnow.validation.known_columns import check_known

HEAD_UTTERANCES = 1_000  # utterances

FIELDS_OF_A_SEGMENT: dict[str, Any] = {
    "recording": 1,
    "segment": 1,
    "ends_in_speech": False,
    "match": 1.0,
    "first_word": 0,
}
"""What rules can compare of a segment besides the fields of its recording, with an example of each."""

RESERVED = {*QUARANTINE_REASONS, REVIEWED, "REJECTED_BY_GATE", "NOTHING_HEARD", "GIVEN_UP", "DOUBTFUL"}
"""Reasons that are Winnow's own; GIVEN_UP was the first name of REJECTED_BY_GATE."""

SIZE = re.compile("[1-9][0-9]{0,2}")
"""The number of words that ngram_copies looks for."""


def rules_for(settings: Settings, calibration: Calibration | None = None, measurable: Set[str] | None = None) -> Rules:
    """Return the rules of a run, with the limits of doubt that its planted errors show, once that is known.

    They may compare columns of measures that the manifest lacks: those that are `measurable`, or of installed measures.
    The gate's rules may not, because it decides earlier.

    Raises RuleError or MissingColumns if the run cannot follow one of them.
    """
    check_names(settings.filter)
    check_filter_options(settings)
    rules = settings.filter.active_rules
    unreferenced = [] if settings.referenced else settings.filter.unreferenced_rules
    if settings.referenced and (unused := settings.filter.changed_unreferenced_limits):
        raise RuleError(f"{flag('filter', unused[0])}: not used, because every utterance of this run has a reference")
    if isinstance(settings, Ensemble) and settings.method == "rover" and settings.filter.min_confidence is not None:
        raise RuleError(
            "--filter.min-confidence: not used, because ROVER gives no confidence: use --filter.min-agreement"
        )
    without_evidence = []
    if judges_by_evidence(settings):
        without_evidence = settings.filter.rules_without_evidence
        rules = [*rules_by_name([DOUBTFUL_RULE]).values(), *(rule for rule in rules if rule not in without_evidence)]
    for rule in rules:
        check_rule(rule, settings.roles, phrases=settings.filter.phrases is not None)
        check_known(rule, settings)
    escalating = (
        [rule for text in settings.gate.rules for rule in parse(text)] if isinstance(settings, Curation) else []
    )
    for rule in escalating:
        check_rule(rule, settings.roles[:1], phrases=False)
        check_known(rule, settings)
    known = measurable_columns() if measurable is None else measurable
    check_fields([*rules, *escalating], settings, known - {term.column for term in terms(escalating)})
    phrases = read_phrases(settings.filter) if compares_phrases([*rules, *unreferenced]) else ()
    return Rules(
        rules=tuple(map(str, rules)),
        without_evidence=tuple(map(str, without_evidence)),
        unreferenced=tuple(map(str, unreferenced)),
        phrases=phrases,
        doubt_limits=calibration.limits if calibration else {},
    )


def check_names(given: Filter) -> None:
    """Raise RuleError if a rule of the user's has the name of a reason of Winnow's own."""
    for rule in (rule for text in given.rules for rule in parse(text)):
        if rule.name in RESERVED:
            kind = "a reason for quarantine" if rule.name in QUARANTINE_REASONS else "a reason of Winnow's own"
            raise invalid(rule, f"{rule.name} is {kind}: give the rule another name, as in MINE: {rule.condition}")


def compares_phrases(rules: list[Rule]) -> bool:
    """Return whether a rule needs the known phrases."""
    return any(term.stat == "known_phrase" for term in terms(rules))


def phrase_digest(rules: Rules) -> dict[str, str | None]:
    """Return the digest of the known phrases, which are an input of the run like its manifest; empty without any."""
    return {"phrases": key_of(rules.phrases)} if rules.phrases else {}


def check_rule(rule: Rule, roles: list[Role], phrases: bool) -> None:
    """Raise RuleError unless a rule compares equal types and only statistics, phrases and models that exist."""
    kind = compared_type(rule)
    if rule.name in QUARANTINE_REASONS:
        raise invalid(rule, f"{rule.name} is a reason for quarantine: give the rule another name")
    if rule.operator in ORDERING and kind != "number":
        raise invalid(rule, f"{rule.operator} compares numbers, but {rule.term} is not a number")
    for term in terms([rule]):
        check_text_stat(rule, term)
        if term.stat == "known_phrase" and not phrases:
            raise invalid(rule, "known_phrase needs --filter.phrases, a file with one phrase per line")
        if (role := role_of_column(term.column)) not in (None, *roles):
            raise invalid(rule, f"this run has no {role} model")
        if column_type(term.column) is None and field_of(term.column) is None:
            raise invalid(rule, f"{term.column} is a column of the output, which rules cannot compare")
        if (actual := term_type(term)) not in (None, kind):
            raise invalid(rule, f"{term} is a {actual}, but is compared with a {kind}{hint_for_list(rule)}")
    check_numbers(rule, kind)


def hint_for_list(rule: Rule) -> str:
    """Say how numbers follow `in`."""
    return "; after in, a range of numbers is written as 1..20" if rule.operator in LISTING else ""


def check_numbers(rule: Rule, kind: str) -> None:
    """Raise RuleError for a limit in percent, and for a list of numbers where hardly any value is one of them."""
    listed = rule.operator in LISTING and isinstance(rule.value, tuple) and isinstance(rule.value[0], str)
    if listed and kind == "number" and not is_counted(rule.term):
        raise invalid(rule, f"hardly any {rule.term} is exactly one of these numbers: write a range, such as 1..20")
    highest = HIGHEST_LIMITS.get(rule.term.stat or without_role(rule.term.column))
    if highest is None or term_type(rule.term) is None:
        return
    numbers = rule.value if isinstance(rule.value, tuple) else (rule.value,)
    for number in numbers:
        if type(number) is float and (complaint := percent_complaint(number, highest)):
            raise invalid(rule, f"{rule.term}: {complaint}")


def check_text_stat(rule: Rule, term: Term) -> None:
    """Raise RuleError unless a term's statistic exists, fits its column and has the argument that it needs."""
    if term.stat is None:
        return
    if (stat := TEXT_STATS.get(term.stat)) is None:
        raise invalid(rule, f"unknown statistic {term.stat}: expected one of {', '.join(TEXT_STATS)}")
    if stat.argument and term.argument is None:
        raise invalid(rule, f"{term.stat} needs a second argument, {stat.argument}")
    if term.argument is not None and not stat.argument:
        raise invalid(rule, f"{term.stat} takes only a column, got {term.argument}")
    if term.stat == "ngram_copies" and not SIZE.fullmatch(term.argument or ""):
        raise invalid(rule, f"expected {stat.argument}, got {term.argument}; it may be 1 to 999")
    if term.argument == "":
        raise invalid(rule, f"expected {stat.argument}, got an empty text")
    if term.stat in WHOLE_RUN and term.column != "text":
        raise invalid(rule, f"{term.stat} works only on text, the reference")
    if (kind := column_type(term.column)) not in (None, "text"):
        raise invalid(rule, f"{term.stat} needs a text, but {term.column} is a {kind}")


def invalid(rule: Rule, reason: str) -> RuleError:
    """Return the error for a rule that cannot be followed."""
    return RuleError(f"invalid rule {rule.condition!r}: {reason}")


def check_fields(rules: list[Rule], settings: Settings, measurable: Set[str]) -> None:
    """Raise MissingColumns for a field in a rule that the manifest lacks, unless it is `measurable`."""
    lacking, wrong_type = lacking_fields(rules, settings)
    missing = {
        (column, kind): rule
        for (column, kind), rule in lacking.items()
        if not (column in measurable and can_be_heard(column, kind))
    }
    if missing:
        names = ", ".join(describe_missing(column, kind, wrong_type) for column, kind in missing)
        sources = sorted({rule_source(rule, settings.filter) for rule in missing.values()})
        values = [column for (column, _), rule in missing.items() if rule.value == Term(column)]
        hint = f'; to compare with a text, put it in quotes: "{values[0]}"' if values else ""
        hint += measure_hint(column for column, kind in missing if can_be_heard(column, kind))
        raise MissingColumns(
            f"{settings.manifest}: no {names} in the first {HEAD_UTTERANCES:,} utterances, needed for "
            f"{' and '.join(sources)}{hint}"
        )


def lacking_fields(rules: list[Rule], settings: Settings) -> tuple[dict[tuple[str, str], Rule], dict[str, Any]]:
    """Return the fields, with their types, that rules compare and of which the manifest's head has no value.

    The second result has the value of fields that have another type there.
    """
    lacking = {
        (term.column, "text" if term.stat else compared_type(rule)): rule
        for rule in rules
        for term in terms([rule])
        if column_type(term.column) is None
    }
    wrong_type = dict[str, Any]()
    to_be_segmented = isinstance(settings, Curation) and settings.segment is not None
    own = [FIELDS_OF_A_SEGMENT] if to_be_segmented else []
    for fields in chain(own, head_fields(settings)) if lacking else ():
        for column, kind in list(lacking):
            value = fields.get(field_of(column) or column)
            if as_type(value, kind) is not None:
                del lacking[column, kind]
            elif value is not None:
                wrong_type[column] = value
    return lacking, wrong_type


def describe_missing(column: str, kind: str, wrong_type: dict[str, Any]) -> str:
    """Name a missing field, its type and, if there is one of another type, its value."""
    details = [] if kind == "any" else [kind]
    details += [f"got {wrong_type[column]!r:.40}"] if column in wrong_type else []
    return f"{column} ({', '.join(details)})" if details else column


def required_columns(rules: list[Rule]) -> list[str]:
    """List what rules need that not every run has: fields of the manifest, and known phrases."""
    fields = dict.fromkeys(term.column for term in terms(rules) if column_type(term.column) is None)
    return [*fields, *(["--filter.phrases"] if compares_phrases(rules) else [])]


def rule_source(rule: Rule, given: Filter) -> str:
    """Say where a rule comes from."""
    from_preset = str(rule) in set(map(str, given.preset_rules))
    return f"--filter.preset {given.preset}" if from_preset else f"the rule {rule.condition}"


def head_fields(settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield the fields without a column of the manifest's first rows."""
    for row in corpus_of(settings).head(HEAD_UTTERANCES):
        yield msgspec.json.decode(row.get("fields") or "{}")


def read_phrases(given: Filter) -> tuple[str, ...]:
    """Read the known phrases, normalized and sorted."""
    assert given.phrases is not None
    if problem := not_a_file(given.phrases):
        raise RuleError(f"{given.phrases}: --filter.phrases: {problem}")
    try:
        lines = given.phrases.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(f"{given.phrases}: cannot read the phrases of --filter.phrases: {error}") from error
    return tuple(sorted({phrase for line in lines if (phrase := normalize(line, "basic"))}))
