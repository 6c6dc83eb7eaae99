"""What the API costs: calls and the sessions beside them, 10,000 toxics, fifty readers with one stalled."""

from __future__ import annotations

from .calls import print_calls
from .leftovers import print_leftovers
from .readers import print_readers
from .stage import stage

PARTS = {"calls": print_calls, "toxics": print_leftovers, "readers": print_readers}


def main(arguments: list[str]) -> int:
    """Print all figures, or those of the parts that are named."""
    if unknown := [name for name in arguments if name not in PARTS]:
        print(f"expected any of {', '.join(PARTS)}, found {', '.join(unknown)}")
        return 2
    with stage() as everything:
        for name in arguments or PARTS:
            PARTS[name](everything)
    return 0
