"""The control API: steers running proxies over HTTP while traffic flows.

`proxies` is the registry of what runs, `ring` keeps the newest records, `toxiproxy` speaks Toxiproxy's API as
its clients know it, `v1` our own, and `application` puts them together behind the guard of finproxy/web.
Imported only where an API is served.
"""
