"""Measurements: scripts that print what the README and the reports in this folder quote."""
