"""Files of other machines: which URLs are read, and how they come into the cache of audio."""
