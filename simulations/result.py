"""What one run came to, as plain values: the same for every body.

Refuses to print.
"""

from dataclasses import dataclass
from typing import Any

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Result:
    """What one run came to; ``as_json`` is its public form."""

    scenario: str
    body: str
    seed: int
    nodes: int
    ok: bool
    digest: str
    checks: dict[str, dict[str, Any]]
    figures: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Schema 1; fields may be added."""
        return {
            "schema": SCHEMA,
            "scenario": self.scenario,
            "body": self.body,
            "seed": self.seed,
            "nodes": self.nodes,
            "ok": self.ok,
            "digest": self.digest,
            "checks": self.checks,
            "figures": self.figures,
        }
