"""One run of a scenario in the mesh: in this process if its hash seed is fixed, else in a child that has it.

Refuses to judge: the checkers do, and the naive count beside them.
"""

import argparse
import json
import logging
import os
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

import msgspec

from luminous.node.shell import libp2p_patches
from luminous.simulations import virtual_time
from luminous.simulations.checkers import check_all
from luminous.simulations.mesh.body import Mesh
from luminous.simulations.naive import count_naively
from luminous.simulations.running import evidence_of
from luminous.simulations.scenario import Scenario
from luminous.simulations.snapshots import Snapshots
from luminous.simulations.workload import schedule

if TYPE_CHECKING:
    from luminous.simulations.world import World

CHILD_S_MAX = 3600.0


def play(scenario: Scenario, seed: int) -> dict[str, Any]:
    """Play ``scenario``; needs the fixed hash seed. The result's fields as plain values."""
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    libp2p_patches.install()
    logging.getLogger("libp2p").setLevel(logging.CRITICAL)
    mesh = Mesh(scenario, seed)
    found: dict[str, Any] = {}

    def look() -> None:
        evidence = evidence_of(cast("World", mesh))
        checks = check_all(evidence)
        found["naive"] = count_naively(evidence)
        found["checks"] = {check.name: {"ok": check.ok, "detail": check.detail} for check in checks}
        found["ok"] = all(check.ok for check in checks)
        found["digest"] = mesh.trace.digest()
        found["peers"], found["mesh"] = mesh.peers(), mesh.mesh_sizes()
        found["counted"] = {
            "messages_rejected": mesh.counted("messages.reject"),
            "messages_ignored": mesh.counted("messages.ignore"),
            "bans": mesh.counted("bans"),
        }

    async def main() -> None:
        # The workload needs of a world only what the mesh offers too.
        world = cast("World", mesh)
        schedule(world)
        Snapshots(world)
        await mesh.run(look)

    virtual_time.run(partial(main), seed)
    peers, sizes = found.pop("peers"), found.pop("mesh")
    found["figures"] = {
        "cpu_s": round(time.process_time() - began_cpu_s, 3),
        "wall_s": round(time.perf_counter() - began_s, 3),
        "virtual_s": scenario.duration_ms / 1000,
        "segments": mesh.links.carried,
        "size_bytes": mesh.links.size_bytes,
        "peers_mean": round(sum(peers) / max(1, len(peers)), 2),
        "mesh_mean": round(sum(sizes) / max(1, len(sizes)), 2),
        **found.pop("counted"),
        **found.pop("naive"),
    }
    return found


def play_anywhere(scenario: Scenario, seed: int) -> dict[str, Any]:
    """``play``, in a child process where this one's hash seed is not the fixed one."""
    if os.environ.get("PYTHONHASHSEED") == virtual_time.HASH_SEED:
        return play(scenario, seed)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "scenario.json"
        path.write_bytes(msgspec.json.encode(scenario))
        module = "luminous.simulations.mesh.running"
        printed = virtual_time.in_child(["-m", module, str(path), str(seed)], CHILD_S_MAX)
    found: dict[str, Any] = json.loads(printed)
    return found


def main() -> None:
    """The child: a scenario as JSON in, the result as JSON out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", type=Path)
    parser.add_argument("seed", type=int)
    asked = parser.parse_args()
    scenario = msgspec.json.decode(asked.scenario.read_bytes(), type=Scenario)
    print(json.dumps(play(scenario, asked.seed)))


if __name__ == "__main__":
    main()
