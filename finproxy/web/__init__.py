"""HTTP pieces that serve any ASGI application in this Trio run: they know nothing of proxies.

The control API (finproxy/control) is made of them, and so is whatever else has to be asked over HTTP.
Starlette and Hypercorn are heavy: none of these modules is imported before something is served.
"""
