"""What a machine of the core wants done, before the node turns it into effects.

Refuses behaviour: these are values. Only ``node.py`` signs, appends and publishes.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from luminous.protocol.codec import Value
from luminous.protocol.kinds import Kind


@dataclass(frozen=True, slots=True)
class Emit:
    """Sign ``payload`` as an envelope of ``kind``, append it to the journal, then publish it.

    ``charge`` is what the privacy ledger must hold before the bytes leave (nano units of mu squared).
    """

    kind: Kind
    payload: object
    charge: Value = None


@dataclass(frozen=True, slots=True)
class Keep:
    """Append an own record that is never sent. ``durable``: the journal; else the forgettable state store."""

    name: str
    body: Value
    durable: bool = True


@dataclass(frozen=True, slots=True)
class Tell:
    """Show people something: an event name and plain facts. Never leaves the machine."""

    name: str
    facts: dict[str, Value] = field(default_factory=dict)


Outcome: TypeAlias = Emit | Keep | Tell
