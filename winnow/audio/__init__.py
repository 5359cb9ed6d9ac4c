"""From a file to samples: decoded, measured, or refused with a reason."""
