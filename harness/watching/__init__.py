"""Watching: from rows and kernel events to the histories of endpoints, and waiting for what they show.

history.py decides (sans-I/O), rounds.py looks and reads events, watcher.py repeats that on a thread,
seen.py is what users hold. Use it through `harness.watch`.
"""
