"""Golden vectors of the wire: what other implementations, and later versions of this one, must agree on.

Refuses chance and clocks: every seed, id and time is written down here, so the files never differ.
"""
