"""What this machine's user agreed to: two consents, each tied to the schema number it was given for.

Refuses to assume: no record, a damaged record or one given for another schema is no consent.
``DO_NOT_TRACK`` and ``LUMINOUS_OFFLINE`` beat whatever is recorded. Imports the standard library only.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from luminous.node.shell.durable_file import read_private, write_private
from luminous.node.shell.failure import Exit, Failure

# What a user agrees to is described by this number; any change of what leaves the machine raises it.
SCHEMA = 1
RECORD_SIZE_BYTES_MAX = 16 * 1024
LEVELS = ("LOCAL_ONLY", "PUBLIC", "DIFFERENTIAL", "ENCRYPTED")
# The models this version learns. Nobody can agree to one that is not described yet.
MODELS = ("fixes",)
MODELS_LATER = ("intents", "commands", "complexity", "paths", "persona")
_OFF = frozenset({"", "0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class NetworkConsent:
    """Listen, dial, relay, sync and vote. ``schema``: what it was given for; ``at_ms``: when."""

    schema: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class LearningConsent:
    """Release statistics of ``models`` at ``level``."""

    schema: int
    at_ms: int
    level: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """What was granted and not revoked, as it is kept. ``damage`` says why a file could not be read.

    ``declared``: the declaration of the configuration that was last taken over.
    """

    network: NetworkConsent | None = None
    learning: LearningConsent | None = None
    damage: str = ""
    declared: str = ""


@dataclass(frozen=True, slots=True)
class InForce:
    """What is allowed now. ``why`` has a sentence for whatever is recorded or wished and not in force."""

    network: bool
    level: str
    models: tuple[str, ...]
    why: tuple[str, ...]


def read(path: Path) -> Record:
    """The record at ``path``; a damaged one is an empty one that says so."""
    raw = read_private(path, RECORD_SIZE_BYTES_MAX, "the consent record cannot be read")
    if raw is None:
        return Record()
    try:
        return _parse(json.loads(raw))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        return Record(damage=f"{path} is damaged ({type(error).__name__}); nothing counts as agreed")


def write(path: Path, record: Record) -> None:
    """Keep ``record`` at ``path``, durably and at once."""
    facts = {
        "schema": SCHEMA,
        "network": asdict(record.network) if record.network else None,
        "learning": asdict(record.learning) if record.learning else None,
        "declared": record.declared,
    }
    raw = json.dumps(facts, indent=1, sort_keys=True).encode() + b"\n"
    write_private(path, raw, "the consent record cannot be written")


def grant_network(record: Record, at_ms: int) -> Record:
    """``record`` with consent to the network."""
    return replace(record, network=NetworkConsent(SCHEMA, at_ms), damage="")


def grant_learning(record: Record, level: str, models: tuple[str, ...], at_ms: int) -> Record:
    """``record`` with consent to learning at ``level`` with ``models`` (empty: all of them)."""
    level = level.upper().replace("-", "_")
    if level not in LEVELS:
        raise Failure(
            "nothing was granted", f"there is no level {level}", f"one of: {', '.join(LEVELS)}", Exit.USAGE
        )
    if level == "ENCRYPTED":
        raise Failure(
            "nothing was granted",
            "ENCRYPTED needs a roll of members and cohorts, which this version does not form yet",
            "choose DIFFERENTIAL, or LOCAL_ONLY to share nothing",
        )
    unknown = sorted(set(models) - set(MODELS))
    if unknown:
        why = f"there is no model {unknown[0]}" + (" yet" if unknown[0] in MODELS_LATER else "")
        raise Failure("nothing was granted", why, f"any of: {', '.join(MODELS)}", Exit.USAGE)
    chosen = tuple(name for name in MODELS if not models or name in models)
    return replace(record, learning=LearningConsent(SCHEMA, at_ms, level, chosen), damage="")


def revoke(record: Record, what: str) -> Record:
    """``record`` without one consent. Learning without the network releases nothing."""
    return replace(record, network=None) if what == "network" else replace(record, learning=None)


class Declared(Protocol):
    """The ``consent`` section of a configuration."""

    @property
    def schema(self) -> int: ...
    @property
    def network(self) -> bool: ...
    @property
    def learning(self) -> str: ...
    @property
    def models(self) -> tuple[str, ...]: ...


def adopt(record: Record, declared: Declared, at_ms: int) -> Record:
    """``record`` as the configuration declares it, unless that was taken over already.

    So what is revoked by hand stays revoked, and a declaration that is taken out of the configuration, or
    names another schema, takes back what was agreed to. Raises ``Failure`` for what cannot be granted.
    """
    text = ""
    if declared.schema == SCHEMA and (declared.network or declared.learning != "local_only"):
        names = ",".join(declared.models)
        text = f"{SCHEMA} {'network' if declared.network else 'no network'} {declared.learning} {names}"
    if text == record.declared or record.damage:
        return record
    adopted = Record(declared=text)
    if text and declared.network:
        adopted = grant_network(adopted, at_ms)
    if text and declared.learning != "local_only":
        adopted = grant_learning(adopted, declared.learning, declared.models, at_ms)
    return adopted


def blocked_by(environ: Mapping[str, str]) -> str:
    """The variable that forbids everything, as ``NAME=value``; empty if none does."""
    for name in ("DO_NOT_TRACK", "LUMINOUS_OFFLINE"):
        value = environ.get(name, "")
        if value.strip().lower() not in _OFF:
            return f"{name}={value}"
    return ""


def in_force(record: Record, environ: Mapping[str, str], *, is_wished: bool = False) -> InForce:
    """What is allowed now. ``is_wished``: the configuration wishes for sharing (``federated.enabled``)."""
    why = [record.damage] if record.damage else []
    if barrier := blocked_by(environ):
        return InForce(False, "LOCAL_ONLY", (), (*why, f"{barrier} beats every consent and setting"))
    network = record.network is not None and record.network.schema == SCHEMA
    learning = record.learning if record.learning and record.learning.schema == SCHEMA else None
    for name, given in (("network", record.network), ("learning", record.learning)):
        if given is not None and given.schema != SCHEMA:
            why.append(
                f"consent to {name} was given for schema {given.schema}, and this version has {SCHEMA}: "
                "paused until it is given again"
            )
    if is_wished and not (network and learning):
        why.append("federated.enabled is a wish: luminous-node consent grant network, then learning")
    if learning is not None and not network:
        why.append("learning is agreed to, the network is not: nothing is released")
    if learning is None or not network:
        return InForce(network, "LOCAL_ONLY", (), tuple(why))
    return InForce(network, learning.level, learning.models, tuple(why))


def _parse(facts: object) -> Record:
    if not isinstance(facts, dict):
        raise TypeError("not a map")
    network, learning, declared = facts["network"], facts["learning"], facts.get("declared", "")
    if not isinstance(declared, str):
        raise TypeError("not a text")
    return Record(
        None if network is None else NetworkConsent(_whole(network["schema"]), _whole(network["at_ms"])),
        None
        if learning is None
        else LearningConsent(
            _whole(learning["schema"]),
            _whole(learning["at_ms"]),
            _one_of(learning["level"], LEVELS),
            tuple(_one_of(name, MODELS) for name in learning["models"]),
        ),
        declared=declared,
    )


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("not a whole number")
    return value


def _one_of(value: object, names: tuple[str, ...]) -> str:
    if value not in names:
        raise ValueError("not a known name")
    return str(value)
