"""The figures of the quality report, and how they are shown."""
