"""Verdicts: what people decided about the rows of a run, who and when."""
