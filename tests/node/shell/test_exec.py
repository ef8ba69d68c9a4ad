"""`exec` leaves output, exit codes, signals and terminals alone, and one private file after a failure."""

import importlib.util
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from luminous.node.shell import spool

REPO = Path(__file__).resolve().parents[3]
SH = "/bin/sh"

_spec = importlib.util.spec_from_file_location(
    "terminal_driver", Path(__file__).with_name("terminal_driver.py")
)
_driver = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_driver)
Terminal = _driver.Terminal


@pytest.fixture(autouse=True)
def keyboard_signals():
    """As at a terminal: a shell that starts the tests in the background has these two ignored."""
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGQUIT: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def env(tmp_path):
    have = {k: v for k, v in os.environ.items() if not k.startswith(("LUMINOUS_", "SUDO_", "XDG_"))}
    return have | {
        "PYTHONPATH": str(REPO / "src"),
        "LUMINOUS_DATA_DIR": str(tmp_path / "data"),
        "HOME": str(tmp_path),
        "PS1": "$ ",
    }


def wrapped(*argv, options=()):
    return [sys.executable, "-m", "luminous.node.shell.exec", *options, "--", *argv]


def run(*argv, env, options=(), **more):
    return subprocess.run(wrapped(*argv, options=options), env=env, capture_output=True, timeout=120, **more)


@pytest.fixture
def terminal(env, tmp_path):
    opened = []

    def open_one(argv, **more):
        opened.append(Terminal(argv, env=env, cwd=str(tmp_path), **more))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


# --- unchanged -------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 2, 42, 100, 126, 127, 255])
def test_the_exit_code_is_the_commands(env, code):
    assert run(SH, "-c", f"exit {code}", env=env).returncode == code


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGSEGV", "SIGHUP", "SIGUSR1", "SIGPIPE"])
def test_death_by_signal_is_death_by_the_same_signal(env, name):
    ended = run(SH, "-c", f"kill -{name[3:]} $$", env=env)
    assert ended.returncode == -signal.Signals[name]


def test_run_returns_128_plus_n_when_asked_not_to_die(env):
    call = "run(['sh', '-c', 'kill -9 $$'], reraise=False)"
    code = f"import sys; from luminous.node.shell.exec import run; sys.exit({call})"
    assert subprocess.run([sys.executable, "-c", code], env=env).returncode == 137


def test_output_is_unchanged_for_any_bytes(env):
    data = bytes(range(256)) * 40 + b"\xff\xfe invalid \xc3( utf-8 \x1b]0;title\x07\x1b[2J\0"
    script = "import sys; d=sys.stdin.buffer.read(); sys.stdout.buffer.write(d); sys.stderr.buffer.write(d)"
    ended = run(sys.executable, "-c", script, env=env, input=data)
    assert (ended.stdout, ended.stderr, ended.returncode) == (data, data, 0)


def test_stdin_is_the_callers(env):
    assert run("cat", env=env, input=b"typed\n").stdout == b"typed\n"


def test_a_pipe_stays_a_pipe(env):
    script = "[ -t 0 ] && echo in; [ -t 1 ] && echo out; [ -t 2 ] && echo err; echo done"
    assert run(SH, "-c", script, env=env, stdin=subprocess.DEVNULL).stdout == b"done\n"


def test_in_a_pipeline_each_end_works(env):
    line = f"echo abc | {' '.join(wrapped('tr', 'a-c', 'A-C'))} | cat"
    assert subprocess.run([SH, "-c", line], env=env, capture_output=True).stdout == b"ABC\n"


def test_a_closed_reader_ends_the_command_as_it_would_alone(env):
    line = f"{' '.join(wrapped('yes'))} | head -n 1"
    ended = subprocess.run([SH, "-c", line], env=env, capture_output=True, timeout=120)
    assert ended.stdout == b"y\n"
    line = f"{{ {shlex.join(wrapped(SH, '-c', 'exec yes >&2'))} 2>&1 >/dev/null; }} | head -n 1"
    again = subprocess.run([SH, "-c", line], env=env, capture_output=True, timeout=120)
    assert again.stdout == b"y\n"


def test_environment_folder_and_arguments_are_kept(env, tmp_path):
    script = 'printf "%s|" "$PWD" "$MARK" "$@"'
    ended = run(SH, "-c", script, "x", "a b", "", "*", "--", "-c", env=env | {"MARK": "m"}, cwd=tmp_path)
    assert ended.stdout.decode() == f"{tmp_path}|m|a b||*|--|-c|"


def test_ignored_signals_stay_ignored_and_sigpipe_is_restored(env):
    # A planted fault here would be to leave Python's own "ignore SIGPIPE" to the command.
    script = "grep SigIgn /proc/self/status"
    alone = subprocess.run(["grep", "SigIgn", "/proc/self/status"], env=env, capture_output=True).stdout
    assert run(SH, "-c", script, env=env).stdout == alone
    assert run(*script.split(), env=env).stdout == alone
    under_nohup = f"trap '' HUP; {' '.join(wrapped('grep', 'SigIgn', '/proc/self/status'))}"
    bits = int(subprocess.run([SH, "-c", under_nohup], env=env, capture_output=True).stdout.split()[1], 16)
    assert bits & 1


def test_no_descriptor_leaks(env):
    alone = subprocess.run(["ls", "/proc/self/fd"], env=env, capture_output=True).stdout
    assert run("ls", "/proc/self/fd", env=env).stdout == alone


def test_a_command_that_is_missing_or_not_executable_says_so(env, tmp_path):
    missing = run("no-such-command-at-all", env=env)
    assert missing.returncode == 127
    assert b"command not found" in missing.stderr
    (tmp_path / "plain").write_text("x")
    assert run(str(tmp_path / "plain"), env=env).returncode == 126
    bare = tmp_path / "script"
    bare.write_text("exit 7\n")
    bare.chmod(0o755)
    assert run(str(bare), env=env).returncode == 7


def test_without_a_command_the_usage_is_shown(env):
    ended = subprocess.run([sys.executable, "-m", "luminous.node.shell.exec"], env=env, capture_output=True)
    assert ended.returncode == 2
    assert b"usage:" in ended.stderr


# --- signals and job control -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGQUIT"])
def test_a_signal_sent_to_us_reaches_the_command(env, name):
    script = f"trap 'echo got; exit 9' {name[3:]}; echo ready; while :; do sleep 0.05; done"
    child = subprocess.Popen(
        wrapped(SH, "-c", script), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout.readline() == b"ready\n"
    child.send_signal(signal.Signals[name])
    out, _ = child.communicate(timeout=120)
    assert (out, child.returncode) == (b"got\n", 9)


def test_ctrl_c_reaches_the_command_once(terminal):
    loop = "for i in 1 2 3 4 5 6; do sleep 0.1; done"
    script = f"n=0; trap 'n=$((n+1))' INT; echo ready; {loop}; echo got=$n; exit 5"
    session = terminal(wrapped(SH, "-c", script))
    session.wait_for("ready")
    session.type("\x03")
    session.wait_for("got=1")
    assert os.waitstatus_to_exitcode(session.wait()) == 5


def test_ctrl_c_ends_a_plain_command_as_by_the_signal(terminal, env):
    # not a shell script: dash alone loses a SIGINT that arrives while it forks
    script = (
        "import signal, time; signal.signal(2, signal.SIG_DFL); print('ready', flush=True); time.sleep(60)"
    )
    session = terminal(wrapped(sys.executable, "-c", script))
    session.wait_for("ready")
    session.type("\x03")
    assert os.waitstatus_to_exitcode(session.wait()) == -signal.SIGINT
    assert not (Path(env["LUMINOUS_DATA_DIR"]) / "spool").exists()  # a wish is no failure


SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
needs_sudo = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("sudo") is None, reason="needs root and sudo"
)


@pytest.fixture(params=SHELLS)
def at_shell(request, terminal):
    """A real shell at a pseudo-terminal, and how it computes a number: what was typed is echoed, too."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    session = terminal(SHELLS[request.param], columns=400)
    is_fish = request.param == "fish"

    def math(sum_):
        return f"(math '{sum_}')" if is_fish else f"$(({sum_}))"

    yield session, math, "$status" if is_fish else "$?", "suspended" if request.param == "zsh" else "topped"
    session.type("exit\n")


WAITS = """import os, signal, sys
signal.signal(signal.SIGCONT, lambda *_: os.write(1, b"resumed\\n"))
print("ready", flush=True)
print("read:" + input(), flush=True)
sys.exit(4)"""


def test_ctrl_z_stops_and_fg_continues(at_shell):
    session, math, status, stopped = at_shell
    session.type(shlex.join(wrapped(sys.executable, "-c", WAITS.replace("\n", "; "))) + "\n")
    session.wait_for("ready\r\n")
    session.type("\x1a")
    session.wait_for(stopped)
    session.type(f"echo back={math('40+2')}\n")
    session.wait_for("back=42")
    session.type("fg\n")
    session.wait_for("resumed\r\n")  # said by the command: from here on it is the one that reads
    session.type("hello\n")
    session.wait_for("read:hello\r\n")
    session.type(f"echo code={status}-\n")
    session.wait_for("code=0-" if status == "$status" else "code=4-")  # fish's own fg always says 0


def test_in_real_shells_the_exit_code_and_a_pipe_are_the_commands(at_shell):
    session, math, status, _ = at_shell
    session.type(shlex.join(wrapped(SH, "-c", "exit 7")) + f"; echo code={status}-\n")
    session.wait_for("code=7-")
    session.type(shlex.join(wrapped(SH, "-c", "echo out; echo err >&2")) + " 2>/dev/null | tr o 0\n")
    session.wait_for("0ut\r\n")
    session.forget()
    session.type(f"echo after={math('2+3')}\n")
    assert b"err" not in session.wait_for("after=5")


def test_in_real_shells_ctrl_c_ends_the_command_and_brings_the_prompt_back(at_shell):
    session, math, _, _ = at_shell
    sleeper = (
        "import signal, time; signal.signal(2, signal.SIG_DFL); print('ready', flush=True); time.sleep(600)"
    )
    session.type(shlex.join(wrapped(sys.executable, "-c", sleeper)) + "\n")
    session.wait_for("ready\r\n")
    session.type("\x03")
    session.type(f"echo after={math('2+3')}\n")
    session.wait_for("after=5")


def test_a_command_that_stops_itself_stops_us(terminal):
    session = terminal(["bash", "--norc", "--noprofile", "-i"])
    session.type(shlex.join(wrapped(SH, "-c", "echo ready; kill -STOP $$; echo again; exit 3")) + "\n")
    session.wait_for("ready\r\n")
    session.wait_for("topped")
    session.type("fg\n")
    session.wait_for("again\r\n")
    session.type("echo code=$((0+$?))\n")
    session.wait_for("code=3")


def test_the_terminal_is_seen_with_its_size_and_controls_the_command(terminal):
    script = (
        "import os, time\n"
        "print([os.isatty(i) for i in range(3)], os.get_terminal_size(2), os.getpgrp() == os.tcgetpgrp(0))\n"
        "while os.get_terminal_size(2).columns == 97: time.sleep(0.01)\n"
        "print(os.get_terminal_size(2))\n"
    )
    session = terminal(wrapped(sys.executable, "-u", "-c", script), rows=31, columns=97)
    session.wait_for(") True\r\n")
    assert b"[True, True, True]" in session.seen
    assert b"columns=97, lines=31) True" in session.seen
    session.resize(40, 120)
    session.wait_for("columns=120, lines=40")
    assert os.waitstatus_to_exitcode(session.wait()) == 0


def test_terminal_bytes_pass_unchanged(terminal):
    script = r"printf 'a\nb\r\033[31mred\033[0m\n' >&2"
    alone, through = terminal([SH, "-c", script]), terminal(wrapped(SH, "-c", script))
    alone.wait()
    through.wait()
    assert through.seen == alone.seen != bytearray()


# --- size and time ---------------------------------------------------------------------------------


@pytest.mark.parametrize("on_terminal", [False, True])
def test_a_hundred_megabytes_pass_in_bounded_memory(env, terminal, on_terminal):
    script = "head -c 100000000 /dev/zero >&2; exit 3"
    probe = (
        "from luminous.node.shell.exec import run; "
        f"code = run(['sh', '-c', {script!r}], explain=False); "
        "peak = [line for line in open('/proc/self/status') if line.startswith('VmHWM')][0].split()[1]; "
        "print('peak_mb', int(peak) // 1024, 'code', code)"
    )
    if on_terminal:
        session = terminal([sys.executable, "-c", probe])
        session.wait()
        text, size = session.seen[-200:].decode("utf-8", "replace"), session.seen.count(b"\0")
    else:
        ended = subprocess.run([sys.executable, "-c", probe], env=env, capture_output=True, timeout=120)
        text, size = ended.stdout.decode(), len(ended.stderr)
    assert size == 100_000_000
    words = text[text.index("peak_mb") :].split()
    assert words[3] == "3"
    assert int(words[1]) < 60


def test_endless_output_ends_with_the_command(env):
    child = subprocess.Popen(wrapped(SH, "-c", "exec yes >&2"), env=env, stderr=subprocess.PIPE)
    assert child.stderr.read(1_000_000)
    child.terminate()
    while child.stderr.read(1_000_000):
        pass
    assert child.wait(timeout=120) == -signal.SIGTERM


def test_a_grandchild_that_lives_on_neither_holds_us_nor_loses_its_words(env, tmp_path):
    script = f"(until [ -e {tmp_path}/go ]; do sleep 0.02; done; echo late >&2) & echo early >&2; exit 6"
    child = subprocess.Popen(
        wrapped(SH, "-c", script), env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.wait(timeout=60) == 6  # while the grandchild waits for a word of ours
    (tmp_path / "go").touch()
    assert child.stderr.read() == b"early\nlate\n"


def test_only_builtin_modules_stand_before_a_command(env):
    code = (
        "import sys; before = set(sys.modules); import luminous.node.shell.exec;"
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True
    ).stdout.split()
    heavy = {
        "dataclasses",
        "pathlib",
        "subprocess",
        "json",
        "re",
        "click",
        "trio",
        "numpy",
        "sqlite3",
        "threading",
    }
    assert not heavy & set(loaded)
    assert "luminous.node.shell.relay" in loaded


# --- what is left behind ---------------------------------------------------------------------------


def records(env):
    found, refused = spool.read_all(env["LUMINOUS_DATA_DIR"])
    assert refused == []
    return [record for _, record in found]


@pytest.fixture
def tools(tmp_path, env):
    """A `nix-build` that fails as told, so that the command class is known without nix."""
    folder = tmp_path / "bin"
    folder.mkdir()
    tool = folder / "nix-build"
    tool.write_text("#!/bin/sh\nif [ -e broken ]; then cat broken >&2; exit 1; fi\n")
    tool.chmod(0o755)
    env["PATH"] = f"{folder}:{env['PATH']}"
    return tmp_path


def test_a_failure_leaves_one_private_file(env, tools):
    secret = "ghp_" + "a1B2" * 9
    (tools / "broken").write_text(
        f"error: attribute 'firefx' missing\naccess-tokens = github.com={secret}\n\x1b]52;c;aGk=\x07"
    )
    assert run("nix-build", env=env, cwd=tools).returncode == 1
    files = list((tools / "data" / "spool").iterdir())
    assert len(files) == 1
    assert files[0].stat().st_mode & 0o777 == 0o600
    assert files[0].parent.stat().st_mode & 0o777 == 0o700
    record = records(env)[0]
    assert (record["schema"], record["kind"], record["command_class"], record["exit_code"]) == (
        1,
        "failure",
        "nix-build",
        1,
    )
    assert "firefx" in record["evidence"]
    assert set(record) >= {
        "wall_ms",
        "mono_ms",
        "boot_id",
        "duration_ms",
        "error_class",
        "signature",
        "fingerprints",
    }
    everything = b"".join(p.read_bytes() for p in (tools / "data").rglob("*") if p.is_file())
    assert secret.encode() not in everything
    assert b"\x1b" not in everything
    assert str(tools).encode() not in files[0].read_bytes()


def test_success_alone_leaves_nothing_in_the_spool(env, tools):
    assert run("nix-build", env=env, cwd=tools).returncode == 0
    assert run("true", env=env, cwd=tools).returncode == 0
    assert records(env) == []


def test_a_huge_evidence_is_cut(env, tools):
    (tools / "broken").write_text("x" * 3_000_000 + "\nerror: the end\n")
    run("nix-build", env=env, cwd=tools)
    record = records(env)[0]
    assert len(record["evidence"].encode()) <= spool.EVIDENCE_SIZE_BYTES_MAX
    assert record["evidence"].endswith("error: the end\n")


def test_the_fix_that_worked_is_recognised(env, tools):
    (tools / "default.nix").write_text('{\n  src = fetch {\n    sha256 = "old";\n  };\n}\n')
    (tools / "broken").write_text("error: hash mismatch in fixed-output derivation\n")
    run("nix-build", env=env, cwd=tools)
    (tools / "default.nix").write_text('{\n  src = fetch {\n    sha256 = "new";\n  };\n}\n')
    (tools / "broken").unlink()
    run("nix-build", env=env, cwd=tools)
    failure, fix, attempt = records(env)
    assert (attempt["kind"], attempt["fix_observed"]) == ("attempt", "replace_hash")
    assert (attempt["success"], attempt["place"], attempt["why"]) == (True, 1, "command")
    assert (fix["kind"], fix["fix_observed"], fix["exit_code"]) == ("fix", "hash_changed", 0)
    assert fix["command_key"] == failure["command_key"]
    run("nix-build", env=env, cwd=tools)
    assert len(records(env)) == 3  # a second success is no second fix


def test_another_folder_or_argument_is_another_command(env, tools):
    (tools / "broken").write_text("error: x\n")
    run("nix-build", env=env, cwd=tools)
    (tools / "broken").unlink()
    run("nix-build", "-A", "other", env=env, cwd=tools)
    assert [record["kind"] for record in records(env)] == ["failure"]


def test_an_unwritable_data_folder_changes_nothing(env, tools):
    (tools / "data").write_text("in the way")
    (tools / "broken").write_text("error: x\n")
    ended = run("nix-build", env=env, cwd=tools)
    assert (ended.returncode, ended.stderr) == (1, b"error: x\n")


def test_a_deleted_folder_changes_nothing(env, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    assert run(SH, "-c", f"rmdir {gone}; exit 8", env=env, cwd=gone).returncode == 8


# --- what is said ----------------------------------------------------------------------------------


def test_a_pipe_gets_no_words_of_ours_and_a_terminal_at_most_a_screen(env, tools, terminal):
    text = "error: undefined variable 'git'\n\n       at /etc/nixos/configuration.nix:7:5:\n"
    (tools / "broken").write_text(text)
    assert run("nix-build", env=env, cwd=tools).stderr.decode() == text
    session = terminal(wrapped("nix-build"), rows=24, columns=100)
    assert os.waitstatus_to_exitcode(session.wait()) == 1
    added = session.seen.decode().replace("\r\n", "\n").removeprefix(text)
    assert "othing was sent" in added
    assert 0 < added.count("\n") <= 24
    asked = run("nix-build", env=env, cwd=tools, options=["--explain"]).stderr.decode()
    assert asked.startswith(text)
    assert "othing was sent" in asked


def test_hostile_escapes_are_passed_on_but_never_repeated(env, tools):
    hostile = "error: undefined variable '\x1b]0;owned\x07\x1b[2J\x9b31m'\n\x1bP$q\x1b\\\n"
    (tools / "broken").write_text(hostile)
    ended = run("nix-build", env=env, cwd=tools, options=["--explain"])
    shown = ended.stderr.decode()
    assert shown.startswith(hostile)
    ours = shown.removeprefix(hostile)
    assert ours
    assert not any((ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 for c in ours)


def test_json_is_one_line(env, tools):
    (tools / "broken").write_text("error: undefined variable 'git'\n")
    line = run("nix-build", env=env, cwd=tools, options=["--json"]).stderr.decode().splitlines()[-1]
    assert json.loads(line)["exit_code"] == 1
    assert json.loads(line)["schema"] == 1


# --- sudo ------------------------------------------------------------------------------------------


def nobody():
    import pwd

    return pwd.getpwnam("nobody")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give up root")
def test_under_sudo_everything_belongs_to_the_caller(env, tools, tmp_path_factory):
    # the caller's folder must be reachable for the caller
    home = Path("/tmp") / f"luminous-test-{os.getpid()}"
    home.mkdir()
    try:
        os.chown(home, nobody().pw_uid, nobody().pw_gid)
        work = home / "work"
        work.mkdir()
        (work / "broken").write_text("error: x\n")
        under_sudo = env | {
            "SUDO_UID": str(nobody().pw_uid),
            "SUDO_GID": str(nobody().pw_gid),
            "SUDO_USER": "nobody",
            "LUMINOUS_DATA_DIR": str(home / "data"),
        }
        assert run("nix-build", env=under_sudo, cwd=work).returncode == 1
        made = [home / "data", *(home / "data").rglob("*")]
        assert any(path.parent.name == "spool" for path in made)
        assert {path.stat().st_uid for path in made} == {nobody().pw_uid}
        # a link that the caller planted is followed with the caller's rights only
        shutil.rmtree(home / "data")
        target = tmp_path_factory.mktemp("roots")
        target.chmod(0o755)
        (home / "data").symlink_to(target)
        assert run("nix-build", env=under_sudo, cwd=work).returncode == 1
        assert list(target.iterdir()) == []
    finally:
        shutil.rmtree(home)


@needs_sudo
def test_real_sudo_behind_exec_is_looked_through_and_unchanged(env, tools, terminal):
    alone = ["sudo", "-n", SH, "-c", "echo out; echo err >&2; exit 7"]
    through = run(*alone, env=env)
    assert (through.returncode, through.stdout, through.stderr) == (7, b"out\n", b"err\n")
    (tools / "broken").write_text("error: undefined variable 'git'\n")
    tool = shutil.which("nix-build", path=env["PATH"])
    assert run("sudo", "-n", tool, env=env, cwd=tools).returncode == 1
    record = records(env)[-1]
    assert (record["command_class"], record["error_class"]) == ("nix-build", "undefined_variable")
    script = "trap 'echo got; exit 9' INT; echo ready; while :; do sleep 0.05; done"
    session = terminal(wrapped("sudo", "-n", SH, "-c", script))
    session.wait_for("ready\r\n")
    session.type("\x03")
    session.wait_for("got\r\n")
    assert os.waitstatus_to_exitcode(session.wait()) == 9


@needs_sudo
def test_exec_behind_real_sudo_writes_for_the_caller_only(env, tools):
    """`sudo luminous-node exec` by a person: sudo tells who it was, and nothing of root's is written."""
    home = Path("/tmp") / f"luminous-sudo-{os.getpid()}"
    home.mkdir()
    try:
        os.chown(home, nobody().pw_uid, nobody().pw_gid)
        kept = [f"{name}={env[name]}" for name in ("PYTHONPATH", "PATH")]
        # root plays sudo's part of naming the person: sudo itself names whoever calls it, here root
        named = [f"SUDO_UID={nobody().pw_uid}", "SUDO_USER=nobody", f"LUMINOUS_DATA_DIR={home / 'data'}"]
        (tools / "broken").write_text("error: x\n")
        tools.chmod(0o755)
        words = ["sudo", "-n", *kept, "env", *named, *wrapped("nix-build")]
        assert subprocess.run(words, env=env, cwd=tools, capture_output=True).returncode == 1
        made = [home / "data", *(home / "data").rglob("*")]
        assert {path.stat().st_uid for path in made} == {nobody().pw_uid}
        assert any(path.parent.name == "spool" for path in made)
    finally:
        shutil.rmtree(home)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("sudo") is None, reason="needs root and sudo")
def test_real_sudo_names_the_caller(env):
    # `nobody` may not become root here, so root plays the caller: uid 0 behind sudo is nobody special
    script = "import luminous.node.shell.caller as c; x=c.find_caller(); print(x.uid, x.is_sudo)"
    kept = [f"PYTHONPATH={env['PYTHONPATH']}"]
    ended = subprocess.run(
        ["sudo", *kept, sys.executable, "-c", script], env=env, capture_output=True, text=True
    )
    assert ended.stdout.split() == ["0", "False"], ended.stderr
