"""Check before a model is loaded that a run has all that its rules compare."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from winnow.corpora.registry import open_source
from winnow.errors import MissingColumns, RuleError
from winnow.parameters.ensemble import Ensemble, Settings
from winnow.parameters.filter import Filter
from winnow.parameters.settings import flag
from winnow.roles import Role
from winnow.rules.columns import as_type, column_type, compared_type, field_name, role_of_column, term_type
from winnow.rules.rule import ORDERING, WHOLE_RUN, Rule, Rules, Term, terms
from winnow.runs.ledger import key_of
from winnow.schema import QUARANTINE_REASONS
from winnow.text.normalize import normalize
from winnow.text.text_stats import TEXT_STATS

HEAD_UTTERANCES = 1_000  # utterances


def rules_for(settings: Settings) -> Rules:
    """Return the rules of a run. Raises RuleError or MissingColumns if the run cannot follow one of them."""
    rules = settings.filter.active_rules
    unreferenced = () if settings.referenced else tuple(map(str, settings.filter.unreferenced_rules))
    if settings.referenced and (unused := settings.filter.changed_unreferenced_limits):
        raise RuleError(f"{flag('filter', unused[0])}: not used, because every utterance of this run has a reference")
    if isinstance(settings, Ensemble) and settings.method == "rover" and settings.filter.min_confidence is not None:
        raise RuleError(
            "--filter.min-confidence: not used, because ROVER gives no confidence: use --filter.min-agreement"
        )
    for rule in rules:
        check_rule(rule, settings.roles, phrases=settings.filter.phrases is not None)
    check_fields(rules, settings)
    phrases = read_phrases(settings.filter) if compares_phrases(rules) else ()
    return Rules(rules=tuple(map(str, rules)), unreferenced=unreferenced, phrases=phrases)


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
        if (actual := term_type(term)) not in (None, kind):
            raise invalid(rule, f"{term} is a {actual}, but is compared with a {kind}")


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
    if term.stat == "ngram_copies" and not (term.argument or "").isdigit():
        raise invalid(rule, f"expected {stat.argument}, got {term.argument}")
    if term.stat in WHOLE_RUN and term.column != "text":
        raise invalid(rule, f"{term.stat} works only on text, the reference")
    if (kind := column_type(term.column)) not in (None, "text"):
        raise invalid(rule, f"{term.stat} needs a text, but {term.column} is a {kind}")


def invalid(rule: Rule, reason: str) -> RuleError:
    """Return the error for a rule that cannot be followed."""
    return RuleError(f"invalid rule {rule.condition!r}: {reason}")


def check_fields(rules: list[Rule], settings: Settings) -> None:
    """Raise MissingColumns unless the manifest's head has a value of the right type for every field in a rule."""
    needed = {
        (term.column, "text" if term.stat else compared_type(rule)): rule
        for rule in rules
        for term in terms([rule])
        if column_type(term.column) is None
    }
    missing, wrong_type = dict(needed), dict[str, Any]()
    for fields in head_fields(settings.manifest, settings.referenced) if needed else ():
        for column, kind in list(missing):
            value = fields.get(field_name(column))
            if as_type(value, kind) is not None:
                del missing[column, kind]
            elif value is not None:
                wrong_type[column] = value
    if missing:
        names = ", ".join(describe_missing(column, kind, wrong_type) for column, kind in missing)
        sources = sorted({rule_source(rule, settings.filter) for rule in missing.values()})
        values = [column for (column, _), rule in missing.items() if rule.value == Term(column)]
        hint = f'; to compare with a text, put it in quotes: "{values[0]}"' if values else ""
        raise MissingColumns(
            f"{settings.manifest}: no {names} in the first {HEAD_UTTERANCES:,} utterances, needed for "
            f"{' and '.join(sources)}{hint}"
        )


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


def head_fields(manifest: Path, referenced: bool) -> Iterator[dict[str, Any]]:
    """Yield the fields without a column of the manifest's first rows."""
    for row in open_source(manifest, referenced=referenced).head(HEAD_UTTERANCES):
        yield msgspec.json.decode(row.get("fields") or "{}")


def read_phrases(given: Filter) -> tuple[str, ...]:
    """Read the known phrases, normalized and sorted."""
    assert given.phrases is not None
    try:
        lines = given.phrases.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(f"{given.phrases}: cannot read the phrases of --filter.phrases: {error}") from error
    return tuple(sorted({phrase for line in lines if (phrase := normalize(line, "basic"))}))
