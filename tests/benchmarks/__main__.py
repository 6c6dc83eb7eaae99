"""``python -m tests.benchmarks NAME``: run one benchmark and print its figures."""

from __future__ import annotations

import sys
from importlib import import_module

BENCHMARKS = {
    "delay": "how exactly a delayed FIN leaves, 100 sessions at once",
    "memory": "memory of the proxy with 5,000 sessions open, then held",
    "backpressure": "memory added by 1 GiB through a slow reader",
    "churn": "what 10,000 sessions opened and closed leave behind",
    "wire": "how fast FINs that were kept out come in, and what a filter costs that is not used",
    "harness": "what one look of the harness costs",
}

MODULES = {"wire": "wire_bench", "harness": "harness_bench"}
"""Where a benchmark is not found under its own name."""


def main() -> int:
    """Run the benchmark that the command line names."""
    if len(sys.argv) < 2 or sys.argv[1] not in BENCHMARKS:
        print("usage: python -m tests.benchmarks NAME\n")
        print("\n".join(f"  {name:14}{what}" for name, what in BENCHMARKS.items()))
        return 2
    module = MODULES.get(sys.argv[1], sys.argv[1])
    import_module(f".{module}", __package__).main(sys.argv[2:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
