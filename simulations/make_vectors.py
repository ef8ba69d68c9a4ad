"""Writes the golden vectors: ``python -m luminous.simulations.make_vectors [DIRECTORY]``.

Refuses to mend a difference by itself: no test runs it, since a vector that changed is a change of the wire,
to be decided by a person.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from luminous.simulations.vectors import (
    counting,
    envelopes,
    keys,
    learning,
    networks,
    refused,
    sync,
    wire,
)
from luminous.simulations.vectors.scene import File

FILES: dict[str, Callable[[], File]] = {
    "codec": wire.make_codec,
    "digests": wire.make_digests,
    "ed25519": keys.make,
    "constants": networks.make_constants,
    "genesis": networks.make_genesis,
    "cards": networks.make_cards,
    "envelopes": envelopes.make,
    "envelopes_refused": refused.make,
    "sync": sync.make,
    "peer_exchange": networks.make_peer_exchange,
    "tally": counting.make_tally,
    "minutes": counting.make_minutes,
    "certificates": counting.make_certificates,
    "aggregates": learning.make_aggregates,
    "privacy": learning.make_privacy,
}


def text_of(name: str) -> str:
    """The file's text: one JSON object, schema 1, one line a row so that a difference can be read."""
    found = {"schema": 1, **FILES[name]()}
    parts = []
    for key, value in found.items():
        if isinstance(value, list) and value:
            rows = ",\n".join("  " + json.dumps(item, ensure_ascii=True) for item in value)
            parts.append(f"{json.dumps(key)}: [\n{rows}\n]")
        else:
            parts.append(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=True)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main() -> None:
    """Write every file."""
    default = Path(__file__).resolve().parents[1] / "tests/vectors"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        path = folder / f"{name}.json"
        path.write_text(text_of(name), encoding="utf-8")
        print(f"{path.stat().st_size:>8} bytes  {path.name}")


if __name__ == "__main__":
    main()
