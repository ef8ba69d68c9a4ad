"""The seed's value types, filled from what the node holds: updates, decisions, participants.

Refuses to be edited into something else: noise, signatures, ballots and reputations belong to the node, so
the seed's methods that would change them here raise ``NotPossible`` with the reason.
"""

from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from luminous.node.api.connection import NotPossible
from luminous.protocol.codec import decode
from luminous.protocol.deltas import Delta, Level
from luminous.protocol.envelope import ENVELOPE, Envelope, signing_digest
from luminous.protocol.kinds import Kind
from luminous.protocol.messages import SCHEMAS
from luminous.protocol.proposals import Threshold
from luminous.protocol.reasons import Refused

if TYPE_CHECKING:
    import numpy


class PrivacyLevel(Enum):
    """How much of this machine's experience may leave it."""

    PUBLIC = "public"
    DIFFERENTIAL = "differential"
    ENCRYPTED = "encrypted"
    LOCAL_ONLY = "local_only"


class ModelType(Enum):
    """The seed's six models. This version learns and shares ERROR_PATTERNS."""

    INTENT_RECOGNITION = "intents"
    ERROR_PATTERNS = "fixes"
    UI_COMPLEXITY = "complexity"
    LEARNING_PATHS = "paths"
    COMMAND_PREDICTION = "commands"
    PERSONA_EVOLUTION = "persona"


class VoteType(Enum):
    """How much agreement a decision needs."""

    SIMPLE_MAJORITY = "simple"
    SUPER_MAJORITY = "super"
    CONSENSUS = "consensus"

    @property
    def threshold(self) -> Threshold:
        """The protocol's value."""
        return Threshold[self.name.removesuffix("_MAJORITY")]


@dataclass(frozen=True)
class ModelUpdate:
    """One signed release of one author, as it left its machine. ``raw``: the envelope's bytes."""

    raw: bytes
    model_type: ModelType = ModelType.ERROR_PATTERNS
    metrics: dict[str, float] = field(default_factory=dict)

    @cached_property
    def envelope(self) -> Envelope | None:
        """The decoded envelope; None if the bytes are none. Decoded is not yet trusted."""
        value = decode(self.raw)
        found = value if isinstance(value, Refused) else ENVELOPE.parse(value)
        return None if isinstance(found, Refused) or found.kind != Kind.DELTA else found

    @cached_property
    def delta(self) -> Delta | None:
        """What it says; None if it says nothing that this version understands."""
        found = self.envelope and SCHEMAS[Kind.DELTA].parse(self.envelope.payload)
        return found if isinstance(found, Delta) else None

    @property
    def participant_id(self) -> str:
        """The author's public key in hexadecimal; empty if there is none."""
        return self.envelope.author.hex() if self.envelope else ""

    @property
    def timestamp(self) -> float:
        """When it was signed, by its author's clock, in seconds."""
        return self.envelope.issued_at_ms / 1000 if self.envelope else 0.0

    @property
    def privacy_level(self) -> PrivacyLevel | None:
        """The level it was released at."""
        return PrivacyLevel[self.delta.level.name] if self.delta else None

    @property
    def signature(self) -> str:
        """The author's Ed25519 signature in hexadecimal, if it holds; else empty."""
        return self.compute_signature()

    @property
    def weights(self) -> "dict[str, numpy.ndarray[Any, Any]]":
        """The released vector: counts at PUBLIC, noised grid steps at DIFFERENTIAL."""
        import numpy

        return {} if self.delta is None else {"fixes": numpy.array(self.delta.vector, dtype=numpy.int64)}

    def compute_signature(self) -> str:
        """The signature, checked against author and content; empty if it does not hold."""
        from luminous.crypto.keys import is_signed

        found = self.envelope
        if found is None:
            return ""
        digest = signing_digest(
            found.network, found.kind, found.author, found.sequence, found.issued_at_ms, found.payload
        )
        return found.signature.hex() if is_signed(found.author, digest, found.signature) else ""

    def apply_differential_privacy(self, epsilon: float = 1.0) -> None:
        """Nothing to do for a DIFFERENTIAL release; any other cannot be noised afterwards."""
        if self.delta is None or self.delta.level is not Level.DIFFERENTIAL:
            raise NotPossible(
                "no noise was added",
                "a released update is signed, and its author's node adds the noise before it signs",
                "luminous-node consent grant learning DIFFERENTIAL",
            )


@dataclass(frozen=True)
class CollectiveDecision:
    """One proposal and where it stands; ``facts`` are the node's own."""

    facts: dict[str, Any]

    @property
    def decision_id(self) -> str:
        """The proposal's id in hexadecimal."""
        return str(self.facts["id"])

    @property
    def proposal(self) -> str:
        """Its title."""
        return str(self.facts["title"])

    @property
    def proposer(self) -> str:
        """The author's public key in hexadecimal."""
        return str(self.facts["author"])

    @property
    def vote_type(self) -> VoteType:
        """The agreement it needs."""
        return VoteType(self.facts["threshold"])

    @property
    def deadline(self) -> float:
        """When voting ends, seconds of wall clock."""
        return float(self.facts["closes_at_ms"]) / 1000

    @property
    def status(self) -> str:
        """``open``, ``passed``, … ; final only if ``is_final``."""
        return str(self.facts["outcome"] or self.facts["phase"])

    @property
    def is_final(self) -> bool:
        """Whether every node that holds the records says the same for ever."""
        return bool(self.facts["final"])

    @property
    def votes(self) -> dict[str, int]:
        """Counts by choice."""
        return {name: int(self.facts[name]) for name in ("yes", "no", "abstain")}

    @property
    def implementation(self) -> dict[str, int]:
        """The parameters it would set; nothing that runs can be in it."""
        return {str(key): int(value) for key, value in self.facts["effects"]}

    def add_vote(self, participant_id: str, vote: bool, weight: float = 1.0) -> None:
        """Never possible: a ballot is signed by its member's own node."""
        raise NotPossible(
            "no vote was added",
            "a ballot counts when its member signed it, once and without weights",
            "await network.vote_on_decision(decision_id, vote) on that member's machine",
        )

    def calculate_result(self) -> tuple[bool, float]:
        """(approved, share of yes among yes and no); provisional until ``is_final``."""
        yes, no = self.votes["yes"], self.votes["no"]
        share = yes / (yes + no) if yes + no else 0.0
        if self.is_final:
            return self.facts["outcome"] == "passed", share
        numerator, denominator = self.vote_type.threshold.ratio
        return denominator * yes > numerator * (yes + no), share


@dataclass(frozen=True)
class NetworkParticipant:
    """One member of the network. Members have no score: each counts once."""

    participant_id: str

    def update_reputation(self, delta: float) -> None:
        """Never possible: there is no reputation that anybody could set."""
        raise NotPossible("nothing was changed", "members have no reputation: each counts once")

    def calculate_voting_weight(self) -> float:
        """One member, one vote."""
        return 1.0
