"""The demo: a corpus with known wrong references, and the checkpoints trained for it."""
