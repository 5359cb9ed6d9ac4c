"""The Prefect server of a run: a temporary one, or the configured one that is watched."""
