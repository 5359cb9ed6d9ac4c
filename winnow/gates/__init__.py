"""Who goes on to the next model, and how a budget for it is spent."""
