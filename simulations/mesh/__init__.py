"""The mesh: the real shell and unmodified GossipSub in virtual time, over simulated links."""
