"""The command line: every command of the design answers, failures are words with their exit code."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from luminous.node.shell import keyfile
from luminous.node.shell.cli.deciding import moment_ms, period_s
from luminous.node.shell.cli.printing import duration, outline, safe, table
from luminous.node.shell.cli.root import run
from luminous.node.shell.cli.table import COMMANDS, NOT_YET
from luminous.node.shell.failure import Exit, Failure
from luminous.node.shell.identity import base58, identity_of

ROOT = Path(__file__).resolve().parents[3]
# The list of the design page.
DESIGN = (
    "init run bootstrap demo status peers id doctor logs config consent privacy explain exec switch "
    "what-changed bisect why what-if wisdom intent predict learn-next persona health forecast heal selftest "
    "network propose vote proposals decision verify parameters override member backup restore hook dashboard "
    "metrics completion version"
)
GROUPS = {
    "config": ["show", "check", "path"],
    "consent": ["status", "grant", "revoke"],
    "privacy": ["status", "preview", "log", "ledger", "off", "forget"],
    "heal": ["list", "plan", "apply", "undo", "history", "why"],
    "network": ["create", "join", "card"],
}
ASKING = [
    ["status"],
    ["peers"],
    ["wisdom"],
    ["health"],
    ["forecast"],
    ["why", "did", "it", "fail"],
    ["heal", "list"],
    ["heal", "history"],
    ["heal", "why", "abc"],
    ["heal", "apply", "abc"],
    ["heal", "undo", "abc"],
    ["logs"],
    ["metrics"],
    ["proposals"],
    ["decision", "ab12"],
    ["parameters"],
    ["verify"],
    ["override", "health.interval_s", "60"],
    ["vote", "ab12", "yes"],
    ["propose", "text", "Hello"],
    ["privacy", "status"],
    ["privacy", "preview"],
    ["privacy", "log"],
    ["privacy", "ledger"],
    ["privacy", "forget", "--yes"],
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith(("LUMINOUS_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("DO_NOT_TRACK", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LUMINOUS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv(
        "LUMINOUS_RUNTIME_DIR", "/nonexistent/luminous"
    )  # short, whatever the path of the tests
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    return tmp_path


def facts(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    value = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert isinstance(value, dict)
    assert value["schema"] == 1
    return value


def test_every_command_of_the_design_exists() -> None:
    assert set(DESIGN.split()) <= {*COMMANDS, *NOT_YET}
    assert not set(COMMANDS) & set(NOT_YET)


@pytest.mark.parametrize(
    "name",
    [name for name in COMMANDS if name not in ("exec", "preflight", "what-changed", "bisect", "what-if")],
)
def test_every_command_explains_itself(home: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: luminous-node {name}")
    for part in GROUPS.get(name, []):
        assert f"  {part} " in text


@pytest.mark.parametrize("name", list(NOT_YET))
def test_what_is_not_built_says_so(home: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--any", "thing"]) == Exit.CHECK_FAILED
    assert "not yet" in capsys.readouterr().err
    assert run([name, "--json"]) == Exit.CHECK_FAILED
    assert "not yet" in str(facts(capsys)["error"])


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_without_a_node_it_exits_three_and_says_what_to_run(
    home: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == Exit.NO_DAEMON
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "the node is not running" in shown.err
    assert "luminous-node run" in shown.err
    assert "Traceback" not in shown.err
    assert run([*words, "--json"]) == Exit.NO_DAEMON
    assert facts(capsys)["code"] == Exit.NO_DAEMON


def test_status_without_a_node_says_what_is_known(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status"]) == Exit.NO_DAEMON
    assert "luminous-node init" in capsys.readouterr().err
    assert run(["init"]) == 0
    assert run(["consent", "grant", "network"]) == 0
    capsys.readouterr()
    assert run(["status"]) == Exit.NO_DAEMON
    text = capsys.readouterr().err
    assert "identity made" in text
    assert "sharing LOCAL_ONLY once it runs" in text


def test_init_makes_an_identity_once_and_shares_nothing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init"]) == 0
    words = capsys.readouterr().out
    assert "sharing        off" in words
    assert "next " in words
    file = home / ".config/luminous-nix/phase4.yaml"
    file.write_text(file.read_text() + "# mine\n")
    seeds = keyfile.load(home / "data/keys")
    assert run(["init", "--json"]) == 0
    again = facts(capsys)
    assert again["created"] is False
    assert again["config_state"] == "kept"
    assert again["sharing"] == "off"
    assert file.read_text().endswith("# mine\n")
    assert keyfile.load(home / "data/keys") == seeds
    assert str(again["words"]) in words


def test_the_configuration_that_init_writes_is_all_defaults(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init"]) == 0
    capsys.readouterr()
    assert run(["config", "show", "--json"]) == 0
    settings = facts(capsys)["settings"]
    assert isinstance(settings, dict)
    assert {item["origin"] for item in settings.values()} == {"default"}
    file = home / ".config/luminous-nix/phase4.yaml"
    file.write_text(file.read_text().replace("\n  # ", "\n  "))  # every line of it means what it says
    assert run(["config", "check"]) == 0


def test_init_works_where_the_configuration_is_read_only(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / ".config").write_text("a file where a directory should be")
    assert run(["init"]) == 0
    assert "defaults: it cannot be written" in capsys.readouterr().out


def test_a_wrong_configuration_exits_four_with_line_and_nearest_key(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = home / "odd.yaml"
    file.write_text("federated:\n  enabeld: true\n")
    assert run(["--config", str(file), "config", "check"]) == Exit.CONFIGURATION
    text = capsys.readouterr().err
    assert f"{file}:2" in text
    assert "did you mean enabled?" in text
    assert run(["config", "check", str(file)]) == Exit.CONFIGURATION
    assert run(["--config", str(file), "run"]) == Exit.CONFIGURATION


def test_an_unknown_variable_is_a_warning(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LUMINOUS_AUTO_HEALLING", "1")
    assert run(["config", "check"]) == 0
    assert "did you mean LUMINOUS_AUTO_HEALING?" in capsys.readouterr().out


def test_an_unknown_command_is_a_usage_error_with_the_nearest(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["stauts"]) == Exit.USAGE
    assert "Did you mean status?" in capsys.readouterr().err
    assert run(["vote"]) == Exit.USAGE
    assert run(["vote", "ab", "maybe"]) == Exit.USAGE


def test_consent_is_granted_and_taken_back_without_a_node(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["consent", "grant", "network"]) == 0
    assert "IP address" in capsys.readouterr().out
    assert run(["consent", "grant", "learning", "differential", "--json"]) == 0
    assert facts(capsys)["learning"] == {
        "granted": "DIFFERENTIAL",
        "in_force": "DIFFERENTIAL",
        "models": ["fixes"],
    }
    assert run(["privacy", "off"]) == 0
    capsys.readouterr()
    assert run(["consent", "status", "--json"]) == 0
    after = facts(capsys)
    assert after["network"] == {"granted": True, "in_force": True}
    assert after["learning"] == {"granted": None, "in_force": "LOCAL_ONLY", "models": []}
    assert run(["consent", "revoke", "network", "--json"]) == 0
    assert facts(capsys)["network"] == {"granted": False, "in_force": False}


def test_a_level_is_never_assumed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ["learning"],
        ["learning", "all"],
        ["network", "public"],
        ["learning", "public", "--models", "x"],
    ):
        assert run(["consent", "grant", *words]) == Exit.USAGE
    assert run(["consent", "grant", "learning", "encrypted"]) == Exit.CHECK_FAILED
    assert not (home / "data/consent.json").exists()


def test_two_variables_beat_a_consent_that_was_given(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["consent", "grant", "network"]) == 0
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    capsys.readouterr()
    assert run(["consent", "status"]) == 0
    text = capsys.readouterr().out
    assert "network   off" in text
    assert "DO_NOT_TRACK=1 beats" in text


def test_forgetting_asks_or_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["privacy", "forget"]) == Exit.USAGE
    assert "--yes" in capsys.readouterr().err


def test_a_defect_of_ours_shows_no_traceback_unless_asked(home: Path) -> None:
    plant = (
        "import sys\nfrom luminous.node.shell.cli import identity\n"
        "identity.version.callback = lambda: 1 / 0\n"
        "from luminous.node.shell.cli import main\nmain(sys.argv[1:])"
    )
    env = {"PYTHONPATH": str(ROOT / "src"), "HOME": str(home), "PATH": os.environ["PATH"]}
    runs = [
        subprocess.run(
            [sys.executable, "-c", plant, *words], env=env, capture_output=True, text=True, check=False
        )
        for words in (["version"], ["--debug", "version"])
    ]
    assert [r.returncode for r in runs] == [1, 1]
    assert "ZeroDivisionError" in runs[0].stderr
    assert "--debug" in runs[0].stderr
    assert "Traceback" not in runs[0].stderr
    assert "Traceback" in runs[1].stderr


def test_a_reader_that_goes_away_is_no_defect(home: Path) -> None:
    env = {"PYTHONPATH": str(ROOT / "src"), "HOME": str(home), "PATH": os.environ["PATH"]}
    line = f"{sys.executable} -m luminous.node config show | true; exit ${{PIPESTATUS[0]}}"
    found = subprocess.run(["bash", "-c", line], env=env, capture_output=True, text=True, check=False)
    assert "Traceback" not in found.stderr
    assert "defect" not in found.stderr


def test_no_colour_even_on_a_terminal_that_asks_for_none(home: Path) -> None:
    env = {
        "PYTHONPATH": str(ROOT / "src"),
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "NO_COLOR": "1",
        "LUMINOUS_RUNTIME_DIR": "/nonexistent",
    }
    leader, follower = pty.openpty()
    subprocess.run([sys.executable, "-m", "luminous.node", "status"], env=env, stderr=follower, check=False)
    os.close(follower)
    text = os.read(leader, 65536)
    os.close(leader)
    assert b"not running" in text
    assert b"\x1b" not in text


def test_periods_and_moments() -> None:
    assert [period_s(text) for text in ("90s", "30min", "12h", "3d", "1w")] == [
        90,
        1800,
        43_200,
        259_200,
        604_800,
    ]
    for text in ("", "3", "3x", "-3d", "3.5d"):
        with pytest.raises(Failure):
            period_s(text)
    assert moment_ms("2999-01-01T00:00+00:00") == 32_472_144_000_000
    for text in ("soon", "1999-01-01", "9999999"):
        with pytest.raises(Failure):
            moment_ms(text)


def test_what_others_wrote_cannot_drive_a_terminal() -> None:
    evil = "a\x1b[2Jb\r\u202ec\x9b"
    for text in (safe(evil), table([{"title": evil}]), outline({"x": evil, "y": [evil], "z": [{"q": evil}]})):
        assert all(c.isprintable() or c == "\n" for c in text)


def test_durations_as_a_person_says_them() -> None:
    assert [duration(n) for n in (5, 65, 7200, 200_000, None)] == ["5 s", "1 min", "2 h", "2 d", "-"]


def test_the_peer_id_is_the_one_libp2p_computes(tmp_path: Path) -> None:
    libp2p = pytest.importorskip("libp2p.crypto.ed25519")
    from libp2p.peer.id import ID

    seeds = keyfile.create(tmp_path / "keys")
    expected = ID.from_pubkey(libp2p.create_new_key_pair(seeds.transport).public_key)
    assert identity_of(seeds).peer_id == str(expected)
    assert base58(b"\0\0\1") == "112"
