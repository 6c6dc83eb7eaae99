"""Ask a URL twice on one kept connection with requests, print the bodies, fail as it fails."""

import sys

import requests

with requests.Session() as session:
    for _ in range(2):
        print(session.get(sys.argv[1], timeout=10).text, flush=True)
