"""Accuracy, speed and memory of models, measured on a sample of a manifest, and compared with the previous run."""
