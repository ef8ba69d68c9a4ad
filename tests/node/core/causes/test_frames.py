"""What a log, a mail or a terminal puts around a pasted text does not change what explain finds in it."""

# ruff: noqa: E501
import pytest

from luminous.node.core.causes import text as text_module
from luminous.node.core.causes.frames import unframed, unwrapped
from luminous.node.shell.explain import explain_text

TEXTS = {
    "missing_attribute": "error: attribute 'firefx' missing\n       at /etc/nixos/configuration.nix:4:5:\n            3|   x = [\n            4|     pkgs.firefx\n             |     ^\n",
    "hash_mismatch": "error: hash mismatch in fixed-output derivation '/nix/store/0b6lcd00pfz956l0c3ascjrjahzcndl3-source.drv':\n         specified: sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n            got:    sha256-dT75RNXKZ7tqerrTAG/4sNU/zIMKRc18pEtgJkcUboQ=\n",
    "file_in_the_way": "Existing file '/home/ana/.bashrc' is in the way of '/nix/store/0b6lcd00pfz956l0c3ascjrjahzcndl3-home-manager-files/.bashrc'\n",
    "division_by_zero": "error: division by zero\n       at /home/ana/dots/x.nix:1:1:\n",
}
FRAMES = {
    "a service's clock": "2026-05-01T10:11:12.3456789Z ",
    "a shell's clock": "[10:11:12] ",
    "a deployment's level": "[ERROR]   stderr) ",
    "an older one's": "[ERROR] ",
    "a machine": "box-1 | ",
    "a mail": "> ",
    "an indented block": "    ",
    "the journal": "Nov 22 10:11:12 box nixos-upgrade-start[123]: ",
}


@pytest.mark.parametrize("wanted", TEXTS)
@pytest.mark.parametrize("frame", FRAMES)
def test_a_frame_changes_nothing(frame, wanted):
    framed = "".join(FRAMES[frame] + line + "\n" for line in TEXTS[wanted].splitlines())
    bare, seen = explain_text(TEXTS[wanted], ask=False), explain_text(framed, ask=False)
    assert (seen.class_id, seen.file, seen.line) == (wanted, bare.file, bare.line)


@pytest.mark.parametrize("width", [60, 72, 80, 100])
def test_lines_that_a_terminal_broke_are_read_as_one(width):
    text = (
        "error: The option `services.nginx.virtualHosts.example.sslCertificatePath' "
        "does not exist. Definition values:\n       - In `/etc/nixos/configuration.nix': true\n"
    )
    broken = "".join(
        line[start : start + width] + "\n"
        for line in text.splitlines()
        for start in range(0, len(line), width)
    )
    assert explain_text(broken, ask=False).class_id == "option_not_found"


@pytest.mark.parametrize(
    "line",
    [
        "            4|     pkgs.firefx",
        "             |     ^",
        "error: expected | between the names",
        "building '/nix/store/x.drv'...",
        "hello> [ERROR] not this one",
    ],
)
def test_lines_of_nix_itself_stay(line):
    assert unframed([line, "error: x"]) == [line, "error: x"]


def test_a_builders_marks_stay_where_something_else_is_said():
    lines = ["error: builder failed", "> make: *** [all] Error 2"]
    assert unframed(lines) == lines


@pytest.mark.parametrize(
    "text",
    ["", "error: short\n", "x" * 80, "y" * 70 + "\nerror: not a rest of that line\n", "z" * 4000 + "\nz\n"],
)
def test_what_no_terminal_broke_stays(text):
    assert unwrapped(text) is None


def test_planted_fault_a_frame_that_stays_hides_the_failure(monkeypatch):
    monkeypatch.setattr(text_module, "unframed", lambda lines: lines)
    framed = "2026-05-01T10:11:12Z " + TEXTS["division_by_zero"].splitlines()[0] + "\n"
    assert explain_text(framed, ask=False).class_id is None
