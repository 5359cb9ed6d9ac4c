"""Runs seen from outside: metrics and spans of OpenTelemetry."""
