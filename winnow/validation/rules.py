"""What the rules of a run need, and whether it is there: said before a model is loaded, not found out at the end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from winnow.corpora.registry import open_source
from winnow.errors import MissingColumns, RuleError
from winnow.parameters.ensemble import Ensemble, Settings
from winnow.parameters.filter import Filter
from winnow.roles import Role
from winnow.rules.operands import as_kind, column_kind, field_name, kind_asked, kind_known, role_of_column
from winnow.rules.rule import ORDERING, WHOLE_RUN, Rule, Rules, Term, terms
from winnow.runs.ledger import key_of
from winnow.schema import QUARANTINE_REASONS
from winnow.text.normalize import normalize
from winnow.text.text_stats import TEXT_STATS

LOOKED_AT = 1_000  # utterances


def rules_for(settings: Settings) -> Rules:
    """What utterances are judged by; raises where the run cannot follow a rule."""
    asked = settings.filter.active_rules
    labels = () if settings.referenced else tuple(map(str, settings.filter.unreferenced_rules))
    if settings.referenced and (idle := settings.filter.changed_unreferenced_limits):
        raise RuleError(
            f"filter.{idle[0]}: every utterance of this run has a reference, unless references are optional"
        )
    if isinstance(settings, Ensemble) and settings.method == "rover" and settings.filter.min_confidence is not None:
        raise RuleError("filter.min_confidence: a vote has an agreement, and no confidence")
    for rule in asked:
        check_rule(rule, settings.roles, phrases=settings.filter.phrases is not None)
    check_fields(asked, settings)
    phrases = read_phrases(settings.filter) if any(term.measure == "known_phrase" for term in terms(asked)) else ()
    return Rules(rules=tuple(map(str, asked)), labels=labels, phrases=phrases)


def phrase_digest(rules: Rules) -> dict[str, str | None]:
    """The digest of the phrases that rules compare, which are a run's input as its manifest is."""
    return {"phrases": key_of(rules.phrases)} if rules.phrases else {}


def check_rule(rule: Rule, roles: list[Role], phrases: bool) -> None:
    """Raise unless the rule compares like with like and names only measures, phrases and models that exist."""
    if rule.name in QUARANTINE_REASONS:
        raise RuleError(f"{rule}: {rule.name} is a reason for quarantine: give the rule another name")
    if rule.operator in ORDERING and kind_asked(rule) != "number":
        raise RuleError(f"{rule}: {rule.operator} compares numbers, and {rule.term} is none")
    for term in terms([rule]):
        check_text_stat(rule, term)
        if term.measure == "known_phrase" and not phrases:
            raise RuleError(f"{rule}: needs filter.phrases, a file with a phrase a line")
        if (reader := role_of_column(term.column)) not in (None, *roles):
            raise RuleError(f"{rule}: there is no {reader} model in this run")
        known = kind_known(term)
        if known not in (None, kind_asked(rule)):
            raise RuleError(f"{rule}: {term} is a {known}, and is compared with a {kind_asked(rule)}")


def check_text_stat(rule: Rule, term: Term) -> None:
    if term.measure is None:
        return
    if (measure := TEXT_STATS.get(term.measure)) is None:
        raise RuleError(f"{rule}: no measure {term.measure}; there are {', '.join(TEXT_STATS)}")
    if (measure.takes is None) != (term.given is None):
        wanted = f"{measure.takes} behind a comma" if measure.takes else "nothing but a column"
        raise RuleError(f"{rule}: {term.measure} takes {wanted}")
    if term.measure == "ngram_copies" and not (term.given or "").isdigit():
        raise RuleError(f"{rule}: {term.given} is no number of words")
    if term.measure in WHOLE_RUN and term.column != "text":
        raise RuleError(f"{rule}: {term.measure} is of text, the reference, only")
    if (kind := column_kind(term.column)) not in (None, "text"):
        raise RuleError(f"{rule}: {term.column} is a {kind}, and {term.measure} measures a text")


def check_fields(rules: list[Rule], settings: Settings) -> None:
    """Raise unless the manifest has a value of the right kind for every field that is compared."""
    wanted = {
        (term.column, "text" if term.measure else kind_asked(rule)): rule
        for rule in rules
        for term in terms([rule])
        if column_kind(term.column) is None
    }
    missing, strange = dict(wanted), dict[str, Any]()
    for fields in head_fields(settings.manifest) if wanted else ():
        for column, kind in list(missing):
            value = fields.get(field_name(column))
            if as_kind(value, kind) is not None:
                del missing[column, kind]
            elif value is not None:
                strange[column] = value
    if missing:
        said = ", ".join(describe_missing(*name, strange) for name in missing)
        who = sorted({rule_source(rule, settings.filter) for rule in missing.values()})
        behind = [column for (column, _), rule in missing.items() if rule.value == Term(column)]
        hint = f'; as a text it stands in quotes: "{behind[0]}"' if behind else ""
        where = f"{settings.manifest}: no {said} in the first {LOOKED_AT:,} utterances"
        raise MissingColumns(f"{where}, which {' and '.join(who)} needs{hint}")


def describe_missing(column: str, kind: str, strange: dict[str, Any]) -> str:
    wanted = [] if kind == "any" else [kind]
    found = [f"and not {strange[column]!r:.40}"] if column in strange else []
    return f"{column} ({', '.join(wanted + found)})" if wanted + found else column


def required_columns(rules: list[Rule]) -> list[str]:
    """What a run must have for the rules beside what every run has: fields of its manifest, and phrases."""
    every = terms(rules)
    fields = dict.fromkeys(term.column for term in every if column_kind(term.column) is None)
    return [*fields, *(["filter.phrases"] if any(term.measure == "known_phrase" for term in every) else [])]


def rule_source(rule: Rule, given: Filter) -> str:
    preset = str(rule) in {str(one) for one in given.preset_rules}
    return f"filter.preset {given.preset}" if preset else f"the rule {rule.condition}"


def head_fields(manifest: Path) -> Iterator[dict[str, Any]]:
    """Yield the fields without a column of the manifest's first rows."""
    for row in open_source(manifest).head(LOOKED_AT):
        yield msgspec.json.decode(row.get("fields") or "{}")


def read_phrases(given: Filter) -> tuple[str, ...]:
    assert given.phrases is not None
    try:
        lines = given.phrases.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(f"{given.phrases}: no phrases that can be read ({error})") from error
    return tuple(sorted({phrase for line in lines if (phrase := normalize(line, "basic"))}))
