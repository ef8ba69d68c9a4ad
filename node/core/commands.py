"""What a person may ask of a running node, as values.

Refuses argument vectors, code and paths: each command is closed and typed.
"""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Propose:
    """Put a proposal to the vote. ``effects``: parameter keys and new values; closes at ``closes_at_ms``.

    ``unknowns``: what the proposer does not know, at least one for anything but a text.
    """

    kind: str
    title: str
    text: str
    effects: tuple[tuple[str, int], ...]
    threshold: str
    closes_at_ms: int
    unknowns: tuple[str, ...] = ()
    confidence_milli: int = 0


@dataclass(frozen=True, slots=True)
class CastVote:
    """Vote ``yes``, ``no`` or ``abstain`` on a proposal, named by its id or a unique prefix (hex)."""

    proposal: str
    choice: str


@dataclass(frozen=True, slots=True)
class Override:
    """Keep ``value`` for a parameter on this machine whatever is decided; None: follow the decision."""

    key: str
    value: int | None


@dataclass(frozen=True, slots=True)
class SetParameter:
    """In a fleet the owner simply sets a parameter."""

    key: str
    value: int


@dataclass(frozen=True, slots=True)
class GrantLearning:
    """Consent to release at ``level`` (PUBLIC, DIFFERENTIAL, ENCRYPTED, LOCAL_ONLY)."""

    level: str


@dataclass(frozen=True, slots=True)
class Forget:
    """Delete evidence, statistics and counts; charges and own signed acts stay."""


@dataclass(frozen=True, slots=True)
class Heal:
    """Consent to a proposed healing act, or undo it."""

    intent: str
    undo: bool = False


@dataclass(frozen=True, slots=True)
class Bind:
    """Sign that ``peer`` is this node's transport identity until ``not_after_ms``."""

    peer: str
    not_after_ms: int


@dataclass(frozen=True, slots=True)
class Invite:
    """Ask the members to admit the holder of ``author`` (hexadecimal key); closes at ``closes_at_ms``."""

    author: str
    title: str
    text: str
    closes_at_ms: int


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave the roll for good."""


@dataclass(frozen=True, slots=True)
class Rotate:
    """Give the own place on the roll to another key, which signed ``consent`` (both hexadecimal)."""

    successor: str
    consent: str


@dataclass(frozen=True, slots=True)
class Vouch:
    """Say that the holder of ``author``, who signed ``wish`` (both hexadecimal), is a person you know."""

    author: str
    wish: str


@dataclass(frozen=True, slots=True)
class Object:
    """Ask for a vote before ``author`` (hexadecimal key) joins, for whom members vouched."""

    author: str


Command: TypeAlias = (
    Propose
    | CastVote
    | Override
    | SetParameter
    | GrantLearning
    | Forget
    | Heal
    | Bind
    | Invite
    | Leave
    | Rotate
    | Vouch
    | Object
)

# Commands whose outcome is signed: they need a network, a journal and an unhalted key.
SIGNED = (Propose, CastVote, SetParameter, Bind, Invite, Leave, Rotate, Vouch, Object)
