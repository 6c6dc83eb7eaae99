"""Ask a URL twice on one kept connection with httpx, print the bodies, fail as it fails."""

import sys

import httpx

with httpx.Client(timeout=10) as client:
    for _ in range(2):
        print(client.get(sys.argv[1]).text, flush=True)
