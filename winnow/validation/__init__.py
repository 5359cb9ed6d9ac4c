"""Checks of a run before any model is loaded."""
