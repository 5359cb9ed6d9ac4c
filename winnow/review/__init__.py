"""Review: a person looks at the doubtful rows of a run, listens, and decides."""
