"""From samples to readings: models that are loaded, batches, decoders, and what kills them kept apart."""
