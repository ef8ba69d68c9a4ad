"""What other programs call: the seed's classes and methods, answered by the running node.

Refuses to be a second node: nothing is learnt, signed, counted or sent here, everything is asked of the
daemon through its control socket. What a caller declares about itself (weights, scores, reputation) has no
effect, because the node signs its own verified outcomes and every member counts once; where the seed
imagined otherwise a call says so with ``NotPossible`` instead of pretending.

Coroutines run under trio and asyncio, and in a plain thread with ``run``.
"""

from luminous.node.api.connection import Connection, NotPossible, run
from luminous.node.api.demos import demo_causal_reasoning, demo_federated_learning, demo_self_maintaining
from luminous.node.api.federated import FederatedLearningNetwork
from luminous.node.api.governance import ConstitutionalGovernance
from luminous.node.api.infrastructure import SelfMaintainingInfrastructure
from luminous.node.api.living import LivingNode, running_fleet, running_node
from luminous.node.api.reasoning import AdvancedCausalReasoning
from luminous.node.api.values import (
    CollectiveDecision,
    ModelType,
    ModelUpdate,
    NetworkParticipant,
    PrivacyLevel,
    VoteType,
)

__all__ = [
    "AdvancedCausalReasoning",
    "CollectiveDecision",
    "Connection",
    "ConstitutionalGovernance",
    "FederatedLearningNetwork",
    "LivingNode",
    "ModelType",
    "ModelUpdate",
    "NetworkParticipant",
    "NotPossible",
    "PrivacyLevel",
    "SelfMaintainingInfrastructure",
    "VoteType",
    "demo_causal_reasoning",
    "demo_federated_learning",
    "demo_self_maintaining",
    "run",
    "running_fleet",
    "running_node",
]
