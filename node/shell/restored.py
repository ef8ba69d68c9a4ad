"""A node built from its settings and its stored records, and what it has learnt read back out of it.

Refuses to open stores: it is given what they hold.
"""

from collections.abc import Iterable

from luminous.crypto.entropy import Entropy
from luminous.crypto.keys import Signer
from luminous.node import assets
from luminous.node.core.config import Config, Membership
from luminous.node.core.instant import Instant
from luminous.node.core.node import Node
from luminous.node.shell import experience
from luminous.node.shell.settings import Settings

MONITORING = "infrastructure.monitoring_interval"


def restored_node(
    membership: Membership | None,
    settings: Settings,
    chosen: frozenset[str],
    signer: Signer,
    entropy: Entropy,
    journal: Iterable[tuple[str, bytes]],
    state: Iterable[tuple[str, bytes]],
    at: Instant,
) -> tuple[Node, list[str]]:
    """The node as its records (kind, body) make it, and which of them could not be read.

    ``chosen``: the keys of the settings that somebody set.
    """
    own_s = settings.infrastructure.monitoring_interval if MONITORING in chosen else None
    config = Config(
        signer=signer,
        entropy=entropy,
        membership=membership,
        epsilon_milli_max=round(settings.learning.epsilon * 1000),
        min_participants=settings.federated.min_participants if membership else 0,
        learns_causes=settings.causal.learning_enabled,
        heal_consent=settings.healing.consent_level,
        health_interval_ms=None if own_s is None else 1000 * own_s,
        prior=assets.public_prior(),
    )
    node = Node(config)
    return node, node.restore(journal, state, at)


def learnt_by(node: Node) -> tuple[experience.Counts, experience.Counts] | None:
    """Own counts and the belief of others, by the catalogue's fixes; None outside a network."""
    learning = node.machines.learning
    if learning is None:
        return None
    return experience.by_fix(learning.counts()), experience.by_fix(learning.heard())


def newest_minutes(node: Node) -> tuple[int, bytes]:
    """Number and digest of the newest final Minutes here; (0, empty) without any."""
    governance = node.machines.governance
    return (0, b"") if governance is None else governance.closing.newest()
