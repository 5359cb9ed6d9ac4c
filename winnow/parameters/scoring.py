"""The options of scoring: what is no error beside what the normalizer ignores."""

from pydantic import Field

from winnow.parameters.settings import Parameters


class Scoring(Parameters):
    """What counts as an error when texts are compared."""

    merge_compounds: bool = Field(
        False,
        title="Merge compounds",
        description="Count no error where words are only joined or split, as in home page and homepage, as the public "
        "Open ASR leaderboard does",
    )
