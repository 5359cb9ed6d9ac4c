"""The public functions that `from winnow import …` offers: thin, typed layers over the rest of the library."""
