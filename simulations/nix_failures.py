# ruff: noqa: E501
"""Commands that fail for a known reason, run afresh with whatever Nix is installed.

Data for the tests: label, files, setup, command. Refuses network: every case fails before it needs one, or by
the lack of it.
"""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

DRV = (
    'derivation { name = "%s"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "%s" ]; }'
)


@dataclass(frozen=True)
class Case:
    """One world: ``files`` by name, a shell ``setup``, and the ``command`` whose stderr is explained."""

    label: str
    command: str
    files: dict[str, str] = field(default_factory=dict)
    setup: str = ""


def _eval(label: str, text: str) -> Case:
    return Case(label, "nix-instantiate --eval --strict a.nix", {"a.nix": text})


def _build(label: str, text: str, options: str = "") -> Case:
    return Case(label, f"nix-build --no-out-link {options} a.nix", {"a.nix": text})


FLAKE = "nix --extra-experimental-features 'nix-command flakes'"
GIT = "git init -q . && git add flake.nix"
CASES = (
    _eval("syntax_error", "{ a = 1; b = 2\n  c = 3; }"),
    _eval("syntax_error", "let a = [ 1 2 in a"),
    _eval("syntax_error", '{ a = "never closed; }'),
    _eval("syntax_error", "if true then 1"),
    _eval("syntax_error", "{ a = 1; }}"),
    _eval("undefined_variable", "{ x = mkDerivation { }; }"),
    _eval("undefined_variable", "let b = 1; in [ b ccc ]"),
    _eval("missing_attribute", "let p = { curl = 1; }; in p.cruel"),
    _eval("missing_attribute", "{ a = { }; }.a.b.c"),
    Case("missing_attribute", "nix-build --no-out-link a.nix -A nope", {"a.nix": "{ yes = 1; }"}),
    Case("missing_attribute", f"{FLAKE} build .#nope", {"flake.nix": "{ outputs = { self }: { x = 1; }; }"}, GIT),
    _eval("attr_already_defined", "{ a = 1; a = 2; }"),
    _eval("attr_already_defined", "{ a.b = 1; a = { b = 2; }; }"),
    _eval("missing_argument", "({ a, b }: a) { a = 1; }"),
    _eval("unexpected_argument", "({ a }: a) { a = 1; zz = 2; }"),
    _eval("invalid_argument", "builtins.head [ ]"),
    _eval("invalid_argument", "builtins.elemAt [ 1 ] 4"),
    _eval("type_error", '1 + "a"'),
    _eval("type_error", '"${[ 1 ] // { }}"'),
    _eval("type_error", "{ a = 1; } 2"),
    _eval("type_error", 'if "yes" then 1 else 2'),
    _eval("type_error", "builtins.length 3"),
    _eval("type_error", '"a" < 1'),
    _eval("infinite_recursion", "let x = x + 1; in x"),
    _eval("infinite_recursion", "rec { a = b; b = a; }.a"),
    _eval("stack_overflow", "let f = n: 1 + f (n + 1); in f 0"),
    _eval("division_by_zero", "1 / (2 - 2)"),
    _eval("bad_regex", 'builtins.match "(a" "b"'),
    _eval("not_absolute_path", 'import "lib/default.nix"'),
    _eval("string_context", 'builtins.toFile "x" "${' + DRV % ("d", "echo > $out") + '}"'),
    _eval("assertion_failed", "assert 1 == 2; true"),
    _eval("user_throw", 'throw "the frobnicator was renamed, use frob2"'),
    _eval("abort", 'abort "no"'),
    _eval("bad_json_toml", "builtins.fromJSON \"{ a: 1 }\""),
    _eval("bad_json_toml", "builtins.fromTOML \"a = = 1\""),
    _eval("missing_file", "import ./not-there.nix"),
    _eval("missing_file", "builtins.readFile ./gone.txt"),
    Case("missing_file", "nix-build"),
    Case("missing_file", f"{FLAKE} build .#x", {"readme": ""}),
    _eval("missing_channel", "import <nixos-hardware/lenovo> { }"),
    Case(
        "file_not_tracked_by_git",
        f"{FLAKE} eval .#x",
        {"flake.nix": "{ outputs = { self }: { x = import ./host.nix; }; }", "host.nix": "1"},
        GIT,
    ),
    Case(
        "missing_file",
        f"{FLAKE} eval .#x",
        {"flake.nix": "{ outputs = { self }: { x = import ./host.nix; }; }"},
        GIT,
    ),
    Case("restricted_eval", f"{FLAKE} eval --expr 'import <nixpkgs> {{ }}'"),
    Case("restricted_eval", f"{FLAKE} eval --expr 'builtins.readFile \"/etc/hostname\"'"),
    Case("restricted_eval", f"{FLAKE} eval --expr builtins.currentSystem"),
    Case("experimental_feature_disabled", "nix --experimental-features '' eval --expr 1"),
    Case("cli_usage", "nix-build --frobnicate"),
    Case("cli_usage", "nix-store"),
    Case("cli_usage", f"{FLAKE} frobnicate"),
    Case("bad_nix_conf", "NIX_CONFIG='cores = several' nix-instantiate --eval -E 1"),
    Case("bad_nix_conf", "NIX_CONFIG='just words' nix-instantiate --eval -E 1"),
    Case("bad_nix_conf", "NIX_CONFIG='keep-going = perhaps' nix-instantiate --eval -E 1"),
    _build("build_failed", DRV % ("bad", "echo compiling; exit 3")),
    _build("build_failed", DRV % ("tool", "frobnicate-it || exit 127")),
    _build(
        "dependency_build_failed",
        DRV % ("top", "cp ${" + (DRV % ("dep", "exit 1")) + "} $out"),
    ),
    _build("no_output_produced", DRV % ("empty", "true")),
    _build(
        "builder_not_found",
        'derivation { name = "x"; system = builtins.currentSystem; builder = "/no/such/builder"; }',
    ),
    _build("invalid_derivation", 'derivation { name = "a b"; system = "x86_64-linux"; builder = "/bin/sh"; }'),
    _build(
        "hash_mismatch",
        'derivation { name = "f"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo hi > $out" ];'
        ' outputHashMode = "flat"; outputHashAlgo = "sha256";'
        ' outputHash = "0000000000000000000000000000000000000000000000000000"; }',
    ),
    _build(
        "bad_hash",
        'derivation { name = "f"; system = builtins.currentSystem; builder = "/bin/sh";'
        ' outputHashMode = "flat"; outputHashAlgo = "sha256"; outputHash = "0123abc"; }',
    ),
    _build("timeout", DRV % ("slow", "/bin/sleep 20"), "--timeout 1"),
    _build("timeout", DRV % ("slow2", "/bin/sleep 20"), "--max-silent-time 1"),
    _build(
        "platform_mismatch",
        'derivation { name = "p"; system = "riscv64-linux"; builder = "/bin/sh"; args = [ "-c" "echo > $out" ]; }',
    ),
    _build("disk_full", DRV % ("full", "echo cp: error writing big: No space left on device >&2; exit 1")),
    _build("out_of_memory", DRV % ("oom", "kill -9 $$")),
    Case("invalid_store_path", "nix-store --query --references /nix/store/00000000000000000000000000000000-nothing"),
    Case(
        "path_in_use",
        "nix-store --delete $(cat p)",
        {"a.nix": DRV % ("kept", "echo > $out")},
        "nix-build a.nix -o result > p 2>/dev/null",
    ),
    _build(
        "ifd_or_reference",
        'derivation { name = "self"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo ${./a.nix} > $out" ];'
        " allowedReferences = [ ]; }",
    ),
    Case(
        "ifd_disallowed",
        "nix-build --no-out-link --option allow-import-from-derivation false a.nix",
        {"a.nix": "import (" + DRV % ("gen", "echo 1 > $out") + ")"},
    ),
    Case(
        "network_unreachable",
        "nix-instantiate --eval --option connect-timeout 1 --option download-attempts 1 a.nix",
        {"a.nix": 'import (fetchTarball "https://host.invalid/x.tar.gz")'},
    ),
    Case("db_corruption", "nix-store --verify", setup="mkdir -p var/db && echo hello > var/db/db.sqlite && echo 10 > var/db/schema"),
)  # fmt: skip


def run_case(case: Case, folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the world of ``case`` in an empty ``folder`` with its own store, and run its command there."""
    world = folder / "w"
    world.mkdir(parents=True)
    for name, text in case.files.items():
        (world / name).write_text(text)
    state = world / "var" if case.setup.startswith("mkdir -p var") else folder / "var"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "NIX_PATH": "",
        "NIX_REMOTE": "local",
        "NIX_STORE_DIR": str(folder / "store"),
        "NIX_STATE_DIR": str(state),
        "NIX_LOG_DIR": str(folder / "log"),
        "NIX_CONFIG": "build-users-group =\nsandbox = false\nsubstituters =",
        "LC_ALL": "C.UTF-8",
    }
    for command in filter(None, (case.setup, case.command)):
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=world,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
        )
    return done
