"""The text of a failure, cleaned and cut into lines of known kind.

Terminal escapes and control characters go, quotes become plain, the frames that ``nh``, ``nom`` and the
journal put before a line go, and every line is told apart: what Nix itself says, a frame of its trace, a
line of the user's source that it shows, or the output of a builder. Refuses to judge what the text means.
"""

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from luminous.node.core.causes.frames import unframed

# What is read of a failure's output: the first lines name the command, the last ones the cause. Stops
# endless builder output from filling memory.
HEAD_SIZE_BYTES_MAX = 256 * 1024
TAIL_SIZE_BYTES_MAX = 1024 * 1024
# One line longer than this is a data dump, not a message. Stops quadratic matching.
LINE_CHARS_MAX = 4000
LINES_MAX = 20_000


class LineKind(Enum):
    """What a line of a failure's output is."""

    SAID = "said"  # Nix, a tool around it, or a builder whose lines carry no mark
    TRACE = "trace"  # a frame: "… while evaluating", "at FILE:LINE:COLUMN"
    EXCERPT = "excerpt"  # the user's source, shown with line numbers
    LOG = "log"  # builder output that carries Nix's mark "> "


@dataclass(frozen=True, slots=True)
class Line:
    """One cleaned line and its kind."""

    text: str
    kind: LineKind


@dataclass(frozen=True, slots=True)
class FailureText:
    """A whole failure: all ``lines``, and the views that the recognisers read."""

    lines: tuple[Line, ...]
    said: str  # without builder log, trace and excerpts
    outside: str  # without trace and excerpts
    trace: str  # the frames only
    excerpt: str  # the source shown only
    cut: bool  # something in the middle was left out

    @property
    def is_empty(self) -> bool:
        """Whether nothing legible was left."""
        return not self.outside.strip() and not self.trace.strip()


@lru_cache(maxsize=1)
def _patterns() -> tuple[re.Pattern[str], ...]:
    return (
        # CSI, OSC (ended by BEL or ST), DCS/APC/PM/SOS, two-character escapes
        re.compile(
            r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\|$)|\x1b[PX^_].*?(?:\x1b\\|$)"
            r"|\x1b[ -/]*[0-~]|\x9b[0-?]*[ -/]*[@-~]",
            re.S,
        ),
        # frames: the journal's, nh's and nom's, a quoted mail's
        re.compile(r"^(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ [^\s:\[\]]+(?:\[\d+\])?: )"),
        re.compile(r"^\s*[┃│┏┗┣┡╰╭|]\s?"),
        re.compile(r"^\s*(?:>|[┃│] ?>) ?"),
        re.compile(r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,80}> "),
        re.compile(r"^\s*\d+\|(?:\s|$)|^\s+\|(?:\s|$)"),
        re.compile(r"^\s*(?:…|\.\.\.) |^\s*at [^\s].*:\d+(?::\d+)?:?$|^\s*(?:while|from) [a-z]"),
        re.compile(r"^\[\d+/\d+/\d+ built[^\]]*\] ?"),
        # nixops pads a machine's name with dots: no log of a build looks so
        re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*\.{3,}> "),
    )


_QUOTES = str.maketrans(
    {"‘": "'", "’": "'", "‚": "'", "`": "'", "´": "'", "“": '"', "”": '"', "„": '"', "\u00a0": " "}
)


def strip_escapes(raw: str) -> str:
    """``raw`` without terminal escapes and control characters; carriage returns end a line."""
    plain = _patterns()[0].sub("", raw) if ("\x1b" in raw or "\x9b" in raw) else raw
    plain = plain.replace("\r\n", "\n").replace("\r", "\n")
    if plain.isprintable():
        return plain
    return "".join(c if c in "\n\t" or (c.isprintable() or c.isspace()) else "\ufffd" for c in plain)


def bound(raw: bytes) -> tuple[str, bool]:
    """Decode at most the first 256 KiB and the last 1 MiB; the flag says that something was left out."""
    if len(raw) <= HEAD_SIZE_BYTES_MAX + TAIL_SIZE_BYTES_MAX:
        return raw.decode("utf-8", "replace"), False
    head = raw[:HEAD_SIZE_BYTES_MAX].decode("utf-8", "replace")
    tail = raw[-TAIL_SIZE_BYTES_MAX:].decode("utf-8", "replace")
    return head + "\n" + tail, True


def read_failure(raw: str, *, cut: bool = False) -> FailureText:
    """Clean and cut ``raw``; the views join lines with newlines, quotes made plain."""
    lines: list[Line] = []
    pieces = strip_escapes(raw).translate(_QUOTES).split("\n")
    if len(pieces) > LINES_MAX:
        pieces, cut = pieces[: LINES_MAX // 4] + pieces[-(LINES_MAX - LINES_MAX // 4) :], True
    for piece in unframed(pieces):
        lines.append(_classify_line(piece[:LINE_CHARS_MAX].rstrip()))
    view = {kind: "\n".join(line.text for line in lines if line.kind is kind) for kind in LineKind}
    outside = "\n".join(line.text for line in lines if line.kind in (LineKind.SAID, LineKind.LOG))
    return FailureText(
        tuple(lines), view[LineKind.SAID], outside, view[LineKind.TRACE], view[LineKind.EXCERPT], cut
    )


def _classify_line(text: str) -> Line:
    _, journal, bar, mark, package, excerpt, trace, nom, machine = _patterns()
    if text[:1].isupper():
        text = journal.sub("", text, count=1)
    if excerpt.match(text):
        return Line(text, LineKind.EXCERPT)
    if text.lstrip()[:1] in tuple("┃│┏┗┣┡╰╭"):
        text = bar.sub("", text, count=1)
        if excerpt.match(text):
            return Line(text, LineKind.EXCERPT)
    if text.startswith("["):
        text = nom.sub("", text, count=1)
    if "...> " in text[:84]:
        text = machine.sub("", text, count=1)
    marked = mark.sub("", text, count=1)
    if marked != text:
        # A quoted Nix message (a mail, a forum) is still what Nix said.
        kind = LineKind.SAID if marked.startswith("error:") else LineKind.LOG
        return Line(marked, kind)
    if "> " in text[:84] and package.match(text):
        return Line(package.sub("", text, count=1), LineKind.LOG)
    if trace.match(text):
        return Line(text, LineKind.TRACE)
    return Line(text, LineKind.SAID)
