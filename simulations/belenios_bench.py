"""The same count with ``belenios-tool`` beside ours: one yes-or-no question, every ballot checked again.

Refuses to call it a race: Belenios verifies secret ballots (zero-knowledge proofs in a 2048-bit group), ours
are public; this says what each audit costs one core, not which is better. Says so if it is not installed.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from luminous.protocol.ballots import Choice
from luminous.simulations import audit_bench

TOOL = "belenios-tool"  # Debian package belenios-tool
_GROUP = "BELENIOS-2048"
_QUESTION = (
    '{"description":"synthetic","name":"synthetic","questions":[{"answers":["yes"],"min":0,"max":1,'
    '"question":"yes?"}],"administrator":"nobody","credential_authority":"nobody"}'
)


def version() -> str | None:
    """The tool's version, or None if it is not installed."""
    path = shutil.which(TOOL)
    return None if path is None else _run(Path.cwd(), "--version").strip()


def measure(voters: int) -> float:
    """CPU seconds of ``belenios-tool election verify`` for ``voters`` ballots; making them is not counted."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        _prepare(place, voters)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        _run(place, "election", "verify")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _prepare(place: Path, voters: int) -> None:
    group = ("--group", _GROUP)
    uuid = ("--uuid", _run(place, "setup", "generate-token").strip())
    _run(place, "setup", "generate-credentials", *uuid, *group, "--count", str(voters))
    next(place.glob("*.pubcreds")).rename(place / "public_creds.json")
    private = next(place.glob("*.privcreds")).read_text().splitlines()
    _run(place, "setup", "generate-trustee-key", *group)
    (place / "public_keys.jsons").write_text(next(place.glob("*.pubkey")).read_text())
    _run(place, "setup", "make-trustees")
    (place / "question.json").write_text(_QUESTION)
    _run(place, "setup", "make-election", *uuid, *group, "--template", "question.json")
    _run(place, "archive", "init")
    for number, line in enumerate(private):
        (place / "credential").write_text(line.split()[1] + "\n")
        (place / "answer").write_text(f"[[{int(audit_bench.answer_of(number) is Choice.YES)}]]\n")
        ballot = _run(place, "election", "generate-ballot", "--privcred", "credential", "--ballot", "answer")
        _run(place, "archive", "add-event", "--type=Ballot", text=ballot)


def _run(place: Path, *arguments: str, text: str = "") -> str:
    environment = {**os.environ, "BELENIOS_USE_URANDOM": "1"}
    done = subprocess.run(
        [TOOL, *arguments], cwd=place, input=text, capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout


def main() -> None:
    """``python -m luminous.simulations.belenios_bench [VOTERS]``: both audits at one count."""
    voters = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seconds, found, _ = audit_bench.measure(voters)
    print(f"luminous-node: {voters} voters, {found.signatures} signatures, {seconds:.2f} s CPU", flush=True)
    tool = version()
    if tool is None:
        print(f"{TOOL}: not installed here, so nothing to compare with (Debian package {TOOL})")
        return
    print(f"{TOOL} {tool}: {voters} voters, secret ballots with proofs, {measure(voters):.2f} s CPU")


if __name__ == "__main__":
    main()
