"""Texts made alike, compared with each other, and put to the vote."""
