"""A proposal: what is asked, what it would change, how much agreement it needs and when it closes.

Refuses to carry anything that could run: effects are pairs of a parameter's name and an integer, and text
is only ever shown. Whether an effect is legal is ``constitution``'s; whether it passed is ``tally``'s.
"""

from dataclasses import dataclass
from enum import IntEnum

from luminous.crypto.keys import PUBLIC_KEY_SIZE_BYTES, is_public_key
from luminous.protocol.limits import (
    EFFECTS_PER_PROPOSAL_MAX,
    NAME_SIZE_BYTES_MAX,
    TEXT_SIZE_BYTES_MAX,
    TITLE_SIZE_BYTES_MAX,
    UINT_MAX,
)
from luminous.protocol.reasons import Reason, Refused
from luminous.protocol.schema import Schema, choice, fixed, flag, integer, many, nested, text, uint

UNKNOWN_SIZE_BYTES_MAX = 300
UNKNOWNS_MAX = 4


class ProposalKind(IntEnum):
    """What a proposal is about; numbered for ever."""

    PARAMETER = 1  # changes typed parameters
    FEATURE = 2  # turns features off, opt-in or on
    TEXT = 3  # a resolution in words, without effect on machines
    MEMBER = 4  # admits the holder of a key to the roll
    AMENDMENT = 5  # moves a bound of the constitution; takes two votes


class Threshold(IntEnum):
    """How much agreement; see ``ratio`` and ``tally``."""

    SIMPLE = 1
    SUPER = 2
    CONSENSUS = 3

    @property
    def ratio(self) -> tuple[int, int]:
        """(num, den): yes·den must be greater than num·(yes+no)."""
        return {1: (1, 2), 2: (66, 100), 3: (90, 100)}[self.value]


@dataclass(frozen=True, slots=True)
class Effect:
    """One parameter and the value that a passed proposal gives it."""

    key: str
    value: int


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """What the author does not know: confidence in thousandths, named unknowns, whether it can be undone."""

    confidence_milli: int = 0
    unknowns: tuple[str, ...] = ()
    is_reversible: bool = True
    review_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Proposal:
    """The payload of Kind.PROPOSAL. ``closes_at_ms``: wall clock; later ballots never count.

    ``anchor``: number of the Minutes whose roll answers (0: the founders), so nobody who comes later changes
    who may vote or how many are enough. ``candidate``: the key that a MEMBER proposal admits.
    """

    kind: ProposalKind
    title: str
    text: str
    effects: tuple[Effect, ...]
    threshold: Threshold
    closes_at_ms: int
    uncertainty: Uncertainty = Uncertainty()
    anchor: int = 0
    candidate: bytes = b""


EFFECT: Schema[Effect] = Schema(
    Effect,
    (0, "key", text(NAME_SIZE_BYTES_MAX, 1)),
    (1, "value", integer(-UINT_MAX, UINT_MAX)),
)

UNCERTAINTY: Schema[Uncertainty] = Schema(
    Uncertainty,
    (0, "confidence_milli", uint(1000)),
    (1, "unknowns", many(text(UNKNOWN_SIZE_BYTES_MAX, 1), UNKNOWNS_MAX)),
    (2, "is_reversible", flag()),
    (3, "review_at_ms", uint()),
)


def check_shape(proposal: Proposal) -> Refused | None:
    """Texts and admissions have no effects, others some; only admissions name a valid candidate's key."""
    if (proposal.kind in (ProposalKind.TEXT, ProposalKind.MEMBER)) != (not proposal.effects):
        return Refused(Reason.MALFORMED, "texts and admissions have no effects, all others at least one")
    if (proposal.kind is ProposalKind.MEMBER) != bool(proposal.candidate):
        return Refused(Reason.MALFORMED, "admissions name a candidate, and nothing else does")
    if proposal.candidate and not is_public_key(proposal.candidate):
        return Refused(Reason.BAD_KEY, "the candidate's key is not a valid public key")
    keys = [effect.key for effect in proposal.effects]
    if len(set(keys)) != len(keys):
        return Refused(Reason.MALFORMED, "one parameter named twice")
    return None


PROPOSAL: Schema[Proposal] = Schema(
    Proposal,
    (0, "kind", choice(ProposalKind)),
    (1, "title", text(TITLE_SIZE_BYTES_MAX, 1)),
    (2, "text", text(TEXT_SIZE_BYTES_MAX)),
    (3, "effects", many(nested(EFFECT), EFFECTS_PER_PROPOSAL_MAX)),
    (4, "threshold", choice(Threshold)),
    (5, "closes_at_ms", uint()),
    (6, "uncertainty", nested(UNCERTAINTY)),
    check=check_shape,
    extras=((7, "anchor", uint(), 0), (8, "candidate", fixed(PUBLIC_KEY_SIZE_BYTES), b"")),
)
