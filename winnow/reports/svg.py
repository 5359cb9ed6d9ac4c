"""Charts as SVG inside a page: text stays text, and colours are the page's, light or dark."""

import io
import re
from typing import TYPE_CHECKING

from markupsafe import Markup

from winnow.reports.charts import BAD, GOOD, INKS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VARIABLES = {
    GOOD: "good",
    BAD: "bad",
    "#000000": "ink",
    **dict(zip(INKS, ("node", "blue", "violet", "ochre"), strict=True)),
}
"""The variable of the style sheet for each colour of the charts."""

COLOUR = re.compile("|".join(VARIABLES))
NAME = re.compile(r'(?<=\bid=")|(?<=url\(#)|(?<=href="#)')
SHAPE = re.compile(r' id="[\w.]+_\d+"')
"""Names of shapes that nothing refers to."""


def inline_svg(figure: "Figure", caption: str, number: int) -> Markup:
    """Return a figure as an SVG element; `number` keeps the names in it apart from those of other charts."""
    import matplotlib

    content = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "winnow"}):
        figure.savefig(content, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawn = content.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    drawn = NAME.sub(f"chart{number}-", SHAPE.sub("", drawn))
    drawn = COLOUR.sub(lambda match: f"var(--{VARIABLES[match[0]]})", drawn)
    label = Markup('<svg role="img" aria-label="{}" ').format(caption)
    return Markup(drawn.replace("<svg ", label, 1))
