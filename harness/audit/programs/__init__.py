"""The little programs that recipes start: applications with a slow path, and clients that ask twice.

Each is run as a script, or loaded by the server that is audited, and knows nothing of the audit.
"""
