# ruff: noqa: E501
"""Recognisers on own texts of real shape: each text that a rule must catch stands beside its nearest neighbour.

The pairs differ in the one thing that decides: a warning before a failure or the failure itself, Nix's own
message or the same words in another program's output, a run that failed or one that did not.
"""

import pytest

from luminous.node.shell.explain import explain_text

A = "0c9y1l0y2fz0qk0x2s1b6r7m8n9p0q1r"
B = "2c9y1l0y2fz0qk0x2s1b6r7m8n9p0q1r"
RETRY = f"warning: error: unable to download 'https://mine.example.org/{A}.narinfo': HTTP error 502; retrying in 270 ms\n"
BUILDER = (
    f"error: builder for '/nix/store/{A}-app-1.0.drv' failed with exit code 2;\n       last 2 log lines:\n"
)

# (what decides, class or None to be left alone, text)
SHAPES = [
    (
        "a cache's warnings before a builder's failure are by-play",
        "build_failed",
        RETRY
        + BUILDER
        + "       > main.c:3: undefined reference to 'foo'\n       > make: *** [app] Error 1\n",
    ),
    (
        "the same download failing for good",
        "network_unreachable",
        RETRY + RETRY.split("; retrying")[0].removeprefix("warning: ") + "\n",
    ),
    (
        "warnings alone, and the command went on to its end",
        None,
        RETRY
        + "building the system configuration...\nactivating the configuration...\nsetting up /etc...\nDone. The new configuration is /nix/store/"
        + A
        + "-nixos-system-box\n",
    ),
    ("warnings alone, nothing after them", "network_unreachable", RETRY),
    (
        "a cache's warnings before an evaluation failure",
        "missing_attribute",
        RETRY + "error: attribute 'firefx' missing\n       at /etc/nixos/configuration.nix:4:5:\n",
    ),
    (
        "a cache's warnings before a wrong hash",
        "hash_mismatch",
        RETRY
        + f"error: hash mismatch in fixed-output derivation '/nix/store/{A}-source.drv':\n         specified: sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n            got:    sha256-1c4REPVMPkCVtp3aHFJRQD5i3AedEO2R4FQJmvDKEB4=\n",
    ),
    (
        "an ignored setting before a builder's failure",
        "build_failed",
        "warning: ignoring the client-specified setting 'substituters', because it is a restricted setting and you are not a trusted user\n"
        + BUILDER
        + "       > boom\n",
    ),
    (
        "an ignored setting alone",
        "untrusted_user",
        "warning: ignoring the client-specified setting 'substituters', because it is a restricted setting and you are not a trusted user\n",
    ),
    (
        "failed units are told as a warning and are the failure",
        "service_failed",
        "activating the configuration...\nsetting up /etc...\nwarning: the following units failed: web.service\n",
    ),
    (
        "units that merely started",
        None,
        "activating the configuration...\nsetting up /etc...\nthe following new units were started: web.service\n",
    ),
    (
        "a unit that D-Bus could not wake",
        "service_failed",
        "Nov 22 10:00:01 box dbus[911]: [system] Activation via systemd failed for unit 'host-name.service': Unit host-name.service failed to load.\n",
    ),
    (
        "a unit that D-Bus woke",
        None,
        "Nov 22 10:00:01 box dbus[911]: [system] Successfully activated service 'org.example.Host'\n",
    ),
    (
        "a server's refusal that became the text of an expression",
        "rate_limited",
        "warning: error: unable to download 'https://example.org/paths.nix': HTTP error 429\n\n       response body:\n\n       429: Too Many Requests; retrying in 268 ms\nerror: syntax error, unexpected invalid token\n\n       at «string»:1:1:\n\n            1| \n             | ^\n",
    ),
    (
        "a syntax error of one's own",
        "syntax_error",
        "error: syntax error, unexpected invalid token\n       at /etc/nixos/configuration.nix:4:5:\n            4| @\n             | ^\n",
    ),
    (
        "a download of the oldest Nix",
        "network_unreachable",
        "download-from-binary-cache.pl: could not download 'https://cache.example.org/a.narinfo' (Curl error 6)\n",
    ),
    (
        "a path that a root holds, newest wording",
        "path_in_use",
        f"error: Cannot delete path '/nix/store/{A}-x'\n  because it's referenced by the GC root '/home/ana/result'.\n",
    ),
    (
        "a path that was deleted",
        None,
        f"deleting '/nix/store/{A}-x'\n1 store paths deleted, 0.10 MiB freed\n",
    ),
    (
        "a file that git does not track, newest wording",
        "file_not_tracked_by_git",
        "error: Path 'flake.nix' in the repository is not tracked by Git\n",
    ),
    (
        "a flake attribute that this Nix does not know",
        "version_mismatch",
        "error:\n       … while updating the flake input 'theme'\n       error: unexpected flake input attribute 'submodules', at /etc/nixos/flake.nix:10:5\n",
    ),
    (
        "a profile of a newer Nix",
        "version_mismatch",
        "error: profile manifest '/home/ana/.local/state/nix/profiles/profile/manifest.json' has unsupported version 3\n",
    ),
    (
        "a profile of the other family",
        "profile_incompatible",
        "error: profile '/home/ana/.nix-profile' is incompatible with 'nix-env'; please use 'nix profile' instead\n",
    ),
    (
        "import from derivation that is not allowed",
        "ifd_disallowed",
        f"error: cannot build '/nix/store/{A}-x.drv' during evaluation because the option 'allow-import-from-derivation' is disabled\n",
    ),
    (
        "only the flag, in a command that is shown",
        "missing_attribute",
        "[ERROR run] command 'nix eval --json --no-allow-import-from-derivation -f x.nix' failed: exit status: 1\n    error: attribute 'pkgs' missing\n\n           at /etc/nixos/flake.nix:5:28:\n",
    ),
    (
        "a builder that is not there",
        "builder_not_found",
        f"error: executing '/bin/bash': No such file or directory\nerror: builder for '/nix/store/{A}-x.drv' failed with exit code 1\n",
    ),
    (
        "a tool that Nix itself wanted",
        "other",
        "error:\n       … while fetching the input 'git+file:///home/ana/dots'\n\n       error: executing 'git': No such file or directory\n",
    ),
    (
        "a throw that nixos-rebuild shows",
        "user_throw",
        "building Nix...\nbuilding the system configuration...\nerror: Given up by its authors. Take the other one\n",
    ),
    (
        "the same kind of line from who knows what",
        None,
        "error: Given up by its authors. Take the other one\n",
    ),
    (
        "the build wants the network and the sandbox has none",
        "build_failed",
        BUILDER.replace("2;", "101;")
        + "       > cargo build --release\n       > warning: spurious network error (3 tries remaining): [6] Could not resolve hostname\n       > error: failed to get 'serde' as a dependency of package 'app v1.0.0'\n",
    ),
    (
        "a fetch without a network",
        "network_unreachable",
        f"trying https://example.org/foo-1.0.tar.gz\ncurl: (6) Could not resolve host: example.org\nerror: cannot download foo-1.0.tar.gz from any mirror\nerror: builder for '/nix/store/{A}-foo-1.0.tar.gz.drv' failed with exit code 1;\n",
    ),
    (
        "a missing file inside a builder is the builder's",
        "build_failed",
        BUILDER + "       > cp: cannot stat 'README.txt': No such file or directory\n",
    ),
    (
        "a refused directory inside a builder is the builder's",
        "build_failed",
        BUILDER + "       > mkdir: cannot create directory '/usr/local': Permission denied\n",
    ),
    (
        "a refused file of the user's",
        "permission_denied",
        "error: opening file '/etc/nixos/secrets.nix': Permission denied\n",
    ),
    (
        "nom's frame around a builder's failure",
        "build_failed",
        f"┏━ Dependency Graph:\n┃ ⚠ app-1.0\n┗━ ∑ ⚠ Exited after 1 build failures\n┃ error: Cannot build '/nix/store/{A}-app-1.0.drv'.\n┃        Reason: builder failed with exit code 1.\n┃        Last 1 log lines:\n┃        > cc: error: foo.c: No such file or directory\n",
    ),
    (
        "the newest wording of a failed dependency",
        "dependency_build_failed",
        f"error: Cannot build '/nix/store/{A}-dep.drv'.\n       Reason: builder failed with exit code 1.\nerror: Cannot build '/nix/store/{B}-nixos-system-box.drv'.\n       Reason: 1 dependency failed.\n",
    ),
    (
        "coreutils' own words without a builder",
        "missing_file",
        "mktemp: failed to create directory via template '/tmp/nix-shell.x/hm.XXXX': No such file or directory\n",
    ),
    (
        "a set of files that lacks one",
        "missing_file",
        "building the system configuration...\nerror: lib.fileset.unions: Element 0 (/home/ana/app/vendor) is a path that does not exist.\n",
    ),
    (
        "an option whose quotes were lost on the way",
        "option_not_found",
        "error: The option home-manager.users.ana.programs.web.theme does not exist. Definition values:\n       - In /etc/nixos/flake.nix: true\n",
    ),
    (
        "a table of inodes that is full",
        "inodes_exhausted",
        "bash: a.txt: No space left on device\nFilesystem     Inodes IUsed IFree IUse% Mounted on\ndevtmpfs         789K   419  788K    1% /dev\n/dev/sda2        1.6M  1.6M     8  100% /\n",
    ),
    (
        "a table of space that is full",
        "disk_full",
        "bash: a.txt: No space left on device\nFilesystem      Size  Used Avail Use% Mounted on\n/dev/sda2       100G  100G     0 100% /\n",
    ),
    (
        "git that sees another's repository as none",
        "git_ownership",
        "warning: Not a git repository. Use --no-index to compare two paths outside a working tree\nerror: program 'git' failed with exit code 129\n",
    ),
    (
        "a unit's status after a failure",
        "service_failed",
        "× web.service - Web\n     Loaded: loaded (/etc/systemd/system/web.service; enabled)\n     Active: failed (Result: exit-code) since Sun 2026-11-22 10:00:00 UTC; 5s ago\n",
    ),
    (
        "a unit's status in good health",
        None,
        "● web.service - Web\n     Loaded: loaded (/etc/systemd/system/web.service; enabled)\n     Active: active (running) since Sun 2026-11-22 10:00:00 UTC; 5s ago\n",
    ),
    (
        "Home Manager's unit that failed over a file",
        "file_in_the_way",
        "× home-manager-ana.service - Home Manager environment for ana\n     Active: failed (Result: exit-code) since Sun 2026-11-22 10:00:00 UTC; 5s ago\nNov 22 10:00:00 box hm-activate-ana[11]: Please do one of the following:\nNov 22 10:00:00 box hm-activate-ana[11]: - Move or remove the above files and try again.\n",
    ),
    (
        "the oldest wording of a forbidden reference",
        "ifd_or_reference",
        "output is not allowed to refer to path `/nix/store/" + A + "-x'\n",
    ),
    (
        "a flake whose input is computed",
        "type_error",
        "error: expected a string but got a thunk at /etc/nixos/flake.nix:3:5\n",
    ),
    ("a builder's own expectation", "build_failed", BUILDER + "       > expected 3 arguments but got 4\n"),
    (
        "a git server that is not found",
        "network_unreachable",
        "error: Failed to fetch git repository ssh://git@git.example.org/a: failed to resolve address for git.example.org\n",
    ),
    (
        "a crash of Nix itself",
        "other",
        "building Nix...\nnix-build: src/libstore/build/goal.cc:326: void nix::Goal::done(): Assertion `false' failed.\n",
    ),
    (
        "a condition of the user's",
        "assertion_failed",
        "error: assertion '(x == 1)' failed\n       at /etc/nixos/a.nix:1:1:\n",
    ),
    (
        "a program of another Linux",
        "other",
        "Could not start dynamically linked executable: ./app\nNixOS cannot run dynamically linked executables intended for generic\nlinux environments out of the box.\n",
    ),
    (
        "a switch that was stopped before it began",
        "other",
        "dbus-implementation  : dbus -> broker\n\nSwitching into this system is not recommended.\nPre-switch check 'switchInhibitors' failed\n",
    ),
    (
        "the suggestion database that flakes do not have",
        "other",
        "DBI connect('dbname=/nix/var/nix/profiles/per-user/root/channels/nixos/programs.sqlite','',...) failed: unable to open database file at /run/current-system/sw/bin/command-not-found line 13.\n",
    ),
    (
        "Nix's own database",
        "db_corruption",
        "error: executing SQLite query: database disk image is malformed (in '/nix/var/nix/db/db.sqlite')\n",
    ),
    (
        "a machine's name padded with dots frames what Nix said there",
        "bad_nix_conf",
        "box............> copying closure...\nbox............> error: the group 'nixbld' specified in 'build-users-group' does not exist\n",
    ),
    (
        "a package's name before a compiler's error is a build log",
        "build_failed",
        f"error: builder for '/nix/store/{A}-box.drv' failed with exit code 2;\n       last 2 log lines:\n       > cc main.c\nbox> error: the group of flags does not exist\n",
    ),
    (
        "a store file that is no derivation any more",
        "store_corruption",
        f"error: error parsing derivation '/nix/store/{A}-hm_.profile.drv': error: expected string 'Derive(['\n",
    ),
    (
        "an expression that is no derivation",
        "invalid_derivation",
        "error: expression does not evaluate to a derivation (or a set or list of those)\n",
    ),
    (
        "a path whose content has another hash after the copy",
        "store_corruption",
        f"box> hash of path '/nix/store/{A}-zlib' has changed from '{'3' * 64}' to '{'7' * 64}'! at CopyClosure.pm line 44.\nbox> error: unexpected end-of-file\n",
    ),
    (
        "another program that quotes Nix about a path",
        "invalid_store_path",
        f"pusher: CppStdException \"Exception: path '/nix/store/{A}-beam' is not valid; type: nix::InvalidPath\"\n",
    ),
    (
        "the installer's own copy of a profile is there already",
        "file_in_the_way",
        "I need to back up /etc/zshrc to /etc/zshrc.backup-before-nix,\nbut the latter already exists.\n",
    ),
    (
        "a module that is neither a function nor a set",
        "module_error",
        "error: module must be a function or an attribute set\n       … while checking the NixOS module 'nixosModules.box'\n",
    ),
    ("a host name that is a flag", "cli_usage", "error: invalid SSH host name '--sign'\n"),
    (
        "GRUB finds no drive",
        "other",
        f"/nix/store/{A}-grub-2.06/sbin/grub-install: error: cannot find a GRUB drive for /dev/sdb1.  Check your device.map.\nwarning: error(s) occurred while switching to the new configuration\n",
    ),
    (
        "the boot partition is full",
        "disk_full",
        "OSError: [Errno 28] No space left on device: '/boot/EFI/nixos/abc-initrd.efi'\nFailed to install bootloader\n",
    ),
    (
        "a unit failed during the switch",
        "service_failed",
        "Job for web.service failed because the control process exited with error code.\nwarning: error(s) occurred while switching to the new configuration\n",
    ),
    (
        "a lock file that will not be written is a warning",
        None,
        "warning: will not write lock file of flake 'git+file:///home/ana/dots' because it has an unlocked input ('git+file:///home/ana/nixpkgs')\n",
    ),
    (
        "a program that Nix ran failed, and its reason is not told",
        None,
        "$ nix flake update --commit-lock-file\nwarning: updating lock file '/home/ana/dots/flake.lock':\nerror: program 'git' failed with exit code 1\n",
    ),
    (
        "the words of a throw after a nix command",
        "user_throw",
        "$ nix flake update\nerror: set dots.host before you use this flake\n",
    ),
    (
        "no room for the directory of a build: most often its file system is full",
        "disk_full",
        "error: creating directory '/tmp/nix-build-hello.drv-0': No space left on device\n",
    ),
    (
        "an old Nix that meets a file of newer nixpkgs says so itself",
        "abort",
        f"error: getting status of '/nix/store/{A}-modules/virtualisation/x.nix': No such file or directory\nerror: evaluation aborted with the following error message: 'This version of Nixpkgs requires Nix >= 1.10, please upgrade! See https://nixos.org'\n",
    ),
    (
        "old names told in a warning are no refusal",
        None,
        "evaluation warning: 'system' has been renamed to/replaced by 'stdenv.hostPlatform.system'\n",
    ),
    (
        "an old name that the expression refuses",
        "user_throw",
        "error: 'spotify-tui' has been renamed to/replaced by 'spotify-player'\n",
    ),
    (
        "a store path that is gone, in the words of Nix 2.4",
        "missing_file",
        "error: --- SysError --- nix\ngetting attributes of path '/home/ana/dots/x.nix': No such file or directory\n",
    ),
    (
        "several derivations where one is needed",
        "cli_usage",
        "error: '' needs to evaluate to a single derivation, but it evaluated to 3 derivations\n",
    ),
    (
        "a flake's output that is a set",
        "type_error",
        "error: expected flake output attribute 'devShell' to be a derivation or path but found a set: { x86_64-linux = «thunk»; }\n",
    ),
    (
        "a step of the activation that is no unit",
        "other",
        "setting up secrets...\nsops-install-secrets: Failed to decrypt '/nix/store/x.yaml': Error getting data key\nActivation script snippet 'setupSecrets' failed (1)\n",
    ),
    (
        "a step of Home Manager's activation",
        "other",
        f"/nix/store/{A}-home-manager-generation/activate: line 13: USER: unbound variable\nmake: *** [Makefile:11: home] Error 1\n",
    ),
    (
        "the copy of fetched trees is damaged",
        "other",
        "error:\n       … while fetching the input 'github:nixos/nixpkgs/nixos-unstable'\n\n       error: adding a file to a tree builder: failed to insert entry: invalid object specified - x.nix\n",
    ),
    (
        "root does not find what the user finds",
        "other",
        "sudo: darwin-rebuild: command not found\n",
    ),
    (
        "a script of the store does not find a program",
        "other",
        f"/nix/store/{A}-disk: line 10: mount: command not found\n",
    ),
    (
        "a builder that does not find a program",
        "build_failed",
        f"error: builder for '/nix/store/{A}-hello.drv' failed with exit code 127;\n       last 1 log lines:\n       > /nix/store/{A}-stdenv/setup: line 1600: cmake: command not found\n",
    ),
    (
        "a ruled heading is no message",
        "undefined_variable",
        "error: --- UndefinedVarError ------------------------------ nix-build\nat: (4:5) in file: /etc/nixos/configuration.nix\n\nundefined variable 'pkg'\n",
    ),
]

# Other programs' failures and runs without one: nothing of these is Nix's to explain.
FOREIGN = [
    "To example.org:ana/dots.git\n ! [rejected]        main -> main (fetch first)\nerror: failed to push some refs to 'example.org:ana/dots.git'\n",
    "CONFLICT (content): Merge conflict in hosts/box.nix\nAutomatic merge failed; fix conflicts and then commit the result.\n",
    "E       AssertionError: assert 3 == 4\nFAILED tests/test_sum.py::test_sum - AssertionError: assert 3 == 4\n1 failed, 12 passed in 0.51s\n",
    "Traceback (most recent call last):\n  File \"/home/ana/report.py\", line 4, in <module>\nFileNotFoundError: [Errno 2] No such file or directory: 'data.csv'\n",
    "AttributeError: module 'numpy' has no attribute 'float'\n",
    './wait.sh: line 80: syntax error: unexpected end of file (expecting "fi")\n',
    "bash: frobnicate: command not found\n",
    "main.c:3:5: error: expected ';' before '}' token\n",
    "error[E0308]: mismatched types\n --> src/main.rs:4:18\nerror: aborting due to previous error\n",
    'ERROR:  syntax error at or near "SELEC"\nLINE 1: SELEC 1;\n',
    'Error from server (NotFound): pods "web-0" not found\n',
    "zsh: segmentation fault (core dumped)  ./game\n",
    "running 3 tests\ntest permission_denied_maps_to_403 ... ok\ntest no_space_left_is_reported ... ok\ntest result: ok. 3 passed; 0 failed\n",
    f"this derivation will be built:\n  /nix/store/{A}-hello.drv\nbuilding '/nix/store/{A}-hello.drv'...\n/nix/store/{B}-hello\n",
    "Starting Home Manager activation\nActivating checkFilesChanged\nActivating linkGeneration\nActivating reloadSystemd\n",
    "finding garbage collector roots...\ndeleting garbage...\n312 store paths deleted, 1930.22 MiB freed\n",
    "evaluation warning: The option `services.foo.bar' defined in `/etc/nixos/configuration.nix' has been renamed to `services.foo.baz'.\n",
    "Filesystem      Size  Used Avail Use% Mounted on\n/dev/sda2       100G   40G   60G  40% /\n",
    "I updated yesterday and now my screen stays black after login. Any idea?\n",
]


@pytest.mark.parametrize(("decides", "wanted", "text"), SHAPES, ids=[row[0] for row in SHAPES])
def test_each_shape_and_its_nearest_neighbour(decides, wanted, text):
    answer = explain_text(text, ask=False)
    assert answer.to_json()["class"] == wanted, (decides, answer.candidates)


@pytest.mark.parametrize("text", FOREIGN, ids=range(len(FOREIGN)))
def test_what_is_not_nix_is_left_alone(text):
    answer = explain_text(text, ask=False)
    assert answer.class_id is None, answer.candidates
    assert "I do not know" in answer.to_text() or "not sure" in answer.to_text()


def test_a_failing_line_hidden_in_a_million_warnings_is_found_in_bounded_time():
    text = RETRY * 5000 + "error: attribute 'firefx' missing\n"
    assert explain_text(text, ask=False).class_id == "missing_attribute"


def test_planted_fault_without_the_sense_of_warnings_the_wrong_thing_is_blamed(monkeypatch):
    from luminous.node.core.causes import classify

    monkeypatch.setattr(classify, "is_warning", lambda view, position: False)
    _, wanted, text = SHAPES[0]
    assert explain_text(text, ask=False).class_id == "network_unreachable" != wanted
