"""What the rules of a run need, and whether it is there: said before a model is loaded, not found out at the end."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from tasks.manifests.lines import row_of
from tasks.manifests.linewise import is_blank, lines_of
from tasks.manifests.slices import BadManifest
from tasks.parameters.criteria import Filter
from tasks.parameters.ensemble import Ensemble, Settings
from tasks.rules.rule import ORDERING, WHOLE_RUN, BadRule, Rule, Rules, Term, terms
from tasks.rules.values import field_name, holds, kind_asked, kind_known, plain, reader_of
from tasks.runs.ledger import key_of
from tasks.schema import QUARANTINED
from tasks.texts.measures import MEASURES
from tasks.texts.text import normalize

LOOKED_AT = 1_000  # utterances


class Lacking(Exception):
    """The manifest does not have what the rules compare."""

    exit_code = 2


def rules_of(settings: Settings) -> Rules:
    """What utterances are judged by; raises where the run cannot follow a rule."""
    asked = settings.filter.in_force
    labels = () if settings.referenced else tuple(map(str, settings.filter.of_labels))
    if settings.referenced and (idle := settings.filter.asked_of_labels):
        raise BadRule(f"filter.{idle[0]}: every utterance of this run has a reference, unless references are optional")
    if isinstance(settings, Ensemble) and settings.method == "rover" and settings.filter.min_confidence is not None:
        raise BadRule("filter.min_confidence: a vote has an agreement, and no confidence")
    for rule in asked:
        check(rule, settings)
    check_fields(asked, settings)
    phrases = phrases_of(settings.filter) if any(term.measure == "known_phrase" for term in terms(asked)) else ()
    return Rules(rules=tuple(map(str, asked)), labels=labels, phrases=phrases)


def digests_for(rules: Rules) -> dict[str, str | None]:
    """The digest of the phrases that rules compare, which are a run's input as its manifest is."""
    return {"phrases": key_of(rules.phrases)} if rules.phrases else {}


def check(rule: Rule, settings: Settings) -> None:
    if rule.name in QUARANTINED:
        raise BadRule(f"{rule}: {rule.name} is a reason for quarantine: give the rule another name")
    if rule.operator in ORDERING and kind_asked(rule) != "number":
        raise BadRule(f"{rule}: {rule.operator} compares numbers, and {rule.term} is none")
    for term in terms([rule]):
        check_measure(rule, term)
        if term.measure == "known_phrase" and settings.filter.phrases is None:
            raise BadRule(f"{rule}: needs filter.phrases, a file with a phrase a line")
        if (reader := reader_of(term.column)) not in (None, *settings.roles):
            raise BadRule(f"{rule}: there is no {reader} model in this run")
        known = kind_known(term)
        if known not in (None, kind_asked(rule)):
            raise BadRule(f"{rule}: {term} is a {known}, and is compared with a {kind_asked(rule)}")


def check_measure(rule: Rule, term: Term) -> None:
    if term.measure is None:
        return
    if (measure := MEASURES.get(term.measure)) is None:
        raise BadRule(f"{rule}: no measure {term.measure}; there are {', '.join(MEASURES)}")
    if (measure.takes is None) != (term.given is None):
        wanted = f"{measure.takes} behind a comma" if measure.takes else "nothing but a column"
        raise BadRule(f"{rule}: {term.measure} takes {wanted}")
    if term.measure == "ngram_copies" and not (term.given or "").isdigit():
        raise BadRule(f"{rule}: {term.given} is no number of words")
    if term.measure in WHOLE_RUN and term.column != "text":
        raise BadRule(f"{rule}: {term.measure} is of text, the reference, only")
    if (kind := holds(term.column)) not in (None, "text"):
        raise BadRule(f"{rule}: {term.column} is a {kind}, and {term.measure} measures a text")


def check_fields(rules: list[Rule], settings: Settings) -> None:
    """Raise unless the manifest has a value of the right kind for every field that is compared."""
    wanted = {
        (term.column, "text" if term.measure else kind_asked(rule)): rule
        for rule in rules
        for term in terms([rule])
        if holds(term.column) is None
    }
    missing, strange = dict(wanted), dict[str, Any]()
    for fields in fields_in(settings.manifest) if wanted else ():
        for column, kind in list(missing):
            value = fields.get(field_name(column))
            if plain(value, kind) is not None:
                del missing[column, kind]
            elif value is not None:
                strange[column] = value
    if missing:
        said = ", ".join(lacked(*name, strange) for name in missing)
        who = sorted({source_of(rule, settings.filter) for rule in missing.values()})
        behind = [column for (column, _), rule in missing.items() if rule.value == Term(column)]
        hint = f'; as a text it stands in quotes: "{behind[0]}"' if behind else ""
        where = f"{settings.manifest}: no {said} in the first {LOOKED_AT:,} utterances"
        raise Lacking(f"{where}, which {' and '.join(who)} needs{hint}")


def lacked(column: str, kind: str, strange: dict[str, Any]) -> str:
    wanted = [] if kind == "any" else [kind]
    found = [f"and not {strange[column]!r:.40}"] if column in strange else []
    return f"{column} ({', '.join(wanted + found)})" if wanted + found else column


def needed(rules: list[Rule]) -> list[str]:
    """What a run must have for the rules beside what every run has: fields of its manifest, and phrases."""
    every = terms(rules)
    fields = dict.fromkeys(term.column for term in every if holds(term.column) is None)
    return [*fields, *(["filter.phrases"] if any(term.measure == "known_phrase" for term in every) else [])]


def source_of(rule: Rule, given: Filter) -> str:
    preset = str(rule) in {str(one) for one in given.preset_rules}
    return f"filter.preset {given.preset}" if preset else f"the rule {rule.condition}"


def fields_in(manifest: Path) -> Iterator[dict[str, Any]]:
    """The manifest's own fields of its first utterances."""
    try:
        with manifest.open("rb") as file:
            lines = islice((line for line in lines_of(file.readline) if line and not is_blank(line)), LOOKED_AT)
            for line in lines:
                yield msgspec.json.decode(row_of(line, "").get("fields") or "{}")
    except OSError as error:
        raise BadManifest(f"{manifest}: no manifest that can be read ({error.strerror})") from error


def phrases_of(given: Filter) -> tuple[str, ...]:
    assert given.phrases is not None
    try:
        lines = given.phrases.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadRule(f"{given.phrases}: no phrases that can be read ({error})") from error
    return tuple(sorted({phrase for line in lines if (phrase := normalize(line, "basic"))}))
