"""The other side of agents and of the control API: other network namespaces, as if they were here.

asking.py speaks HTTP, agent_link.py follows an agent's events for a watch. How values are written is in
harness/agent/spelling.py.
"""
