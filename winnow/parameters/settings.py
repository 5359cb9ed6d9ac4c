"""What all parameters have in common."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from winnow.audio.remote.urls import is_url
from winnow.input_files import expand_home
from winnow.parameters.redaction import refuse_credentials
from winnow.printable import printable
from winnow.rules.rates import refuse_percent

# Every number has a highest value: Prefect's database cannot store integers over 64 bits, nor JSON infinite numbers.

NonNegative = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]

ErrorRate = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False), BeforeValidator(refuse_percent(2))]
"""A rate that may exceed 1, such as a WER. As a limit, more than 2 is taken for a percentage and refused."""

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), BeforeValidator(refuse_percent(1))]
"""A part of a whole."""

PositiveShare = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False), BeforeValidator(refuse_percent(1))]

Seconds = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]

Positive = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
"""An amount of something, such as cores or gigabytes."""

Count = Annotated[int, Field(ge=1, le=1_000_000)]

Folder = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, Path) else value)]
"""A folder on disk, or an object store's URL."""


def expand_location(value: str) -> str:
    """Return a path with the home folder in it, in the form of pathlib's; a URL as it is."""
    return value if is_url(value) else str(expand_home(value))


Location = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, Path) else value),
    AfterValidator(expand_location),
]
"""A file, folder or pattern on disk, with the home folder in the place of `~`; or a URL."""

IN_WORDS = {
    "missing": "required, but not given",
    "extra_forbidden": "no such option",
    "model_type": "a group of options: give them one by one",
}
"""Pydantic's errors that are about options rather than values, in the words of a command."""

AS_RECORDED = {"recorded": True}
"""The validation context for parameters read from a run's folder: they are not checked against each other."""


class Parameters(BaseModel):
    """A frozen set of options; unknown ones, infinite numbers, and credentials in any of them are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    NOT_COMPARED: ClassVar[frozenset[str]] = frozenset()
    """Options that do not change the output: a run can be resumed with other ones."""

    LOCATIONS: ClassVar[frozenset[str]] = frozenset()
    """Options that name a file, a folder or a URL: a run records absolute paths."""

    PATHS: ClassVar[frozenset[str]] = frozenset()
    """Options that may name a file, or something else: a run records the names of files as absolute paths."""

    @field_validator("*")
    @classmethod
    def find_home(cls, value: Any) -> Any:
        return expand_home(value) if isinstance(value, Path) else value

    @field_validator("*")
    @classmethod
    def utf_8(cls, value: object) -> object:
        for text in value if isinstance(value, list | tuple) else [value]:
            require_utf_8(text)
        return value

    @field_validator("*")
    @classmethod
    def no_credentials(cls, value: object) -> object:
        return refuse_credentials(value)

    def complaints(self) -> Iterator[str]:
        """Say which options contradict each other, are unused or lack what they need."""
        return iter(())

    @model_validator(mode="after")
    def check_together(self, info: ValidationInfo) -> Self:
        if info.context != AS_RECORDED and (complaint := next(self.complaints(), None)):
            raise ValueError(complaint)
        return self


def require_utf_8(value: object) -> None:
    """Raise ValueError for a text or a path with bytes that are not UTF-8, because no run could record it."""
    text = str(value.absolute()) if isinstance(value, Path) else value
    try:
        if isinstance(text, str):
            text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{printable(str(text))}: not UTF-8: rename the file or folder") from None


def default_of(parameters: BaseModel, name: str) -> object:
    """Return the default of an option."""
    return type(parameters).model_fields[name].default


def given_flags(name: str, options: BaseModel) -> str:
    """List those of a group's options that are not at their defaults, as they are typed: `--gate.by, --gate.accept`."""
    return ", ".join(
        flag(name, option)
        for option in type(options).model_fields
        if getattr(options, option) != default_of(options, option)
    )


def describe_errors(error: ValidationError) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the place of each wrong option, such as `("gate", "accept")`, and what is wrong; `()` for several ones."""
    for detail in error.errors():
        message = IN_WORDS.get(detail["type"], detail["msg"])
        place = tuple(part for part in detail["loc"] if isinstance(part, str))
        yield place, str(detail.get("ctx", {}).get("error", message))


def option_errors(error: ValidationError) -> str:
    """Return what is wrong with each option, after its name as it is typed."""
    return "; ".join(f"{flag(*place)}: {message}" if place else message for place, message in describe_errors(error))


def flag(*names: str) -> str:
    """Return an option as it is typed: `--gate.accept-confidence`."""
    return "--" + ".".join(names).replace("_", "-")
