"""Which schema each kind of envelope has: the closed vocabulary of the wire.

Refuses kinds that are not listed: what is not here cannot be expressed.
"""

from typing import Any

from luminous.protocol.bindings import BINDING
from luminous.protocol.kinds import Kind
from luminous.protocol.schema import Schema

SCHEMAS: dict[int, Schema[Any]] = {
    Kind.BINDING: BINDING,
}
