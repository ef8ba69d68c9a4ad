# ruff: noqa: E501
"""The answer: shape, place, fixes that parse, abstention, bounds, secrets, and what the process loads."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luminous.node.shell.explain import explain_text, read_source, run, share_text, split_command

ROOT = Path(__file__).resolve().parents[3]
NEW = """error:
       … while evaluating the attribute 'config.system.build.toplevel'
         at /nix/store/0v3k2h9cxlz4f1a8wn6q7p5s3r2y1m0b-source/nixos/modules/system/activation/top-level.nix:4:5:
       … while calling the 'import' builtin
         at {file}:2:7:
            1| {{ pkgs, ... }}:
            2| {{ x = pkgs.firefx; }}
             |       ^
       (stack trace truncated; use '--show-trace' to show the full, detailed trace)

       error: attribute 'firefx' missing
       at /nix/store/0v3k2h9cxlz4f1a8wn6q7p5s3r2y1m0b-source/lib/modules.nix:483:28:
          482|         builtins.addErrorContext (context name)
       Did you mean firefox?
"""


def test_the_shape_is_schema_1(tmp_path):
    file = tmp_path / "home.nix"
    file.write_text("{ pkgs, ... }:\n{ x = pkgs.firefx; }\n")
    body = explain_text(NEW.format(file=file), root=tmp_path, exit_code=1).to_json()
    json.dumps(body)
    assert body["schema"] == 1 and body["class"] == "missing_attribute"
    assert body["candidates"][0].keys() == {"class", "confidence"}
    assert body["where"] == {"file": str(file), "line": 2}, "the user's own frame, not nixpkgs'"
    first = body["fixes"][0]
    assert {"id", "text", "diff", "safety", "undo", "evidence"} <= first.keys()
    assert "+{ x = pkgs.firefox; }" in first["diff"] and first["diff"].startswith("--- a/home.nix\n")
    assert body["more_behind"] is True and body["asked"] is not None and body["sent"] is False


def test_the_text_fits_a_screen_and_says_what_it_must(tmp_path):
    file = tmp_path / "home.nix"
    file.write_text("{ pkgs, ... }:\n{ x = pkgs.firefx; }\n")
    text = explain_text(NEW.format(file=file), root=tmp_path).to_text()
    assert len(text.splitlines()) <= 22
    for wanted in (f"{file}:2", "undo:", "% sure", "more behind", "nothing was sent"):
        assert wanted in text


POEM = "Two roads diverged in a yellow wood,\nAnd sorry I could not travel both\nAnd be one traveler, long I stood\n"
GCC = "main.c: In function 'main':\nmain.c:3:5: error: 'foo' undeclared (first use in this function)\nmake: *** [main.o] Error 1\n"
RUST = "error[E0425]: cannot find value `x` in this scope\n --> src/main.rs:2:5\nerror: aborting due to 1 previous error\n"
PYTHON = "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\nNameError: name 'x' is not defined\n"
NPM = "npm ERR! code ELIFECYCLE\nnpm ERR! errno 1\n"


@pytest.mark.parametrize("text", ["", "\n\n", POEM, RUST, PYTHON, NPM, "\x00\xff\x1b[31m", "ok\n", "0 1 2 3"])
def test_what_is_not_nix_is_not_explained(text):
    answer = explain_text(text, ask=False)
    assert answer.class_id is None, answer.candidates
    assert "do not know" in answer.to_text() or "not sure" in answer.to_text()


def test_a_compiler_s_text_is_never_confidently_nix():
    assert explain_text(GCC, ask=False).confidence <= 0.6


@given(st.text(max_size=600))
@settings(max_examples=60, deadline=None)
def test_any_text_gets_an_answer(text):
    answer = explain_text(text, ask=False)
    json.dumps(answer.to_json())
    assert "\x1b" not in answer.to_text()


PAIRS = [
    # (a text, its class, a text that looks alike, that one's class)
    ("error: undefined variable 'lib'", "undefined_variable", "error: attribute 'lib' missing", "missing_attribute"),
    (
        "error: getting status of '/nix/store/0v3k2h9cxlz4f1a8wn6q7p5s3r2y1m0b-source/a.nix': No such file or directory",
        "file_not_tracked_by_git",
        "error: getting status of '/etc/nixos/a.nix': No such file or directory",
        "missing_file",
    ),
    (
        "error: attribute 'currentSystem' missing",
        "restricted_eval",
        "error: attribute 'currentSystems' missing",
        "missing_attribute",
    ),
    (
        "error: builder for '/nix/store/0v3k2h9cxlz4f1a8wn6q7p5s3r2y1m0b-a.drv' failed with exit code 1",
        "build_failed",
        "error: builder for '/nix/store/0v3k2h9cxlz4f1a8wn6q7p5s3r2y1m0b-a.drv' failed to produce output path for output 'out' at '/nix/store/x'",
        "no_output_produced",
    ),
    (
        "error: 1 dependencies of derivation '/nix/store/0v3k2h9cxlz4f1a8wn6q7p5s3r2y1m0b-a.drv' failed to build",
        "dependency_build_failed",
        "error: hash mismatch in fixed-output derivation '/nix/store/x.drv':\n  specified: sha256-A\n  got: sha256-B\n"
        "error: 1 dependencies of derivation '/nix/store/a.drv' failed to build",
        "hash_mismatch",
    ),
    (
        "error: string 'x' doesn't represent an absolute path",
        "not_absolute_path",
        "error: string 'x' doesn't represent an absolute path\n       at /nix/store/a/lib/modules.nix:1:2:\n"
        "            1|  (applyModuleArgsIfFunction (toString m) (import m) args",
        "module_error",
    ),
    (
        "error: function 'anonymous lambda' called with unexpected argument 'b'\n       at /etc/nixos/a.nix:1:1:",
        "unexpected_argument",
        "error: 'mkPackageOption' at /nix/store/a-source/lib/options.nix:1:7 called with unexpected argument 'nullable'",
        "version_mismatch",
    ),
    (
        "error: cannot connect to socket at '/nix/var/nix/daemon-socket/socket': Connection refused",
        "daemon_unreachable",
        "error: getting status of /nix/var/nix/daemon-socket/socket: Permission denied",
        "permission_denied",
    ),
    (
        "error: unable to download 'https://x.y/z': Couldn't resolve host name (6)",
        "network_unreachable",
        "error: unable to download 'https://x.y/z': SSL peer certificate or SSH remote key was not OK (60)",
        "tls_certificate",
    ),
    (
        "error: unable to download 'https://api.github.com/x': HTTP error 404",
        "network_unreachable",
        "error: unable to download 'https://api.github.com/x': HTTP error 403\n  API rate limit exceeded for 1.2.3.4",
        "rate_limited",
    ),
    (
        "path '/nix/store/a-b' was modified! expected hash 'sha256:1', got 'sha256:2'",
        "store_corruption",
        "error: executing SQLite query: database disk image is malformed (in '/nix/var/nix/db/db.sqlite')",
        "db_corruption",
    ),
    (
        "error: The option `a.b' does not exist. Definition values:",
        "option_not_found",
        "error: The option `a.b' is used but not defined.",
        "option_undefined",
    ),
    (
        "error: The option `a.b' has conflicting definition values:",
        "option_conflict",
        "error: The option `a.b' in `x.nix' is already declared in `y.nix'.",
        "option_duplicate_declaration",
    ),
    (
        "collision between `/nix/store/a-b/bin/x' and `/nix/store/c-d/bin/x'",
        "file_collision",
        "Existing file '/home/me/.bashrc' is in the way of '/nix/store/a-b/.bashrc'",
        "file_in_the_way",
    ),
    (
        "error: access to absolute path '/etc' is forbidden in pure evaluation mode (use '--impure' to override)",
        "restricted_eval",
        "error: cannot build '/nix/store/a.drv' during evaluation because the option 'allow-import-from-derivation' is disabled",
        "ifd_disallowed",
    ),
    (
        "error: the string 'x' is not allowed to refer to a store path (such as '/nix/store/a')",
        "string_context",
        "error: output '/nix/store/a' is not allowed to refer to the following paths:",
        "ifd_or_reference",
    ),
    (
        "note: keeping build directory\n/bin/dd: error writing 'x': No space left on device",
        "disk_full",
        "cp: error writing 'x': Read-only file system",
        "read_only_fs",
    ),
    (
        "g++: fatal error: Killed signal terminated program cc1plus",
        "out_of_memory",
        "error: building of '/nix/store/a.drv' from .drv file timed out after 60 seconds",
        "timeout",
    ),
    (
        "error: unrecognised flag '--x'",
        "cli_usage",
        "error: experimental Nix feature 'flakes' is disabled; add '--extra-experimental-features flakes' to enable it",
        "experimental_feature_disabled",
    ),
    (
        "error: cannot add path '/nix/store/a' because it lacks a signature by a trusted key",
        "untrusted_signature",
        "warning: ignoring the client-specified setting 'substituters', because it is a restricted setting and you are not a trusted user",
        "untrusted_user",
    ),
    (
        "error: Package ‘a-1’ in /x.nix:1 has an unfree license (‘unfree’), refusing to evaluate.",
        "unfree_license",
        "error: Package ‘a-1’ in /x.nix:1 is marked as broken, refusing to evaluate.",
        "broken_package",
    ),
    (
        "error: Package ‘a-1’ in /x.nix:1 is not available on the requested hostPlatform:",
        "platform_mismatch",
        "error: Package ‘a-1’ in /x.nix:1 is marked as insecure, refusing to evaluate.",
        "insecure_package",
    ),
    (
        "┃ error: profile '/home/x/.nix-profile' is incompatible with 'nix-env'; please use 'nix profile' instead",
        "profile_incompatible",
        "Job for nginx.service failed because the control process exited with error code.",
        "service_failed",
    ),
    (
        "error: cannot delete path '/nix/store/a' since it is still alive. To find out why, use: nix-store --query --roots",
        "path_in_use",
        "error: path '/nix/store/0v3k2h9cxlz4f1a8wn6q7p5s3r2y1m0b-a' is not valid",
        "invalid_store_path",
    ),
    (
        "fatal: detected dubious ownership in repository at '/etc/nixos'",
        "git_ownership",
        "error: opening lock file '/nix/var/nix/db/big-lock': Permission denied",
        "permission_denied",
    ),
    (
        "error: integer overflow in adding 9223372036854775807 + 1",
        "integer_overflow",
        "error: stack overflow; max-call-depth exceeded",
        "stack_overflow",
    ),
    ("error: hash 'x' has wrong length for hash type 'sha256'", "bad_hash", "error: invalid regular expression 'x('", "bad_regex"),
    (
        "error: input string 'a' cannot be represented as Nix string because it contains null bytes",
        "bad_string_encoding",
        "error: '/a/b' is not a directory",
        "not_a_directory",
    ),
    (
        "creating file: out of inodes, IUse% 100%: no free inodes",
        "inodes_exhausted",
        "error: writing to file: No space left on device",
        "disk_full",
    ),
    (
        "error: executing '/bin/nope': No such file or directory",
        "builder_not_found",
        "error: store path 'x-a b' contains illegal character ' '",
        "invalid_derivation",
    ),
    (
        "error: configuration setting 'max-jobs' should be 'auto' or an integer",
        "bad_nix_conf",
        "error: A definition for option `a.b' is not of type `boolean'. Definition values:",
        "option_type_error",
    ),
    ("error: division by zero", "division_by_zero", "error: infinite recursion encountered", "infinite_recursion"),
    ("error: assertion '(a == b)' failed", "assertion_failed", "error: 'foo' has been renamed to/replaced by 'bar'", "user_throw"),
    (
        "error: evaluation aborted with the following error message: 'x'",
        "abort",
        "error: file 'nixpkgs' was not found in the Nix search path (add it using $NIX_PATH or -I)",
        "missing_channel",
    ),
    (
        "error: anonymous function at /a.nix:1:1 called without required argument 'b'",
        "missing_argument",
        "error: attribute 'a' already defined at /a.nix:1:3",
        "attr_already_defined",
    ),
    ("error: syntax error, unexpected '}', expecting ';'", "syntax_error", "error: cannot coerce a set to a string", "type_error"),
    (
        "error: [json.exception.parse_error.101] parse error at line 1",
        "bad_json_toml",
        "error: 'builtins.head' called on an empty list",
        "invalid_argument",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "label", "other", "other_label"), PAIRS, ids=[f"{p[1]}-{p[3]}" for p in PAIRS]
)
def test_each_class_catches_its_text_and_not_its_neighbour(text, label, other, other_label):
    for body, wanted, unwanted in ((text, label, other_label), (other, other_label, label)):
        answer = explain_text(body, ask=False)
        assert answer.class_id == wanted, answer.candidates
        assert answer.fixes and answer.cause
        assert all(c != unwanted or p < 0.5 for c, p, _ in answer.candidates[1:])


def test_every_class_of_the_list_has_a_text_here():
    from luminous.node.shell.catalogue_files import load_catalogue

    known = {name for name in load_catalogue().classes if not name.startswith("other_")}
    assert {p[1] for p in PAIRS} | {p[3] for p in PAIRS} == known


@pytest.mark.skipif(not shutil.which("nix-instantiate"), reason="nix is not installed")
@pytest.mark.parametrize(
    ("before", "gone"),
    [
        ("{ a = 1\n  b.c = 2; }", "syntax"),
        ("{ a = [ 1 2; }", "syntax"),
        ("{ lib, ... }: { x = pkgs.git; }", "undefined"),
        ('let host = { name = "b"; }; in "${host}"', "coerce"),
        ("let f = { a }: a; in f { a = 1; b = 2; }", "unexpected"),
    ],
)
def test_the_first_diff_applies_and_ends_the_failure(tmp_path, before, gone):
    file = tmp_path / "a.nix"
    file.write_text(before)
    argv = ["nix-instantiate", "--eval", "--strict", "a.nix"]
    env = os.environ | {
        "NIX_REMOTE": "local",
        "NIX_STATE_DIR": str(tmp_path / "v"),
        "NIX_STORE_DIR": str(tmp_path / "s"),
    }
    failed = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert gone in failed.stderr
    diff = explain_text(failed.stderr, root=tmp_path, ask=False).fixes[0].diff
    assert file.read_text() == before, "nothing is applied unasked"
    subprocess.run(["patch", "-p1"], input=diff, text=True, cwd=tmp_path, check=True, capture_output=True)
    again = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert gone not in again.stderr


def test_git_state_settles_untracked_against_missing(tmp_path):
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    text = "error: path '/nix/store/0v3k2h9cxlz4f1a8wn6q7p5s3r2y1m0b-source/new.nix' does not exist\n"
    assert explain_text(text, root=tmp_path).class_id == "missing_file"
    (tmp_path / "new.nix").write_text("1")
    answer = explain_text(text, root=tmp_path)
    assert answer.class_id == "file_not_tracked_by_git" and answer.asked
    assert answer.fixes[0].command == "git add -- new.nix" and answer.fixes[0].argv == (
        "git",
        "add",
        "--",
        "new.nix",
    )


def test_a_hostile_text_cannot_put_words_into_a_command():
    text = (
        "error: getting status of '/nix/store/0v3k2h9cxlz4f1a8wn6q7p5s3r2y1m0b-source/x; rm -rf ~': No such file or directory\n"
        "Job for $(reboot).service failed\nExisting file '/home/u/a;b' is in the way of '/nix/store/x'\n"
    )
    for fix in explain_text(text, ask=False).fixes:
        for bad in (";", "$(", "`", "rm -rf"):
            assert bad not in (fix.command or "")


def test_secrets_never_reach_an_answer_or_a_shared_text():
    text = "error: unable to download 'https://me:hunter2hunter2@host.example/x': HTTP error 401\n"
    answer = explain_text(text, ask=False)
    for shown in (json.dumps(answer.to_json()), answer.to_text(), share_text(text, answer)):
        assert "hunter2" not in shown


def test_a_log_of_a_hundred_megabytes_is_bounded(tmp_path):
    file = tmp_path / "big.log"
    with file.open("wb") as out:
        out.write(b"building\n")
        out.truncate(100 * 1024 * 1024)
        out.seek(0, io.SEEK_END)
        out.write(b"\nerror: undefined variable 'x'\n")
    text, cut = read_source(str(file))
    assert cut and len(text) < 1_500_000
    assert explain_text(text, ask=False).class_id == "undefined_variable"


def test_run_prints_json_and_an_unknown_text_gives_one(tmp_path, capsys):
    file = tmp_path / "e.txt"
    file.write_text("error: division by zero\n")
    assert run(str(file), None, 1, None, True, False) == 0
    assert json.loads(capsys.readouterr().out)["class"] == "division_by_zero"
    file.write_text(POEM)
    assert run(str(file)) == 1


@pytest.mark.parametrize("command", ["nix build; rm x", "nix build | tee", "nix $(x)", "nix 'unclosed", None])
def test_a_command_that_is_more_than_words_is_not_repeated(command):
    assert split_command(command) == ()


def test_the_cold_process_loads_the_standard_library_only(tmp_path):
    file = tmp_path / "e.txt"
    file.write_text("error: division by zero\n")
    code = (
        "import sys\nfrom luminous.node.shell.explain import run\n"
        f"run({str(file)!r}, as_json=True)\n"
        "print([m for m in ('numpy','networkx','libp2p','trio','cbor2','nacl','click','rich','msgspec') if m in sys.modules])"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
