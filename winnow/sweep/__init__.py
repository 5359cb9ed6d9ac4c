"""What other rules and thresholds would keep of a complete run."""
