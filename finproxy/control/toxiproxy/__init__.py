"""Toxiproxy's HTTP API, as its 2.12 server speaks it and its client libraries rely on it.

`gojson` reads and writes JSON as Go does, `inputs` knows what each request may contain, `views` what an
answer looks like, and `routes` what each request does. Toxiproxy's known defects are not copied.
"""
