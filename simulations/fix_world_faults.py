# ruff: noqa: E501
"""The small system build of the fix worlds, and the faults that are planted in it.

The module system is a model of nixpkgs' (its messages have nixpkgs' wording); all else is real Nix. Data only.
"""

from dataclasses import dataclass

BASE_COMMAND = "nix-build --no-out-link default.nix"
FILES = {
    "lib.nix": """rec {
  mkForce = value: { _force = value; };
  known = { "networking.hostName" = "string"; "networking.port" = "integer"; "services.ssh.enable" = "boolean"; };
  kind = v: { int = "integer"; bool = "boolean"; string = "string"; }.${builtins.typeOf v} or "value";
  show = v: builtins.toJSON v;
  flat = file: prefix: set: builtins.concatMap (n:
    let v = set.${n}; p = if prefix == "" then n else "${prefix}.${n}"; in
    if builtins.isAttrs v && !(v ? _force) then flat file p v else [ { name = p; value = v; inherit file; } ])
    (builtins.attrNames set);
  load = args: file: let m = import file; in
    flat (toString file) "" (if builtins.isFunction m then m args else m);
  check = d: let v = d.value._force or d.value; in
    if !(known ? ${d.name}) then throw "The option `${d.name}' does not exist. Definition values:\\n- In `${d.file}': ${show v}"
    else if kind v != known.${d.name} then throw "A definition for option `${d.name}' is not of type `${known.${d.name}}'. Definition values:\\n- In `${d.file}': ${show v}"
    else d;
  evalModules = files: args:
    let
      defs = map check (builtins.concatMap (load args) files);
      pick = name: let
        all = builtins.filter (d: d.name == name) defs;
        forced = builtins.filter (d: d.value ? _force) all;
        win = if forced != [ ] then forced else all;
        values = map (d: d.value._force or d.value) win;
      in if builtins.length win > 1 && builtins.head values != builtins.elemAt values 1
        then throw "The option `${name}' has conflicting definition values:\\n${builtins.concatStringsSep "\\n" (map (d: "- In `${d.file}': ${show d.value}") win)}\\nUse `lib.mkForce value` or `lib.mkDefault value` to change the priority on any of these definitions."
        else builtins.head values;
    in builtins.mapAttrs (name: _: pick name) (builtins.listToAttrs (map (d: { inherit (d) name; value = 1; }) defs));
}
""",
    "pkgs.nix": '{ firefox = "firefox-1"; git = "git-2"; neovim = "neovim-3"; }\n',
    "meta.json": '{ "name": "box", "tags": [ "a", "b" ] }\n',
    "configuration.nix": """{ lib, pkgs, ... }:
{
  services.ssh.enable = true;
  networking.port = 8022;
}
""",
    "hardware.nix": """{ lib, ... }:
{
  networking.hostName = "box";
}
""",
    "default.nix": """{ silence ? "0" }:
let
  lib = import ./lib.nix;
  pkgs = import ./pkgs.nix;
  meta = builtins.fromJSON (builtins.readFile ./meta.json);
  greet = { who }: "hello ${who}";
  cfg = lib.evalModules [
    ./configuration.nix
    ./hardware.nix
  ] { inherit lib pkgs; };
  src = derivation {
    name = "src";
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-c" "echo content > $out" ];
    outputHashMode = "flat";
    outputHashAlgo = "sha256";
    outputHash = "GOOD_HASH";
  };
  dep = derivation {
    name = "dep-1.0";
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-c" "echo dep > $out" ];
  };
in
derivation {
  name = "system-1.0";
  system = builtins.currentSystem;
  builder = "/bin/sh";
  inherit src dep;
  tools = "${pkgs.firefox} ${pkgs.git} ${meta.name}";
  greeting = greet { who = "you"; };
  port = "port " + toString cfg."networking.port";
  host = cfg."networking.hostName";
  ssh = if cfg."services.ssh.enable" then "on" else "off";
  args = [ "-c" "echo done > $out" ];
}
""",
}
GOOD_HASH = "sha256-Q0copBCnj1b8G1iZw1k0NuYasMcx6QctleltspAgXlM="


@dataclass(frozen=True, slots=True)
class Fault:
    """One planted fault: replacements of text, or files taken away, or another command."""

    label: str
    edits: tuple[tuple[str, str, str], ...] = ()
    remove: tuple[str, ...] = ()
    command: str = ""
    flake: bool = False


FAULTS = (
    Fault("syntax_error", (("configuration.nix", "enable = true;", "enable = true"),)),
    Fault("syntax_error", (("hardware.nix", '"box";\n}', '"box";\n'),)),
    Fault("syntax_error", (("configuration.nix", "8022;", "8022,"),)),
    Fault("syntax_error", (("hardware.nix", '"box";', '"box;'),)),
    Fault("undefined_variable", (("default.nix", "${pkgs.git}", "${git}"),)),
    Fault("undefined_variable", (("hardware.nix", "{ lib, ... }:", "{ ... }:"), ("hardware.nix", '"box"', 'lib.mkForce "box"'))),
    Fault("undefined_variable", (("default.nix", "inherit lib pkgs;", "inherit lib; pkgs = pkgz;"),)),
    Fault("missing_attribute", (("default.nix", "pkgs.firefox", "pkgs.firefx"),)),
    Fault("missing_attribute", (("default.nix", "meta.name", "meta.nme"),)),
    Fault("missing_file", (("default.nix", "./hardware.nix\n", "./hardware.nix\n    ./printer.nix\n"),)),
    Fault("missing_file", (("default.nix", "./configuration.nix", "./configuraton.nix"),)),
    Fault("option_not_found", (("configuration.nix", "services.ssh.enable", "services.shh.enable"), ("default.nix", 'cfg."services.ssh.enable"', 'cfg."services.ssh.enable" or true'))),
    Fault("option_not_found", (("hardware.nix", '"box";', '"box";\n  sound.volume = 3;'),)),
    Fault("option_type_error", (("configuration.nix", "enable = true", 'enable = "yes"'),)),
    Fault("option_type_error", (("configuration.nix", "8022", '"8022"'),)),
    Fault("option_conflict", (("configuration.nix", "port = 8022;", 'port = 8022;\n  networking.hostName = "other";'),)),
    Fault("hash_mismatch", (("default.nix", "GOOD_HASH", "0000000000000000000000000000000000000000000000000000"),)),
    Fault("hash_mismatch", (("default.nix", "GOOD_HASH", "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),)),
    Fault("attr_already_defined", (("configuration.nix", "port = 8022;", "port = 8022;\n  networking.port = 8022;"),)),
    Fault("unexpected_argument", (("default.nix", 'who = "you";', 'who = "you"; loud = true;'),)),
    Fault("type_error", (("default.nix", 'toString cfg."networking.port"', "8022"),)),
    Fault("type_error", (("default.nix", "${meta.name}", "${meta}"),)),
    Fault("builder_not_found", (("default.nix", 'name = "dep-1.0";\n    system = builtins.currentSystem;\n    builder = "/bin/sh"', 'name = "dep-1.0";\n    system = builtins.currentSystem;\n    builder = "/bin/nosh"'),)),
    Fault("invalid_derivation", (("default.nix", 'name = "system-1.0"', 'name = "my system"'),)),
    Fault("bad_json_toml", (("meta.json", '"b" ]', '"b", ]'),)),
    Fault("missing_channel", (("default.nix", "import ./pkgs.nix", "import <nixpkgs>"),)),
    Fault("not_absolute_path", (("default.nix", "import ./pkgs.nix", 'import "pkgs.nix"'),)),
    Fault("timeout", (("default.nix", '"echo done > $out"', '"/bin/sleep 3; echo done > $out"'),), command=BASE_COMMAND + " --max-silent-time 1"),
    Fault("cli_usage", command=BASE_COMMAND + " --no-out-lnk"),
    Fault("missing_attribute", (("default.nix", "{ silence ? \"0\" }:", "{ }: { system ="), ("default.nix", 'args = [ "-c" "echo done > $out" ];\n}', 'args = [ "-c" "echo done > $out" ];\n}; }')), command=BASE_COMMAND + " -A sytem"),
    Fault("file_not_tracked_by_git", flake=True, command="nix --extra-experimental-features flakes --extra-experimental-features nix-command eval .#greeting"),
    Fault("experimental_feature_disabled", flake=True, command="nix --experimental-features nix-command eval .#plain"),
    # nobody can mend these from the text alone: they count against the figure
    Fault("dependency_build_failed", (("default.nix", "echo dep > $out", "echo boom >&2; exit 3"),)),
    Fault("user_throw", (("configuration.nix", "8022", 'throw "choose a port"'),)),
)  # fmt: skip
