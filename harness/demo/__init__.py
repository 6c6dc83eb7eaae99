"""The demo: Table 154 walked in lock step by a real client and a real server, and watched by the harness.

walks.py says what is done and what must be seen (data), judging.py decides what was seen (sans-I/O),
actor.py starts the two processes (end.py is what they run), stage.py puts proxy and processes together and
acts, walking.py goes from row to row, reporting.py shows it, command.py is `finproxy demo`.
"""
