"""Incidents and intents: what was wrong, what was tried, how it ended. Kept in the journal, shown to people.

Refuses to lose the why: each carries the cause it was planned for and how to undo it.
"""

from dataclasses import dataclass, replace

from luminous.node.core.healing.lifecycle import Phase
from luminous.protocol.codec import Value

INTENT = "healing.intent"
INCIDENT = "healing.incident"


@dataclass(frozen=True, slots=True)
class Intent:
    """One act, from plan to outcome. Times are wall_ms; ``steps`` what the shell said it did."""

    id: str
    incident: str
    symptom: str
    target: str
    verb: str
    on: str
    phase: Phase
    at_wall_ms: int
    undo: str = ""
    steps: str = ""

    def body(self) -> dict[str, Value]:
        """As it is kept."""
        return {
            "id": self.id,
            "incident": self.incident,
            "symptom": self.symptom,
            "target": self.target,
            "verb": self.verb,
            "on": self.on,
            "phase": self.phase.value,
            "at": self.at_wall_ms,
            "undo": self.undo,
            "steps": self.steps,
        }


@dataclass(frozen=True, slots=True)
class Incident:
    """One time a symptom was there. ``closed_wall_ms`` 0: it still is. ``result``: how it ended."""

    id: str
    symptom: str
    target: str
    cause: str
    opened_wall_ms: int
    closed_wall_ms: int = 0
    is_escalated: bool = False
    result: str = ""

    def body(self) -> dict[str, Value]:
        """As it is kept."""
        return {
            "id": self.id,
            "symptom": self.symptom,
            "target": self.target,
            "cause": self.cause,
            "opened": self.opened_wall_ms,
            "closed": self.closed_wall_ms,
            "escalated": self.is_escalated,
            "result": self.result,
        }

    def close(self, wall_ms: int, result: str) -> "Incident":
        """The same incident, over."""
        return replace(self, closed_wall_ms=wall_ms, result=result)


def intent_of(body: dict[str, Value]) -> Intent:
    """A kept intent. Our own record: a wrong one is our fault."""
    at = body["at"]
    assert isinstance(at, int)
    return Intent(
        id=_text(body, "id"),
        incident=_text(body, "incident"),
        symptom=_text(body, "symptom"),
        target=_text(body, "target"),
        verb=_text(body, "verb"),
        on=_text(body, "on"),
        phase=Phase(_text(body, "phase")),
        at_wall_ms=at,
        undo=_text(body, "undo"),
        steps=_text(body, "steps"),
    )


def incident_of(body: dict[str, Value]) -> Incident:
    """A kept incident."""
    opened, closed = body["opened"], body["closed"]
    assert isinstance(opened, int) and isinstance(closed, int)
    return Incident(
        id=_text(body, "id"),
        symptom=_text(body, "symptom"),
        target=_text(body, "target"),
        cause=_text(body, "cause"),
        opened_wall_ms=opened,
        closed_wall_ms=closed,
        is_escalated=body["escalated"] is True,
        result=_text(body, "result"),
    )


def _text(body: dict[str, Value], key: str) -> str:
    value = body[key]
    assert isinstance(value, str), key
    return value
