"""What models say about references: how well the audio supports them, and what was said instead."""
