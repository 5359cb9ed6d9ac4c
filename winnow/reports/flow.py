"""The flow of hours through a run: from the input through the bands of the gate to what is kept and dropped."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from winnow.reports.charts import BAD, GOOD, INKS, WIDTH
from winnow.reports.formatting import format_hours
from winnow.reports.summary import Report, ReportContext

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

START, KEPT, DROPPED = "transcribed", "kept", "dropped"
BAND_LABELS = {
    "accept": "accepted by the gate",
    "escalate": "escalated to a larger model",
    "reject": "rejected by the gate",
    "final": "no larger model for the language",
}
COLOURS = {KEPT: GOOD, DROPPED: BAD}
ROUNDING = 1e-9  # hours that differences of equal sums may have
NODE, GAP = 0.012, 0.06  # width of a node, and height between nodes, as fractions of the chart


class Link(NamedTuple):
    """Hours that go from one stage of a run to the next."""

    source: str
    target: str
    hours: float


def flow_links(report: Report) -> list[Link]:
    """Return how the hours of transcribed utterances flow; those of quarantined ones were not measured."""
    links = []
    for name, band in report.bands.items():
        label = BAND_LABELS[name]
        links += [Link(START, label, band.hours), Link(label, KEPT, band.kept_hours)]
        links.append(Link(label, DROPPED, band.hours - band.kept_hours))
    if not links:
        links = [Link(START, KEPT, report.kept_hours), Link(START, DROPPED, report.dropped_hours)]
    return [link for link in links if link.hours > ROUNDING]


def flow_chart(context: ReportContext) -> "Figure":
    """Draw the flow as a Sankey diagram: the height of each stream is its hours."""
    from matplotlib.figure import Figure

    links = flow_links(context.report)
    figure = Figure(figsize=(WIDTH, 2.6), dpi=110)
    axes = figure.add_axes((0.01, 0.02, 0.98, 0.96))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.axis("off")
    draw_links(axes, links)
    return figure


def draw_links(axes: "Axes", links: list[Link]) -> None:
    """Draw nodes in columns from the left to the right, and the streams between them."""
    inner = list(dict.fromkeys(link.target for link in links if link.target not in COLOURS))
    outcomes = [name for name in COLOURS if any(link.target == name for link in links)]
    columns = [[START], *([inner] if inner else []), outcomes]
    total = sum(link.hours for link in links if link.source == START)
    height = {name: hours_through(links, name) / total for column in columns for name in column}
    scale = 1 - GAP * (max(map(len, columns)) - 1)
    places = dict[str, tuple[float, float]]()
    for number, column in enumerate(columns):
        x, top = number * (0.84 / (len(columns) - 1)), 1.0
        for name in column:
            places[name] = x, top
            drawn = scale * height[name]
            axes.fill_between([x, x + NODE], top - drawn, top, color=COLOURS.get(name, INKS[0]), linewidth=0)
            text = f"{name}, {format_hours(height[name] * total)} h"
            axes.text(x + 1.6 * NODE, top - drawn / 2, text, va="center", fontsize=8)
            top -= drawn + GAP
    draw_streams(axes, links, places, scale / total)


def draw_streams(axes: "Axes", links: list[Link], places: dict[str, tuple[float, float]], scale: float) -> None:
    """Draw each link as a band that starts and ends where the ones before it ended."""
    leaving, arriving = ({name: top for name, (_, top) in places.items()} for _ in range(2))
    steps = np.linspace(0, 1, 25)
    ease = steps**2 * (3 - 2 * steps)
    for source, target, hours in links:
        start, end = leaving[source], arriving[target]
        upper = start + (end - start) * ease
        x = places[source][0] + NODE + (places[target][0] - places[source][0] - NODE) * steps
        colour = COLOURS.get(target, INKS[1])
        axes.fill_between(x, upper - scale * hours, upper, color=colour, alpha=0.3, linewidth=0, zorder=0)
        leaving[source] -= scale * hours
        arriving[target] -= scale * hours


def hours_through(links: list[Link], name: str) -> float:
    """Return the hours that arrive at a node, or leave the first one."""
    return sum(link.hours for link in links if name == (link.source if name == START else link.target))
