"""Aggregates by every rule, the window's rotation, the privacy ledger's numbers and the noise they ask for.

Refuses real statistics: counts and seeds are made up here.
"""

from luminous.crypto.accountant import (
    compute_budget_nano,
    compute_cost_nano,
    compute_noise_milli,
    compute_spent_epsilon,
)
from luminous.crypto.digest import digest
from luminous.crypto.entropy import SeededEntropy
from luminous.crypto.keys import signer_from_seed
from luminous.crypto.noise import discrete_gaussian, round_conditionally
from luminous.crypto.rotation import compute_signs, rotate, unrotate
from luminous.node.core.learning.release import build_noised, build_public
from luminous.protocol.aggregation import Aggregate, aggregate, select
from luminous.protocol.deltas import BUDGET_DELTA, LIFETIME_EPSILON, Delta, LearningLaw, fleet_law
from luminous.protocol.envelope import Admitted
from luminous.protocol.kinds import Kind
from luminous.protocol.layout import FIXES_1
from luminous.protocol.reasons import Refused
from luminous.simulations.vectors.scene import AT_MS, NETWORK, File, Json, admitted, sealed, shown

WINDOW = 690
LAW = LearningLaw()
FLEET = fleet_law(LAW.window_ms)
_TAIL = [0] * 60


def _counts(number: int) -> tuple[int, ...]:
    return (8 + number, number % 3, 5, 1, *_TAIL)


def _author(number: int) -> bytes:
    return digest("vector-author", number.to_bytes(4, "big"))


def _envelope(number: int, delta: Delta, sequence: int = 1) -> Admitted:
    signer = signer_from_seed(_author(number))
    return admitted(sealed(Kind.DELTA, delta, signer, sequence, AT_MS))


def _public(number: int, window: int = WINDOW) -> Admitted:
    return _envelope(number, build_public(_counts(number), window, FIXES_1))


def _noised(number: int, noise_milli: int = 4225) -> Admitted:
    entropy = SeededEntropy(b"vector" + number.to_bytes(4, "big"))
    return _envelope(
        number, build_noised(_counts(number), WINDOW, FIXES_1, LAW, NETWORK, noise_milli, entropy)
    )


def _loud(number: int) -> Admitted:
    honest: Delta = _noised(number).payload
    vector = tuple(10 * x for x in honest.vector)
    return _envelope(number, Delta(WINDOW, honest.level, honest.layout, 1024, 4225, vector))


def _copy(number: int) -> Admitted:
    """The statistics of author 0 under another key."""
    return _envelope(number, _noised(0).payload)


def make_aggregates() -> File:
    """tests/vectors/aggregates.json"""
    cases: list[tuple[str, LearningLaw, list[Admitted]]] = [
        ("a fleet's exact counts add", FLEET, [_public(n) for n in range(3)]),
        ("a fleet of one", FLEET, [_public(0)]),
        ("seven noised inputs: the lower median", LAW, [_noised(n) for n in range(7)]),
        ("eight noised inputs: the trimmed mean", LAW, [_noised(n) for n in range(8)]),
        ("exact inputs weigh four, clipped to norm 1", LAW, [_noised(n) for n in range(6)] + [_public(6)]),
        ("two are too few in a community", LAW, [_noised(n) for n in range(2)]),
        ("a norm that its noise cannot explain", LAW, [_noised(n) for n in range(4)] + [_loud(9)]),
        ("a copy under another key", LAW, [_noised(n) for n in range(4)] + [_copy(9)]),
        ("an author of two different deltas", LAW,
         [_noised(n) for n in range(4)] + [_envelope(0, _noised(0).payload, sequence=2)]),
        ("another window", LAW, [_noised(n) for n in range(3)] + [_public(9, WINDOW + 1)]),
    ]  # fmt: skip
    rows: list[Json] = []
    for name, law, envelopes in cases:
        chosen = select(envelopes, WINDOW, law, FIXES_1.id, None)
        found = aggregate(chosen, WINDOW, law, NETWORK)
        rows.append(
            {
                "name": name,
                "law": shown(law),
                "envelopes": [item.raw.hex() for item in envelopes],
                "selected": [item.id.hex() for item in chosen],
                "aggregate": aggregate_shown(found),
            }
        )
    return {
        "about": "deltas of one window and what they make, for each rule of combination",
        "source": "luminous.protocol.aggregation",
        "network": NETWORK.hex(),
        "window": WINDOW,
        "vectors": rows,
    }


def aggregate_shown(found: Aggregate | Refused) -> Json:
    """An aggregate as JSON."""
    return {"refused": found.reason.value} if isinstance(found, Refused) else shown(found)


def make_privacy() -> File:
    """tests/vectors/privacy.json"""
    delta = BUDGET_DELTA
    multipliers: list[Json] = [
        {
            "epsilon_milli": epsilon,
            "releases": releases,
            "noise_milli": compute_noise_milli(epsilon / 1000, delta, releases),
            "cost_nano": compute_cost_nano(compute_noise_milli(epsilon / 1000, delta, releases)),
        }
        for epsilon in (1000, 500, 100)
        for releases in (1, 5, 30)
    ]
    budgets: list[Json] = [
        {"epsilon_milli": epsilon, "budget_nano": compute_budget_nano(epsilon / 1000, delta)}
        for epsilon in (100, 500, 1000, int(1000 * LIFETIME_EPSILON))
    ]
    spent: list[Json] = [
        {
            "cost_nano": cost,
            "epsilon_milli": _milli(cost, 1.0),
            "epsilon_milli_replace_one": _milli(cost, 2.0),
        }
        for cost in (10_000_000, 56_000_000, 112_000_000, 1_000_000_000)
    ]
    signs = compute_signs(NETWORK, WINDOW, 64)
    counts = list(_counts(0))
    draws = SeededEntropy(b"vector-noise")
    small, law = SeededEntropy(b"vector-small"), SeededEntropy(b"vector-rounding")
    sigma_squared = (4225 * LAW.sensitivity) ** 2
    return {
        "about": "closed-form privacy arithmetic, the window's rotation, seeded draws of the exact samplers",
        "source": "luminous.crypto.accountant, luminous.crypto.rotation, luminous.crypto.noise",
        "delta": f"{delta:g}",
        "multipliers": multipliers,
        "budgets": budgets,
        "spent": spent,
        "sensitivity": LAW.sensitivity,
        "rotation": {
            "network": NETWORK.hex(),
            "window": WINDOW,
            "signs": list(signs),
            "vector": counts,
            "rotated_by_eight": rotate(counts, signs),
            "back_times_eight": unrotate(rotate(counts, signs), signs),
        },
        "entropy": {"seed": b"vector-noise".hex(), "bytes": SeededEntropy(b"vector-noise").take(64).hex()},
        "discrete_gaussian": {
            "seed": b"vector-noise".hex(),
            "variance": [sigma_squared, 10**6],
            "draws": [discrete_gaussian(draws, sigma_squared, 10**6) for _ in range(16)],
        },
        "discrete_gaussian_small": {
            "seed": b"vector-small".hex(),
            "variance": [3, 2],
            "draws": [discrete_gaussian(small, 3, 2) for _ in range(64)],
        },
        "rounding": {
            "seed": b"vector-rounding".hex(),
            "numerators": [7, -7, 10, 0, 25],
            "denominator": 10,
            "norm_squared_max": 14,
            "rounded": list(round_conditionally(law, [7, -7, 10, 0, 25], 10, 14)),
        },
    }


def _milli(cost_nano: int, factor: float) -> int:
    return -int(-compute_spent_epsilon(cost_nano, BUDGET_DELTA, factor) * 1000 // 1)
