"""The relay benchmark: the same work through nothing, through finproxy and through its peers, in turn."""
