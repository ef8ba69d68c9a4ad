"""Two fixes that compete for one failure, tried for real in worlds of their own.

The failure: ``<nixos/…>`` is not in the search path, on machines that no channel reaches. Adding a channel is
the usual advice and cannot help there; naming the folder does. Outcomes come from running nix, never from a
table; where nix is not installed a recorded run of this very function stands in and says so.
Refuses the network: the channel's address is a file that does not exist.
"""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from luminous.simulations import nix_worlds

FAULT = "missing_channel"
FIXES = ("add_channel", "set_search_path")
RECORD = Path(__file__).parent / "recorded" / "fix_trials.json"
COMMAND_TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Tried:
    """One fix tried once. ``is_recorded``: from a recorded run."""

    fix: str
    success: bool
    is_recorded: bool


def failure(seed: int) -> tuple[str, bool]:
    """What nix says about the fault, and whether that is a recorded run."""
    if not nix_worlds.has_nix():
        return str(json.loads(RECORD.read_text())["stderr"]), True
    with tempfile.TemporaryDirectory(prefix="luminous-world-") as folder:
        nix_worlds.make_world(Path(folder) / "w", (FAULT,), seed=seed)
        return nix_worlds.run_world(Path(folder) / "w")[1], False


def try_fix(fix: str, seed: int) -> Tried:
    """Make a world with the fault, apply one fix as a person would, run the same command again."""
    if not nix_worlds.has_nix():
        return Tried(fix, bool(json.loads(RECORD.read_text())["success"][fix]), True)
    with tempfile.TemporaryDirectory(prefix="luminous-world-") as folder:
        root = Path(folder) / "w"
        nix_worlds.make_world(root, (FAULT,), seed=seed)
        first, said = nix_worlds.run_world(root)
        assert first != 0, "the planted fault must fail first"
        name = said.split("file '", 1)[1].split("/", 1)[0]
        extra: list[str] = []
        if fix == "add_channel":
            for words in (["--add", f"file:///srv/channels/{name}", name], ["--update"]):
                subprocess.run(
                    ["nix-channel", *words],
                    env=nix_worlds.world_env(root),
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=COMMAND_TIMEOUT_S,
                    check=False,
                )
        else:
            extra = ["-I", f"{name}={root / 'nixpkgs'}"]
        again, _ = nix_worlds.run_world(root, extra_argv=extra)
        return Tried(fix, again == 0, False)


def record() -> None:
    """Write the recorded run anew; needs nix."""
    assert nix_worlds.has_nix()
    facts = {
        "stderr": failure(0)[0],
        "success": {fix: try_fix(fix, 0).success for fix in FIXES},
        "made_by": "python -m luminous.simulations.fix_trials",
    }
    RECORD.parent.mkdir(exist_ok=True)
    RECORD.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    record()
