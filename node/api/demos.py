"""The seed's three demonstrations, on real nodes made for them and removed again.

Refuses to touch the caller's own node and to script what is shown: each line is printed from an answer.
"""

import tempfile
from functools import partial

from luminous.node.api.connection import NotPossible, in_worker, pause
from luminous.node.api.federated import FederatedLearningNetwork
from luminous.node.api.governance import ConstitutionalGovernance
from luminous.node.api.infrastructure import SelfMaintainingInfrastructure
from luminous.node.api.living import running_fleet, running_node
from luminous.node.api.reasoning import AdvancedCausalReasoning
from luminous.node.api.values import ModelType, PrivacyLevel, VoteType

PEERS = 3
WINDOW_MS = 10_000
RELEASED_WITHIN_S = 40.0
ISSUE = (
    "error: attribute 'firefoxx' missing\n\n       at /etc/nixos/configuration.nix:12:5:\n\n"
    "           11|   environment.systemPackages = [\n           12|     pkgs.firefoxx\n"
)


async def demo_federated_learning() -> None:
    """Three machines of one owner share what worked and decide; noise that helps nobody is refused."""
    print("FEDERATED LEARNING: three real nodes on loopback, one owner")
    values = {"learning.window_ms": WINDOW_MS}
    with tempfile.TemporaryDirectory(prefix="luminous-api-") as folder:
        stack = running_fleet(folder, PEERS, values=values)
        nodes = await in_worker(stack.__enter__)
        try:
            first = FederatedLearningNetwork("demo", nodes[0].data_dir, PrivacyLevel.PUBLIC)
            for number in range(6):
                await first.record_outcome("missing_channel", "set_search_path", number > 0)
            update = await first.share_model_update(ModelType.ERROR_PATTERNS, wait_s=RELEASED_WITHIN_S)
            print(f"  shared an update, signature {update.signature[:8]}, level {update.privacy_level}")
            decision = await first.propose_decision(
                "Enable proactive error prevention by default for new users",
                VoteType.SUPER_MAJORITY,
                {"type": "feature_flag", "feature": "proactive_error_prevention", "enabled": True},
                unknowns=("How many people it would interrupt.",),
            )
            print(f"  decision {decision.decision_id[:8]} proposed, {decision.vote_type.value} majority")
            passed, why = ConstitutionalGovernance().validate_decision(decision)
            print(f"  constitutional validation: {'PASSED' if passed else why}")
            private = FederatedLearningNetwork("demo", nodes[0].data_dir, PrivacyLevel.DIFFERENTIAL)
            try:
                await private.share_model_update(ModelType.ERROR_PATTERNS)
            except NotPossible as refusal:
                print(f"  asked for DIFFERENTIAL of this fleet: {refusal.why}")
        finally:
            await in_worker(partial(stack.__exit__, None, None, None))


async def demo_self_maintaining(seconds: float = 5.0) -> None:
    """One node watches this machine."""
    print("SELF-MAINTAINING INFRASTRUCTURE: one real node, no network")
    with tempfile.TemporaryDirectory(prefix="luminous-api-") as folder:
        stack = running_fleet(folder, 1, level=None)
        (node,) = await in_worker(stack.__enter__)
        try:
            often = {"key": "health.interval_s", "value": 1}  # its owner may; a vote may not go below 10
            await node.connection.send("/v1/override", often)
            await in_worker(node.restart)  # a new interval holds from the next measurement on
            infrastructure = SelfMaintainingInfrastructure(node.data_dir)
            await infrastructure.start_monitoring()
            await pause(seconds)
            status = infrastructure.get_infrastructure_status()
            print(f"  health: {status['summary']}")
            print(f"  measured {status['metrics']['coverage_percent']} % of what this machine offers")
            print(
                f"  self-healing: {status['active_issues']} active issues, {status['recoveries']} recoveries"
            )
            await infrastructure.stop_monitoring()
        finally:
            await in_worker(partial(stack.__exit__, None, None, None))


def demo_causal_reasoning() -> None:
    """One node explains a failure and answers why."""
    print("CAUSAL REASONING: one real node, no network")
    with tempfile.TemporaryDirectory(prefix="luminous-api-") as folder, running_node(folder) as node:
        reasoning = AdvancedCausalReasoning(node.data_dir)
        reasoning.observe_event(
            {"type": "command_execution", "command": "nix flake update", "result": "success"}
        )
        reasoning.observe_event({"type": "error", "error": ISSUE, "component": "nixos-rebuild"})
        found = reasoning.analyze_issue(ISSUE, context={"user_level": "beginner"})
        for cause in found["root_causes"][:3]:
            print(f"  {cause['cause']} ({cause['confidence']:.0%}): {cause['explanation']}")
            for fix in cause["fixes"][:2]:
                print(f"    fix: {fix['text']}")
        print(f"  graph: {found['causal_graph_stats']}")
        print(f"  why: {reasoning.explain_why('missing attribute')}")
        print(f"  wisdom: {reasoning.get_wisdom_summary()}")
