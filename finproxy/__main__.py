"""``python -m finproxy``: the same as the command ``finproxy``."""

from .cli import main

main()
