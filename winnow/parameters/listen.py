"""The option `--listen`: what is measured in the audio beside what every run measures."""

from typing import Annotated

from pydantic import AfterValidator

from winnow.listening.registry import MEASURES, in_order
from winnow.parameters.redaction import refuse_credentials


def parse_measures(measures: str) -> tuple[str, ...]:
    """Return the names in a value such as `speech,quality`, in the order of their columns; raises ValueError."""
    names = [name.strip() for name in measures.split(",") if name.strip()]
    for name in names:
        if name not in MEASURES:
            raise ValueError(f"{name}: no such measure: expected some of {', '.join(MEASURES)}")
    return in_order(names)


def in_one_form(measures: str) -> str:
    """Return the value in the form that all values with the same names have, which runs are compared by."""
    return ",".join(parse_measures(measures))


LISTEN_HELP = (
    f"What to measure in audio and text: some of {', '.join(MEASURES)}, as in speech,quality; install winnow[listen], "
    "for speakers winnow[speakers]. Default: what rules compare and the manifest does not have"
)

MeasureNames = Annotated[str, AfterValidator(refuse_credentials), AfterValidator(in_one_form)]
