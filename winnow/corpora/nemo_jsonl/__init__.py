"""NeMo manifests, the one source today: a JSON object on each line."""
