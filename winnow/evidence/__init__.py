"""Evidence: how well the audio speaks for a reference, what share of wrong ones a limit finds, and what was said."""
