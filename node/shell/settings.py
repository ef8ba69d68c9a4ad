"""The settings of a node: the seed's YAML keys and ``LUMINOUS_*`` variables, typed, with their origins.

Refuses an unknown key (with its line and the nearest name) and a value of the wrong type. A setting is
taste or a wish, never consent: ``federated.enabled: true`` opens nothing by itself.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Level = Literal["local_only", "public", "differential", "encrypted"]


class Federated(Struct, frozen=True, forbid_unknown_fields=True):
    """Learning and deciding together: what its user wishes for."""

    enabled: bool = False
    privacy_level: Level = "differential"
    min_participants: Annotated[int, Meta(ge=0, le=1_000_000)] = 3


class Infrastructure(Struct, frozen=True, forbid_unknown_fields=True):
    """Watching and healing this machine. Intervals in seconds; one set here beats the network's."""

    monitoring_enabled: bool = True
    monitoring_interval: Annotated[int, Meta(ge=5, le=86_400)] = 30
    auto_healing: bool = False
    optimization_threshold: Fraction = 0.7


class Causal(Struct, frozen=True, forbid_unknown_fields=True):
    """Finding out why."""

    learning_enabled: bool = True
    wisdom_extraction: bool = True
    max_graph_size: Annotated[int, Meta(ge=100, le=1_000_000)] = 10_000


class Network(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to listen and whom to dial first, once its user agreed. Addresses are multiaddrs.

    relay: how to be reached behind NAT. auto: through a relay if peers cannot dial this node, and relay for
    others on a bootstrap node; use: the same without relaying; offer: relay for others too; off: neither.
    mdns: find and tell peers on the local network, which then sees that this machine takes part.
    """

    listen: tuple[str, ...] = ("/ip4/0.0.0.0/tcp/0",)
    announce: tuple[str, ...] = ()
    bootstrap: tuple[str, ...] = ()
    connections_max: Annotated[int, Meta(ge=1, le=4096)] = 64
    relay: Literal["auto", "use", "offer", "off"] = "auto"
    mdns: bool = False


class Consent(Struct, frozen=True, forbid_unknown_fields=True):
    """Consent declared for the schema number it names; taken over at a start, once for each change."""

    schema: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    network: bool = False
    learning: Level = "local_only"
    models: tuple[str, ...] = ()


class Storage(Struct, frozen=True, forbid_unknown_fields=True):
    """How long and how much to keep."""

    evidence_days: Annotated[int, Meta(ge=0, le=365)] = 7
    evidence_mb: Annotated[int, Meta(ge=0, le=1024)] = 5
    backup_interval_min: Annotated[int, Meta(ge=5, le=10_080)] = 60


class Control(Struct, frozen=True, forbid_unknown_fields=True):
    """How people and programs of this machine reach the node. Port 0: no page on loopback."""

    page_port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class Healing(Struct, frozen=True, forbid_unknown_fields=True):
    """What healing may do without asking, 0 (nothing) to 4; the node's own components from 1 on."""

    consent_level: Annotated[int, Meta(ge=0, le=4)] = 1


class Learning(Struct, frozen=True, forbid_unknown_fields=True):
    """The user's own bound on the privacy budget of 30 days: may lower 1.0, never raise it."""

    epsilon: Annotated[float, Meta(gt=0.0, le=1.0)] = 1.0


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """All sections. The first three are the seed's; the others are new."""

    federated: Federated = Federated()
    infrastructure: Infrastructure = Infrastructure()
    causal: Causal = Causal()
    network: Network = Network()
    consent: Consent = Consent()
    storage: Storage = Storage()
    control: Control = Control()
    healing: Healing = Healing()
    learning: Learning = Learning()


# What can be set, for the seed's sake or a later version's, and changes nothing yet.
WITHOUT_EFFECT = frozenset(
    {
        "federated.privacy_level",
        "infrastructure.auto_healing",
        "infrastructure.optimization_threshold",
        "causal.wisdom_extraction",
        "causal.max_graph_size",
        "control.page_port",
        "control.log_level",
    }
)
# The seed's variables and the key that each one sets. Any key can also be set as LUMINOUS_SECTION__KEY.
VARIABLES = {
    "LUMINOUS_FEDERATED_ENABLED": "federated.enabled",
    "LUMINOUS_PRIVACY_LEVEL": "federated.privacy_level",
    "LUMINOUS_DIFFERENTIAL_EPSILON": "learning.epsilon",
    "LUMINOUS_MONITORING_ENABLED": "infrastructure.monitoring_enabled",
    "LUMINOUS_HEALTH_CHECK_INTERVAL": "infrastructure.monitoring_interval",
    "LUMINOUS_AUTO_HEALING": "infrastructure.auto_healing",
    "LUMINOUS_CAUSAL_LEARNING": "causal.learning_enabled",
    "LUMINOUS_WISDOM_EXTRACTION": "causal.wisdom_extraction",
}
# Variables that are read elsewhere: places, and what beats every consent.
OTHER_VARIABLES = (
    "LUMINOUS_CONFIG",
    "LUMINOUS_DATA_DIR",
    "LUMINOUS_RUNTIME_DIR",
    "LUMINOUS_OFFLINE",
    "LUMINOUS_VENV",
)
