"""Learning: what this node counts, what it releases, and what of others' counts it adopts.

Refuses to send anything but integers over a closed layout, and to adopt anything that hurts it.
"""
