"""Worlds with planted faults, run with the real Nix; the first suggestion is applied and run again.

Each world is a small system build in a scratch directory with its own store (fix_world_faults.py). A fix
works when the failure that it answers is gone: the build succeeds, or stops at another planted fault. It
harms when something outside the suggestion changed, or an earlier stage fails than before. Refuses to touch
any store but its own.
"""

import os
import random
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luminous.node.core.causes.answer import Answer, Fix
from luminous.node.shell.explain import explain_text
from luminous.simulations.fix_world_faults import BASE_COMMAND, FAULTS, FILES, GOOD_HASH, Fault
from luminous.simulations.intervals import wilson

RUN_TIMEOUT_S = 30
STAGES = ("usage", "parse", "evaluate", "fetch", "build", "activate", "system")


@dataclass(frozen=True, slots=True)
class Trial:
    """One world, what was said and what came of the first suggestion."""

    labels: tuple[str, ...]
    said: str | None
    confidence: float
    fix_id: str
    visible: bool  # the class named is one of the planted
    worked: bool
    harmed: bool
    more_behind: bool
    note: str = ""


def available() -> bool:
    """Whether this machine has what the worlds need."""
    return all(shutil.which(program) for program in ("nix-build", "git", "patch"))


def measure(seed: int = 7, doubles: int = 16, only: int | None = None) -> dict[str, Any]:
    """Run every single fault and ``doubles`` random pairs; figures and a text."""
    if not available():
        return {"ran": False, "text": "nix-build, git and patch are needed; not run\n"}
    chance = random.Random(seed)
    worlds: list[tuple[Fault, ...]] = [(fault,) for fault in FAULTS[:only]]
    plain = [f for f in FAULTS if not f.flake and not f.command]
    while len(worlds) < len(FAULTS[:only]) + doubles:
        pair = tuple(chance.sample(plain, 2))
        if (
            not {e[0:2] for e in pair[0].edits} & {e[0:2] for e in pair[1].edits}
            and pair[0].label != pair[1].label
        ):
            worlds.append(pair)
    trials = [run_world(world) for world in worlds]
    return _report(trials)


def run_world(faults: tuple[Fault, ...]) -> Trial:
    """Build the world, fail, ask, apply the first suggestion, run again."""
    labels = tuple(fault.label for fault in faults)
    folder = Path(tempfile.mkdtemp(prefix="luminous-world-"))
    try:
        root = folder / "etc"
        command = _plant(root, faults)
        first = _run(command, root, folder)
        if first.returncode == 0:
            return Trial(labels, None, 0.0, "", False, False, False, False, "the fault did not bite")
        answer = _explain_at_home(first, command, root, folder)
        before = _snapshot(root)
        fix = next((f for f in answer.fixes if f.diff or f.command), None)
        visible = answer.class_id in labels
        if fix is None or fix is not answer.fixes[0]:
            return _trial(labels, answer, fix, visible, False, False, "the first suggestion is words")
        command, applied = _apply(fix, command, root, folder)
        second = _run(command, root, folder)
        after = explain_text(
            second.stderr, command=command, exit_code=second.returncode, root=root, ask=False
        )
        works = second.returncode == 0 or (
            len(faults) > 1 and after.class_id in labels and after.class_id != answer.class_id
        )
        harmed = not _only_expected(before, _snapshot(root), fix) or _went_back(
            labels, answer, after, second.returncode
        )
        note = "" if works else f"{applied} then {after.class_id}: {after.said[:120]}"
        return _trial(labels, answer, fix, visible, works, harmed, note)
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(folder)], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def _trial(
    labels: tuple[str, ...],
    answer: Answer,
    fix: Fix | None,
    visible: bool,
    worked: bool,
    harmed: bool,
    note: str,
) -> Trial:
    name = fix.id if fix else ""
    return Trial(
        labels, answer.class_id, answer.confidence, name, visible, worked, harmed, answer.more_behind, note
    )


def _plant(root: Path, faults: tuple[Fault, ...]) -> str:
    root.mkdir(parents=True)
    files = dict(FILES)
    command = BASE_COMMAND
    for fault in faults:
        for name, old, new in fault.edits:
            assert old in files[name], (fault, old)
            files[name] = files[name].replace(old, new, 1)
        for name in fault.remove:
            del files[name]
        command = fault.command or command
        if fault.flake:
            files["flake.nix"] = "{ outputs = { self }: { greeting = import ./greeting.nix; plain = 1; }; }\n"
            files["greeting.nix"] = '"hello"\n'
    for name, text in files.items():
        (root / name).write_text(text.replace("GOOD_HASH", GOOD_HASH))
    channel = root.parent / "home" / ".nix-defexpr" / "channels" / "nixpkgs"
    channel.mkdir(parents=True)
    (channel / "default.nix").write_text(FILES["pkgs.nix"])
    if any(fault.flake for fault in faults):
        for argv in (["git", "init", "-q", "."], ["git", "add", "flake.nix"]):
            subprocess.run(argv, cwd=root, check=True, capture_output=True)
    return command


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "NIX_REMOTE": "local",
        "NIX_PATH": "",
        "NIX_STORE_DIR": str(folder / "store"),
        "NIX_STATE_DIR": str(folder / "var"),
        "NIX_LOG_DIR": str(folder / "log"),
        "NIX_CONFIG": "build-users-group =\nsandbox = false\nsubstituters =",
        "LC_ALL": "C.UTF-8",
    }


def _run(command: str, root: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=root,
        env=_environment(folder),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=RUN_TIMEOUT_S,
        check=False,
    )


def _apply(fix: Fix, command: str, root: Path, folder: Path) -> tuple[str, str]:
    """Apply a suggestion as its reader would; the command to run next, and what was done."""
    if fix.diff:
        subprocess.run(
            ["patch", "-p1", "-s"], input=fix.diff, text=True, cwd=root, check=False, capture_output=True
        )
        return command, "patched"
    assert fix.command is not None
    if fix.argv[0].startswith("nix") and fix.argv[0] != "nix-channel" and "--read-log" not in fix.argv:
        return fix.command, f"ran {fix.command}"
    _run(fix.command, root, folder)
    return command, f"ran {fix.command}"


def _explain_at_home(run: subprocess.CompletedProcess[str], command: str, root: Path, folder: Path) -> Answer:
    """Explain as the world's user would, whose home holds the channels."""
    home = os.environ.get("HOME", "")
    os.environ["HOME"] = str(folder / "home")
    try:
        return explain_text(run.stderr, command=command, exit_code=run.returncode, root=root)
    finally:
        os.environ["HOME"] = home


def _snapshot(root: Path) -> dict[str, str]:
    return {p.name: p.read_text("utf-8") for p in sorted(root.iterdir()) if p.is_file()}


def _only_expected(before: dict[str, str], after: dict[str, str], fix: Fix) -> bool:
    """Nothing changed but the file that the diff names."""
    named = {line[6:] for line in (fix.diff or "").splitlines() if line.startswith("+++ b/")}
    return all(
        before.get(name) == after.get(name)
        for name in set(before) | set(after)
        if name not in named | {"flake.lock"}
    )


def _went_back(labels: tuple[str, ...], first: Answer, second: Answer, exit_code: int) -> bool:
    """Whether a stage fails now, with no planted fault, that was passed before."""
    if exit_code == 0 or second.class_id in labels or first.class_id is None or second.class_id is None:
        return False
    from luminous.node.shell.catalogue_files import load_catalogue

    classes = load_catalogue().classes
    return STAGES.index(classes[second.class_id].stage) < STAGES.index(classes[first.class_id].stage)


def _report(trials: list[Trial]) -> dict[str, Any]:
    bitten = [t for t in trials if t.note != "the fault did not bite"]
    n = len(bitten)
    works = sum(t.worked for t in bitten)
    low, high = wilson(works, n)
    confident_wrong = sum(t.confidence > 0.8 and not t.visible for t in bitten)
    doubles = [t for t in bitten if len(t.labels) > 1]
    report: dict[str, Any] = {
        "schema": 1,
        "ran": True,
        "worlds": n,
        "did_not_bite": len(trials) - n,
        "first_fix_works": {
            "value": round(works / n, 3),
            "hits": works,
            "low": round(low, 3),
            "high": round(high, 3),
        },
        "harmful": sum(t.harmed for t in bitten),
        "first_visible_cause": round(sum(t.visible for t in bitten) / n, 3),
        "confident_and_wrong": confident_wrong,
        "more_behind_when_there_is": f"{sum(t.more_behind for t in doubles)} of {len(doubles)}",
        "not_working": [
            {"planted": list(t.labels), "said": t.said, "fix": t.fix_id, "note": t.note}
            for t in bitten
            if not t.worked
        ],
    }
    lines = [
        f"first fix works   {works} of {n} worlds: {works / n:.3f} [{low:.2f}, {high:.2f}]",
        f"harmful           {report['harmful']}",
        f"first visible cause named {report['first_visible_cause']:.3f}",
        f"confident and wrong {confident_wrong}",
        f"'there may be more behind' when there is: {report['more_behind_when_there_is']}",
    ]
    lines += [
        f"  not: {'+'.join(t.labels)} said {t.said} {t.fix_id} {t.note}" for t in bitten if not t.worked
    ]
    lines += [f"  did not bite: {t.labels}" for t in trials if t not in bitten]
    report["text"] = "\n".join(lines) + "\n"
    return report
