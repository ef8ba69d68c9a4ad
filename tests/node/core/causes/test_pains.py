# ruff: noqa: E501
"""Pains that users of NixOS report most, as own texts: what a good answer holds for each.

Every entry names a thread in which people meet the failure; no text is theirs. A good answer names the class,
says the cause in plain words, offers the fix that is worth trying first as a typed verb, points at the file
where the text does, says how to undo, and whether more may hide behind.
"""

from dataclasses import dataclass

import pytest

from luminous.node.core.causes.verbs import VERBS, Kind
from luminous.node.shell.catalogue_files import load_catalogue
from luminous.node.shell.explain import explain_text

A = "0c9y1l0y2fz0qk0x2s1b6r7m8n9p0q1r"
B = "2c9y1l0y2fz0qk0x2s1b6r7m8n9p0q1r"


@dataclass(frozen=True)
class Pain:
    """One pain. ``says``: words of the cause; ``helps``: words of the first fix; ``where``: (file, line)."""

    thread: str
    text: str
    class_id: str
    says: tuple[str, ...]
    verb: str
    helps: tuple[str, ...]
    where: tuple[str, int] | None = None
    more: bool = True
    command: str | None = None
    also: str = ""  # a class that the same text may mean


PAINS = [
    Pain(
        "NixOS/nix#5817 infinite recursion through a module's argument",
        f'error:\n       … while evaluating the module argument `inputs\' in "/etc/nixos/hosts/box.nix":\n       (stack trace truncated; use \'--show-trace\' to show the full, detailed trace)\n\n       error: infinite recursion encountered\n       at /nix/store/{A}-source/lib/modules.nix:483:28:\n          482|         builtins.addErrorContext (context name)\n',
        "infinite_recursion", ("needs itself", "inputs"), "advise", ("specialArgs",), ("/etc/nixos/hosts/box.nix", 0),
    ),
    Pain(
        "NixOS/nix#7552 a trace that ends in lib/modules.nix hides the user's line",
        "error:\n       … while evaluating the option `environment.systemPackages':\n       … while evaluating definitions from `/etc/nixos/configuration.nix':\n       error: undefined variable 'firefx'\n       at /etc/nixos/configuration.nix:4:34:\n            3| { pkgs, ... }: {\n            4|   environment.systemPackages = [ firefx ];\n             |                                  ^\n",
        "undefined_variable", ("firefx", "nothing in scope"), "advise", ("pkgs.firefx",), ("/etc/nixos/configuration.nix", 4),
    ),
    Pain(
        "NixOS/nix#8389 an untracked file reads like a missing one",
        f"error:\n       … while evaluating the attribute 'config.system.build.toplevel'\n       error: getting status of '/nix/store/{A}-source/hosts/box.nix': No such file or directory\n",
        "file_not_tracked_by_git", ("hosts/box.nix", "Either", "does not exist"), "git_add", ("If the file exists", "missing"), also="missing_file",
    ),
    Pain(
        "nix-darwin/nix-darwin#773 the same in the newer wording",
        f"error: path '/nix/store/{A}-source/modules/shell.nix' does not exist\n",
        "file_not_tracked_by_git", ("modules/shell.nix", "Either"), "git_add", ("tell git",), also="missing_file",
    ),
    Pain(
        "NixOS/nix#3812 a cascade of dependencies hides the one that failed",
        f"error: builder for '/nix/store/{A}-gtk-thing-1.2.drv' failed with exit code 1;\n       last 2 log lines:\n       > ld: cannot find -lfoo\n       > make: *** [Makefile:12: thing] Error 1\n       For full logs, run 'nix log /nix/store/{A}-gtk-thing-1.2.drv'.\nerror: 1 dependencies of derivation '/nix/store/{B}-system-path.drv' failed to build\nerror: 1 dependencies of derivation '/nix/store/{B}-nixos-system-box-25.11.drv' failed to build\n",
        "dependency_build_failed", ("gtk-thing-1.2", "did not fail itself"), "nix_log", ("dependency",),
    ),
    Pain(
        "NixOS/nix#7238 ten log lines of a builder",
        f"error: Cannot build '/nix/store/{A}-app-1.0.drv'.\n       Reason: builder failed with exit code 2.\n       Last 2 log lines:\n       > main.c:3:9: error: 'foo' undeclared\n       > make: *** [app] Error 1\n",
        "build_failed", ("app-1.0", "did not build"), "nix_log", ("log",),
    ),
    Pain(
        "NixOS/nixpkgs#23926 /boot full, garbage collection does not help",
        f"updating GRUB 2 menu...\ncp: error writing '/boot/kernels/{A}-initrd.tmp': No space left on device\nFailed to install bootloader\n",
        "disk_full", ("/boot", "full"), "set_option", ("/boot is full", "alone does not help"),
    ),
    Pain(
        "NixOS/nix#3198 a build started without room",
        f"mv: error writing '/nix/store/{A}-etc': No space left on device\nerror: builder for '/nix/store/{B}-etc.drv' failed with exit code 1\nnote: build failure may have been caused by lack of free disk space\n",
        "disk_full", ("full",), "collect_garbage", ("generations stay",),
    ),
    Pain(
        "NixOS/nixpkgs#12559 the full disk that stops the collection itself",
        "deleting garbage...\nerror: executing SQLite statement 'delete from Refs;': database or disk is full (in '/nix/var/nix/db/db.sqlite')\n",
        "disk_full", ("full",), "show_space", ("would fail too",),
    ),
    Pain(
        "NixOS/nixpkgs#274146 an automatic upgrade that fails unseen",
        "Nov 22 04:40:01 box systemd[1]: Starting NixOS Upgrade...\nNov 22 04:40:09 box nixos-upgrade-start[911]: error: getting status of '/etc/nixos/flake.nix': No such file or directory\nNov 22 04:40:09 box systemd[1]: nixos-upgrade.service: Main process exited, code=exited, status=1/FAILURE\nNov 22 04:40:09 box systemd[1]: nixos-upgrade.service: Failed with result 'exit-code'.\n",
        "missing_file", ("/etc/nixos/flake.nix",), "advise", ("system.autoUpgrade.flake", "no updates"),
    ),
    Pain(
        "NixOS/nix#2664 a rebuild that dies without a word",
        "building the system configuration...\nKilled\n",
        "out_of_memory", ("out of memory",), "rerun_jobs", ("one core",), command="nixos-rebuild switch",
    ),
    Pain(
        "NixOS/nixpkgs#271280 a compiler that is killed",
        f"error: builder for '/nix/store/{A}-browser-9.drv' failed with exit code 1;\n       last 1 log lines:\n       > c++: fatal error: Killed signal terminated program cc1plus\n",
        "out_of_memory", ("out of memory",), "advise", ("--max-jobs 1",),
    ),
    Pain(
        "NixOS/nixpkgs#74626 a switch that would break the running session",
        "dbus-implementation  : dbus -> broker\n\nSwitching into this system is not recommended.\nPre-switch check 'switchInhibitors' failed\n",
        "other", ("cannot be changed while the machine runs",), "advise", ("nixos-rebuild boot",), more=False,
    ),
    Pain(
        "NixOS/nixpkgs#181649 the system was built and a unit does not start",
        "activating the configuration...\nwarning: the following units failed: web.service\n",
        "service_failed", ("web.service", "did not start"), "unit_log", ("Read why",), more=False,
    ),
    Pain(
        "NixOS/nixpkgs#36590 an option that is misspelt",
        "error: The option `services.openssh.enabel' does not exist. Definition values:\n       - In `/etc/nixos/configuration.nix': true\n",
        "option_not_found", ("services.openssh.enabel", "does not exist"), "advise", ("services.openssh.enable?",), ("/etc/nixos/configuration.nix", 0),
    ),
    Pain(
        "NixOS/nixpkgs#95446 an option of Home Manager set for the system",
        "error: The option `home.packages' does not exist. Definition values:\n       - In `/etc/nixos/configuration.nix': [ ]\n",
        "option_not_found", ("home.packages",), "advise", ("Home Manager",), ("/etc/nixos/configuration.nix", 0),
    ),
    Pain(
        "NixOS/nixpkgs#15747 two modules disagree",
        "error: The option `networking.firewall.enable' has conflicting definition values:\n       - In `/etc/nixos/configuration.nix': false\n       - In `/etc/nixos/router.nix': true\n       Use `lib.mkForce value` or `lib.mkDefault value` to change the priority on any of these definitions.\n",
        "option_conflict", ("networking.firewall.enable", "different values"), "advise", ("lib.mkForce",), ("/etc/nixos/configuration.nix", 0),
    ),
    Pain(
        "nix-community/home-manager#2997 a file that would be clobbered",
        "Existing file '/home/ana/.bashrc' would be clobbered\nPlease do one of the following:\n- Move or remove the above files and try again.\n",
        "file_in_the_way", ("/home/ana/.bashrc", "exists already"), "move_aside", ("nothing is lost",), more=False,
    ),
    Pain(
        "nix-community/home-manager#5599 the copy that was made before is in the way",
        "Existing file '/home/ana/.config/a.ini.backup' would be clobbered by backing up '/home/ana/.config/a.ini'\n",
        "file_in_the_way", ("a.ini.backup",), "move_aside", ("aside",), more=False,
    ),
    Pain(
        "nix-community/home-manager#5599 two packages with one file",
        f"error: collision between `/nix/store/{A}-one-1/bin/2to3' and `/nix/store/{B}-two-2/bin/2to3'\n",
        "file_collision", ("2to3", "Two packages"), "advise", ("lib.hiPrio",),
    ),
    Pain(
        "nix-community/home-manager#2942 unfree although it was allowed elsewhere",
        f"error: Package ‘editor-1.90’ in /nix/store/{A}-source/pkgs/editor.nix:40 has an unfree license (‘unfree’), refusing to evaluate.\n",
        "unfree_license", ("editor-1.90", "unfree"), "set_option", ("flake that imports nixpkgs itself",),
    ),
    Pain(
        "NixOS/nixpkgs#171810 an insecure version",
        f"error: Package ‘crypto-1.1.1w’ in /nix/store/{A}-source/pkgs/crypto.nix:40 is marked as insecure, refusing to evaluate.\n",
        "insecure_package", ("crypto-1.1.1w", "insecure"), "advise", ("update or drop",),
    ),
    Pain(
        "nix-community/nix-ld#85 a program of another Linux",
        "Could not start dynamically linked executable: ./app\nNixOS cannot run dynamically linked executables intended for generic\nlinux environments out of the box.\n",
        "other", ("another Linux",), "advise", ("nix search nixpkgs",),
    ),
    Pain(
        "NixOS/nixpkgs#171054 command-not-found has no database under flakes",
        "DBI connect('dbname=/nix/var/nix/profiles/per-user/root/channels/nixos/programs.sqlite','',...) failed: unable to open database file at /run/current-system/sw/bin/command-not-found line 13.\n",
        "other", ("no database",), "advise", ("nix-index-database",),
    ),
    Pain(
        "NixOS/nixpkgs#274792 a name that was renamed",
        "error: 'thing' has been renamed to/replaced by 'thing-ng'\n       at /etc/nixos/configuration.nix:7:5:\n",
        "user_throw", ("renamed", "thing-ng"), "advise", ("replacement",), ("/etc/nixos/configuration.nix", 7),
    ),
    Pain(
        "NixOS/nixpkgs#355078 a hash that changed over night",
        f"error: hash mismatch in fixed-output derivation '/nix/store/{A}-source.drv':\n         specified: sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n            got:    sha256-1c4REPVMPkCVtp3aHFJRQD5i3AedEO2R4FQJmvDKEB4=\n",
        "hash_mismatch", ("sha256-1c4REPVMPkCVtp3aHFJRQD5i3AedEO2R4FQJmvDKEB4=",), "advise", ("look at it before you accept it",),
    ),
    Pain(
        "NixOS/nix#7000 features that are off",
        "error: experimental Nix feature 'nix-command' is disabled; add '--extra-experimental-features nix-command' to enable it\n",
        "experimental_feature_disabled", ("nix-command", "switched off"), "rerun_feature", ("this command only",), command="nix search nixpkgs hello",
    ),
    Pain(
        "NixOS/nixpkgs#169193 sudo makes git refuse one's own repository",
        "error:\n       … while fetching the input 'git+file:///home/nobody-here/dots'\n\n       error: opening Git repository '\"/home/nobody-here/dots\"': repository path '/home/nobody-here/dots' is not owned by current user\n",
        "git_ownership", ("another user owns it", "sudo"), "git_trust_directory", ("If the files are yours",), command="sudo nixos-rebuild switch",
    ),
    Pain(
        "NixOS/nix#3451 a lock of the store that is refused",
        "error: opening lock file '/nix/var/nix/db/big-lock': Permission denied\n",
        "permission_denied", ("/nix/var/nix/db/big-lock",), "advise", ("daemon",),
    ),
    Pain(
        "nix-community/home-manager#1781 files that sudo left behind",
        "Activating linkGeneration\nln: failed to create symbolic link '/home/ana/.config/foo/bar': Permission denied\n",
        "permission_denied", ("/home/ana/.config/foo/bar",), "advise", ("sudo chown", "without sudo"),
    ),
    Pain(
        "Misterio77/nix-starter-configs#45 a flake without that host",
        "error: flake 'git+file:///home/nobody-here/dots' does not provide attribute 'packages.x86_64-linux.nixosConfigurations.\"box\".config.system.build.nixos-rebuild', 'legacyPackages.x86_64-linux.nixosConfigurations.\"box\".config.system.build.nixos-rebuild' or 'nixosConfigurations.\"box\".config.system.build.nixos-rebuild'\n",
        "missing_attribute", ("nixosConfigurations",), "advise", ("nixosConfigurations.box", "nix flake show"),
    ),
]  # fmt: skip


@pytest.mark.parametrize("pain", PAINS, ids=[pain.thread for pain in PAINS])
def test_each_pain_gets_a_good_answer(pain):
    answer = explain_text(pain.text, command=pain.command, ask=False)
    assert answer.to_json()["class"] == pain.class_id, answer.candidates
    assert all(word in answer.cause for word in pain.says), answer.cause
    first = answer.fixes[0]
    assert verb_of(first.id) == pain.verb, [fix.id for fix in answer.fixes]
    assert all(word in first.text for word in pain.helps), first.text
    assert (answer.file, answer.line) == (pain.where or (None, 0))
    assert answer.more_behind is pain.more
    if VERBS[pain.verb].kind in (Kind.COMMAND, Kind.SETTING) and VERBS[pain.verb].undo:
        assert first.undo, "what changes something says how to undo it"
    if pain.also:
        assert any(c == pain.also and p >= 0.15 for c, p, _ in answer.candidates[1:]), answer.candidates
        assert answer.confidence < 0.8, "the text alone does not decide"


@pytest.mark.parametrize("pain", PAINS, ids=[pain.thread for pain in PAINS])
def test_each_answer_fits_a_screen_and_is_plain(pain):
    answer = explain_text(pain.text, command=pain.command, ask=False)
    text = answer.to_text()
    assert len(text.splitlines()) <= 22
    assert "nothing was sent" in text.lower()
    shown = [line for line in text.splitlines() if line.startswith("Fix ")]
    assert shown and not any(line.endswith("…") for line in shown), "a fix is never cut in the middle"
    assert "{" not in answer.cause and answer.cause.rstrip()[-1:] in ".:’'=-g", answer.cause
    for fix in answer.fixes:
        assert fix.text and "None" not in fix.text


def test_no_pain_is_told_twice_and_there_are_enough():
    assert len(PAINS) >= 25 and len({pain.text for pain in PAINS}) == len(PAINS)
    assert sum(pain.where is not None for pain in PAINS) >= 5
    assert len({pain.class_id for pain in PAINS}) >= 15


def verb_of(fix_id: str) -> str:
    """The typed verb of a fix of the catalogue."""
    templates = {fix.id: fix for entry in load_catalogue().classes.values() for fix in entry.fixes}
    return templates[fix_id].verb


def test_the_same_text_with_the_file_at_hand_decides(tmp_path):
    """The state tells the two causes apart: an untracked file, and one that is nowhere."""
    import subprocess

    text = f"warning: Git tree '{tmp_path}' is dirty\nerror: path '/nix/store/{A}-source/hosts/box.nix' does not exist\n"
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "flake.nix").write_text("{ outputs = _: import ./hosts/box.nix; }\n")
    absent = explain_text(text)
    assert absent.class_id == "missing_file" and absent.confidence > 0.8, absent.candidates
    (tmp_path / "hosts").mkdir()
    (tmp_path / "hosts" / "box.nix").write_text("{ }\n")
    untracked = explain_text(text)
    assert untracked.class_id == "file_not_tracked_by_git" and untracked.confidence > 0.8
    assert untracked.fixes[0].argv == ("git", "add", "--", "hosts/box.nix") and untracked.fixes[0].undo
    assert [fix.id for fix in untracked.fixes].count("file_not_tracked_by_git.try") == 0
