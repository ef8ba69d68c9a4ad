"""``FederatedLearningNetwork``: sharing, deciding and asking together, through the running node.

Refuses weights: the node releases its own verified outcomes in a closed vocabulary, noised as its user
agreed, and nothing that a program declares can be put in their place.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luminous.node.api.connection import Connection, Facts, NotPossible, pause
from luminous.node.api.values import CollectiveDecision, ModelType, ModelUpdate, PrivacyLevel, VoteType
from luminous.node.shell.consent import MODELS
from luminous.protocol.parameters import FeatureState

if TYPE_CHECKING:
    import numpy

POLL_S = 0.5
CLOSES_IN_S_DEFAULT = 3 * 86_400
Weights = "dict[str, numpy.ndarray[Any, Any]]"


class FederatedLearningNetwork:
    """The network that the node of ``storage_path`` (None: this user's) belongs to.

    ``participant_id`` is a label for the caller; who takes part is the node's key (``author``).
    ``privacy_level``: the least privacy accepted; the level itself is what the user consented to.
    """

    def __init__(
        self,
        participant_id: str = "",
        storage_path: Path | str | None = None,
        privacy_level: PrivacyLevel = PrivacyLevel.DIFFERENTIAL,
    ) -> None:
        self.participant_id = participant_id
        self.privacy_level = privacy_level
        self.connection = Connection(storage_path)

    async def share_model_update(
        self,
        model_type: ModelType,
        weights: Any = None,
        metrics: dict[str, float] | None = None,
        *,
        wait_s: float = 0.0,
    ) -> ModelUpdate:
        """The newest signed release of this node; waits up to ``wait_s`` for the next one if there is none.

        ``weights`` and ``metrics`` are accepted for the seed's sake and have no effect. Raises
        ``NotPossible`` without consent, for a model this version does not learn, and when the node holds the
        release back (too noisy to help, no budget, not due yet).
        """
        _check_model(model_type)
        ends_s = time.monotonic() + wait_s
        while True:
            privacy = await self.connection.fetch("/v1/privacy")
            self._check_level(str(privacy["level"]))
            sent = await self.connection.fetch("/v1/privacy/log")
            newest = _newest(sent["sent"], privacy, model_type)
            if newest is not None:
                return newest
            preview = await self.connection.fetch("/v1/privacy/preview")
            if preview.get("refusal") or time.monotonic() >= ends_s:
                raise _not_released(preview)
            await pause(POLL_S)

    async def receive_model_update(self, update: ModelUpdate) -> bool:
        """Hand a signed update to the node as a peer would; True if it holds it. Raises if invalid."""
        return bool((await self.connection.send("/v1/receive", {"bytes": update.raw.hex()}))["held"])

    async def aggregate_models(self, model_type: ModelType) -> "dict[str, numpy.ndarray[Any, Any]] | None":
        """The newest window's sum (PUBLIC) or mean direction; None while too few authors stand behind it."""
        _check_model(model_type)
        found = await self.connection.fetch("/v1/aggregate")
        if found["window"] is None:
            return None
        import numpy

        return {model_type.value: numpy.array(found["vector"], dtype=numpy.int64)}

    async def record_outcome(self, error_class: str, fix: str, success: bool) -> None:
        """Tell the node that a fix was tried and what came of it, in the public vocabulary's words."""
        facts = {"class": error_class, "fix": fix, "success": success}
        await self.connection.send("/v1/observe", {"name": "fix_tried", "facts": facts})

    async def propose_decision(
        self,
        proposal: str,
        vote_type: VoteType = VoteType.SIMPLE_MAJORITY,
        implementation: Facts | None = None,
        *,
        unknowns: tuple[str, ...] = (),
        closes_in_s: float = CLOSES_IN_S_DEFAULT,
    ) -> CollectiveDecision:
        """Ask all members. ``implementation``: None (a resolution in words), a feature flag
        ``{"type": "feature_flag", "feature", "enabled"}`` or ``{"type": "parameter", "key", "value"}``; both
        need ``unknowns``, as the constitution asks proposers what they do not know. Raises ``Failure`` with
        the constitution's rule when it forbids the proposal.
        """
        kind, effects = _effects(implementation)
        asked: Facts = {
            "kind": kind,
            "title": proposal,
            "effects": effects,
            "threshold": vote_type.value,
            "closes_in_s": closes_in_s,
            "unknowns": list(unknowns),
        }
        made = await self.connection.send("/v1/propose", asked)
        return await self.get_decision(made["proposal"])

    async def get_decision(self, decision_id: str) -> CollectiveDecision:
        """A proposal held here, by its id or the beginning of it."""
        return CollectiveDecision(await self.connection.fetch(f"/v1/decision/{decision_id}"))

    async def vote_on_decision(self, decision_id: str, vote: bool) -> bool:
        """Sign and send this member's ballot; True when it is durable. It may be changed until closing."""
        choice = "yes" if vote else "no"
        await self.connection.send("/v1/vote", {"proposal": decision_id, "choice": choice})
        return True

    async def get_collective_wisdom(self, query_type: str = "error_patterns") -> Facts:
        """What the members' outcomes tell. ``why`` says what is missing; nothing is made up."""
        names = {
            "error_patterns": "top_errors",
            "ui_preferences": "average_preferences",
            "learning_paths": "successful_paths",
        }
        if query_type not in names:
            raise NotPossible(
                "nothing was asked", f"there is no {query_type!r}", f"one of {', '.join(names)}"
            )
        shown: Facts = {"query_type": query_type, "timestamp": time.time(), "participants": 0, "why": ""}
        if query_type != "error_patterns":
            why = "this version does not learn this model yet"
            return {**shown, names[query_type]: {} if query_type == "ui_preferences" else [], "why": why}
        found = await self.connection.fetch("/v1/wisdom")
        patterns = found["patterns"]
        return shown | {
            "participants": max((row["contributors"] for row in patterns), default=0),
            "top_errors": [
                {
                    "error": row["pair"][0],
                    "fix": row["pair"][1],
                    "success_rate": row["rate_milli"] / 1000,
                    "interval": [row["low_milli"] / 1000, row["high_milli"] / 1000],
                    "trials": row["trials"],
                }
                for row in patterns
            ],
            "why": found["why"],
        }

    async def sync_with_network(self) -> Facts:
        """What this node has by now; it syncs by itself, all the time, as long as its user consents."""
        status = await self.connection.fetch("/v1/status")
        windows = (await self.connection.fetch("/v1/verify"))["windows"]
        return {
            "timestamp": time.time(),
            "participants_online": status["peers"],
            "updates_synced": sum(row["contributors"] for row in windows),
            "decisions_synced": status["proposals"],
        }

    def get_network_status(self) -> Facts:
        """Where this node stands. Scores are None: members have none, each counts once."""
        status = self.connection.get("/v1/status")
        sent = self.connection.get("/v1/privacy/log")["sent"]
        held = self.connection.get("/v1/proposals")["proposals"]
        network = status["network"] or {}
        level = str(status["privacy"]["level"])
        return {
            "participant_id": self.participant_id or status["author"],
            "author": status["author"],
            "privacy_level": level.lower(),
            "network_size": network.get("members", 0),
            "peers": status["peers"],
            "contribution_score": None,
            "reputation": None,
            "models_shared": sum(row["kind"] == "delta" for row in sent),
            "votes_cast": sum(row["kind"] == "ballot" for row in sent),
            "pending_decisions": sum(not row["final"] for row in held),
            "model_types_active": list(MODELS) if level != "LOCAL_ONLY" else [],
            "metrics": {
                "epsilon_spent": status["privacy"]["spent"],
                "epsilon_left": status["privacy"]["left"],
            },
        }

    def _check_level(self, level: str) -> None:
        if level == "LOCAL_ONLY":
            raise NotPossible(
                "nothing was shared",
                "this machine's user has not consented to sharing what it learns",
                "luminous-node consent grant network; luminous-node consent grant learning DIFFERENTIAL",
            )
        order = (PrivacyLevel.PUBLIC, PrivacyLevel.DIFFERENTIAL, PrivacyLevel.ENCRYPTED)
        if self.privacy_level is PrivacyLevel.LOCAL_ONLY or order.index(PrivacyLevel[level]) < order.index(
            self.privacy_level
        ):
            raise NotPossible(
                "nothing was shared",
                f"the consent in force is {level}, and this program accepts {self.privacy_level.name}",
                f"ask for PrivacyLevel.{level}, or let the user grant another level",
            )


def _check_model(model_type: ModelType) -> None:
    if model_type.value not in MODELS:
        raise NotPossible(
            "nothing was shared",
            f"this version learns {', '.join(MODELS)}; {model_type.name} is not expressible on its wire yet",
            "ModelType.ERROR_PATTERNS",
        )


def _newest(sent: list[Facts], privacy: Facts, model_type: ModelType) -> ModelUpdate | None:
    """The newest release at the level in force; what was released at another level before is not it."""
    updates = [
        ModelUpdate(bytes.fromhex(row["bytes"]), model_type, _metrics(privacy))
        for row in sorted(sent, key=lambda row: -int(row["issued_at_ms"]))
        if row["kind"] == "delta"
    ]
    level = PrivacyLevel[str(privacy["level"])]
    return next((update for update in updates if update.privacy_level is level), None)


def _not_released(preview: Facts) -> NotPossible:
    if preview.get("refusal"):
        return NotPossible(
            "nothing was released, and the privacy budget is kept",
            str(preview["refusal"]),
            "let more machines join, or put machines of one owner into a fleet",
        )
    due_s = max(0.0, preview.get("due_at_ms", 0) / 1000 - time.time())
    return NotPossible(
        "nothing was released yet",
        f"the window ends and its release is due in {due_s:.0f} s",
        "luminous-node privacy preview shows what it will say; or call again with wait_s",
    )


def _metrics(privacy: Facts) -> dict[str, float]:
    """What the release really cost and rests on."""
    return {
        "epsilon_spent": (privacy.get("epsilon_milli_spent") or 0) / 1000,
        "epsilon_allowed": (privacy.get("epsilon_milli_allowed") or 0) / 1000,
        "trials": float(privacy.get("trials") or 0),
    }


def _effects(implementation: Facts | None) -> tuple[str, list[list[Any]]]:
    if implementation is None:
        return "text", []
    match implementation.get("type"):
        case "feature_flag":
            name = str(implementation["feature"])
            key = name if name.startswith("feature.") else f"feature.{name}"
            return "feature", [[key, int(FeatureState.ON if implementation["enabled"] else FeatureState.OFF)]]
        case "parameter":
            return "parameter", [[str(implementation["key"]), int(implementation["value"])]]
    raise NotPossible(
        "nothing was proposed",
        f"a proposal cannot carry {implementation.get('type')!r}: effects are names and numbers, never code",
        "a feature_flag, a parameter, or no implementation (a resolution in words)",
    )
