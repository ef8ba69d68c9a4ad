"""After a command: explain and record its failure, or recognise the fix when it succeeds again.

Runs in a process of its own with the caller's rights and a time limit, so that nothing here can change the
exit code, hold the prompt for long, or write as root into a person's folder. Refuses to send anything.
"""

import contextlib
import json
import os
import select
import signal
import sys
from collections.abc import Callable, Mapping

from luminous.node.core.causes.attempts import mark_of
from luminous.node.shell import (
    attempt_book,
    changes,
    experience,
    fix_offers,
    observe_files,
    run_memory,
    spool,
)
from luminous.node.shell.caller import Caller, give_up_rights
from luminous.node.shell.command_class import command_class

TIME_LIMIT_MS = 8000
EXPLAINED_SIZE_BYTES_MAX = 1024 * 1024
EVIDENCE_READ_BYTES_MAX = 128 * 1024
SCREEN_LINES, SCREEN_COLUMNS = 24, 80
NOTHING_SENT = "Nothing was sent."


class Run:
    """One ended run of a command: what it was, where, how it ended, and the end of its stderr."""

    __slots__ = ("argv", "cwd", "duration_ms", "exit_code", "tail")

    def __init__(self, argv: list[str], cwd: str, exit_code: int, duration_ms: int, tail: bytes) -> None:
        self.argv = argv
        self.cwd = cwd
        self.exit_code = exit_code
        self.duration_ms = duration_ms
        self.tail = tail


def follow(run: Run, caller: Caller, *, show: bool, as_json: bool) -> None:
    """Do everything that follows a run, in a child that is killed after TIME_LIMIT_MS.

    Never raises, never fails.
    """
    try:
        pid = os.fork()
    except OSError:
        return  # no process to spare: the command's own result matters more
    if pid == 0:
        _work(run, caller, show=show, as_json=as_json)
    _await(pid, TIME_LIMIT_MS)


def _await(pid: int, limit_ms: int) -> None:
    try:
        fd = os.pidfd_open(pid)
    except (AttributeError, OSError):
        os.waitpid(pid, 0)
        return
    try:
        waiter = select.poll()
        waiter.register(fd, select.POLLIN)
        if not waiter.poll(limit_ms):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except KeyboardInterrupt:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    finally:
        os.close(fd)


def _work(run: Run, caller: Caller, *, show: bool, as_json: bool) -> None:
    """The whole life of the child process."""
    try:
        explain = _load_explain() if run.exit_code != 0 else None
        if caller.is_sudo:
            with contextlib.suppress(Exception):  # loads what root can read and the caller perhaps cannot
                experience.by_fix({})
                if explain is not None:
                    explain("error: warm up", command="true", exit_code=1, ask=False)
        give_up_rights(caller)
        if run.exit_code == 0:
            _after_success(run, caller)
        else:
            _after_failure(run, caller, explain, show=show, as_json=as_json)
    except Exception as error:  # noqa: BLE001  (a supervisor: the command's own result must stand)
        if show:
            _say(f"luminous-node: this failure could not be recorded ({type(error).__name__}: {error}).")
    finally:
        os._exit(0)


def _load_explain() -> Callable[..., object] | None:
    try:
        from luminous.node.shell.explain import explain_text
    except ImportError:
        return None
    found: Callable[..., object] = explain_text
    return found


def _after_failure(
    run: Run, caller: Caller, explain: Callable[..., object] | None, *, show: bool, as_json: bool
) -> None:
    kind = command_class(run.argv)
    text = run.tail[-EXPLAINED_SIZE_BYTES_MAX:].decode("utf-8", "replace")
    root = observe_files.config_root(run.argv, run.cwd, caller.home)
    answer, offers = _explained(explain, text, run, root, caller.data_dir)
    facts = _facts(answer)
    if as_json:
        _say(
            json.dumps(
                {"schema": 1, "exit_code": run.exit_code, "explanation": facts or None}, sort_keys=True
            )
        )
    elif show and (facts.get("class") or kind != "other"):
        _say(_screen(answer, facts, run))
    found = observe_files.fingerprint(root, home=caller.home)
    known = facts.get("class")
    error_class = known if isinstance(known, str) else None
    failed = {
        **spool.now(),
        "exit_code": run.exit_code,
        "error_class": error_class,
        "signature": _signature(facts, text),
        "fingerprint": found,
        "root": root,
    }
    record = {
        "kind": "failure",
        **_common(run, kind),
        "error_class": error_class,
        "signature": failed["signature"],
        "evidence": evidence(run.tail) if kind != "other" or error_class else "",
        "fingerprints": observe_files.summary(found),
    }
    spool.write(caller.data_dir, record)
    key = run_memory.key_of(run.argv, run.cwd)
    state = run_memory.load(caller.data_dir, key)
    before = state.get("failed")
    state |= {"command_class": kind, "command": run_memory.shown(run.argv), "cwd": run.cwd, "failed": failed}
    run_memory.save(caller.data_dir, key, state)
    if kind != "other" or error_class:
        mark = mark_of(str(failed["signature"] or ""), str(facts.get("said") or ""))
        changed = _changed(before, found, root)
        attempt_book.follow(
            caller.data_dir, key, before, changed, mark=mark, class_id=error_class or "", offers=offers
        )


def _changed(before: object, found: observe_files.Fingerprint, root: str) -> str:
    """The kind of change since a failure; "" when there was none before."""
    if not isinstance(before, dict):
        return ""
    old = before.get("fingerprint")
    return changes.fix_class(changes.changes(old if isinstance(old, dict) else {}, found, root))


def _after_success(run: Run, caller: Caller) -> None:
    """Keep what worked.

    When the same command failed before, what changed in between is the fix that worked.
    """
    kind = command_class(run.argv)
    key = run_memory.key_of(run.argv, run.cwd)
    state = run_memory.load(caller.data_dir, key)
    failed = state.pop("failed", None)
    if kind == "other" and not isinstance(failed, dict):
        return
    root = observe_files.config_root(run.argv, run.cwd, caller.home)
    found = observe_files.fingerprint(root, home=caller.home)
    changed = ""
    if isinstance(failed, dict):
        before = failed.get("fingerprint")
        differences = changes.changes(before if isinstance(before, dict) else {}, found, root)
        changed = changes.fix_class(differences)
        record = {
            "kind": "fix",
            **_common(run, kind),
            "error_class": failed.get("error_class"),
            "signature": failed.get("signature"),
            "failed_wall_ms": failed.get("wall_ms"),
            "failed_exit_code": failed.get("exit_code"),
            "fix_observed": changed,
            "changed": sorted({change.kind for change in differences}),
            "fingerprints": observe_files.summary(found),
        }
        spool.write(caller.data_dir, record)
        state["fixed"] = {
            **spool.now(),
            "error_class": failed.get("error_class"),
            "fix_observed": changed,
            "changes": [[c.kind, changes.printable(c.what), list(c.lines[:8])] for c in differences[:20]],
        }
    good = {**spool.now(), "fingerprint": found, "root": root}
    state |= {"command_class": kind, "command": run_memory.shown(run.argv), "cwd": run.cwd, "good": good}
    run_memory.save(caller.data_dir, key, state)
    attempt_book.follow(caller.data_dir, key, failed, changed, is_success=True)


def _common(run: Run, kind: str) -> dict[str, object]:
    return {
        "schema": spool.SCHEMA,
        **spool.now(),
        "command_class": kind,
        "command_key": run_memory.key_of(run.argv, run.cwd),
        "exit_code": run.exit_code,
        "duration_ms": run.duration_ms,
    }


def evidence(tail: bytes) -> str:
    """The end of a failure's text, escapes removed and secrets masked before it is cut, at most 16 KiB."""
    from luminous.node.core.causes.redact import hide_secrets

    text = hide_secrets(plain(tail[-EVIDENCE_READ_BYTES_MAX:].decode("utf-8", "replace")))
    data = text.encode("utf-8")[-spool.EVIDENCE_SIZE_BYTES_MAX :]
    return data.decode("utf-8", "ignore")


def plain(text: str) -> str:
    """`text` without terminal escapes and without any character that a terminal would obey."""
    import re

    text = re.sub(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])?", "", text)
    text = re.sub(r"\x9b[0-?]*[ -/]*[@-~]|[\x90\x98\x9d-\x9f][^\x07\x9c\x1b]*[\x07\x9c]?", "", text)
    return re.sub(r"[^\n\t\x20-\x7e\xa0-\U0010ffff]|[\u200e\u200f\u202a-\u202e\u2066-\u2069]", "", text)


def _explained(
    explain: Callable[..., object] | None, text: str, run: Run, root: str, data_dir: str
) -> tuple[object, tuple[tuple[str, int], ...]]:
    if explain is None:
        return None, ()
    try:
        return fix_offers.explain_run(
            explain, text, argv=run.argv, exit_code=run.exit_code, root=root, data_dir=data_dir
        )
    except Exception:  # noqa: BLE001  (a supervisor: the failure itself is still recorded)
        return None, ()


def _facts(answer: object) -> dict[str, object]:
    to_json = getattr(answer, "to_json", None)
    found = to_json() if callable(to_json) else None
    return dict(found) if isinstance(found, Mapping) else {}


def _signature(facts: Mapping[str, object], text: str) -> str | None:
    found = facts.get("signature")
    if isinstance(found, str) and len(found) <= 64:
        return found
    return None


def _screen(answer: object, facts: Mapping[str, object], run: Run) -> str:
    """At most one screen about a failure, safe to print."""
    to_text = getattr(answer, "to_text", None)
    text = to_text() if callable(to_text) and facts.get("class") else ""
    if not isinstance(text, str) or not text.strip():
        text = (
            f"luminous-node: the command failed with exit code {run.exit_code}, and I do not know why.\n"
            "  What to do: read its last lines above, or keep them and run: luminous-node explain FILE"
        )
    lines = [line[:400] for line in plain(text).strip("\n").split("\n")]
    rows, columns = _size()
    budget, shown = max(rows - 3, 8), []
    for line in lines:
        budget -= 1 + max(len(line) - 1, 0) // columns
        if budget < 0:
            shown.append("… cut to one screen; keep the output and run: luminous-node explain FILE")
            break
        shown.append(line)
    if not any("nothing was sent" in line.lower() for line in shown):
        shown.append(NOTHING_SENT)
    return "\n".join(shown)


def _size() -> tuple[int, int]:
    try:
        found = os.get_terminal_size(2)
        return (found.lines or SCREEN_LINES), max(found.columns or SCREEN_COLUMNS, 20)
    except OSError:
        return SCREEN_LINES, SCREEN_COLUMNS


def _say(text: str) -> None:
    from luminous.node.shell.relay import write_all

    sys.stderr.flush()
    write_all(2, text.encode("utf-8", "replace") + b"\n")
