"""Models measured on a sample, and tables of what came of it."""
