"""Artifacts run by strangers: compared with their model, timed."""
