"""The casebook: incidents and intents, what they taught, and how much was done already.

Rebuilt from the journal after a restart. Refuses to decide: it remembers, counts and shows.
"""

from collections import deque

from luminous.crypto.digest import digest
from luminous.node.core.healing.arms import Arms
from luminous.node.core.healing.guards import Breaker, Budget
from luminous.node.core.healing.lifecycle import ACTING, OPEN, Phase
from luminous.node.core.healing.records import INCIDENT, INTENT, Incident, Intent, incident_of, intent_of
from luminous.node.core.healing.strategies import find_plan
from luminous.node.core.instant import Instant
from luminous.node.core.outcomes import Keep
from luminous.protocol.codec import Value

# Incidents at once and in the history, and intents: stops a flapping symptom from filling memory.
INCIDENTS_MAX = 64
INTENTS_MAX = 128
SHOWN_MAX = 32

# A symptom and what it is about.
Key = tuple[str, str]


class Casebook:
    """What healing knows of past and present."""

    def __init__(self) -> None:
        self.arms = Arms()
        self.budget = Budget()
        self.present: dict[Key, Incident] = {}
        self.since: dict[Key, int] = {}
        self.escalated: dict[Key, int] = {}
        self.intents: dict[str, Intent] = {}
        self.unresolved: list[str] = []
        self._tried: dict[str, list[str]] = {}
        self._closed: deque[Incident] = deque(maxlen=INCIDENTS_MAX)
        self._breakers: dict[tuple[str, str], Breaker] = {}
        self._count = 0

    @property
    def is_full(self) -> bool:
        """Whether no further incident is taken."""
        return len(self.present) >= INCIDENTS_MAX

    def open(self, key: Key, cause: str, at: Instant) -> Keep:
        """A new incident of the symptom ``key``."""
        incident = Incident(self.new_id("incident", key, at), *key, cause, at.wall_ms)
        self.present[key] = incident
        self.since[key] = at.mono_ms
        return Keep(INCIDENT, incident.body())

    def update(self, incident: Incident) -> Keep:
        """The same incident, changed."""
        self.present[(incident.symptom, incident.target)] = incident
        return Keep(INCIDENT, incident.body())

    def close(self, incident: Incident, result: str, at: Instant) -> Keep:
        """An incident is over."""
        key = (incident.symptom, incident.target)
        closed = incident.close(at.wall_ms, result)
        self.present.pop(key, None)
        self.since.pop(key, None)
        self._tried.pop(incident.id, None)
        self._closed.append(closed)
        return Keep(INCIDENT, closed.body())

    def store(self, intent: Intent) -> Keep:
        """An intent in its present phase."""
        self._remember(intent)
        return Keep(INTENT, intent.body())

    def try_verb(self, incident: Incident, verb: str) -> None:
        """``verb`` is being tried in this incident; it will not be again."""
        self._tried.setdefault(incident.id, []).append(verb)

    def tried(self, incident: Incident) -> tuple[str, ...]:
        """Verbs tried in this incident."""
        return tuple(self._tried.get(incident.id, ()))

    def is_exhausted(self, incident: Incident) -> bool:
        """Whether every act of its plan was tried."""
        return len(self.tried(incident)) >= len(find_plan(incident.symptom, incident.target).acts)

    def acting(self) -> Intent | None:
        """The one act under way."""
        return next((intent for intent in self.intents.values() if intent.phase in ACTING), None)

    def of(self, incident: Incident) -> list[Intent]:
        """The intents of one incident."""
        return [intent for intent in self.intents.values() if intent.incident == incident.id]

    def find(self, intent_id: str) -> Intent | None:
        """An intent by its id or a unique beginning of it."""
        found = [intent for key, intent in self.intents.items() if key.startswith(intent_id)]
        return found[0] if intent_id and len(found) == 1 else None

    def breaker(self, verb: str, on: str) -> Breaker:
        """The breaker of a verb on a target."""
        return self._breakers.get((verb, on)) or Breaker()

    def learn(self, intent: Intent, wall_ms: int) -> None:
        """How an act ended, for breakers and arms."""
        helped = intent.phase is Phase.VERIFIED
        self._breakers.setdefault((intent.verb, intent.on), Breaker()).add(helped, wall_ms)
        self.arms.add(intent.symptom, intent.verb, helped)

    def recall(self, name: str, body: Value) -> None:
        """A kept record after a restart: the last phase of each intent, incidents, breakers and budgets."""
        if not isinstance(body, dict):
            return
        record: dict[str, Value] = body  # type: ignore[assignment]
        if name == INCIDENT:
            self._recall_incident(incident_of(record))
        elif name == INTENT:
            self._recall_intent(intent_of(record))

    def _recall_incident(self, incident: Incident) -> None:
        key = (incident.symptom, incident.target)
        if incident.is_escalated:
            self.escalated[key] = max(incident.opened_wall_ms, self.escalated.get(key, 0))
        if incident.closed_wall_ms:
            self.present.pop(key, None)
            self._closed.append(incident)
        else:
            self.present[key] = incident

    def _recall_intent(self, intent: Intent) -> None:
        if intent.phase is Phase.INTENDED:
            self.budget.add(intent.verb, intent.on, intent.at_wall_ms)
        if intent.phase in (Phase.VERIFIED, Phase.UNVERIFIED):
            self.learn(intent, intent.at_wall_ms)
        self._remember(intent)
        if intent.id in self.unresolved:
            self.unresolved.remove(intent.id)
        if intent.phase in OPEN:
            self.unresolved.append(intent.id)

    def _remember(self, intent: Intent) -> None:
        self.intents[intent.id] = intent
        if len(self.intents) > INTENTS_MAX:
            oldest = next((key for key, held in self.intents.items() if held.phase not in OPEN), None)
            if oldest is not None:
                del self.intents[oldest]

    def new_id(self, kind: str, key: tuple[str, str], at: Instant) -> str:
        """A name for an incident or an intent; the same history gives the same names."""
        self._count += 1
        parts = (kind, *key, at.boot_id, str(at.wall_ms), str(at.mono_ms), str(self._count))
        return digest("healing", *(part.encode() for part in parts))[:8].hex()

    def view(self, held: dict[str, str]) -> dict[str, Value]:
        """Open incidents and what holds them back, the history, and tripped breakers, for people."""
        opened: list[Value] = []
        for key in sorted(self.present):
            incident = self.present[key]
            opened.append({**incident.body(), "waiting_for": held.get(incident.id, "")})
        intents: list[Value] = [intent.body() for intent in list(self.intents.values())[-SHOWN_MAX:]]
        closed: list[Value] = [incident.body() for incident in list(self._closed)[-SHOWN_MAX:]]
        breakers: list[Value] = []
        for verb, target in sorted(self._breakers):
            breaker = self._breakers[(verb, target)]
            if breaker.is_tripped:
                tripped: dict[str, Value] = {"verb": verb, "target": target}
                breakers.append({**tripped, "until": breaker.open_until_wall_ms})
        return {
            "active": len(self.present),
            "open": opened,
            "intents": intents,
            "closed": closed,
            "breakers": breakers,
        }
