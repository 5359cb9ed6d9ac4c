"""The command that would start a flow with certain parameters."""

from collections.abc import Iterator
from typing import Any

from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Ensemble
from winnow.parameters.export import Export
from winnow.parameters.segment import Segment
from winnow.parameters.settings import Parameters, flag
from winnow.runs.run_record import Values, with_absolute_paths

COMMANDS: dict[type[Parameters], str] = {Curation: "curate", Ensemble: "ensemble", Export: "export", Segment: "segment"}


def command_of(settings: Parameters) -> list[str]:
    """Return the words of the command: what it is about, and every option that is not at its default."""
    values = with_absolute_paths(settings)
    subject = values.pop(next(iter(values)))
    return ["winnow", COMMANDS[type(settings)], subject, *options_of(settings, values)]


def options_of(parameters: Parameters, values: Values, *group: str) -> Iterator[str]:
    """Yield the options of a group, and of the groups in it."""
    for name, value in values.items():
        given, field = getattr(parameters, name), type(parameters).model_fields[name]
        if isinstance(given, Parameters):
            yield from options_of(given, value, *group, name)
        elif given != field.get_default(call_default_factory=True):
            yield from words_of((*group, name), value)


def words_of(names: tuple[str, ...], value: Any) -> Iterator[str]:
    """Yield the words that set an option to a value."""
    option = flag(*names)
    match value:
        case bool():
            yield option if value else flag(*names[:-1], f"no_{names[-1]}")
        case dict():
            for key, item in value.items():
                yield from words_of((*names, key), item)
        case list():
            for item in value:
                yield from (option, str(item)) if not str(item).startswith("-") else (f"{option}={item}",)
        case None:
            return
        case _:
            yield from (option, str(value)) if not str(value).startswith("-") else (f"{option}={value}",)
