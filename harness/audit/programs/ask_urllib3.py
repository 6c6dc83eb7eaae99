"""Ask a URL twice on one kept connection with urllib3, print the bodies, fail as it fails."""

import sys

import urllib3

with urllib3.PoolManager(timeout=urllib3.Timeout(10)) as pool:
    for _ in range(2):
        print(pool.request("GET", sys.argv[1]).data.decode(), flush=True)
