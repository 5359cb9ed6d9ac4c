"""Export: a finished run becomes data that a trainer reads at once."""
