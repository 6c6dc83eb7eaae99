"""The agent: tells a harness elsewhere, over HTTP, what TCP states its own network namespace goes through.

reporter.py turns the watcher's rounds into news (watcher's thread), board.py keeps what has been told (Trio's
thread), service.py answers requests, command.py runs it all for `finproxy agent`. spelling.py is shared with
the other side, harness/remote.
"""
