"""Which checkpoints are on this machine already, so that no network is needed for them."""
