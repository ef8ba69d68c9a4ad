"""``make bench``: every figure with its reference, measured in this run, and its goal.

Writes build/bench.json: a list of {name, value, unit, reference, reference_value, ratio, goal, met}. A goal
that is not met is an answer, not an error. Refuses to assert a time and to measure two things at once.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
GOALS = ROOT / "goals.toml"
OUT = Path("build") / "bench.json"
CLI = [sys.executable, "-m", "luminous.node"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure. ``ratio``: how many times better than the reference."""

    name: str
    value: float
    unit: str
    reference: str = ""
    reference_value: float | None = None
    ratio: float | None = None
    goal: float | None = None
    met: bool | None = None


def main() -> int:
    """Measure what was asked for (names or parts of them), or everything."""
    wanted = sys.argv[1:]
    goals = tomllib.loads(GOALS.read_text())
    figures: list[Figure] = []
    for name, measure in MEASURES.items():
        if wanted and not any(word in name for word in wanted):
            continue
        print(f"{name} …", file=sys.stderr, flush=True)
        began_s = time.perf_counter()
        for figure in measure():
            judged = judge(figure, goals)
            figures.append(judged)
            print(line_of(judged), flush=True)
        print(f"  ({time.perf_counter() - began_s:.0f} s)", file=sys.stderr, flush=True)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps([asdict(figure) for figure in figures], indent=1) + "\n")
    print(f"written to {OUT}", file=sys.stderr)
    return 0


def judge(figure: Figure, goals: dict[str, Any]) -> Figure:
    """The figure with its goal and whether it is met."""
    goal = goals.get(figure.name)
    if goal is None:
        return figure
    kind, bound = goal["kind"], float(goal["goal"])
    if kind == "ratio":
        met = figure.ratio is not None and figure.ratio >= bound
    else:
        met = figure.value <= bound if kind == "most" else figure.value >= bound
    facts = asdict(figure) | {"goal": bound, "met": met}
    return Figure(**facts)


def line_of(figure: Figure) -> str:
    """One line for a person."""
    reference = ""
    if figure.reference_value is not None:
        reference = f"  {figure.reference}: {figure.reference_value:g}"
        reference += f" ({figure.ratio:.2f}x)" if figure.ratio is not None else ""
    goal = "" if figure.goal is None else f"  goal {figure.goal:g}: {'met' if figure.met else 'NOT met'}"
    return f"  {figure.name:30} {figure.value:>12.4g} {figure.unit:12}{reference}{goal}"


# Processes


def measure_daemon() -> Iterator[Figure]:
    """Start-up and resident memory: before consent, and with eight peers."""
    with tempfile.TemporaryDirectory(prefix="luminous-bench-") as folder:
        data = Path(folder) / "alone"
        env = _env(data)
        subprocess.run([*CLI, "init"], env=env, check=True, capture_output=True)
        starts: list[float] = []
        for _ in range(3):
            began_s = time.perf_counter()
            process = _daemon(data)
            _wait_ready(process)
            starts.append(time.perf_counter() - began_s)
            time.sleep(1.0)
            rss = _rss_mb(process.pid)
            _stop(process)
        bare = _python_s("pass")
        yield Figure("start_to_ready_s", statistics.median(starts), "s", "bare python", bare)
        yield Figure("rss_before_consent_mb", rss, "MB", "bare python", _python_rss_mb("pass"))
        yield _with_peers(Path(folder))


def _with_peers(folder: Path) -> Figure:
    """One node beside eight others, all real processes on loopback."""
    processes = []
    try:
        first = folder / "0"
        card = ""
        for index in range(9):
            data = folder / str(index)
            env = _env(data)
            subprocess.run([*CLI, "init"], env=env, check=True, capture_output=True)
            words = ["network", "join", card] if index else ["network", "create", "bench"]
            subprocess.run([*CLI, *words], env=env, check=True, capture_output=True)
            subprocess.run([*CLI, "consent", "grant", "network"], env=env, check=True, capture_output=True)
            process = _daemon(data)
            processes.append(process)
            _wait_ready(process)
            if not index:
                time.sleep(4)
                shown = subprocess.run(
                    [*CLI, "network", "card", "--json"], env=env, check=True, capture_output=True
                )
                card = json.loads(shown.stdout)["card"]
        until_s = time.perf_counter() + 60
        peers = 0
        while peers < 8 and time.perf_counter() < until_s:
            time.sleep(1)
            shown = subprocess.run(
                [*CLI, "status", "--json"], env=_env(first), check=True, capture_output=True
            )
            peers = int(json.loads(shown.stdout)["peers"])
        time.sleep(5)
        rss = _rss_mb(processes[0].pid)
        libp2p = _python_rss_mb("import libp2p, libp2p.pubsub.gossipsub")
        return Figure("rss_eight_peers_mb", rss, f"MB ({peers} peers)", "import libp2p alone", libp2p)
    finally:
        for process in processes:
            _stop(process)


def _env(data: Path) -> dict[str, str]:
    return {**os.environ, "LUMINOUS_DATA_DIR": str(data)}


def _daemon(data: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "luminous.node.shell.daemon", "--data-dir", str(data)]
    words += ["--listen", "/ip4/127.0.0.1/tcp/0"]
    return subprocess.Popen(words, env=_env(data), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _wait_ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if b"is ready" in line:
            return
    raise RuntimeError("the node did not start")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(20)


def _rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20


def _python_s(code: str, times: int = 5) -> float:
    taken = []
    for _ in range(times):
        began_s = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        taken.append(time.perf_counter() - began_s)
    return statistics.median(taken)


def _python_rss_mb(code: str) -> float:
    program = f"{code}\nprint(int(open('/proc/self/statm').read().split()[1]) * 4096 / 2**20)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    return float(done.stdout.split()[-1])


# The mesh, the wire, sync


def measure_broadcast() -> Iterator[Figure]:
    """CPU per node and 1 KB broadcast, degree 8, beside the stock library in the same run."""
    from luminous.simulations.bench_mesh import compare

    found = compare()
    ours, stock = float(str(found["ours_cpu_ms"])), float(str(found["stock_cpu_ms"]))
    yield Figure("broadcast_cpu_ms", ours, "ms", "stock py-libp2p", stock, stock / ours)


def measure_envelopes() -> Iterator[Figure]:
    """Decode, canonical check, schema, signature: the whole admission, beside the signature alone."""
    from luminous.crypto.keys import is_signed, signer_from_seed
    from luminous.protocol.admission import admit
    from luminous.protocol.ballots import BALLOT, Ballot, Choice
    from luminous.protocol.envelope import seal
    from luminous.protocol.identifiers import NetworkId, ProposalId
    from luminous.protocol.kinds import Kind

    signer, network = signer_from_seed(b"b" * 32), NetworkId(b"n" * 16)
    payload = BALLOT.pack(Ballot(ProposalId(b"p" * 32), Choice.YES, 0, b""))
    raws = [seal(signer, network, Kind.BALLOT, n, 1_800_000_000_000, payload) for n in range(2000)]
    signature = signer.sign(b"m" * 32)
    rates, alone = [], []
    for _ in range(5):
        began_s = time.process_time()
        for raw in raws:
            admit(raw, network)
        rates.append(len(raws) / (time.process_time() - began_s))
        began_s = time.process_time()
        for _ in raws:
            is_signed(signer.public, b"m" * 32, signature)
        alone.append(len(raws) / (time.process_time() - began_s))
    reference = statistics.median(alone)
    value = statistics.median(rates)
    yield Figure("envelope_verify_per_s", value, "1/s", "signature alone", reference, value / reference)


def measure_sync() -> Iterator[Figure]:
    """10 000 records differing in 100."""
    from luminous.simulations.bench_sync import measure

    cost = measure(10_000, 100)
    facts = asdict(cost)
    trips = next(float(facts[name]) for name in facts if "trip" in name)
    size = next(float(facts[name]) for name in facts if "bytes" in name)
    yield Figure("sync_round_trips", trips, "")
    yield Figure("sync_bytes", size, "bytes", "all ids", 10_000 * 32, 10_000 * 32 / size)


# The world, learning, deciding


def measure_world() -> Iterator[Figure]:
    """Events a second of one core: calm with 48 nodes, admission memoised across nodes and not."""
    from luminous.simulations.running import run_world
    from luminous.simulations.scenario import read_scenario

    scenario = read_scenario("calm", 48)
    plain = run_world(scenario, 1, memoise=False).figures
    memoised = run_world(scenario, 1, memoise=True).figures
    fast, slow = float(memoised["events_per_cpu_s"]), float(plain["events_per_cpu_s"])
    yield Figure("world_events_per_s_memoised", fast, "1/s", "not memoised", slow, fast / slow)
    yield Figure("world_events_per_s_plain", slow, "1/s")
    yield Figure("world_calm_48_cpu_s", float(memoised["cpu_s"]), "s")


def measure_bodies() -> Iterator[Figure]:
    """Played time by real time and memory a node, of the world, the mesh and the wire."""
    from luminous.simulations.bench_bodies import SIZES, compute_node_mb, run_once

    for body, (few, many) in SIZES.items():
        small, large = run_once(body, few), run_once(body, many)
        name = f"{few} nodes"
        yield Figure(f"{body}_times_faster", large.times_faster, f"x, {many} nodes", name, small.times_faster)
        yield Figure(f"{body}_mb_a_node", compute_node_mb(small, large), "MB")


def measure_learning() -> Iterator[Figure]:
    """Node-rounds a second of the vectorised study beside gossipy-dfl; one member's secure aggregation."""
    from luminous.simulations.bench_learning import compare
    from luminous.simulations.cohort_cost import measure_cohort

    found = compare()
    theirs = (
        ("", None, None) if found.theirs is None else ("gossipy-dfl", found.theirs, found.ours / found.theirs)
    )
    yield Figure("learning_node_rounds_per_s", found.ours, "1/s", *theirs)
    costs = [measure_cohort(seed=seed) for seed in range(1, 6)]
    spent = statistics.median(cost.mask_ms + cost.deal_ms for cost in costs)
    yield Figure("secure_aggregation_ms", spent, "ms/member, 16 x 4096")


def measure_audit() -> Iterator[Figure]:
    """A synthetic election of 10 000 voters, audited from its file."""
    from luminous.simulations.audit_bench import measure

    seconds, _, _ = measure(10_000)
    small, _, _ = measure(1_000)
    yield Figure("audit_10000_s", seconds, "s", "1 000 voters", small)


# Explaining


def measure_explain() -> Iterator[Figure]:
    """`explain` as a cold process, and how often its first and first three answers are right."""
    text = (ROOT / "recorded" / "fix_trials.json").read_bytes()
    stderr = json.loads(text)["stderr"].encode()
    taken = []
    for _ in range(20):
        began_s = time.perf_counter()
        subprocess.run([*CLI, "explain", "-", "--json"], input=stderr, check=False, capture_output=True)
        taken.append(1000 * (time.perf_counter() - began_s))
    bare = 1000 * _python_s("pass", 10)
    yield Figure("explain_cold_p95_ms", sorted(taken)[18], "ms", "bare python", bare)
    wrapped = []
    for _ in range(15):
        began_s = time.perf_counter()
        subprocess.run([*CLI, "exec", "--", "true"], check=True, capture_output=True)
        wrapped.append(1000 * (time.perf_counter() - began_s))
    yield Figure("exec_overhead_ms", statistics.median(wrapped) - bare, "ms", "bare python", bare)
    yield from _explain_accuracy()


def _explain_accuracy() -> Iterator[Figure]:
    """Rows that were kept out of tuning by thread (see docs/explain.md for how far that holds)."""
    data = ROOT.parent.parent / "shared" / "data" / "nix"
    if not data.is_dir():
        print("  explain accuracy: skipped, the shared data is not beside the repository", file=sys.stderr)
        return
    from luminous.simulations.evaluate_explain import evaluate

    held = evaluate(data / "user_errors.jsonl")["held_out"]
    for name, key in (("explain_ac1", "ac1"), ("explain_ac3", "ac3")):
        value, near = float(held[key]["value"]), float(held["nearest_neighbour"][key]["value"])
        yield Figure(name, value, f"n = {held['n']}", "nearest neighbour", near)
    chance = float(held["chance_ac1"]["uniform"])
    yield Figure("explain_ac1_chance", chance, f"1 of {held['classes']} classes")


def measure_demo() -> Iterator[Figure]:
    """How long the demo takes."""
    began_s = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "luminous.simulations.demo"], capture_output=True, check=False
    )
    yield Figure("demo_s", time.perf_counter() - began_s, f"s (exit {done.returncode})")


def measure_tests() -> Iterator[Figure]:
    """How long the ordinary tests take on this machine."""
    began_s = time.perf_counter()
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        "2",
        "--dist",
        "loadfile",
        "-m",
        "not long and not alone",
    ]
    done = subprocess.run(words, capture_output=True, check=False)
    yield Figure("test_s", time.perf_counter() - began_s, f"s (exit {done.returncode})")


MEASURES: dict[str, Callable[[], Iterator[Figure]]] = {
    "envelopes": measure_envelopes,
    "sync": measure_sync,
    "world": measure_world,
    "bodies": measure_bodies,
    "learning": measure_learning,
    "audit": measure_audit,
    "explain": measure_explain,
    "daemon": measure_daemon,
    "broadcast": measure_broadcast,
    "demo": measure_demo,
    "tests": measure_tests,
}

if __name__ == "__main__":
    sys.exit(main())
