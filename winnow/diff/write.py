"""Writing a difference into the folder of the later run."""

from pathlib import Path

from winnow.diff.difference import Difference
from winnow.diff.render import render_difference
from winnow.printable import printable_json
from winnow.reports.render import render_page
from winnow.runs.storage import location, put


def write_difference(difference: Difference) -> Path:
    """Write diff.json and diff.html into the folder of the later run; return the page."""
    run = location(difference.after.run)
    put(run / "diff.json", printable_json(difference.model_dump_json(indent=1)).encode() + b"\n")
    names = [Path(totals.run).name for totals in (difference.before, difference.after)]
    put(run / "diff.html", render_page(render_difference(difference), f"{names[1]} compared with {names[0]}").encode())
    return run / "diff.html"
