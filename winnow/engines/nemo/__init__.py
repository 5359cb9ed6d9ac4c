"""NeMo's checkpoints: where they come from, their preflight, and how they transcribe."""
