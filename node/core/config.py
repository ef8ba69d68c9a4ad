"""What a node is told about itself at the start: values only.

Refuses to be read from files here; the shell's settings make it.
"""

from dataclasses import dataclass

from luminous.crypto.entropy import Entropy
from luminous.crypto.keys import Signer
from luminous.node.core.learning.priors import PublicPrior
from luminous.protocol.genesis import Genesis
from luminous.protocol.identifiers import NetworkId
from luminous.protocol.layout import FIXES_1, Layout


@dataclass(frozen=True, slots=True)
class Membership:
    """The network a node belongs to: its id and its founding record.

    ``known``: number and digest of final Minutes that the card of joining named, if it did.
    """

    id: NetworkId
    genesis: Genesis
    known: tuple[int, bytes] | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """One node's setting-up values.

    ``level``: the learning consent in force (``LOCAL_ONLY`` without one). ``epsilon_milli_max``: the
    user's own lower bound on the yearly law, thousandths. ``min_participants``: raises the law's minimum.
    ``heal_consent``: 0 to 4, what healing may do without asking. ``learns_causes``: False keeps no
    history of events. ``health_interval_ms``: the user's own,
    whatever the network decides; None follows it.
    """

    signer: Signer
    entropy: Entropy
    membership: Membership | None = None
    level: str = "LOCAL_ONLY"
    epsilon_milli_max: int = 1000
    min_participants: int = 0
    heal_consent: int = 1
    learns_causes: bool = True
    health_interval_ms: int | None = None
    layout: Layout = FIXES_1
    prior: PublicPrior | None = None
