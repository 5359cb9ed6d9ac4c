"""Audio: opened safely, decoded, measured, or refused with a reason."""
