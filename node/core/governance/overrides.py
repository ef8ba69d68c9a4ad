"""What this machine's owner decided for it alone, whatever the network decided.

Refuses values that all must share to understand one another; all others need no reason and cost nothing.
"""

from luminous.node.core.outcomes import Keep
from luminous.protocol.codec import Value
from luminous.protocol.constitution import check_override
from luminous.protocol.parameters import PARAMETERS
from luminous.protocol.reasons import Reason, Refused

NAME = "governance.override"


class Overrides:
    """Registry of own values by parameter."""

    def __init__(self, *, is_fleet: bool) -> None:
        self._is_fleet = is_fleet
        self.values: dict[str, int] = {}

    def set(self, key: str, value: int | None) -> tuple[Keep, ...] | Refused:
        """Keep ``value`` here; None follows the network again."""
        if key not in PARAMETERS:
            return Refused(Reason.UNCONSTITUTIONAL, f"{key}: no such parameter")
        if value is not None:
            refusal = check_override(key, value, is_fleet=self._is_fleet)
            if refusal is not None:
                return refusal
        self._set(key, value)
        return (Keep(NAME, [key, value]),)

    def recall(self, body: Value) -> None:
        """Take back an own record after a restart."""
        if isinstance(body, list) and len(body) == 2 and isinstance(body[0], str):
            self._set(body[0], body[1] if isinstance(body[1], int) else None)

    def _set(self, key: str, value: int | None) -> None:
        if value is None:
            self.values.pop(key, None)
        elif key in PARAMETERS:
            self.values[key] = value
