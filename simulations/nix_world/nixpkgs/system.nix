# One "system build": evaluate the modules, check the assertions, build the closure.
{ modules }:
let
  lib = import ./lib.nix;
  pkgs = import ./default.nix { config = cfg.nixpkgs.config; };
  cfg = (lib.evalModules { modules = [ ./options.nix ] ++ modules; args = { inherit lib pkgs; }; }).config;
  failed = builtins.filter (a: !a.assertion) cfg.assertions;
in
if failed != [ ] then
  throw "\nFailed assertions:${builtins.concatStringsSep "" (map (a: "\n- ${a.message}") failed)}"
else
  pkgs.mkDerivation {
    name = "nixos-system-${cfg.networking.hostName}-${cfg.system.stateVersion}";
    inputs = cfg.environment.systemPackages;
    settings = builtins.toJSON (removeAttrs cfg [ "assertions" "environment" ]);
    motd = cfg.environment.motd + cfg.environment.etcText;
    script = ''
      ${cfg.system.check}
      mkdir -p $out
      dd if=/dev/zero of=$out/kernel bs=1M count=2 2>/dev/null || { echo "cannot write the kernel" >&2; dd if=/dev/zero of=$out/kernel2 bs=1M count=2; exit 1; }
      echo "$settings" > $out/settings
    '';
  }
