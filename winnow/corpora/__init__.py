"""Sources of utterances: forms of input, their rows and their languages."""
