"""The output of a run, on a disk or in an object store: its folder, its ledger, and files that appear whole."""
