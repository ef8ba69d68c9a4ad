"""What can be proven: keys, signatures, digests, noise, privacy arithmetic.

Refuses to know what a node or a message is, to read a clock and to make chance of its own.
"""
