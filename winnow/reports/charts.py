"""The report's pictures, as data URIs, which every viewer of markdown shows without fetching anything."""

import base64
import io
from collections.abc import Sequence
from itertools import cycle

import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.figure import Figure

from winnow.parameters.gate import Bands
from winnow.reports.summary import Report
from winnow.sweep.threshold_sweep import RuleCost

GOOD, RESCUED, BAD = "#2f9e6e", "#7cc6a4", "#d9694f"
INKS = ("#334155", "#3b6fb5", "#a2559c", "#b08a2e")
BINS = [step / 20 for step in range(31)]  # WER, 0 to 1.5


def outcome_bar(report: Report) -> str:
    """A bar of the hours, by what became of them, as a data URI."""
    figure = Figure(figsize=(8, 1.15), dpi=110, layout="constrained")
    axes = figure.subplots()
    rescued = report.rescued.hours or 0.0
    pieces = [
        ("kept", report.kept_hours - rescued, GOOD),
        ("rescued by the large model", rescued, RESCUED),
        ("dropped", report.dropped_hours, BAD),
    ]
    left = 0.0
    for name, length, colour in pieces:
        if length > 0:
            axes.barh(0, length, left=left, color=colour, label=f"{name} {length:.2f} h", height=0.6)
            left += length
    axes.set(yticks=[], xlim=(0, max(left, 1e-9)), xlabel="hours")
    axes.spines[["top", "left", "right"]].set_visible(False)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, fontsize=8, borderpad=0)
    return data_uri(figure)


def wer_histogram(rows: pa.Table, models: dict[str, str], bands: Bands) -> str:
    """Utterances by WER, of the reading that counts and of models (their columns by name), as a data URI."""
    figure = Figure(figsize=(8, 2.6), dpi=110, layout="constrained")
    axes = figure.subplots()
    axes.hist(clip_wer(rows["wer"]), BINS, color=GOOD, alpha=0.75, label="reading that counts")
    for (name, column), colour in zip(models.items(), cycle(INKS), strict=False):
        axes.hist(clip_wer(rows[column]), BINS, histtype="step", color=colour, linewidth=1.2, label=name)
    for limit, label in zip(bands, ("accept", "reject"), strict=True):
        if limit is not None:
            axes.axvline(limit, color=BAD, linestyle=":", linewidth=1)
            axes.text(limit, axes.get_ylim()[1], f" {label}", color=BAD, fontsize=8, va="top")
    axes.set(xlabel="WER (1.5 and above in the last bar)", ylabel="utterances", xlim=(0, BINS[-1]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return data_uri(figure)


def agreement_curve(rows: pa.Table) -> str:
    """The hours with at least so much agreement, as a data URI."""
    found = rows.filter(pc.is_valid(rows["agreement"])).sort_by([("agreement", "descending")])
    figure = Figure(figsize=(8, 2.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    hours = found["duration"].to_numpy().cumsum() / 3600
    axes.step(found["agreement"].to_numpy(), hours, where="pre", color=GOOD)
    axes.set(xlabel="agreement at least", ylabel="hours", xlim=(0, 1), ylim=(0, None))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.spines[["top", "right"]].set_visible(False)
    return data_uri(figure)


def sweep_curves(costs: Sequence[RuleCost]) -> str:
    """For each rule with a limit, the hours that are kept and their WER at every threshold, as a data URI."""
    shown = [cost for cost in costs if cost.curve]
    figure = Figure(figsize=(8, 2.2 * max(len(shown), 1)), dpi=110, layout="constrained")
    for axes, cost in zip(figure.subplots(max(len(shown), 1), squeeze=False)[:, 0], shown, strict=False):
        at = [point.threshold for point in cost.curve]
        axes.plot(at, [point.kept.hours for point in cost.curve], color=GOOD, marker=".")
        axes.set(xlabel=f"{cost.rule.term} {cost.rule.operator}"[:80], ylim=(0, None))
        axes.set_ylabel("hours kept", color=GOOD)
        wrong = axes.twinx()
        wrong.plot(at, [100 * (point.kept.wer or 0) for point in cost.curve], color=BAD, marker=".")
        wrong.set(ylim=(0, None))
        wrong.set_ylabel("WER of these, %", color=BAD)
        axes.axvline(next(point.threshold for point in cost.curve if point.current), color=INKS[0], linestyle=":")
        for one in (axes, wrong):
            one.spines["top"].set_visible(False)
    return data_uri(figure)


def clip_wer(wer: pa.ChunkedArray) -> list[float]:
    return [min(value, BINS[-1]) for value in wer.drop_null().to_pylist()]


def data_uri(figure: Figure) -> str:
    content = io.BytesIO()
    figure.savefig(content, format="png", facecolor="white")
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
