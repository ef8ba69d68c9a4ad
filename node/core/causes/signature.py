"""A stateless, versioned signature of a failure: two nodes with the same error agree without talking.

Picks the line that names the cause, masks what is private or accidental (paths, hashes, names, numbers) and
hashes the rest. Refuses to keep what it masks.
"""

import re
from functools import lru_cache

from luminous.crypto.digest import digest
from luminous.node.core.causes.text import FailureText, LineKind

VERSION = 1
SIGNATURE_SIZE_BYTES = 16

# Messages that only say that something else failed.
_WRAPPERS = (
    "dependencies of derivation",
    "couldn't be built",
    "dependency failed",
    "dependencies failed",
    "build of '",
    "builder for '",
    "some substitutes for",
    "error(s) occurred while switching",
    "nix command failed",
    "program 'git' failed",
    "cannot build '",
    "command 'nix",
    "returned non-zero exit status",
    "failed to build configuration",
    "while evaluating",
)
# Texts that name a cause wherever they stand, even inside a builder's output.
_STRONG = (
    "database or disk is full",
    "no space left on device",
    "read-only file system",
    "hash mismatch",
    "was modified! expected hash",
    "collision between",
    "is in the way of",
    "would be clobbered",
    "out of memory",
    "cannot allocate memory",
    "killed signal terminated",
    "terminated with signal 9",
    "refusing to evaluate",
    "failed assertions:",
    "units failed",
    "ssl ca cert",
    "ssl certificate",
    "certificate verif",
    "resolve host",
    "rate limit",
    "unable to download",
    "timed out after",
    "dubious ownership",
    "is not owned by current user",
    "database disk image is malformed",
    "disabled; use '--",
    "failed to produce output",
)


@lru_cache(maxsize=1)
def _masks() -> tuple[tuple[re.Pattern[str], str], ...]:
    return (
        (re.compile(r"/nix/store/[0-9a-z]{32}-[^\s'\":,;)]*"), "<store>"),
        (re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\"]+"), "<url>"),
        (re.compile(r"\bsha(?:1|256|512)[-:][A-Za-z0-9+/=]+|\bmd5:[0-9a-f]+"), "<hash>"),
        (re.compile(r"\b[0-9a-z]{32,}\b"), "<hash>"),
        (re.compile(r"(?<![\w<])(?:~|\.{0,2})/[^\s'\":,;)]+"), "<path>"),
        (re.compile(r"'[^'\n]*'"), "'*'"),
        (re.compile(r'"[^"\n]*"'), '"*"'),
        (re.compile(r"«[^»\n]*»"), "«*»"),
        (re.compile(r"\b\d[\d.]*\b"), "<n>"),
        (re.compile(r"\s+"), " "),
    )


def cause_line(failure: FailureText) -> str:
    """The line that names the cause; "" when the text has none."""
    for line in failure.lines:
        if line.kind in (LineKind.SAID, LineKind.LOG):
            lower = line.text.lower()
            for cue in _STRONG:
                if cue in lower:
                    return line.text.strip()
    said = [line.text for line in failure.lines if line.kind is LineKind.SAID]
    messages = []
    for place, text in enumerate(said):
        bare = text.strip()
        if not bare.lower().startswith(("error:", "fatal:", "- error:")):
            continue
        message = bare.split(":", 1)[1].strip()
        if message.startswith("--- "):
            message = ""  # the ruled heading of Nix 2.4's first releases
        if not message:
            # A bare "error:": the message is the next line with content that is not another "error:".
            rest = (t.strip() for t in said[place + 1 : place + 4])
            message = next((t for t in rest if t and not t.startswith("error:")), "")
        if message:
            messages.append(message)
    plain = [m for m in messages if not any(w in m.lower() for w in _WRAPPERS)]
    if plain:
        return plain[-1]
    if messages:
        return messages[0]
    return next((t.strip() for t in reversed(said) if t.strip()), "")


def builder_line(failure: FailureText) -> str:
    """The first line of a builder's marked log that tells of an error, else its last; "" without one."""
    log = [line.text.strip() for line in failure.lines if line.kind is LineKind.LOG and line.text.strip()]
    telling = (text for text in log if _tells_of_error().search(text))
    return next(telling, log[-1] if log else "")


@lru_cache(maxsize=1)
def _tells_of_error() -> re.Pattern[str]:
    return re.compile(
        r"\berror\b|\bfatal\b|\bfailed\b|\bcannot\b|could ?n[o']t|not found|undefined reference"
        r"|No such file|panicked|Permission denied|Traceback",
        re.I,
    )


def mask(line: str) -> str:
    """``line`` without what is private or accidental."""
    for pattern, replacement in _masks():
        line = pattern.sub(replacement, line)
    return line.strip().lower()


def masked_cause(failure: FailureText) -> str:
    """The masked cause line."""
    return mask(cause_line(failure))


def signature(failure: FailureText) -> bytes:
    """16 bytes over the version and the masked cause line; equal for the same error on any machine."""
    return digest(
        "error-signature",
        VERSION.to_bytes(2, "big"),
        masked_cause(failure).encode("utf-8"),
        size_bytes=SIGNATURE_SIZE_BYTES,
    )
