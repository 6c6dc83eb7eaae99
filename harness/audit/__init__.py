"""The audit: termination scenarios by programs, a verdict in each cell and behind it the evidence.

recipe.py says what a subject is, reading.py and known.py where it comes from, plan.py which cells there are;
run.py has them played by worker processes (crew.py, worker.py, bench.py); results.py is what was found;
telling.py, page/, export.py and diffing.py show it; command.py is what the command line does.
"""
