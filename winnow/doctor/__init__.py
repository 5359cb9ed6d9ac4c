"""The doctor: checks of a machine and of models before a run, each with a remedy."""
