"""Why something was refused: one closed list, shown to people and counted by kind.

Refuses free text: a reason is a name with one meaning.
"""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """The reason of a refusal. Values are stable: they appear in logs, metrics and --json."""

    OVERSIZED = "oversized"  # more bytes than limits allow
    MALFORMED = "malformed"  # not CBOR, or not of the schema
    NOT_CANONICAL = "not_canonical"  # CBOR, but not the one deterministic encoding
    WRONG_VERSION = "wrong_version"  # a wire version this node does not speak
    FOREIGN_NETWORK = "foreign_network"  # bound to another network's genesis
    UNKNOWN_KIND = "unknown_kind"  # a kind this version does not know
    WRONG_TOPIC = "wrong_topic"  # a kind that does not belong on the topic it came by
    BAD_KEY = "bad_key"  # not a valid Ed25519 public key
    BAD_SIGNATURE = "bad_signature"  # the signature does not verify
    OUT_OF_BOUNDS = "out_of_bounds"  # a field outside its limits
    FROM_THE_FUTURE = "from_the_future"  # issued later than the receiver's clock allows
    DUPLICATE = "duplicate"  # already held
    NOT_A_MEMBER = "not_a_member"  # its author is not on the roll
    EQUIVOCATION = "equivocation"  # two different records where one is allowed
    TOO_MANY = "too_many"  # a quota is used up
    UNKNOWN_PROPOSAL = "unknown_proposal"  # refers to a proposal not held
    CLOSED = "closed"  # its proposal is closed
    UNCONSTITUTIONAL = "unconstitutional"  # the constitution forbids it
    RETIRED = "retired"  # its window is over
    NO_ROLL = "no_roll"  # the network has no members who could decide
    NO_NETWORK = "no_network"  # the node belongs to no network
    NO_CONSENT = "no_consent"  # the user has not agreed to this
    MUTE = "mute"  # the journal cannot be written: nothing is signed
    NO_BUDGET = "no_budget"  # the privacy ledger refuses
    NOT_USEFUL = "not_useful"  # predicted too noisy to help: budget kept
    TOO_FEW = "too_few"  # fewer contributors than the law demands
    CLOCK = "clock"  # this machine's clock cannot be trusted for a privacy period
    NOTHING_NEW = "nothing_new"  # there is nothing to release
    NO_ANSWER = "no_answer"  # the peer did not answer in time, or the connection broke


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal as a value: its reason and one sentence for a person."""

    reason: Reason
    detail: str = ""
