"""What differs between two runs: decisions, hours, error rates, evidence, models and settings."""
