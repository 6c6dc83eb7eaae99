"""``python -m tests.benchmarks NAME``: run one benchmark and print its figures."""

from __future__ import annotations

import sys
from importlib import import_module

BENCHMARKS = {
    "delay": "how exactly a delayed FIN leaves, 100 sessions at once",
    "memory": "memory of the proxy with 5,000 sessions open, then held",
    "backpressure": "memory added by 1 GiB through a slow reader",
    "churn": "what 10,000 sessions opened and closed leave behind",
    "relay": "finproxy beside haproxy, nginx, socat and Toxiproxy, as ratios to a direct connection",
}


MODULES = {"relay": ".relay.run"}
"""Where a benchmark is, if not in a module of its own name."""


def main() -> int:
    """Run the benchmark that the command line names."""
    if len(sys.argv) < 2 or sys.argv[1] not in BENCHMARKS:
        print("usage: python -m tests.benchmarks NAME\n")
        print("\n".join(f"  {name:14}{what}" for name, what in BENCHMARKS.items()))
        return 2
    import_module(MODULES.get(sys.argv[1], f".{sys.argv[1]}"), __package__).main(sys.argv[2:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
