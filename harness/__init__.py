"""Watches the operating system's socket states on both ends of a TCP connection."""
