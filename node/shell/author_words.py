"""An author id as four pronounceable words: to compare by voice or at a glance.

Refuses to be proof: two authors may share words after much searching, so signatures never rest on them.
"""

from luminous.crypto.digest import digest

_CONSONANTS = "bdfghjklmnprstvz"
_VOWELS = "aiou"


def words_of(author: bytes) -> str:
    """Four proquints (Wilkerson 2009) of a 64-bit digest of ``author``: to compare by voice, not to trust."""
    short = digest("identity-words", author, size_bytes=8)
    return "-".join(_proquint(int.from_bytes(short[at : at + 2], "big")) for at in range(0, 8, 2))


def _proquint(value: int) -> str:
    """Sixteen bits as consonant, vowel, consonant, vowel, consonant."""
    return (
        _CONSONANTS[value >> 12]
        + _VOWELS[value >> 10 & 3]
        + _CONSONANTS[value >> 6 & 15]
        + _VOWELS[value >> 4 & 3]
        + _CONSONANTS[value & 15]
    )
