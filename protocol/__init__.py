"""What every node must agree on: the wire, admission, counting, aggregation.

Refuses to decide anything that two correct nodes could decide differently.
"""
