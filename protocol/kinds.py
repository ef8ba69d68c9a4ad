"""The kinds of envelope, numbered for ever.

Refuses reuse: a retired number is never given again.
"""

from enum import IntEnum


class Kind(IntEnum):
    """What an envelope's payload is."""

    PROPOSAL = 1
    BALLOT = 2
    CLOSE = 3
    DELTA = 4
    BINDING = 5
    REPORT = 6
    LEAD = 7
    VOTE = 8
    FINAL = 9
    CERTIFICATE = 10
    OPERATION = 11
    HEADS = 12
