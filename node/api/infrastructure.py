"""``SelfMaintainingInfrastructure``: the running node's monitor, healing and forecasts, asked from a program.

Refuses to measure or heal by itself: the node does both, within the consent its owner gave it.
"""

import time
from collections import deque
from collections.abc import Callable
from inspect import isawaitable
from pathlib import Path
from typing import Any

from luminous.node.api.connection import Connection, Facts, NotPossible, pause

RUNS_KEPT_MAX = 1000
HORIZON_MIN_MAX = 30


class SelfHealingEngine:
    """Open incidents, what was done about them, and the owner's word for what waits for it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def issues(self) -> list[Facts]:
        """What is wrong now."""
        return list(self._connection.get("/v1/heal")["open"])

    @property
    def recovery_history(self) -> list[Facts]:
        """What was done, oldest first."""
        return list(self._connection.get("/v1/heal")["intents"])

    async def diagnose_issue(self, metrics: Facts | None = None, component: str = "") -> Facts | None:
        """The open incident of ``component`` (empty: the first), or None. ``metrics`` are the node's own."""
        held = (await self._connection.fetch("/v1/heal"))["open"]
        return next((row for row in held if component in ("", row["target"], row["symptom"])), None)

    async def attempt_recovery(self, issue: Facts) -> bool:
        """Agree to what the node proposes for an incident; False when it proposes nothing that waits."""
        held = (await self._connection.fetch("/v1/heal"))["intents"]
        waiting = [
            row
            for row in held
            if row.get("incident") == issue["id"] and row.get("phase") == "awaiting_consent"
        ]
        for row in waiting:
            await self._connection.send("/v1/heal", {"intent": row["id"], "undo": False})
        return bool(waiting)


class PredictiveOptimizer:
    """Forecasts of the next half hour. They advise and never act."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def record_metrics(self, metrics: Facts) -> None:
        """Never possible: a forecast rests on what the node measured, not on what it is told."""
        raise NotPossible(
            "nothing was recorded", "the node measures its machine itself", "luminous-node health"
        )

    def predict_resource_needs(self, horizon_minutes: int = 30) -> Facts:
        """Forecasts by signal with their bands; at most 30 minutes ahead."""
        if not 0 < horizon_minutes <= HORIZON_MIN_MAX:
            raise NotPossible(
                "nothing was predicted", f"forecasts reach {HORIZON_MIN_MAX} minutes", "1 to 30"
            )
        found = self._connection.get("/v1/forecast")["forecasts"]
        return {"horizon_minutes": horizon_minutes, "forecasts": found}

    def suggest_optimizations(self) -> list[Facts]:
        """What the node would do and waits to be told."""
        return [row for row in self._connection.get("/v1/heal")["open"] if row.get("waiting_for")]

    async def apply_optimization(self, optimization: Facts) -> bool:
        """Agree to one of ``suggest_optimizations``."""
        return await SelfHealingEngine(self._connection).attempt_recovery(optimization)


class AutomatedTestRunner:
    """Runs the caller's own checks, by name, and remembers how they ended."""

    def __init__(self) -> None:
        self._suites: dict[str, list[Callable[[], Any]]] = {}
        self._runs: deque[Facts] = deque(maxlen=RUNS_KEPT_MAX)

    def register_test_suite(self, name: str, tests: list[Callable[[], Any]]) -> None:
        """``tests``: functions or coroutine functions; one passes unless it raises AssertionError or
        returns False."""
        self._suites[name] = list(tests)

    async def run_test_suite(self, name: str) -> Facts:
        """Run one suite now. Other exceptions than AssertionError are the caller's, and pass through."""
        began_s = time.monotonic()
        failures: list[str] = []
        for test in self._suites[name]:
            try:
                result = test()
                if isawaitable(result):
                    result = await result
                if result is False:
                    failures.append(f"{test.__name__}: False")
            except AssertionError as error:
                failures.append(f"{test.__name__}: {error}")
        done: Facts = {
            "suite": name,
            "passed": len(self._suites[name]) - len(failures),
            "failed": len(failures),
            "failures": failures,
            "seconds": time.monotonic() - began_s,
        }
        self._runs.append(done)
        return done

    async def run_continuous_tests(self, interval_s: float = 300) -> None:
        """Run every suite again and again until cancelled."""
        while True:
            for name in self._suites:
                await self.run_test_suite(name)
            await pause(interval_s)

    def get_test_summary(self) -> Facts:
        """Counts over the newest run of each suite."""
        newest = {row["suite"]: row for row in self._runs}
        return {
            "suites": len(self._suites),
            "runs": len(self._runs),
            "passed": sum(row["passed"] for row in newest.values()),
            "failed": sum(row["failed"] for row in newest.values()),
        }


class SelfMaintainingInfrastructure:
    """Health, healing, forecasts and checks of one machine. ``data_dir``: the node's (None: this user's)."""

    def __init__(self, data_dir: Path | str | None = None) -> None:
        self._connection = Connection(data_dir)
        self.healing_engine = SelfHealingEngine(self._connection)
        self.optimizer = PredictiveOptimizer(self._connection)
        self.test_runner = AutomatedTestRunner()
        self.is_following = False

    @property
    def check_interval(self) -> int:
        """Seconds between two measurements: what the network decided, or this owner."""
        rows = self._connection.get("/v1/parameters")["parameters"]
        return next(int(row["value"]) for row in rows if row["key"] == "health.interval_s")

    @property
    def health_status(self) -> str:
        """EXCELLENT, GOOD, DEGRADED, CRITICAL, FAILED, or UNKNOWN while too little answers."""
        return str(self._connection.get("/v1/health")["status"])

    @property
    def current_metrics(self) -> Facts:
        """The score, what it rests on and the lowest parts."""
        found = self._connection.get("/v1/health")
        names = ("score", "coverage_percent", "interval", "worst", "missing", "samples", "summary")
        return {name: found[name] for name in names}

    async def start_monitoring(self, timeout_s: float = 60.0) -> None:
        """Wait until the running node has measured this machine; it does so as long as it runs."""
        ends_s = time.monotonic() + timeout_s
        while not (await self._connection.fetch("/v1/health"))["samples"]:
            if time.monotonic() > ends_s:
                raise NotPossible(
                    "monitoring did not start",
                    "the node has not measured anything",
                    "luminous-node config show: is infrastructure.monitoring_enabled on?",
                )
            await pause(0.2)
        self.is_following = True

    async def stop_monitoring(self) -> None:
        """Stop following. The node goes on: ``infrastructure.monitoring_enabled: false`` switches it off."""
        self.is_following = False

    def get_infrastructure_status(self) -> Facts:
        """Everything at one glance."""
        health = self._connection.get("/v1/health")
        healing = self._connection.get("/v1/heal")
        return {
            "health_status": str(health["status"]).lower(),
            "health_score": health["score"],
            "metrics": {
                "coverage_percent": health["coverage_percent"],
                "worst": health["worst"],
                "samples": health["samples"],
                "missing": health["missing"],
            },
            "summary": health["summary"],
            "symptoms": health["symptoms"],
            "active_issues": len(healing["open"]),
            "issues": healing["open"],
            "recoveries": len(healing["intents"]),
            "incidents": health["incidents"],
            "monitoring_active": bool(health["samples"]),
            "tests": self.test_runner.get_test_summary(),
        }
