"""The texts that a pass compares with what its model reads, and which evidence belongs to which of them."""

from dataclasses import dataclass

import pyarrow as pa

from winnow.roles import Role
from winnow.schema import PLANTED, earlier_roles
from winnow.text.comparison import Comparison
from winnow.text.evidence import TextEvidence
from winnow.text.hypothesis import Hypothesis
from winnow.text.languages import row_languages

REFERENCE = "reference"


@dataclass(frozen=True)
class ScoredTexts:
    """Texts by name, one for each row, the reference first; rows without a reference have none.

    `languages` are those of the rows. Texts are the same if `comparison` finds no difference. `planted` has the texts
    with errors that were planted into each reference.
    """

    by_name: dict[str, list[str | None]]
    languages: list[str | None]
    comparison: Comparison
    planted: list[list[str]] | None = None

    def of(self, row: int) -> tuple[str, ...]:
        """Return the texts of a row, as a request has them."""
        return tuple(self._named(row).values())

    def evidence(self, row: int, hypothesis: Hypothesis) -> dict[str, TextEvidence]:
        """Return what the hypothesis for a row says about its texts, by their names."""
        return dict(zip(self._named(row), hypothesis.evidence, strict=True)) if hypothesis.evidence else {}

    @property
    def earlier(self) -> list[Role]:
        """The roles whose hypotheses are among the texts."""
        return [name for name in self.by_name if name != REFERENCE]

    def planted_doubts(self, row: int, hypothesis: Hypothesis) -> list[float | None] | None:
        """Return the doubt of each text with a planted error; None if the row has none, or no evidence."""
        evidence = self.evidence(row, hypothesis)
        names = planted_names(self.planted[row]) if self.planted else []
        return [evidence[name].doubt for name in names] if names and evidence else None

    def _named(self, row: int) -> dict[str, str]:
        texts = {name: text for name, texts in self.by_name.items() if (text := texts[row])}
        if REFERENCE not in texts:
            return {}
        return texts | (planted_names(self.planted[row]) if self.planted else {})


def planted_names(texts: list[str]) -> dict[str, str]:
    """Return texts with planted errors by names of their own."""
    return {f"planted {number}": text for number, text in enumerate(texts)}


def texts_to_score(shard: pa.Table, role: Role, comparison: Comparison, wanted: bool = True) -> ScoredTexts:
    """Return the references and, for a larger model, the hypotheses of the models before it, by their roles.

    Texts with planted errors follow, where a shard has any. If no evidence is `wanted`, no row has any text.
    """
    columns = {REFERENCE: "text"} | {other: f"{other}_pred_text" for other in earlier_roles(shard.schema, role)}
    nothing: list[str | None] = [None] * len(shard)
    texts = {name: shard[column].to_pylist() if wanted else nothing for name, column in columns.items()}
    planted = None
    if wanted and PLANTED in shard.schema.names:
        planted = [[error["text"] for error in errors or ()] for errors in shard[PLANTED].to_pylist()]
    return ScoredTexts(texts, row_languages(shard["fields"].to_pylist()), comparison, planted)
