"""Nix's ways of writing a hash, so that one can be found in a file whatever its spelling.

Refuses hashes of unknown length. Nix base-32: the alphabet without e o u t, last digit first.
"""

import re

_NIX32 = "0123456789abcdfghijklmnpqrsvwxyz"
_B64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_SIZES = {"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}
FAKE_SRI = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


def decode(text: str) -> tuple[str, bytes] | None:
    """(algorithm, bytes) of an SRI, "algo:…" or bare hash; None when it is none."""
    match = re.fullmatch(r"(?:(md5|sha1|sha256|sha512)[-:])?([A-Za-z0-9+/=]{22,140})", text.strip())
    if not match:
        return None
    body = match[2]
    for algorithm in (match[1],) if match[1] else ("sha256", "sha512", "sha1", "md5"):
        size = _SIZES[algorithm]
        for read in (_from_hex, _from_nix32, _from_base64):
            raw = read(body, size)
            if raw is not None:
                return algorithm, raw
    return None


def spellings(algorithm: str, raw: bytes) -> tuple[str, ...]:
    """Every way to write it, the most telling first."""
    sri = f"{algorithm}-{_to_base64(raw)}"
    return (sri, f"{algorithm}:{_to_nix32(raw)}", _to_nix32(raw), raw.hex(), _to_base64(raw))


def _from_hex(body: str, size: int) -> bytes | None:
    if len(body) != size * 2 or not re.fullmatch(r"[0-9a-f]+", body):
        return None
    return bytes.fromhex(body)


def _from_nix32(body: str, size: int) -> bytes | None:
    if len(body) != (size * 8 - 1) // 5 + 1 or any(c not in _NIX32 for c in body):
        return None
    value = 0
    for c in body:
        value = value * 32 + _NIX32.index(c)
    return value.to_bytes(size, "little") if value < 1 << (size * 8) else None


def _to_nix32(raw: bytes) -> str:
    value = int.from_bytes(raw, "little")
    length = (len(raw) * 8 - 1) // 5 + 1
    return "".join(_NIX32[(value >> (5 * i)) & 31] for i in range(length - 1, -1, -1))


def _from_base64(body: str, size: int) -> bytes | None:
    digits = body.rstrip("=")
    if len(body) != (size + 2) // 3 * 4 or len(digits) != (size * 8 + 5) // 6:
        return None
    value = 0
    for c in digits:
        value = value * 64 + _B64.index(c) if c in _B64 else -1
        if value < 0:
            return None
    spare = len(digits) * 6 - size * 8
    return (value >> spare).to_bytes(size, "big")


def _to_base64(raw: bytes) -> str:
    spare = -len(raw) % 3
    value = int.from_bytes(raw + b"\0" * spare, "big")
    length = (len(raw) + spare) // 3 * 4
    text = "".join(_B64[(value >> (6 * i)) & 63] for i in range(length - 1, -1, -1))
    return text[: length - spare] + "=" * spare
