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
    "harness": "what watching costs and what it sees",
    "toxics": "how exactly toxics keep time and rate, and what 10,000 of them leave behind",
    "api": "API calls a second, what they cost sessions, what toxics and readers leave or hold up",
    "relay": "finproxy beside haproxy, nginx, socat and Toxiproxy, as ratios to a direct connection",
}

MODULES = {"wire": ".wire_bench", "harness": ".harness_bench", "relay": ".relay.run", "api": ".api.run"}
"""Where a benchmark is, if not in a module of its own name."""


def main() -> int:
    """Run the benchmark that the command line names."""
    if len(sys.argv) < 2 or sys.argv[1] not in BENCHMARKS:
        print("usage: python -m tests.benchmarks NAME\n")
        print("\n".join(f"  {name:14}{what}" for name, what in BENCHMARKS.items()))
        return 2
    module = import_module(MODULES.get(sys.argv[1], f".{sys.argv[1]}"), __package__)
    missed: int | None = module.main(sys.argv[2:])
    return missed or 0


if __name__ == "__main__":
    sys.exit(main())
