"""What would stop a run on this machine, and what mends it."""
