"""Fingerprints hold no text, are bounded, and their differences name the fix."""

import json
import os
import subprocess

import pytest

from luminous.node.shell import changes as changes_module
from luminous.node.shell import observe_files
from luminous.node.shell.changes import Change, changes, fix_class, to_text

BASE = """{ pkgs, ... }:
{
  imports = [ ./hardware.nix ];
  services.nginx.enable = true;
  src.sha256 = "old";
  environment.systemPackages = [
    pkgs.firefx
  ];
}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "configuration.nix").write_text(BASE)
    (tmp_path / "hardware.nix").write_text("{ }\n")
    return tmp_path


def difference(folder, edit):
    before = json.loads(json.dumps(observe_files.fingerprint(str(folder))))
    edit(folder)
    return changes(before, observe_files.fingerprint(str(folder)), str(folder))


def rewrite(old, new, name="configuration.nix"):
    def edit(folder):
        path = folder / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return edit


def write(name, text):
    return lambda folder: (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("edit", "kind", "lines"),
    [
        (rewrite('"old"', '"new"'), "hash_changed", (5,)),
        (rewrite("services.nginx.enable = true", "services.nginx.enable = false"), "option_changed", (4,)),
        (rewrite("[ ./hardware.nix ]", "[ ./hardware-new.nix ]"), "import_changed", (3,)),
        (rewrite("pkgs.firefx", "pkgs.firefox"), "file_edited", (7,)),
        (rewrite("  imports", "  nixpkgs.config.allowUnfree = true;\n  imports"), "package_allowed", (3,)),
        (rewrite("    pkgs.firefx\n", ""), "lines_removed", ()),
        (write("new.nix", "{ }\n"), "file_added", ()),
        (lambda folder: (folder / "hardware.nix").unlink(), "file_removed", ()),
        (lambda folder: None, "retried", ()),
    ],
    ids=lambda v: v if isinstance(v, str) else None,
)
def test_the_difference_names_the_fix(folder, edit, kind, lines):
    found = difference(folder, edit)
    assert fix_class(found) == kind
    assert [c.lines for c in found] == ([] if kind == "retried" else [lines])


def test_reindenting_is_no_new_line(folder):
    found = difference(folder, rewrite("  services.nginx", "      services.nginx"))
    assert fix_class(found) == "lines_removed"  # the digest differs, no line says anything new
    assert found[0].lines == ()


def test_lock_inputs_are_told_apart(folder):
    lock = {
        "nodes": {"root": {}, "nixpkgs": {"locked": {"rev": "a"}}, "home": {"locked": {"rev": "b"}}},
        "version": 7,
    }
    (folder / "flake.lock").write_text(json.dumps(lock))
    lock["nodes"]["nixpkgs"]["locked"]["rev"] = "c"
    found = difference(folder, write("flake.lock", json.dumps(lock)))
    assert found == (Change("lock_updated", "nixpkgs"),)


def test_a_file_added_to_git_is_seen(folder):
    git = ["git", "-c", "user.name=n", "-c", "user.email=n@x"]
    subprocess.run([*git, "init", "-q"], cwd=folder, check=True)
    subprocess.run([*git, "add", "configuration.nix"], cwd=folder, check=True)
    assert observe_files.untracked(str(folder)) == ["hardware.nix"]

    def add(folder):
        subprocess.run([*git, "add", "hardware.nix"], cwd=folder, check=True)

    assert difference(folder, add) == (Change("git_add", "hardware.nix"),)
    (folder / "other.nix").write_text("x")
    # a file that is gone was not added
    assert fix_class(difference(folder, lambda folder: (folder / "other.nix").unlink())) == "file_removed"


@pytest.mark.parametrize(
    ("part", "before", "after", "kind"),
    [
        ("channel", {"0": "a"}, {"0": "b"}, "channel_updated"),
        ("generation", 7, 6, "rolled_back"),
        ("generation", 6, 7, "generation_changed"),
        ("environment", "a", "b", "environment_changed"),
        ("free_mb", 100, 5000, "space_freed"),
    ],
)
def test_the_machine_counts_too(folder, part, before, after, kind):
    seen = observe_files.fingerprint(str(folder))
    assert fix_class(changes(seen | {part: before}, seen | {part: after})) == kind
    assert fix_class(changes(seen | {part: before}, seen | {part: before})) == "retried"


def test_no_text_is_kept(folder):
    (folder / "secret.nix").write_text('{ password = "hunter2-hunter2"; }\n')
    kept = json.dumps(observe_files.fingerprint(str(folder)))
    assert "secret.nix" in kept
    for word in ("hunter2", "firefx", "password"):
        assert word not in kept


def test_hostile_folders_are_bounded(tmp_path):
    for number in range(observe_files.FILES_MAX + 50):
        (tmp_path / f"f{number:04}.nix").write_text("{ }")
    (tmp_path / "big.nix").write_bytes(b"x\n" * 2_000_000)
    os.mkfifo(tmp_path / "a-pipe.nix")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "bytes.nix").write_bytes(bytes(range(256)))
    found = observe_files.fingerprint(str(tmp_path), budget_ms=5000)
    assert len(found["files"]) <= observe_files.FILES_MAX
    assert found["cut"] is True
    assert len(json.dumps(found)) < 600_000
    # what was cut is not called removed
    assert changes(found, found | {"files": {}}) == ()


def test_nothing_there_is_an_answer(tmp_path):
    found = observe_files.fingerprint(str(tmp_path / "absent"))
    assert found["files"] == {}
    assert "Nothing" in to_text(())


def test_garbage_states_are_survived():
    for junk in (
        {},
        {"files": 3},
        {"files": {"a.nix": 7}},
        {"lock": []},
        {"untracked": {"x": 1}},
        {"generation": "x"},
    ):
        assert isinstance(changes(junk, {}), tuple)
        assert isinstance(changes({}, junk), tuple)
    assert observe_files.unpack_sums("~~~ not base85 \x00") == []
    sums = [0, 1, 2**32 - 1]
    assert observe_files.unpack_sums(observe_files.pack_sums(sums)) == sums


def test_names_are_printed_safely():
    text = to_text((Change("file_edited", "evil\x1b[2J\n.nix"),))
    assert "\x1b" not in text
    assert text.count("\n") == 0


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ("nixos-rebuild switch --flake {}/sub#box", "sub"),
        ("nix build path:{}/sub#x", "sub"),
        ("nix build .#x", "."),
        ("nix-build sub/default.nix", "sub"),
        ("nix-build", "."),
        ("nix-build /no/such/file.nix", "."),
        ("sudo nix build ./sub#x", "sub"),
    ],
)
def test_the_configuration_is_found_from_the_command(tmp_path, argv, expected):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "default.nix").write_text("1")
    words = [word.format(tmp_path) for word in argv.split()]
    assert observe_files.config_root(words, str(tmp_path), "/nonexistent") == str(
        (tmp_path / expected).resolve()
    )


assert changes_module.FIX_CLASSES[-1] == "retried"
