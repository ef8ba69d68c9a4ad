"""The hook in real shells at a pseudo-terminal: silent on success, one line on failure, gone on request."""

import importlib.util
import json
import os
import shutil
from pathlib import Path

import pytest

from luminous.node.shell import hook, spool

_spec = importlib.util.spec_from_file_location(
    "terminal_driver", Path(__file__).with_name("terminal_driver.py")
)
_driver = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_driver)

COMMANDS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
HINT = b"luminous-node exec --"


@pytest.fixture(params=hook.SHELLS)
def shell(request):
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return request.param


class Person:
    """Somebody at a shell; after every line a marker that the shell computes, so that we can wait."""

    def __init__(self, shell, folder, spool_exists=True):
        self.shell, self.folder, self.count = shell, folder, 0
        (folder / "bin").mkdir()
        for name in ("nix-build", "nixos-rebuild", "nix", "sudo"):
            tool = folder / "bin" / name
            tool.write_text(
                '#!/bin/sh\n[ "$0" = "${0%/sudo}" ] || exec "$@"\nfor code; do :; done\nexit "${code:-0}"\n'
            )
            tool.chmod(0o755)
        self.data = folder / "data"
        if spool_exists:
            self.data.mkdir(mode=0o700)
            (self.data / "spool").mkdir(mode=0o700)
        (folder / "on").write_text(hook.script(shell))
        (folder / "off").write_text(hook.uninstall_script(shell))
        env = {
            "PATH": f"{folder / 'bin'}:/usr/bin:/bin",
            "HOME": str(folder),
            "TERM": "dumb",
            "LANG": "C.UTF-8",
            "LUMINOUS_DATA_DIR": str(self.data),
            "PS1": "",
        }
        self.terminal = _driver.Terminal(COMMANDS[shell], env=env, cwd=str(folder), columns=250)
        self.does(f"source {folder / 'on'}")

    def does(self, line):
        """Everything shown from typing a line until the shell is ready again."""
        self.terminal.forget()
        self.terminal.type(line + "\n")
        self.count += 1
        marker = f"done {self.count * 7}"
        sum_ = f"$(math {self.count} x 7)" if self.shell == "fish" else f"$(({self.count}*7))"
        self.terminal.type(f'echo "done {sum_}"\n')
        return self.terminal.wait_for(marker)

    def notes(self):
        found, refused = spool.read_all(str(self.data))
        assert refused == []
        return [record for _, record in found]


@pytest.fixture
def person(shell, tmp_path):
    one = Person(shell, tmp_path)
    yield one
    one.terminal.close()


def test_success_and_other_commands_are_silent(person):
    for line in ("true", "nix-build 0", "false", "ls /no/such/place", "echo nix-build; false"):
        assert HINT not in person.does(line), line
    assert person.notes() == []


def test_a_failed_nix_command_brings_one_line_and_one_note(person):
    shown = person.does("nix-build 100")
    assert shown.count(HINT) == 1
    assert b"nix-build failed (100)" in shown
    (note,) = person.notes()
    assert {k: note[k] for k in ("kind", "source", "schema", "command_class", "exit_code")} == {
        "kind": "failure", "source": "hook", "schema": 1, "command_class": "nix-build", "exit_code": 100,
    }  # fmt: skip
    assert abs(note["wall_ms"] - spool.now()["wall_ms"]) < 60_000
    assert abs(note["mono_ms"] - spool.now()["mono_ms"]) < 60_000
    assert note["boot_id"] == spool.boot_id()
    (path,) = (person.data / "spool").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_empty_line_does_not_repeat_the_hint(person):
    person.does("nix-build 1")
    assert HINT not in person.does("")
    assert len(person.notes()) == 1


def test_wrappers_are_looked_through(person):
    assert HINT in person.does("sudo nixos-rebuild switch 1")
    assert HINT in person.does("env A=b nix build .#x 1")
    assert HINT in person.does("sudo -u me -n nix-build 1")
    assert HINT not in person.does("sudo -u nix-build ls 1")
    assert [note["command_class"] for note in person.notes()] == ["nixos-rebuild", "nix", "nix-build"]


def test_secrets_are_skipped_with_a_note(person):
    for line in ("nix build https://me:hunter2@example.org/x 1", "nix-build --argstr token abcdef 1"):
        shown = person.does(line)
        assert HINT not in shown, line
        assert b"looks like it holds a secret" in shown
    assert person.notes() == []


def test_a_leading_space_an_ignored_folder_and_the_switch_are_obeyed(person):
    assert HINT not in person.does(" nix-build 1")
    (person.folder / "quiet").mkdir()
    (person.folder / "quiet" / ".luminous-ignore").touch()
    (person.folder / "quiet" / "deep").mkdir()
    person.does(f"cd {person.folder}/quiet/deep")
    assert HINT not in person.does("nix-build 2")
    person.does(f"cd {person.folder}")
    person.does("set -gx LUMINOUS_HOOK_OFF 1" if person.shell == "fish" else "export LUMINOUS_HOOK_OFF=1")
    assert HINT not in person.does("nix-build 3")
    person.does("set -e LUMINOUS_HOOK_OFF" if person.shell == "fish" else "unset LUMINOUS_HOOK_OFF")
    assert HINT in person.does("nix-build 4")
    assert [note["exit_code"] for note in person.notes()] == [4]


def test_the_exit_code_stays_visible(person):
    variable = "$status" if person.shell == "fish" else "$?"
    person.terminal.forget()
    person.terminal.type("nix-build 42\n")
    person.terminal.type(f'echo "code={variable}."\n')
    person.terminal.wait_for("code=42.")


def test_uninstall_leaves_nothing(person):
    assert HINT in person.does("nix-build 1")
    person.does(f"source {person.folder / 'off'}")
    assert HINT not in person.does("nix-build 2")
    listing = {
        "bash": "declare -F; compgen -v; echo $PROMPT_COMMAND",
        "zsh": "functions; typeset +; echo $precmd_functions $preexec_functions",
        "fish": "functions -a; set -n",
    }[person.shell]
    person.does("clear 2>/dev/null")
    shown = person.does(f"{{ {listing}; }} 2>&1 | grep -c __lumi''nous" if person.shell != "fish"
                        else f"begin; {listing}; end 2>&1 | grep -c __lumi''nous")  # fmt: skip
    assert b"\n0\r\n" in shown
    person.does(f"source {person.folder / 'on'}")
    assert HINT in person.does("nix-build 3")


def test_without_a_spool_only_the_hint_comes(shell, tmp_path):
    person = Person(shell, tmp_path, spool_exists=False)
    assert HINT in person.does("nix-build 1")
    assert not person.data.exists()
    person.terminal.close()


def test_a_link_instead_of_a_spool_is_not_followed(shell, tmp_path):
    person = Person(shell, tmp_path, spool_exists=False)
    (tmp_path / "elsewhere").mkdir()
    person.data.mkdir()
    (person.data / "spool").symlink_to(tmp_path / "elsewhere")
    assert HINT in person.does("nix-build 1")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    person.terminal.close()


def test_the_spool_is_not_overfilled(person):
    for number in range(hook.SPOOL_FILES_MAX):
        (person.data / "spool" / f"{number:020d}.json").write_text(json.dumps({}))
    assert HINT in person.does("nix-build 1")
    assert len(os.listdir(person.data / "spool")) == hook.SPOOL_FILES_MAX  # noqa: PTH208


def test_installing_twice_is_installing_once(person):
    person.does(f"source {person.folder / 'on'}")
    assert person.does("nix-build 1").count(HINT) == 1


def test_a_persons_own_prompt_command_survives(tmp_path):
    person = Person("bash", tmp_path)
    person.does(f"source {tmp_path / 'off'}")
    person.does("PROMPT_COMMAND='mine=seen:$?'")
    person.does(f"source {tmp_path / 'on'}")
    person.terminal.type("nix-build 9\n")
    assert b"seen:9" in person.does('echo "$mine"')
    person.does(f"source {tmp_path / 'off'}")
    assert b"[mine=seen:$?]" in person.does('echo "[$PROMPT_COMMAND]"')
    person.terminal.close()


def test_other_shells_are_refused():
    for call in (hook.script, hook.uninstall_script):
        with pytest.raises(ValueError, match="bash, zsh, fish"):
            call("tcsh")
    assert "eval" in hook.install_line("zsh")
