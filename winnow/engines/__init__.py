"""Engines turn audio into hypotheses: checkpoints, loaded models, batches, and isolation from what kills a process."""
