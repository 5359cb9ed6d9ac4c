"""From a model's name to a file that is safe to open."""
