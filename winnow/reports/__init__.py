"""The quality report: its figures, charts and pages.

A figure is computed in a module named after it (`counts`, `wer_distribution`, `agreement`, `bands`, `audit`,
`throughput`) and becomes a field of `summary.Report`. A section of the page is one entry of `sections.SECTIONS`; a
chart is one function in `charts` and one entry in its section.
"""
