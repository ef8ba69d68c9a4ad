"""The answer to "what broke": one value, as an object for programs and as a page for people.

Refuses to say more than the evidence: no class, no certainty; "nothing was sent" is always true of it.
"""

from dataclasses import dataclass
from typing import Any

SCHEMA = 1
TEXT_LINES_MAX = 20
LINE_CHARS_MAX = 200
# What to do is never cut for shortness: half a fix is none.
FIX_CHARS_MAX = 480


# What programs read for a failure that the closed list of classes has no name for.
OTHER = "other"


def public_id(class_id: str) -> str:
    """The id of the closed list: entries beyond it are all "other"."""
    return OTHER if class_id.startswith(OTHER + "_") else class_id


@dataclass(frozen=True, slots=True)
class Fix:
    """A fix ready to be tried: a command, a diff, or words."""

    id: str
    text: str
    command: str | None
    diff: str | None
    safety: str
    undo: str
    evidence: str
    pair: int | None = None
    argv: tuple[str, ...] = ()
    postcondition: str = "the same command succeeds"
    snippet: str | None = None  # a line of Nix to add

    def to_json(self) -> dict[str, Any]:
        """The fix in schema 1."""
        body: dict[str, Any] = {"id": self.id, "text": self.text}
        if self.diff is not None:
            body["diff"] = self.diff
        else:
            body["command"] = self.command
        return body | {
            "safety": self.safety,
            "undo": self.undo,
            "evidence": self.evidence,
            "argv": list(self.argv),
            "pair": self.pair,
            "postcondition": self.postcondition,
            "snippet": self.snippet,
        }


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to the machine's state, with what it answered."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What broke, where, what to do, and how sure that is."""

    class_id: str | None
    candidates: tuple[tuple[str, float, str], ...]
    cause: str
    file: str | None
    line: int
    fixes: tuple[Fix, ...]
    asked: tuple[Asked, ...]
    more_behind: bool
    prevention: str
    signature: str
    said: str  # the line of the output that names the cause, secrets hidden

    @property
    def confidence(self) -> float:
        """Of the first candidate; 0 when the answer abstains."""
        return self.candidates[0][1] if self.candidates and self.class_id else 0.0

    def to_json(self) -> dict[str, Any]:
        """Schema 1 of ``explain --json``; fields may be added."""
        return {
            "schema": SCHEMA,
            "class": public_id(self.class_id) if self.class_id else None,
            "about": self.class_id if self.class_id and public_id(self.class_id) == OTHER else None,
            "candidates": [{"class": public_id(c), "confidence": round(p, 3)} for c, p, _ in self.candidates],
            "cause": self.cause,
            "where": {"file": self.file, "line": self.line or None} if self.file else None,
            "fixes": [fix.to_json() for fix in self.fixes],
            "asked": [{"question": a.question, "answer": a.answer} for a in self.asked],
            "more_behind": self.more_behind,
            "confidence": round(self.confidence, 3),
            "prevention": self.prevention,
            "signature": self.signature,
            "said": self.said,
            "sent": False,
        }

    def to_text(self) -> str:
        """At most about 20 lines for a person."""
        if self.class_id is None:
            lines = ["I do not know this one." if not self.candidates else "I am not sure about this one."]
            if self.candidates:
                guesses = ", ".join(f"{public_id(c)} ({round(p * 100)} %)" for c, p, _ in self.candidates[:3])
                lines.append(f"It might be: {guesses}.")
            if self.said:
                lines.append(f"  it says   {_short(self.said)}")
            lines.append(
                "  try       give me the whole output from the command on; Nix tells more with --show-trace"
            )
            lines.append("Nothing was sent.")
            return "\n".join(lines) + "\n"
        lines = [f"What broke  {self.cause}"]
        if self.file:
            not_yours = (
                " (a copy in the store, not a file to edit)" if self.file.startswith("/nix/store/") else ""
            )
            lines.append(f"Where       {self.file}" + (f":{self.line}" if self.line else "") + not_yours)
        if self.said:
            lines.append(f"It says     {_short(self.said)}")
        why = self.candidates[0][2]
        lines.append(
            f"Why I think so  {why}; {round(self.confidence * 100)} % sure ({public_id(self.class_id)})"
        )
        lines += [f"Looked at   {asked.question}: {asked.answer}" for asked in self.asked[:3]]
        lines += self._fix_lines(TEXT_LINES_MAX - 4 - len(lines))
        if self.more_behind:
            lines.append("There may be more behind this one: Nix stops at the first fault.")
        if self.prevention:
            lines.append(f"Next time   {_short(self.prevention, FIX_CHARS_MAX)}")
        lines.append("Nothing was changed, nothing was sent.")
        return "\n".join(lines) + "\n"

    def _fix_lines(self, room: int) -> list[str]:
        lines: list[str] = []
        for number, fix in enumerate(self.fixes[:3], 1):
            block = [f"Fix {number}       {_short(fix.text, FIX_CHARS_MAX)}"]
            if fix.evidence.startswith("worked here"):
                block.append(f"    {fix.evidence}")
            if fix.diff is not None:
                block += ["    " + text for text in fix.diff.splitlines() if text[:1] in "+-@"]
            elif fix.snippet is not None:
                block.append(f"    {fix.snippet}")
            elif fix.command is not None:
                block.append(f"    $ {fix.command}")
            if number == 1 and fix.undo:
                block.append(f"    undo: {fix.undo}")
            if len(lines) + len(block) > room and lines:
                break
            lines += block
        return lines


def _short(text: str, most: int = LINE_CHARS_MAX) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
