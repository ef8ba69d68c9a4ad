"""Pure functions of the product, computed once for all machines of a world.

Refuses anything whose answer depends on more than its arguments: an aggregate is of a set, a clipping of
counts and signs. Results are the very same values; only the work is not done twice.
"""

from collections.abc import Callable, Sequence
from typing import Any

from luminous.node.core.learning import machine, pool
from luminous.protocol import aggregation
from luminous.simulations.patching import Patch

KEPT_MAX = 20_000


def remembered() -> list[Patch]:
    """What to put in the place of whatever stands there now."""
    return [
        (pool.__name__, "aggregate", _aggregate(pool.__dict__["aggregate"])),
        (aggregation.__name__, "clip_exact", _clip(aggregation.clip_exact)),
        (machine.__name__, "estimate", _estimate(machine.__dict__["estimate"])),
    ]


def _aggregate(function: Callable[..., Any]) -> Callable[..., Any]:
    known: dict[Any, Any] = {}

    def aggregate(inputs: Any, window: int, law: Any, network: bytes) -> Any:
        key = (tuple(item.id for item in inputs), window, law, network)
        if key not in known:
            if len(known) >= KEPT_MAX:
                known.clear()
            known[key] = function(inputs, window, law, network)
        return known[key]

    return aggregate


def _estimate(function: Callable[..., Any]) -> Callable[..., Any]:
    known: dict[Any, Any] = {}

    def estimate(aggregate: Any, law: Any, own: Any) -> Any:
        key = (aggregate, law, own)
        if key not in known:
            if len(known) >= KEPT_MAX:
                known.clear()
            known[key] = function(aggregate, law, own)
        return known[key]

    return estimate


def _clip(function: Callable[..., Any]) -> Callable[..., Any]:
    known: dict[Any, Any] = {}

    def clip_exact(counts: Sequence[int], signs: Sequence[int], law: Any) -> Any:
        key = (tuple(counts), tuple(signs), law)
        if key not in known:
            if len(known) >= KEPT_MAX:
                known.clear()
            known[key] = function(counts, signs, law)
        return known[key]

    return clip_exact
