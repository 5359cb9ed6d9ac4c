"""What is known of models, and which of them suit a selection."""
