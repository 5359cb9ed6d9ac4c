"""The forms of exported data, one a module."""
