"""Rules that a kept utterance must satisfy: how they are written, what they compare, and what they decide."""
