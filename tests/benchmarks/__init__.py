"""Benchmarks: commands that print figures. Nothing here passes or fails; tests never measure time."""
