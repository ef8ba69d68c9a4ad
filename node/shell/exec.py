"""`exec -- CMD`: any command, unchanged, with an explanation under it when it fails.

stdin and stdout are the caller's; stderr passes through unchanged and its end is kept; signals, job control
and the exit code are the command's own. Refuses to block, delay, colour or retry anything, to open a store,
and to send: what happened is left as one private file for the daemon.

Before the command only builtin modules are loaded (start costs a few milliseconds beyond bare Python).
"""
# ruff: noqa: PTH109, PTH110, PTH118, PTH208
# pathlib costs 8 ms before every command that `exec` wraps.

import os
import signal
import sys
import time

from luminous.node.shell.relay import relay

USAGE_EXIT_CODE = 2
PREFLIGHT_EXIT_CODE = 1
USAGE = """usage: luminous-node exec [--json] [--explain] [--[no-]preflight] -- COMMAND [ARGUMENT…]
Runs COMMAND unchanged; when it fails, says what broke and what to do. Nothing is sent.
  --explain        explain even when stderr is not a terminal
  --preflight      look for trouble first and do not start when there is some
  --no-preflight   do not look first, not even before a rebuild
  --json           one line of JSON on stderr instead of words"""
# Ended by a person or the system on purpose: not a failure to explain.
_WANTED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGQUIT)


def run(
    argv: list[str],
    *,
    json: bool = False,
    preflight: bool = True,
    strict: bool = False,
    explain: bool | None = None,
    reraise: bool = True,
) -> int:
    """Run `argv` to its end and return its exit code (128 + n for signal n).

    `preflight`: look ahead before commands that build; one line for each trouble. `strict`: do so before any
    command and return 1 without starting it when there is trouble. `explain`: whether to explain a failure;
    None means when stderr is a terminal. `reraise`: when a signal killed the command, die by the same
    signal instead of returning, so that the calling shell sees the truth.
    """
    if not argv:
        sys.stderr.write(USAGE + "\n")
        return USAGE_EXIT_CODE
    if (preflight or strict) and not _may_start(argv, strict=strict):
        return PREFLIGHT_EXIT_CODE
    sys.stdout.flush()
    sys.stderr.flush()
    is_tty = os.isatty(2)
    start_ns = time.monotonic_ns()
    ended = relay(argv)
    duration_ms = (time.monotonic_ns() - start_ns) // 1_000_000
    if ended.error is not None:
        _say_not_started(argv[0], ended.error)
        return ended.exit_code
    number = ended.signal_number
    if number not in _WANTED and ended.exit_code - 128 not in (signal.SIGINT, signal.SIGTERM):
        _follow(argv, ended.exit_code, duration_ms, ended.tail, is_tty if explain is None else explain, json)
    if number is not None and reraise:
        die_by(number)
    return ended.exit_code


def _may_start(argv: list[str], *, strict: bool) -> bool:
    """Look ahead where it is worth it; False only when asked to be strict and something was found."""
    if not strict and not _may_build(argv):
        return True
    from luminous.node.shell.preflight import look

    found = look(argv, os.getcwd())
    if strict and _may_build(argv):
        from luminous.node.shell.preflight import look_at_builds

        found += look_at_builds(argv, os.getcwd())[1]
    for trouble in found:
        sys.stderr.write(f"luminous-node: {trouble.to_text()}\n")
    if strict and found:
        sys.stderr.write("luminous-node: not started. Without --preflight it starts in spite of this.\n")
        return False
    return True


def _may_build(argv: list[str]) -> bool:
    """A cheap sieve before the modules that know better are loaded."""
    if not any("nix" in word or "home-manager" in word or word.endswith("nh") for word in argv[:8]):
        return False
    from luminous.node.shell.command_class import is_build

    return is_build(argv)


def _say_not_started(name: str, error: OSError) -> None:
    shown = "".join(c if c.isprintable() else "?" for c in name[:200])
    why = "command not found" if isinstance(error, FileNotFoundError) or error.errno == 2 else error.strerror
    sys.stderr.write(f"luminous-node: {shown}: {why}\n")


def _follow(
    argv: list[str], exit_code: int, duration_ms: int, tail: bytes, show: bool, as_json: bool
) -> None:
    from luminous.node.shell.caller import find_caller

    caller = find_caller()
    if exit_code == 0 and not _is_remembered(argv, caller.data_dir):
        return
    try:
        cwd = os.getcwd()
    except OSError:
        return  # the folder is gone: nothing to compare with, and explain would find nothing
    from luminous.node.shell.aftermath import Run, follow

    follow(Run(argv, cwd, exit_code, duration_ms, tail), caller, show=show, as_json=as_json)


def _is_remembered(argv: list[str], data_dir: str) -> bool:
    """Whether a success matters: a command we know, or one that failed before."""
    if _may_be_known(argv):
        return True
    try:
        if not os.listdir(os.path.join(data_dir, "exec")):
            return False
    except PermissionError:
        return True  # the caller's folder, seen by somebody else: let the process with their rights look
    except OSError:
        return False
    from luminous.node.shell.run_memory import FOLDER, key_of

    return os.path.exists(os.path.join(data_dir, FOLDER, key_of(argv, os.getcwd()) + ".json"))


def _may_be_known(argv: list[str]) -> bool:
    if not any("nix" in word or word.endswith(("home-manager", "nh", "nom")) for word in argv[:8]):
        return False
    from luminous.node.shell.command_class import command_class

    return command_class(argv) != "other"


def die_by(number: int) -> None:
    """End this process as the command ended: by signal `number`, without a second core file."""
    import resource

    sys.stdout.flush()
    sys.stderr.flush()
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)


def main(words: list[str] | None = None) -> int:
    """The command line after `exec`; also `python -m luminous.node.shell.exec`."""
    rest = list(sys.argv[1:] if words is None else words)
    options = {"json": False, "preflight": True, "strict": False, "explain": None}
    while rest and rest[0].startswith("--"):
        word = rest.pop(0)
        if word == "--":
            break
        if word == "--help":
            sys.stdout.write(USAGE + "\n")
            return 0
        if word not in ("--json", "--explain", "--preflight", "--no-preflight"):
            sys.stderr.write(f"luminous-node exec: unknown option {word}\n{USAGE}\n")
            return USAGE_EXIT_CODE
        options |= {
            "--json": {"json": True},
            "--explain": {"explain": True},
            "--preflight": {"strict": True},
            "--no-preflight": {"preflight": False},
        }[word]
    return run(
        rest,
        json=bool(options["json"]),
        preflight=bool(options["preflight"]),
        strict=bool(options["strict"]),
        explain=True if options["explain"] else None,
    )


if __name__ == "__main__":
    sys.exit(main())
