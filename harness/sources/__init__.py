"""Where socket rows and kernel events come from. All OS-specific code of the harness is in this package.

One file per source; base.py says what a source offers, choice.py is the one place where sources are chosen.
Modules outside the package must not ask the operating system about sockets themselves.
"""
