"""Texts: normalize them, compare them, measure them and combine them by vote."""
