"""Secrets and personal marks out of a text, before it is kept or shown.

Refuses to promise completeness: it knows the shapes of tokens, passwords, keys and names, not their meaning,
so a text meant for others is always shown to its owner first.
"""

import re
from functools import lru_cache

MASK = "<hidden>"


@lru_cache(maxsize=1)
def _secrets() -> tuple[tuple[re.Pattern[str], str], ...]:
    i = re.IGNORECASE
    return (
        (
            re.compile(
                r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.S
            ),
            "<private key hidden>",
        ),
        (re.compile(r"\bAGE-SECRET-KEY-1[0-9A-Z]{20,}"), MASK),
        (re.compile(r"([a-z][a-z0-9+.-]{1,20}://)[^/\s:@'\"]{0,200}:[^/\s@'\"]{1,400}@", i), rf"\1{MASK}@"),
        (re.compile(r"([a-z][a-z0-9+.-]{1,20}://)[^/\s:@'\"]{16,400}@", i), rf"\1{MASK}@"),
        (
            re.compile(
                r"\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abpr]-[\w-]{10,})"
            ),
            MASK,
        ),
        (re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), MASK),
        (re.compile(r"\bsk-[A-Za-z0-9_-]{20,}|\bhf_[A-Za-z0-9]{20,}|\bAIza[\w-]{30,}"), MASK),
        (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), MASK),
        (
            re.compile(r"((?:authorization|proxy-authorization|x-api-key|cookie)\s*[:=]\s*)[^\r\n'\"]+", i),
            rf"\1{MASK}",
        ),
        (re.compile(r"(\baccess-tokens\s*=\s*)[^\r\n]+", i), rf"\1{MASK}"),
        (re.compile(r"(\b(?:bearer|basic)\s+)[A-Za-z0-9+/=._~-]{12,}", i), rf"\1{MASK}"),
        (
            re.compile(
                r"(\b[\w-]{0,40}(?:password|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key|"
                r"hashedpassword|psk)[\w-]{0,20}(?:[\"']?\s*=\s*|[\"']\s*:\s*|(?<=word): ))"
                r"(\"[^\"\n]*\"|'[^'\n]*'|[^\s;,'\"]{4,})",
                i,
            ),
            rf"\1{MASK}",
        ),
        (re.compile(r"(--?(?:password|passwd|token|secret|api-key)[= ])\S+", i), rf"\1{MASK}"),
        (re.compile(r"(\$[0-9a-z]{1,2}\$)[./A-Za-z0-9=,+$-]{20,}"), rf"\1{MASK}"),
    )


@lru_cache(maxsize=1)
def _personal() -> tuple[tuple[re.Pattern[str], str], ...]:
    return (
        (re.compile(r"(/(?:home|Users)/)[^/\s'\":]+"), r"\1USER"),
        (re.compile(r"(per-user/)(?!root\b)[^/\s'\":]+"), r"\1USER"),
        (re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,5}"), "USER@HOST"),
        (re.compile(r"\b(?!127\.0\.0\.1\b|0\.0\.0\.0\b)(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*[-\w])"), "ADDRESS"),
        (re.compile(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", re.I), "ADDRESS"),
        (re.compile(r"(nixosConfigurations\.)(?:\"[^\"\n]+\"|[\w-]+)"), r"\1HOST"),
        (re.compile(r"(nixos-system-)[\w-]+?(-\d\d\.\d\d)"), r"\1HOST\2"),
        (re.compile(r"^([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )\S+", re.M), r"\1HOST"),
    )


def hide_secrets(text: str) -> str:
    """``text`` with tokens, passwords, keys and credentials in URLs masked."""
    for pattern, replacement in _secrets():
        text = pattern.sub(replacement, text)
    return text


def hide_person(text: str) -> str:
    """``text`` also without user names, host names, addresses: for an issue tracker."""
    text = hide_secrets(text)
    for pattern, replacement in _personal():
        text = pattern.sub(replacement, text)
    return text
