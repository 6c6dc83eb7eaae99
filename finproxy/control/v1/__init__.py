"""Our own API: proxies with rules, live sessions and what can be done to them, records as they come.

The operations are the marked methods of `about_proxies`, `about_sessions` and `about_records`. From their
parameters, whose types are in `shapes`, requests are checked (`operations`), and the OpenAPI document
(`openapi`) and its page (`page`) are made.
"""
