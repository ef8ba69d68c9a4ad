"""What this node signs: one sequence, one journal record for each envelope, nothing after a doubt.

Refuses to sign once another machine was seen using the key or the journal was lost, and to reuse a number.
"""

from collections.abc import Iterator

from luminous.crypto.digest import digest
from luminous.node.core import effects
from luminous.node.core.config import Config
from luminous.node.core.instant import Instant
from luminous.node.core.outcomes import Emit, Keep
from luminous.protocol.codec import Value, decode, encode
from luminous.protocol.envelope import Admitted, seal
from luminous.protocol.identifiers import EnvelopeId
from luminous.protocol.limits import ENVELOPE_SIZE_BYTES_MAX
from luminous.protocol.messages import SCHEMAS

ENVELOPE, RELEASED, KEPT, HALTED = "envelope", "released", "kept", "halted"


class Signing:
    """The signing half of one node."""

    def __init__(self, config: Config) -> None:
        self.me = config.signer.public
        self.halted = ""
        self._config = config
        self._sequence = 0
        self._own: set[EnvelopeId] = set()  # all that were signed here, also those that were let go

    def is_own(self, identifier: EnvelopeId) -> bool:
        """True for an envelope that this node signed."""
        return identifier in self._own

    def know(self, envelope: Admitted) -> None:
        """Remember an own envelope, signed now or found in the journal."""
        self._sequence = max(self._sequence, envelope.sequence)
        self._own.add(envelope.id)

    def seal(self, emit: Emit, at: Instant) -> bytes:
        """Sign a payload with the next number."""
        assert self._config.membership is not None and not self.halted
        payload = SCHEMAS[emit.kind].pack(emit.payload)
        network = self._config.membership.id
        return seal(self._config.signer, network, emit.kind, self._sequence + 1, at.wall_ms, payload)

    def halt(self, why: str) -> Iterator[effects.Effect]:
        """Sign nothing more, for ever on record."""
        if not self.halted:
            self.halted = why
            yield effects.Append(effects.Store.JOURNAL, HALTED, b"", why.encode())
            yield effects.Report(0, "signing_halted", {"why": why})


def journal_record(envelope: Admitted, charge: Value) -> effects.Append:
    """The journal's record of an own envelope, with the charge that pays for it."""
    if charge is None:
        return effects.Append(effects.Store.JOURNAL, ENVELOPE, envelope.id, envelope.raw)
    body = encode([envelope.raw, charge])
    return effects.Append(effects.Store.JOURNAL, RELEASED, envelope.id, body)


def read_released(body: bytes) -> tuple[bytes, Value]:
    """Envelope bytes and charge of a released record; it is ours, so it fits."""
    value = decode(body, 2 * ENVELOPE_SIZE_BYTES_MAX)
    assert isinstance(value, list) and isinstance(value[0], bytes), "a released record is ours"
    return value[0], value[1]


def kept_record(keep: Keep) -> effects.Append:
    """The record of a Keep. A snapshot replaces the one before; everything else is a record of its own."""
    body = encode([keep.name, keep.body])
    store = effects.Store.JOURNAL if keep.durable else effects.Store.STATE
    key = keep.name.encode() if keep.name.startswith("snapshot.") else digest("kept", body)
    return effects.Append(store, KEPT, key, body)
