"""How texts are compared, wherever that is done: normalized by what, and with what else taken for equal."""

from typing import NamedTuple

from winnow.text.normalize import Normalizer, version_of


class Comparison(NamedTuple):
    """What counts as no difference: what the normalizer ignores and, with `merge_compounds`, how compounds are split.

    A normalizer alone stands for a comparison by it.
    """

    normalizer: Normalizer = "basic"
    merge_compounds: bool = False

    @property
    def version(self) -> str:
        """A version that changes whenever the same texts may compare otherwise."""
        return version_of(self.normalizer)


BASIC = Comparison()
"""The default comparison."""


def comparison_by(how: Comparison | Normalizer) -> Comparison:
    """Return a comparison as it is, and for a normalizer the comparison by it."""
    return how if isinstance(how, Comparison) else Comparison(how)
