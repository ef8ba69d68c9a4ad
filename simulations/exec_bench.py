"""What `exec` and the shell hook cost on this machine: start, throughput, one prompt.

`python -m luminous.simulations.exec_bench` prints one line of JSON. Measures real processes; refuses to be a
test, as a busy machine would fail it.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

SHELLS = ("bash", "zsh", "fish")
ROUNDS = 31
PROMPTS = 300
OUTPUT_BYTES = 100_000_000


def main() -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        env = os.environ | {"LUMINOUS_DATA_DIR": str(Path(folder) / "data"), "HOME": folder}
        env["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        figures: dict[str, object] = {"schema": 1, **_start(env), **_throughput(env)}
        for shell in SHELLS:
            if shutil.which(shell):
                figures[f"hook_{shell}_success_ms"], figures[f"hook_{shell}_failure_ms"] = _prompt(
                    shell, folder
                )
    print(json.dumps(figures, sort_keys=True))
    return 0


def _median_ms(argv: Sequence[str], env: dict[str, str]) -> float:
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run(argv, env=env, check=True)
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def _start(env: dict[str, str]) -> dict[str, float]:
    alone = _median_ms(["true"], env)
    bare = _median_ms([sys.executable, "-c", "pass"], env)
    direct = _median_ms([sys.executable, "-m", "luminous.node.shell.exec", "--", "true"], env)
    command = _median_ms([sys.executable, "-m", "luminous.node", "exec", "--", "true"], env)
    return {
        "bare_python_ms": round(bare, 1),
        "exec_overhead_ms": round(direct - bare - alone, 1),
        "luminous_node_exec_overhead_ms": round(command - bare - alone, 1),
    }


def _throughput(env: dict[str, str]) -> dict[str, float]:
    script = f"head -c {OUTPUT_BYTES} /dev/zero >&2"
    figures = {}
    for name, argv in (
        ("alone", ["sh", "-c", script]),
        ("exec", [sys.executable, "-m", "luminous.node.shell.exec", "--", "sh", "-c", script]),
    ):
        start = time.perf_counter()
        subprocess.run(f"{_quoted(argv)} 2>&1 | cat >/dev/null", shell=True, env=env, check=True)
        figures[f"hundred_mb_{name}_ms"] = round((time.perf_counter() - start) * 1000, 1)
    return figures


def _quoted(argv: Sequence[str]) -> str:
    import shlex

    return shlex.join(argv)


def _output(argv: Sequence[str]) -> str:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.run(argv, env=env, check=True, capture_output=True, text=True).stdout


def _prompt(shell: str, folder: str) -> tuple[float, float]:
    """Milliseconds that the hook adds to one prompt, after success and after a failed nix-build."""
    spool = Path(folder) / "data" / "spool"
    spool.mkdir(parents=True, exist_ok=True)
    env = os.environ | {"HOME": folder, "LUMINOUS_DATA_DIR": str(spool.parent), "HISTFILE": ""}
    shells = {
        "bash": ["bash", "--norc", "-i"],
        "zsh": ["zsh", "-f", "-i"],
        "fish": ["fish", "--no-config", "-i"],
    }
    idle = "__luminous_number=" if shell == "bash" else ":"
    hooked = {
        "bash": "__luminous_number=; {state}; __luminous_prompt",
        "zsh": "__luminous_line='nix-build x'; {state}; __luminous_precmd",
        "fish": "{state}; __luminous_after 'nix-build x'",
    }[shell]
    ready = "set -o history; history -s nix-build x; set +o history" if shell == "bash" else ""
    hook = _output([sys.executable, "-m", "luminous.node", "hook", shell])
    costs = []
    for state, count in (("true", PROMPTS), ("false", PROMPTS // 4)):
        times = []
        for line in (hooked.format(state=state), f"{idle}; {state}"):
            loop = f"for i in {{1..{count}}}; do {line}; done"
            if shell == "fish":
                loop = f"for i in (seq {count}); {line}; end"
            script = Path(folder) / "bench"
            script.write_text(f"{hook}\n{ready}\n{loop}\n")
            start = time.perf_counter()
            subprocess.run(
                [*shells[shell], "-c", f"source {script}"],
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
            times.append((time.perf_counter() - start) * 1000 / count)
            noted = list(spool.iterdir())
            assert bool(noted) == (state == "false" and "__luminous_" in line.split(";")[-1]), (
                "measured nothing"
            )
            for path in noted:
                path.unlink()
        costs.append(round(times[0] - times[1], 3))
    return costs[0], costs[1]


if __name__ == "__main__":
    sys.exit(main())
